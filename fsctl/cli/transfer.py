"""``fsctl transfer``: have a party that is in a call transferred."""

from __future__ import annotations

import argparse
import json
import logging
import os
import re

from fsctl import settings
from fsctl.cli.options import CHANNEL, add_config
from fsctl.errors import LinkError, SettingsError
from fsctl.service.asking import Answer, AskedTransfer, Unasked, switch_of
from fsctl.settings import Settings, Switch

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
    _check(arguments)
    switches = _switches(settings.load(arguments.config, os.environ), arguments.switch)
    try:
        answer, cancelled = _ask(arguments, switch_of(arguments.call, switches))
    except (Unasked, LinkError) as error:
        if not arguments.json:
            raise
        _print(arguments, {"outcome": "unknown", "why": str(error)})
        return 2
    code, reason, done = answer.status.code, answer.status.reason, answer.status.is_success
    if arguments.json:
        outcome = "succeeded" if done else "cancelled" if cancelled else "failed"
        _print(arguments, {"outcome": outcome, "code": code, "reason": reason, "why": answer.why})
    else:
        talks = f"{arguments.call} talks with {arguments.target}"
        print(talks if done else f"not transferred: {code} {reason}")
        if answer.why:
            print(answer.why)
        if cancelled and done:
            print("It was too late to take it back.")
    return 0 if done else 1


def _ask(arguments: argparse.Namespace, switch: Switch) -> tuple[Answer, bool]:
    """Return the answer, and whether it was taken back. Raises Unasked, LinkError."""

    def say(text: str) -> None:
        if not arguments.json:
            print(text, flush=True)

    target = arguments.target
    with AskedTransfer(switch) as asked:
        asked.ask(arguments.call, target, arguments.timeout)
        say(f"asking for {target}, Ctrl-C takes it back")
        try:
            return asked.wait(lambda: say(f"{target} rings")), False
        except KeyboardInterrupt:
            return asked.cancel(), True


def _print(arguments: argparse.Namespace, said: dict[str, object]) -> None:
    print(json.dumps({"call": arguments.call, "target": arguments.target, **said}))


def _check(arguments: argparse.Namespace) -> None:
    """Raises SettingsError."""
    if not CHANNEL.fullmatch(arguments.call):
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
