"""What several commands have in common."""

from __future__ import annotations

import argparse
from pathlib import Path

from fsctl import settings


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add ``--config``, the settings: the usual file where it is there."""
    parser.add_argument(
        "--config",
        type=Path,
        default=settings.usual_file(),
        metavar="FILE",
        help=f"the settings (TOML; {settings.DEFAULT_FILE} if it is there)",
    )
