"""The command line: ``fsctl install``, ``serve``, ``check``, and what else there is."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from fsctl import __version__, log, settings
from fsctl.errors import FsctlError

_COMMANDS: Final = {
    **{name: name for name in ("install", "uninstall", "serve", "check", "policy", "transfer")},
    **{name: "live" for name in ("status", "calls", "transfers", "hangup", "log-level", "drain")},
    **{name: name for name in ("records", "news", "ladder", "report")},
    **{name: name for name in ("dialplan", "scenario", "demo", "completion")},
}
"""The module here that has the command, in the order in which help lists them."""
_UNREAD: Final = 141
"""As a shell tells SIGPIPE."""


def whole_parser(command: str = "") -> argparse.ArgumentParser:
    """Return the parser of all commands, or of the module alone that has this ``command``."""
    parser = argparse.ArgumentParser(
        prog="fsctl", description="Call transfers on FreeSWITCH, under the application's control."
    )
    parser.add_argument("--version", action="version", version=f"fsctl {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    modules = [_COMMANDS[command]] if command in _COMMANDS else _COMMANDS.values()
    for name in dict.fromkeys(modules):
        import_module(f"fsctl.cli.{name}").add_parser(commands)
    return parser


def _is_text(given: str) -> bool:
    """Whether it can be sent, stored and printed: Python keeps other bytes as half characters."""
    return not any("\ud800" <= each <= "\udfff" for each in given)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it went well, 2 when something given to it was wrong."""
    given = sys.argv[1:] if argv is None else argv
    if sys.stdout is None:  # closed by whoever has started us: `>&-`
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    if odd := next((each for each in given if not _is_text(each)), ""):
        print(f"fsctl: an argument is no UTF-8: {odd!r}", file=sys.stderr)
        return 2
    # What is not run is not imported: a worker starts without the simulator.
    parser = whole_parser(given[0] if given else "")
    try:
        arguments = parser.parse_args(given)
    except SystemExit as ended:
        if ended.code and given[:1] == ["check"] and "--json" in given:
            import_module("fsctl.cli.check").tell_usage()
        raise
    try:
        status = int(arguments.run(arguments))
        sys.stdout.flush()
        return status
    except (FsctlError, OSError) as error:
        if isinstance(error, BrokenPipeError) and arguments.command != "serve":
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return _UNREAD  # whoever reads has seen enough, as `head`
        form = settings.log_form(getattr(arguments, "config", None), os.environ)
        log.last_words(str(error), form if arguments.command == "serve" else "text")
        return 2
