"""The command line: ``fsctl serve``, ``dialplan render``, ``scenario check``, ``demo``."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from fsctl import __version__, log, settings
from fsctl.cli import demo, dialplan, scenario, serve
from fsctl.errors import FsctlError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it went well, 2 when something given to it was wrong."""
    parser = argparse.ArgumentParser(
        prog="fsctl", description="Call transfers on FreeSWITCH, under the application's control."
    )
    parser.add_argument("--version", action="version", version=f"fsctl {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (serve, dialplan, scenario, demo):
        command.add_parser(commands)
    arguments = parser.parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except (FsctlError, OSError) as error:
        form = settings.log_form(getattr(arguments, "config", None), os.environ)
        log.last_words(str(error), form if arguments.run is serve.run else "text")
        return 2
