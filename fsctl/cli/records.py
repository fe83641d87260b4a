"""``fsctl records``: what has become of a transfer, and of which."""

from __future__ import annotations

import argparse
import csv
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from fsctl import moments, settings
from fsctl.cli.options import add_config, whole
from fsctl.cli.tables import coloured, show, show_json
from fsctl.desk.live import LONGEST_S
from fsctl.errors import FsctlError
from fsctl.log import printable
from fsctl.records import words
from fsctl.sip.roles import ROLES

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from fsctl.records.find import Row

_COLUMNS = ("began", "kind", *ROLES, "outcome", "told", "id")
_CSV = (
    *("id", "call", "switch", "kind", "began", "ended", "outcome", "code", "reason", "refer_to"),
    *(f"{role}{part}" for role in ROLES for part in ("", "_number", "_call_id")),
)
_WHEN = 'as "10:42" (today), "2026-11-29", "2026-11-29 10:42", "90m", "6h" or "7d" (ago)'
_LOST = "its end is not known: whoever had it died, and nobody has seen more of it"
_IN_FULL = 5
"""So many are shown in full, as of one session; of more it was too little that was said."""
_STARTS = {"refer": "REFER", "keys": "keys", "command": "a command, or by HTTP"}
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
    parser.add_argument("--since", type=_moment, metavar="WHEN", help=_WHEN)
    parser.add_argument("--until", type=_moment, metavar="WHEN")
    parser.add_argument(
        "--limit", type=whole(1, 100_000), default=50, metavar="N", help="default: %(default)s"
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
        # All in quotes: no semicolon begins a cell of its own.
        writer = csv.DictWriter(
            *(sys.stdout, _CSV),
            extrasaction="ignore",
            lineterminator="\n",
            quoting=csv.QUOTE_ALL,
        )
        writer.writeheader()
        writer.writerows(_plain(row) for row in rows)
    elif len(rows) > _IN_FULL and arguments.id:
        _table(rows)
        print(f"{arguments.id} may be any of these: say more of its id", file=sys.stderr)
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
            moments.for_people(row["began"]),
            row["kind"] or "",
            *(words.number_of(row, role) or "-" for role in ROLES),
            coloured(row["outcome"], _outcome(row)),
            _told(row),
            row["id"][:8],
        ]
        for row in rows
    ]
    show(_COLUMNS, shown, none="no transfers", folds="told")


def _tell(row: Row) -> None:
    """All that is known of one, for a person."""
    outcome = _outcome(row).replace("open", "goes on")
    lines = [f"{row['kind']} transfer {row['id']}: {outcome}"]
    lines += [f"  {name:12}{text}" for name, text in _facts(row)]
    for leg in row["legs"]:
        known = [leg["number"] or "-", leg["name"] and f'"{leg["name"]}"', leg["id"]]
        known += [
            f"{name} {moments.for_people(leg[name])}"
            for name in ("began", "answered", "ended")
            if leg[name]
        ]
        lines.append(f"  {'leg':12}{'  '.join(filter(None, known))}")
    began: datetime = row["steps"][0]["at"] if row["steps"] else row["began"]
    for step in row["steps"]:
        at, after = moments.for_people(step["at"]), (step["at"] - began).total_seconds()
        lines.append(f"  {at}  +{after:.3f} s  {step['what']} -> {step['state']}")
    print("\n".join(printable(line) for line in lines))


def _facts(row: Row) -> Iterator[tuple[str, str]]:
    """What is known of a transfer, and by which name."""
    details: dict[str, Any] = row["details"] or {}
    lost = _outcome(row) == "unknown"
    yield "why", _LOST if lost else words.cause(row, row["steps"])
    yield "told", _told(row) or "-"
    for role in ROLES:
        parts = (words.number_of(row, role) or "-", row[role], row[f"{role}_call_id"])
        yield role, "  ".join(filter(None, parts))
    yield "Refer-To", row["refer_to"] or "-"
    yield "asked by", _STARTS.get(details.get("start", ""), "-")
    if rule := details.get("rule"):
        verdict = "allowed" if details.get("allowed", True) else "refused"
        yield "policy", f"{verdict} by rule {rule}"
    yield "decided by", details.get("decided_by", "-")
    if asked := words.exchange(details):
        yield "web service", asked
    if shadow := words.would_have(details):
        yield "would have", shadow
    yield "on", f"{row['switch'] or '-'}, session {row['call'] or '-'}"


def _outcome(row: Row) -> str:
    """As of the record; "open": it goes on, "unknown": nobody has told its end."""
    if row["outcome"]:
        return str(row["outcome"])
    lasts = (datetime.now(UTC) - row["began"]).total_seconds()
    return "open" if lasts < LONGEST_S else "unknown"


def _told(row: Row) -> str:
    return f"{row['code']} {row['reason'] or ''}".rstrip() if row["code"] else ""


def _plain(row: Row) -> dict[str, str]:
    return {
        name: moments.for_programs(value) if isinstance(value, datetime) else _not_formula(value)
        for name, value in row.items()
    }


def _not_formula(value: Any) -> str:
    """A table calculator would run what begins so, and a terminal what is no printable character;
    phones name themselves as they like."""
    text = "" if value is None else printable(str(value))
    return f"'{text}" if re.match(r"[=@＝＠]|[+＋－-](?![0-9]*\Z)", text) else text


def _moment(text: str) -> datetime:
    """A moment in this machine's zone, as an option says it; in UTC."""
    now = datetime.now(UTC)
    try:
        if ago := re.fullmatch(r"([0-9]{1,5})([mhd])", text):
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        if re.fullmatch(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?", text):
            clock = datetime.strptime(text, "%H:%M" if text.count(":") == 1 else "%H:%M:%S")
            # The zone is that of then: on two days of a year it is another in the afternoon.
            return datetime.combine(now.astimezone().date(), clock.time()).astimezone(UTC)
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no time: {_WHEN}") from None
