"""What several commands have in common."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from fsctl import settings

CHANNEL: Final = re.compile("[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
"""The uuid by which FreeSWITCH names one."""


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add ``--config``, the settings: the usual file where it is there."""
    parser.add_argument(
        "--config",
        type=Path,
        default=settings.usual_file(),
        metavar="FILE",
        help=f"the settings (TOML; {settings.DEFAULT_FILE} if it is there)",
    )


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return what takes a whole number of these bounds (``type`` of an argument)."""

    def number(text: str) -> int:
        if not re.fullmatch("[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"must be {least}..{most}")
        return int(text)

    return number


def channel(text: str) -> str:
    """Take the uuid of a channel (``type`` of an argument)."""
    if not CHANNEL.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no uuid of a channel")
    return text
