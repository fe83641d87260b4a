"""``fsctl ladder``: what has happened in a transfer, message by message."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fsctl import settings
from fsctl.cli.desk_api import DeskApi
from fsctl.cli.options import add_config
from fsctl.errors import FsctlError
from fsctl.hep.message import Message
from fsctl.ladder import pcap, plain, svg, text

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from fsctl.records.ladders import Material


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
    from fsctl.records.ladders import clock

    loaded = settings.load(arguments.config, os.environ)
    engine = open_records(loaded)
    found = _find(loaded, engine, arguments.id)
    if found is None:
        print("no such transfer", file=sys.stderr)
        return 1
    messages = found.messages
    if (arguments.pcap or arguments.text) and not messages:
        raise FsctlError("there are no SIP messages of it: see [hep]; the ladder alone shows steps")
    if arguments.pcap:
        _write(arguments.pcap, pcap.write(messages))
    elif arguments.text:
        _write(arguments.text, plain.write(messages, _date).encode("utf-8", "replace"))
    else:
        ladder = found.ladder()
        if arguments.svg:
            _write(arguments.svg, svg.draw(ladder, clock).encode())
        else:
            encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
            unicode = encoding == "utf8" and not arguments.ascii
            width = shutil.get_terminal_size((120, 24)).columns
            print(text.draw(ladder, clock, width, unicode=unicode), end="")
    return 0


def heard_now(loaded: settings.Settings, call_ids: list[str]) -> list[Message]:
    """Return what the desk of a controller that runs has heard of these calls lately; nothing
    where none answers."""
    try:
        found = DeskApi(loaded).get("/api/v1/messages", call_id=call_ids)
        return [Message.of_fields(each) for each in found["messages"]]
    except (FsctlError, ValueError, KeyError, TypeError):
        return []


def _find(loaded: settings.Settings, engine: Engine, name: str) -> Material | None:
    """Raises FsctlError."""
    from sqlalchemy.exc import SQLAlchemyError

    from fsctl.records import ladders, store

    try:
        return ladders.of_transfer(engine, name, lambda call_ids: heard_now(loaded, call_ids))
    except SQLAlchemyError as error:
        raise FsctlError(f"the records cannot be read: {store.why(error)}") from error


def _write(path: Path, data: bytes) -> None:
    if str(path) == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return
    path.write_bytes(data)
    print(path)


def _date(time_s: float) -> str:
    """In this machine's zone."""
    return datetime.fromtimestamp(time_s).strftime("%Y/%m/%d %H:%M:%S.%f")
