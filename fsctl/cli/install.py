"""``fsctl install``: lays fsctl into the FreeSWITCH of this machine."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from fsctl import check, settings
from fsctl.errors import InstallError
from fsctl.install import work
from fsctl.install.changes import printable
from fsctl.install.finding import Found, Wanted, find_all


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    command = commands.add_parser("install", help="lay fsctl into the FreeSWITCH of this machine")
    add_options(command)
    command.add_argument(
        "--profile",
        action="append",
        default=[],
        metavar="NAME",
        help="this sofia profile, and no other but those with the option again (default: all)",
    )
    command.set_defaults(run=run)


def add_options(command: argparse.ArgumentParser) -> None:
    """Add what `install` and `uninstall` have in common."""
    command.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help=f"settings (TOML), made where there are none (default: {settings.DEFAULT_FILE})",
    )
    command.add_argument(
        "--conf", type=Path, metavar="DIR", help="FreeSWITCH's configuration; it may be down"
    )
    command.add_argument(
        "--switch", type=_address, metavar="HOST:PORT", help="FreeSWITCH's event socket"
    )
    command.add_argument(
        "--password-file", type=Path, metavar="FILE", help="its password, and nothing else"
    )
    command.add_argument("--yes", action="store_true", help="do not ask")
    command.add_argument(
        "--dry-run", action="store_true", help="show what would be written, and write nothing"
    )


def run(arguments: argparse.Namespace) -> int:
    """0: done; 1: done, but something is left to do by hand; 2: not. Raises FsctlError, OSError."""
    talk = talk_of(arguments)
    status, all_found = work.DONE, begin(arguments)
    for found in all_found:
        place = place_of(found)
        done = work.install(place, found.settings, found.new, arguments.profile, talk)
        status = max(status, done)
    if status != work.NOT_DONE and not arguments.dry_run:
        if any(found.switch for found in all_found):
            _say_problems(all_found[0].settings)
        option = f" --config {arguments.config}" if arguments.config else ""
        say(f"Next: fsctl serve{option}")
    return status


def _say_problems(installed: settings.Settings) -> None:
    """What `fsctl check` finds, but for the controllers, which have not begun yet."""
    for finding in check.examine(installed).findings:
        if finding.state is check.State.PROBLEM and not finding.code.startswith("FSC6"):
            follows = f"; {finding.consequence}" if finding.consequence else ""
            say(f"Check {finding.code}: {finding.what}{follows} -> {finding.command}")


def begin(arguments: argparse.Namespace, whatever: bool = False) -> list[Found]:
    """Find FreeSWITCH, with ``whatever`` settings, and say so. Raises FsctlError, OSError."""
    logging.getLogger("fsctl").addHandler(logging.NullHandler())  # what is said here says it all
    config: Path = arguments.config or settings.DEFAULT_FILE
    conf = arguments.conf.absolute() if arguments.conf else None
    wanted = Wanted(config.absolute(), conf, arguments.switch, arguments.password_file, whatever)
    all_found, remarks = find_all(wanted, os.environ)
    for remark in (*remarks, *(each for found in all_found for each in found.remarks)):
        say(f"Note: {remark}")
    return all_found


def place_of(found: Found) -> work.Place:
    """Say which FreeSWITCH is next, and return it."""
    say(f"FreeSWITCH: {found.conf}, {found.silent or 'running'}")
    return work.Place(found.conf, found.switch, found.silent)


def talk_of(arguments: argparse.Namespace) -> work.Talk:
    """Print to the terminal, and ask there."""
    return work.Talk(say, _asker(arguments), arguments.dry_run)


def _asker(arguments: argparse.Namespace) -> Callable[[str], bool]:
    def ask(question: str) -> bool:
        if arguments.yes:
            return True
        if not sys.stdin.isatty():
            raise InstallError("nothing was written: no terminal to ask at; repeat it with --yes")
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")

    return ask


def say(text: str) -> None:
    """Print it, without control characters."""
    print(printable(text), flush=True)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise argparse.ArgumentTypeError("must be HOST:PORT")
    return host, int(port)
