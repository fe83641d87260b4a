"""``fsctl scenario check``: what a scenario does, on a simulated switch, before any real call."""

from __future__ import annotations

import argparse
import inspect
import os
from dataclasses import replace
from pathlib import Path

from fsctl import settings
from fsctl.rehearsal import Numbers, Rehearsal, rehearse
from fsctl.scenario import Scenario, load
from fsctl.stage import CALLS


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    command = commands.add_parser("scenario", help="scenario files")
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser(
        "check", help="play standard calls and transfers with a scenario, on a simulated switch"
    )
    check.add_argument("file", type=Path, metavar="FILE", help="the scenario (Python)")
    check.add_argument("--config", type=Path, metavar="FILE", help="settings (TOML)")
    names = Numbers()
    for role in ("caller", "callee", "target"):
        number = getattr(names, role)
        check.add_argument(
            f"--{role}", default=number, metavar="NUMBER", help=f"the {role}'s number ({number})"
        )
    check.add_argument(
        "--call", action="append", default=[], metavar="NUMBER", help="a call to this number, too"
    )
    check.add_argument(
        "--transfer-to",
        action="append",
        default=[],
        metavar="TARGET",
        help="a transfer to this number or whole Refer-To, too",
    )
    check.add_argument(
        "--phone",
        action="append",
        default=[],
        type=_phone,
        metavar="NUMBER[:busy|:silent]",
        help="another phone, which answers, is busy, or rings",
    )
    check.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Check; 0 when nothing was wrong, 1 when something was. Raises SettingsError (status 2)."""
    loaded = settings.load(arguments.config, os.environ)
    if arguments.config is None:  # nothing is known of where it is to run: it is asked of all
        loaded = replace(loaded, dialplan=CALLS.dialplan, routes=CALLS.routes)
    scenario = load(arguments.file)
    print(f"{arguments.file}: scenario {scenario.name}")
    for line in _handlers(scenario):
        print(f"  {line}")
    numbers = Numbers(
        arguments.caller,
        arguments.callee,
        arguments.target,
        tuple(arguments.call),
        tuple(arguments.transfer_to),
        tuple(arguments.phone),
    )
    played = []
    for rehearsal in rehearse(scenario, loaded, numbers):
        _show(rehearsal)
        played.append(rehearsal)
    print(f"\n{_verdict(played)} (simulated switch).")
    return 1 if any(rehearsal.problems for rehearsal in played) else 0


def _phone(text: str) -> str:
    number, _, manner = text.partition(":")
    if not number or manner not in ("", "busy", "silent"):
        raise argparse.ArgumentTypeError("must be NUMBER, NUMBER:busy or NUMBER:silent")
    return text


def _verdict(played: list[Rehearsal]) -> str:
    """What is known after all: that nothing was wrong says nothing where nothing was decided."""
    wrong = sum(len(rehearsal.problems) for rehearsal in played)
    if wrong:
        return f"{wrong} problem{'' if wrong == 1 else 's'}"
    undecided = sum(rehearsal.undecided for rehearsal in played)
    if undecided:
        of = f"{undecided} of {len(played)} stories"
        return f"In {of} the scenario has not decided what it was asked: a deadline did"
    if not any(rehearsal.decided for rehearsal in played):
        return (
            "The scenario has decided nothing, so there is nothing to judge: the settings did all"
        )
    return "No problems"


def _handlers(scenario: Scenario) -> list[str]:
    lines = []
    for event, handlers in scenario.all_handlers().items():
        for handler in handlers:
            function = inspect.unwrap(handler)
            code = getattr(function, "__code__", None)
            where = f" (line {code.co_firstlineno})" if code else ""
            name = getattr(function, "__name__", repr(function))
            lines.append(f"{event.__name__}: {name}{where}")
    return lines or ["no handlers: the settings decide"]


def _show(rehearsal: Rehearsal) -> None:
    print(f"\n{'WRONG' if rehearsal.problems else 'ok   '} {rehearsal.title}")
    for line in rehearsal.seen:
        print(f"      {line}")
    for mark, texts in (("warning: ", rehearsal.warnings), ("problem: ", rehearsal.problems)):
        for text in texts:
            print("      " + mark + text.replace("\n", "\n        "), flush=True)
