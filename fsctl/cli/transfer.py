"""``fsctl transfer``: have a party that is in a call transferred."""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import sys

from fsctl import settings
from fsctl.cli.options import add_config
from fsctl.errors import SettingsError
from fsctl.service.asking import Answer, AskedTransfer, Unasked, asked_on
from fsctl.settings import Settings, Switch

_UUID = re.compile("[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TARGET = re.compile(r"[^\x00-\x20\x7f]{1,256}")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "transfer",
        help="have a party transferred, whose partner talks with it until the target answers",
    )
    add_config(parser)
    parser.add_argument("call", metavar="CALL", help="uuid of the party's channel")
    parser.add_argument("target", metavar="TARGET", help="a number, or a SIP or tel URI")
    parser.add_argument("--switch", default="", metavar="NAME", help="on which of several")
    parser.add_argument(
        "--timeout", type=int, metavar="SECONDS", help="how long the target may ring (1 to 600)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document, and nothing else")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what comes of it; 0 done, 1 not done, 2 it could not be asked, or nobody knows."""
    logging.getLogger("fsctl").addHandler(logging.NullHandler())  # what is printed says it all
    call, target, tells = arguments.call, arguments.target, not arguments.json
    _check(arguments)
    loaded = settings.load(arguments.config, os.environ)
    try:
        answer, cancelled = _ask(arguments, _switches(loaded, arguments.switch), tells)
    except Unasked as error:
        if tells:
            raise
        print(json.dumps({"call": call, "target": target, "outcome": "unknown", "why": str(error)}))
        return 2
    code, reason = answer.status.code, answer.status.reason
    done = answer.status.is_success
    if tells:
        print(f"{call} talks with {target}" if done else f"not transferred: {code} {reason}")
        if answer.why:
            print(answer.why)
        if cancelled and done:
            print("too late to be taken back", file=sys.stderr)
    else:
        outcome = "succeeded" if done else "cancelled" if cancelled else "failed"
        said = {"outcome": outcome, "code": code, "reason": reason, "why": answer.why}
        print(json.dumps({"call": call, "target": target} | said))
    return 0 if done else 1


def _ask(
    arguments: argparse.Namespace, switches: tuple[Switch, ...], tells: bool
) -> tuple[Answer, bool]:
    """Return the answer, and whether it was taken back. Raises Unasked, LinkError."""
    with _asked(switches, arguments.call) as asked:
        try:
            asked.ask(arguments.call, arguments.target, arguments.timeout)
            if tells:
                print(f"asking for {arguments.target}, Ctrl-C takes it back", flush=True)
            rings = _rings(arguments.target) if tells else lambda: None
            return asked.wait(rings), False
        except KeyboardInterrupt:
            return asked.cancel(), True


def _asked(switches: tuple[Switch, ...], call: str) -> AskedTransfer:
    return asked_on(switches, call)


def _rings(target: str):  # type: ignore[no-untyped-def]
    return lambda: print(f"{target} rings", flush=True)


def _check(arguments: argparse.Namespace) -> None:
    """Raises SettingsError."""
    if not _UUID.fullmatch(arguments.call):
        raise SettingsError(f"CALL: {arguments.call!r} is no uuid of a channel")
    if not _TARGET.fullmatch(arguments.target):
        raise SettingsError(f"TARGET: {arguments.target!r} is no number, and no URI")
    if arguments.timeout is not None and not 1 <= arguments.timeout <= 600:
        raise SettingsError(f"--timeout: must be 1 to 600, is {arguments.timeout}")


def _switches(loaded: Settings, name: str) -> tuple[Switch, ...]:
    """Raises SettingsError."""
    if not loaded.switches:
        raise SettingsError("[switch] has no password: FreeSWITCH cannot be asked")
    chosen = tuple(each for each in loaded.switches if not name or each.name == name)
    if not chosen:
        raise SettingsError(f"--switch: there is no {name!r} in [switch]")
    return chosen
