"""``fsctl ladder``: what has happened in a transfer, message by message."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fsctl import settings
from fsctl.cli.options import add_config
from fsctl.errors import FsctlError
from fsctl.hep.message import Message
from fsctl.ladder import pcap, plain, svg, text
from fsctl.ladder.ladder import build

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from fsctl.records.find import Row

_ROLES = ("transferor", "transferee", "target")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "ladder",
        help="what has happened in a transfer, message by message",
        description="SIP messages of all legs of a transfer, with fsctl's own steps. Messages are "
        "kept where a transfer has failed ([hep]); of others there are the steps, and the times of "
        "the legs.",
    )
    parser.add_argument(
        "id",
        metavar="ID",
        help="a transfer (the first characters do), a session, a channel or a SIP Call-ID",
    )
    add_config(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--svg", type=Path, metavar="FILE", help='a picture; "-": standard output')
    form.add_argument("--pcap", type=Path, metavar="FILE", help="the messages, for Wireshark")
    form.add_argument("--text", type=Path, metavar="FILE", help="the messages as they are")
    parser.add_argument("--ascii", action="store_true", help="draw with ASCII characters only")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Show it; 1 when there is no such transfer. Raises FsctlError, OSError."""
    from fsctl.cli.records import open_records

    loaded = settings.load(arguments.config, os.environ)
    engine = open_records(loaded)
    found = _find(engine, arguments.id, lambda call_ids: heard_now(loaded, call_ids))
    if found is None:
        print("no such transfer", file=sys.stderr)
        return 1
    transfers, legs, steps, messages = found
    if (arguments.pcap or arguments.text) and not messages:
        raise FsctlError("there are no SIP messages of it: see [hep]; the ladder alone shows steps")
    if arguments.pcap:
        _write(arguments.pcap, pcap.write(messages))
    elif arguments.text:
        _write(arguments.text, plain.write(messages, _date).encode("utf-8", "replace"))
    else:
        ladder = build(transfers, legs, steps, messages)
        if arguments.svg:
            _write(arguments.svg, svg.draw(ladder, _clock).encode())
        else:
            encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
            unicode = encoding == "utf8" and not arguments.ascii
            width = shutil.get_terminal_size((120, 24)).columns
            print(text.draw(ladder, _clock, width, unicode=unicode), end="")
    return 0


Heard = Callable[[list[str]], list[Message]]


def heard_now(loaded: settings.Settings, call_ids: list[str]) -> list[Message]:
    """Return what a controller that runs has heard of these calls lately, by its API.

    Its API does not tell that yet: there are none.
    """
    return []


def _find(
    engine: Engine, name: str, heard: Heard
) -> tuple[list[Row], list[Row], list[Row], list[Message]] | None:
    """What is kept of all transfers of one call, and what ``heard`` knows where nothing is.

    Raises FsctlError.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from fsctl.records import find

    try:
        transfers = find.one_transfer(engine, name)
        calls = {row["call"] or row["id"] for row in transfers}
        if len(calls) > 1:
            ids = ", ".join(row["id"][:8] for row in transfers)
            raise FsctlError(f"{name} may be one of several calls' transfers: {ids}")
        if not transfers:
            return None
        legs = _each_once(leg for row in transfers for leg in find.legs(engine, row))
        steps = [step for row in transfers for step in find.steps(engine, row["id"])]
        kept = [message for row in transfers for message in find.messages(engine, row["id"])]
    except SQLAlchemyError as error:
        why = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        raise FsctlError(f"the records cannot be read: {why}") from error
    messages = kept or heard(_call_ids(transfers, legs))
    return transfers, legs, steps, _in_time(messages)


def _each_once(legs: Iterable[Row]) -> list[Row]:
    return list({leg["id"]: leg for leg in legs}.values())


def _in_time(messages: Iterable[Message]) -> list[Message]:
    """Each of them once for each time that it was sent; several transfers may have kept it."""
    once: dict[Any, Message] = {}
    for message in messages:
        once.setdefault((message.time_s, message.ends, message.text), message)
    return sorted(once.values(), key=lambda message: message.time_s)


def _call_ids(transfers: list[Row], legs: list[Row]) -> list[str]:
    found = [row[f"{role}_call_id"] for row in transfers for role in _ROLES]
    return list(filter(None, dict.fromkeys([*found, *(leg["call_id"] for leg in legs)])))


def _write(path: Path, data: bytes) -> None:
    if str(path) == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return
    path.write_bytes(data)
    print(path)


def _clock(time_s: float) -> str:
    """In this machine's zone."""
    return datetime.fromtimestamp(time_s).strftime("%H:%M:%S.%f")[:-3]


def _date(time_s: float) -> str:
    return datetime.fromtimestamp(time_s).strftime("%Y/%m/%d %H:%M:%S.%f")
