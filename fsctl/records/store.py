"""Keeps what the journal tells: entries become rows, in one transaction with how far was read.

So an entry is kept once, whoever dies when; and what several processes, or the controllers of one
database, tell of a transfer comes together in its one row, in whatever order.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import (
    Engine,
    Executable,
    Integer,
    String,
    Table,
    create_engine,
    delete,
    event,
    func,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url

from fsctl import moments
from fsctl.hep.message import Message
from fsctl.journal import Entry
from fsctl.records.schema import CALLS, JOURNALS, LEGS, MESSAGES, NEWS, STEPS, TRANSFERS
from fsctl.sip.roles import ROLES

LOCKED_S = 5.0
"""So long another writer of an SQLite database is waited for."""
CONNECT_S = 5
_STATEMENT_MS = 30_000
_UPGRADES = 7345001
"""The lock under which the tables of a PostgreSQL database are changed; any number of our own."""
_TOO_LARGE = 1 << 31
"""For a column of integers."""
_INSERT: dict[str, Callable[[Table], Any]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}

Row = dict[str, Any]


def _names(table: Table) -> list[str]:
    return [column.name for column in table.columns]


def open_engine(url: str) -> Engine:
    """Return what connects to a database by its URL, when that is first used.

    Raises ImportError for a driver that is not installed.
    """
    database = make_url(url)
    if database.get_backend_name() == "postgresql":
        options = f"-c statement_timeout={_STATEMENT_MS} -c timezone=UTC"
        arguments = {"connect_timeout": CONNECT_S, "options": options}
        return create_engine(database, pool_size=2, pool_pre_ping=True, connect_args=arguments)
    engine = create_engine(database, connect_args={"timeout": LOCKED_S})
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def why(error: Exception) -> str:
    """Return what a database has to say, in a line."""
    return str(getattr(error, "orig", None) or error).strip().partition("\n")[0]


def _prepare_sqlite(connection: Any, _: object) -> None:
    """Who reads does not wait for who writes."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def upgrade(engine: Engine) -> None:
    """Bring the tables to the newest version; makes them where there are none."""
    config = Config()
    config.set_main_option("script_location", "fsctl.records:migrations")
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":  # several controllers start at once
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_UPGRADES})")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def places(engine: Engine) -> dict[str, int]:
    """Return up to where each file of the journal has been kept."""
    with engine.connect() as connection:
        return {row.file: row.kept_to for row in connection.execute(select(JOURNALS))}


def keep(engine: Engine, entries: list[Entry], *, news: bool = False) -> None:
    """Keep entries of one file, in their order, and that they have been; all of them or none.

    Those that have been kept already are not kept again: another desk may read the same folder.
    ``news``: each transfer that has ended is to be told of (`fsctl.desk.news`).
    """
    last = entries[-1]
    place = {"file": last.file, "kept_to": last.end, "read_at": time.time()}
    with engine.begin() as connection:
        before = connection.execute(_held(connection.dialect.name), place | {"kept_to": 0}).scalar()
        entries = [entry for entry in entries if entry.end > (before or 0)]
        if not entries:
            return
        batch = _Batch()
        for entry in entries:
            if take := _TAKE.get(entry.what):
                take(batch, entry)
        for table, first in _FIRST.items():
            if rows := batch.rows(table):
                connection.execute(_put(connection.dialect.name, table, first), rows)
        if batch.steps:
            connection.execute(STEPS.insert(), batch.steps)
        if news and (rows := [_news(each) for each in entries if each.what == "record"]):
            insert = _INSERT[connection.dialect.name](NEWS)
            connection.execute(insert.on_conflict_do_nothing(), rows)
        connection.execute(_put(connection.dialect.name, JOURNALS, ()), [place])


@cache
def _held(dialect: str) -> Executable:
    """Have nobody else keep of a file until the transaction ends; returns how far it is kept."""
    insert = _INSERT[dialect](JOURNALS)
    held: Executable = insert.on_conflict_do_update(
        index_elements=[JOURNALS.c.file], set_={"read_at": insert.excluded.read_at}
    ).returning(JOURNALS.c.kept_to)
    return held


def _news(entry: Entry) -> Row:
    at = moments.at(entry.at)
    row: Row = {"transfer": _clean(str(entry.fields.get("id")), NEWS.c.transfer), "began": at}
    return row | {"body": news_body(at, entry.fields), "tries": 0, "due": at}


def news_body(at: datetime, fields: Mapping[str, Any]) -> bytes:
    """Return what is sent of a transfer that has ended then, by the fields of its record."""
    told = {"type": "transfer.ended", "timestamp": moments.for_programs(at), "data": fields}
    return json.dumps(told).encode()


def due_news(engine: Engine, now: datetime, most: int) -> list[Row]:
    """Return what is to be sent now, the oldest first. Raises SQLAlchemyError."""
    due = select(NEWS).where(NEWS.c.due <= now).order_by(NEWS.c.due).limit(most)
    with engine.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(due)]


def news_sent(engine: Engine, transfer: str, answer: str, due: datetime | None) -> None:
    """Note what a try has brought, and when the next is due; None: there is none."""
    said = update(NEWS).where(NEWS.c.transfer == transfer)
    values = {"tries": NEWS.c.tries + 1, "answer": _clean(answer, NEWS.c.answer), "due": due}
    with engine.begin() as connection:
        connection.execute(said.values(**values))


def keep_messages(engine: Engine, transfer: str, messages: Iterable[Message]) -> None:
    """Keep the SIP messages of a transfer, in place of what was kept of it before."""
    rows = [
        {
            "transfer": transfer,
            "at": moments.at(message.time_s),
            "src": _end(message.source, message.source_port),
            "dst": _end(message.destination, message.destination_port),
            "transport": message.transport,
            "text": message.text,
            "flags": " ".join(["truncated"] * message.truncated + ["gap"] * message.gap),
        }
        for message in messages
    ]
    with engine.begin() as connection:
        connection.execute(delete(MESSAGES).where(MESSAGES.c.transfer == transfer))
        if rows:
            connection.execute(MESSAGES.insert(), rows)


def forget_file(engine: Engine, file: str) -> None:
    """The file is no more."""
    with engine.begin() as connection:
        connection.execute(delete(JOURNALS).where(JOURNALS.c.file == file))


def forget_old(engine: Engine, days: int, now: datetime) -> int:
    """Delete what began before so many days; returns how many calls, legs and transfers."""
    before = now - timedelta(days=days)
    with engine.begin() as connection:
        old = select(TRANSFERS.c.id).where(TRANSFERS.c.began < before)
        for table in (STEPS, MESSAGES):
            connection.execute(delete(table).where(table.c.transfer.in_(old)))
        connection.execute(delete(NEWS).where(NEWS.c.began < before))
        return sum(
            connection.execute(delete(table).where(table.c.began < before)).rowcount
            for table in (TRANSFERS, LEGS, CALLS)
        )


# -- from entries to rows -------------------------------------------------------------------------


class _Batch:
    """What entries say, brought together by whom they are about."""

    def __init__(self) -> None:
        self._rows: dict[Table, dict[str, Row]] = {table: {} for table in _FIRST}
        self.steps: list[Row] = []

    def add(self, table: Table, row: Mapping[str, Any]) -> None:
        """What a row does not say, or says None of, stays as it is."""
        (key,) = table.primary_key.columns
        said = {name: _clean(row.get(name), table.c[name]) for name in _names(table)}
        known = self._rows[table].setdefault(said[key.name], said)
        if known is said or not said[key.name]:
            return
        first = _FIRST[table]
        for name, value in said.items():
            if value is not None and (name not in first or known[name] is None):
                known[name] = value

    def rows(self, table: Table) -> list[Row]:
        """Return those of this table. An entry that names nobody is none: it was damaged."""
        return [row for name, row in self._rows[table].items() if name]


def _session(batch: _Batch, entry: Entry) -> None:
    fields, at = entry.fields, moments.at(entry.at)
    row = {"id": fields.get("session"), "switch": fields.get("switch"), "began": at}
    row["process"] = entry.process
    batch.add(CALLS, row | {"ended": at if fields.get("over") else None})


def _leg(batch: _Batch, entry: Entry) -> None:
    fields, at = entry.fields, moments.at(entry.at)
    row = fields | {"id": fields.get("leg"), "call": fields.get("session")}
    row["began"] = moments.at(fields.get("began") or entry.at)
    when = {"connected": "answered", "disconnected": "ended"}.get(str(fields.get("state")))
    batch.add(LEGS, row | ({when: at} if when else {}))


def _transfer(batch: _Batch, entry: Entry) -> None:
    batch.add(TRANSFERS, _told(entry.fields) | {"began": moments.at(entry.at)})


def _step(batch: _Batch, entry: Entry) -> None:
    row = entry.fields | {"at": moments.at(entry.at), "what": entry.fields.get("step")}
    names = [name for name in _names(STEPS) if name != "id"]
    batch.steps.append({name: _clean(row.get(name), STEPS.c[name]) or "" for name in names})


def _record(batch: _Batch, entry: Entry) -> None:
    at, fields = moments.at(entry.at), entry.fields
    details = {name: value for name, value in fields.items() if name not in _IN_COLUMNS}
    batch.add(TRANSFERS, _told(fields) | {"began": at, "ended": at, "details": details})


def _told(fields: Mapping[str, Any]) -> Row:
    """What an entry says of a transfer, by the columns of its table."""
    row = dict(fields) | {"call": fields.get("session")}
    for plural, singular in (("numbers", "number"), ("call_ids", "call_id")):
        known = fields.get(plural) or {}
        row |= {f"{role}_{singular}": known.get(role) for role in ROLES}
    # A party is named or not; "" is what a record says of one that there is not.
    return row | {role: fields.get(role) or None for role in ROLES}


_IN_COLUMNS = {*_names(TRANSFERS), "session", "numbers", "call_ids"}
_TAKE: dict[str, Callable[[_Batch, Entry], None]] = {
    "session": _session,
    "leg": _leg,
    "transfer": _transfer,
    "step": _step,
    "record": _record,
}
_FIRST: dict[Table, tuple[str, ...]] = {
    CALLS: ("began",),
    LEGS: ("began", "answered"),
    # Of two records of one transfer the first counts.
    TRANSFERS: ("began", "ended", "outcome", "code", "reason", "details"),
}
"""The tables whose rows are told bit by bit, and the columns where the first word counts; in the
others it is the last one."""


@cache
def _put(dialect: str, table: Table, first: tuple[str, ...]) -> Executable:
    """Insert rows, or bring what is known of them up to date. Made once: that costs more than to
    keep a call."""
    insert = _INSERT[dialect](table)
    (key,) = table.primary_key.columns
    said = {}
    for column in table.c:
        if column is not key:
            old, new = column, insert.excluded[column.name]
            said[column.name] = func.coalesce(*((old, new) if column.name in first else (new, old)))
    upsert: Executable = insert.on_conflict_do_update(index_elements=[key], set_=said)
    return upsert


def _clean(value: Any, column: Any = None) -> Any:
    """What a network has sent, or a disk has damaged, fits into its column, and every database."""
    if column is not None and value is not None:
        value = _of_type(value, column.type)
    if isinstance(value, str):
        # PostgreSQL knows no NUL, and no database half a surrogate pair.
        text = value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
        return text[: getattr(column.type, "length", None) if column is not None else None]
    if isinstance(value, dict):
        return {_clean(str(name)): _clean(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(each) for each in value]
    return value


def _of_type(value: Any, kind: Any) -> Any:
    """A value as a column of that type can have it; None for a number that is none."""
    if isinstance(kind, String):
        return value if isinstance(value, str) else json.dumps(value)
    if isinstance(kind, Integer):
        return value if isinstance(value, int) and abs(value) < _TOO_LARGE else None
    return value


def _end(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
