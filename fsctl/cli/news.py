"""``fsctl news``: what the web service of ``[news]`` has not taken, and telling it again."""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from typing import Any

from fsctl import moments, settings
from fsctl.cli.options import add_config
from fsctl.cli.records import open_records
from fsctl.cli.tables import show, show_json
from fsctl.errors import FsctlError

_MOST = 1000


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "news",
        help="what [news] has not been taken of, and telling it again",
        description="What the web service of [news] has not taken, the newest first.",
    )
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    redeliver = actions.add_parser(
        "redeliver", help="tell it again: these, or all that were not taken"
    )
    redeliver.add_argument(
        "id",
        nargs="*",
        metavar="ID",
        help="transfers, as of `fsctl records`: told again whether they were taken or not",
    )
    redeliver.add_argument(
        "--undelivered", action="store_true", help="all that were not taken, given up or not"
    )


def run(arguments: argparse.Namespace) -> int:
    """Show them, or have them told again; 1 where there are none. Raises FsctlError."""
    from sqlalchemy.exc import SQLAlchemyError

    from fsctl.records import redelivery, store

    loaded = settings.load(arguments.config, os.environ)
    if not loaded.news.url:
        raise FsctlError("nobody is told of transfers: [news] url is empty")
    engine = open_records(loaded)
    try:
        if not arguments.action:
            return _list(redelivery.undelivered(engine, _MOST), arguments.json)
        if bool(arguments.id) == arguments.undelivered:
            raise FsctlError("redeliver: either transfers' IDs, or --undelivered")
        names = redelivery.again(engine, datetime.now(UTC), arguments.id)
    except SQLAlchemyError as error:
        raise FsctlError(f"the records cannot be used: {store.why(error)}") from error
    if arguments.json:
        print(json.dumps({"transfers": names}))
    elif names:
        print(f"{len(names)} told again, as soon as `fsctl serve` runs:", *names, sep="\n  ")
    else:
        print("there is nothing to be told", file=sys.stderr)
    return 0 if names else 1


def _list(rows: list[dict[str, Any]], as_json: bool) -> int:
    if as_json:
        show_json(rows)
        return 0 if rows else 1
    shown = [
        [
            moments.for_people(row["began"]),
            str(row["transfer"]),
            str(row["tries"]),
            moments.for_people(row["due"]) if row["due"] else "given up",
            str(row["answer"] or ""),
        ]
        for row in rows
    ]
    show(
        ("began", "transfer", "tries", "again", "answer"), shown, none="all is told", folds="answer"
    )
    return 0 if rows else 1
