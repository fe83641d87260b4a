"""``fsctl calls``, ``transfers``, ``status``, and what can be done: asked of the desk that runs."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from fsctl import settings
from fsctl.cli.desk_api import DeskApi
from fsctl.cli.options import add_config, channel
from fsctl.cli.tables import coloured, show, show_json
from fsctl.errors import FsctlError
from fsctl.records.words import number_of
from fsctl.sip.roles import ROLES

_LEVELS = ("debug", "info", "warning", "error")
_AT_MOST = 1000


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands to the parser."""
    calls = commands.add_parser("calls", help="calls that go on")
    calls.add_argument("--number", default="", help="of a party, or its last digits")
    calls.set_defaults(run=_calls)
    transfers = commands.add_parser("transfers", help="transfers that go on, and the latest")
    transfers.set_defaults(run=_transfers)
    status = commands.add_parser("status", help="how the controller is; 1: something is not well")
    status.set_defaults(run=_status)
    hangup = commands.add_parser("hangup", help="hang up a leg of a call")
    hangup.add_argument(
        "channel", type=channel, metavar="CHANNEL", help="its uuid, as `fsctl calls` says"
    )
    hangup.set_defaults(run=_hang_up)
    level = commands.add_parser("log-level", help="log from this level on, until the next start")
    level.add_argument("level", choices=_LEVELS)
    level.set_defaults(run=_log_level)
    drain = commands.add_parser("drain", help="end as by SIGTERM: running calls go on for a while")
    drain.set_defaults(run=_drain)
    for parser in (calls, transfers, status, hangup, level, drain):
        add_config(parser)
        parser.add_argument("--json", action="store_true", help="one JSON document, nothing else")


def _desk(arguments: argparse.Namespace) -> DeskApi:
    return DeskApi(settings.load(arguments.config, os.environ))


def _shown(arguments: argparse.Namespace, path: str, **asked: str | int) -> dict[str, Any]:
    found = _desk(arguments).get(path, **asked)
    if "event" not in found:
        raise FsctlError("what answers at [http] listen is no desk of fsctl's")
    return found


def _calls(arguments: argparse.Namespace) -> int:
    found = _shown(arguments, "/api/v1/calls", number=arguments.number, limit=_AT_MOST)
    if arguments.json:
        return _print(found)
    columns = ("began", "state", "number", "name", "dialled", "switch", "channel")
    rows = [
        [
            _ago(leg["began"]),
            leg["state"],
            *_texts(leg, *columns[2:5]),
            call["switch"],
            *_texts(leg, "channel"),
        ]
        for call in found["calls"]
        for leg in call["legs"].values()
    ]
    show(columns, rows, none="no calls", folds="name")
    if found["total"] > len(found["calls"]):
        print(f"and {found['total'] - len(found['calls'])} calls more", file=sys.stderr)
    return 0


def _transfers(arguments: argparse.Namespace) -> int:
    found = _shown(arguments, "/api/v1/transfers", live="1", limit=_AT_MOST)
    if arguments.json:
        return _print(found)
    columns = ("began", "kind", *ROLES, "state", "id")
    rows = [
        [
            _ago(each["began"]),
            each["kind"] or "",
            *(_number(each, role) for role in ROLES),
            coloured(each["outcome"], f"{each['outcome']} {each['code']} {each['reason']}")
            if each["outcome"]
            else each["state"] or "asked for",
            each["id"][:8],
        ]
        for each in found["transfers"]
    ]
    show(columns, rows, none="no transfers", folds="state")
    return 0


def _number(transfer: dict[str, Any], role: str) -> str:
    known = {f"{role}_number": (transfer[role] or {}).get("number")}
    return number_of(known | {"refer_to": transfer["refer_to"]}, role) or "-"


def _status(arguments: argparse.Namespace) -> int:
    found = _shown(arguments, "/api/v1/status")
    problems = found["problems"]
    if arguments.json:
        _print(found)
        return 1 if problems else 0
    print(f"fsctl {found['version']}: {found['calls']} calls, {found['transfers']} transfers")
    columns = ("worker", "pid", "sessions", "links", "late ms", "memory MB", "connected to")
    rows = [
        [
            *(str(each.get(name, "")) for name in ("number", "pid", "sessions", "links")),
            f"{each.get('late_ms', 0):.0f}",
            f"{each.get('resident', 0) / 1e6:.0f}",
            ", ".join(name for name, there in each.get("switches", {}).items() if there) or "-",
        ]
        for each in sorted(found["workers"], key=lambda each: each.get("number", 0))
    ]
    show(columns, rows, none="no worker has said how it is yet")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def _hang_up(arguments: argparse.Namespace) -> int:
    path = f"/api/v1/legs/{quote(arguments.channel, safe='')}/hangup"
    return _done(arguments, _desk(arguments).act("POST", path), "FreeSWITCH was told")


def _log_level(arguments: argparse.Namespace) -> int:
    answer = _desk(arguments).act("PUT", "/api/v1/log-level", {"level": arguments.level})
    return _done(arguments, answer, f"logging from {arguments.level} on")


def _drain(arguments: argparse.Namespace) -> int:
    return _done(arguments, _desk(arguments).act("POST", "/api/v1/drain"), "draining")


def _done(arguments: argparse.Namespace, answer: dict[str, Any], said: str) -> int:
    if arguments.json:
        return _print(answer)
    print(said)
    return 0


def _print(found: dict[str, Any]) -> int:
    show_json(found)
    return 0


def _texts(leg: dict[str, Any], *names: str) -> list[str]:
    return [str(leg.get(name) or "-") for name in names]


def _ago(text: str) -> str:
    """How long ago, as one says it of calls: ``12s``, ``3m 05s``, ``1h 20m``."""
    seconds = max(0, int((datetime.now(UTC) - datetime.fromisoformat(text)).total_seconds()))
    minutes, hours = seconds // 60, seconds // 3600
    if hours:
        return f"{hours}h {minutes % 60:02d}m"
    return f"{minutes}m {seconds % 60:02d}s" if minutes else f"{seconds}s"
