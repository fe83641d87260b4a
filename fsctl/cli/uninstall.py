"""``fsctl uninstall``: takes fsctl out of FreeSWITCH; every file is as it was before."""

from __future__ import annotations

import argparse

from fsctl.cli.install import add_options, begin, place_of, talk_of
from fsctl.install import work


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    command = commands.add_parser("uninstall", help="take it out again, without a trace")
    add_options(command)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """0: done; 1: done, but something is left to do by hand; 2: not. Raises FsctlError, OSError."""
    talk = talk_of(arguments)
    return max(work.uninstall(place_of(found), talk) for found in begin(arguments, whatever=True))
