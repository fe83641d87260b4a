"""``fsctl records``: what has become of a transfer, and of which."""

from __future__ import annotations

import argparse
import csv
import os
import re
import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from fsctl import settings
from fsctl.cli.options import add_config
from fsctl.cli.tables import coloured, show, show_json
from fsctl.errors import FsctlError
from fsctl.log import printable
from fsctl.records.words import cause

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from fsctl.records.find import Row

_ROLES = ("transferor", "transferee", "target")
_COLUMNS = ("began", "kind", "transferor", "transferee", "target", "outcome", "told", "id")
_CSV = (
    *("id", "call", "switch", "kind", "began", "ended", "outcome", "code", "reason", "refer_to"),
    *(f"{role}{part}" for role in _ROLES for part in ("", "_number", "_call_id")),
)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "records",
        help="what has become of transfers",
        description="Transfers that were kept, the newest first; with ID all that is known of one.",
    )
    parser.add_argument(
        "id",
        nargs="?",
        metavar="ID",
        help="a transfer (the first characters do), a session, a channel or a SIP Call-ID",
    )
    add_config(parser)
    parser.add_argument("--number", default="", help="of a party, or its last digits")
    parser.add_argument(
        "--outcome", default="", choices=("succeeded", "failed", "abandoned", "open")
    )
    parser.add_argument("--switch", default="", metavar="NAME", help="the FreeSWITCH")
    when = 'as "10:42" (today), "2026-11-29", "2026-11-29 10:42", "90m", "6h" or "7d" (ago)'
    parser.add_argument("--since", type=_moment, metavar="WHEN", help=when)
    parser.add_argument("--until", type=_moment, metavar="WHEN")
    parser.add_argument(
        "--limit", type=_limit, default=50, metavar="N", help="default: %(default)s"
    )
    parser.add_argument("--format", default="table", choices=("table", "csv", "json"))
    parser.add_argument("--json", action="store_const", dest="format", const="json")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Show them; 1 when there are none. Raises FsctlError."""
    from sqlalchemy.exc import SQLAlchemyError

    from fsctl.records import find, store

    loaded = settings.load(arguments.config, os.environ)
    engine = open_records(loaded)
    try:
        if arguments.id:
            in_short = arguments.format == "csv"
            rows = (find.one_transfer if in_short else find.in_full)(engine, arguments.id)
        else:
            wanted = find.Wanted(
                arguments.number,
                arguments.outcome,
                arguments.switch,
                arguments.since,
                arguments.until,
                arguments.limit,
            )
            rows = find.transfers(engine, wanted)
    except SQLAlchemyError as error:
        raise FsctlError(f"the records cannot be read: {store.why(error)}") from error
    if arguments.format == "json":
        show_json(rows)
    elif arguments.format == "csv":
        writer = csv.DictWriter(sys.stdout, _CSV, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(_plain(row) for row in rows)
    elif arguments.id:
        for row in rows:
            _tell(row)
        if not rows:
            print("no such transfer", file=sys.stderr)
    else:
        _table(rows)
    return 0 if rows else 1


def open_records(loaded: settings.Settings) -> Engine:
    """Return what reads the database of these settings. Raises FsctlError."""
    from sqlalchemy.engine import make_url

    from fsctl.records import store

    database = make_url(loaded.records.url)
    file = database.database or ""
    if database.get_backend_name() == "sqlite" and not os.path.exists(file):
        raise FsctlError(f"there are no records: {file} does not exist ([records])")
    try:
        return store.open_engine(loaded.records.url)
    except ImportError as error:
        raise FsctlError(f"the database's driver is missing: {error}") from error


def _table(rows: list[Row]) -> None:
    shown = [
        [
            _local(row["began"]),
            row["kind"] or "",
            *(row[f"{role}_number"] or "-" for role in _ROLES),
            coloured(row["outcome"], row["outcome"] or "open"),
            _told(row),
            row["id"][:8],
        ]
        for row in rows
    ]
    show(_COLUMNS, shown, none="no transfers", folds="told")


def _tell(row: Row) -> None:
    """All that is known of one, for a person."""
    details: dict[str, Any] = row["details"] or {}
    lines = [f"{row['kind']} transfer {row['id']}: {row['outcome'] or 'goes on'}"]
    told = _told(row)
    lines.append(f"  {'why':12}{cause(row, row['steps'])}")
    lines.append(f"  {'told':12}{told or '-'}")
    for role in _ROLES:
        parts = [row[f"{role}_number"] or "-", row[role] or "", row[f"{role}_call_id"] or ""]
        lines.append(f"  {role:12}{'  '.join(part for part in parts if part)}")
    lines.append(f"  {'Refer-To':12}{row['refer_to'] or '-'}")
    if rule := details.get("rule"):
        verdict = "allowed" if details.get("allowed", True) else "refused"
        lines.append(f"  {'policy':12}{verdict} by rule {rule}")
    lines.append(f"  {'decided by':12}{details.get('decided_by', '-')}")
    lines.append(f"  {'on':12}{row['switch'] or '-'}, session {row['call'] or '-'}")
    for leg in row["legs"]:
        times = "  ".join(
            f"{name} {_local(leg[name])}" for name in ("began", "answered", "ended") if leg[name]
        )
        lines.append(f"  {'leg':12}{leg['number'] or '-'}  {leg['id']}  {times}")
    began: datetime = row["steps"][0]["at"] if row["steps"] else row["began"]
    for step in row["steps"]:
        after = (step["at"] - began).total_seconds()
        lines.append(f"  {_local(step['at'])}  +{after:.3f} s  {step['what']} -> {step['state']}")
    print("\n".join(printable(line) for line in lines))


def _told(row: Row) -> str:
    return f"{row['code']} {row['reason'] or ''}".rstrip() if row["code"] else ""


def _plain(row: Row) -> dict[str, str]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else _not_formula(value)
        for name, value in row.items()
    }


def _not_formula(value: Any) -> str:
    """A table calculator would run what begins so; phones name themselves as they like."""
    text = "" if value is None else str(value)
    return f"'{text}" if re.match(r"[=@\t\r]|[+-](?![0-9]*$)", text) else text


def _local(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _moment(text: str) -> datetime:
    """A moment in this machine's zone, as an option says it."""
    now = datetime.now().astimezone()
    if ago := re.fullmatch(r"([0-9]{1,5})([mhd])", text):
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        if re.fullmatch(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?", text):
            clock = datetime.strptime(text, "%H:%M" if text.count(":") == 1 else "%H:%M:%S")
            return now.replace(
                hour=clock.hour, minute=clock.minute, second=clock.second, microsecond=0
            )
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time") from None


def _limit(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 100_000:
        raise argparse.ArgumentTypeError("must be 1..100000")
    return number
