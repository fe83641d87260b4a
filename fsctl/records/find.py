"""Finds what was kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Engine, and_, or_, select

from fsctl.hep.message import Message
from fsctl.records.schema import CALLS, LEGS, MESSAGES, STEPS, TRANSFERS
from fsctl.sip.roles import ROLES

_NUMBERS = tuple(TRANSFERS.c[f"{role}_number"] for role in ROLES)
_CHANNELS = tuple(TRANSFERS.c[role] for role in ROLES)
_CALL_IDS = tuple(TRANSFERS.c[f"{role}_call_id"] for role in ROLES)

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which transfers; what is not said is any."""

    number: str = ""
    """Of one of the parties, or of its end; or the number that was asked for."""
    outcome: str = ""
    """As of `TransferRecord`, or "open": it goes on."""
    switch: str = ""
    since: datetime | None = None
    until: datetime | None = None
    most: int = 50
    """The newest so many."""


def transfers(engine: Engine, wanted: Wanted) -> list[Row]:
    """Return transfers, the newest first. Raises SQLAlchemyError."""
    conditions: list[ColumnElement[bool]] = []
    if number := _kept_as(wanted.number):
        like = [column.endswith(number, autoescape=True) for column in _NUMBERS]
        asked = TRANSFERS.c.refer_to.contains(number, autoescape=True)
        conditions.append(or_(*like, asked))
    if wanted.outcome:
        outcome = TRANSFERS.c.outcome
        conditions.append(
            outcome.is_(None) if wanted.outcome == "open" else outcome == wanted.outcome
        )
    if wanted.switch:
        conditions.append(TRANSFERS.c.switch == wanted.switch)
    if wanted.since is not None:
        conditions.append(TRANSFERS.c.began >= wanted.since)
    if wanted.until is not None:
        conditions.append(TRANSFERS.c.began <= wanted.until)
    newest = select(TRANSFERS).where(and_(True, *conditions)).order_by(TRANSFERS.c.began.desc())
    return _rows(engine, newest.limit(wanted.most))


def that_go_on(engine: Engine, since: datetime, most: int) -> tuple[list[Row], list[Row]]:
    """Return the newest calls that have not ended, as far as is known, with all their legs; of
    those that began ``since``. Raises SQLAlchemyError."""
    is_open = and_(CALLS.c.ended.is_(None), CALLS.c.began >= since)
    calls = select(CALLS).where(is_open).order_by(CALLS.c.began.desc()).limit(most)
    legs = select(LEGS).join(CALLS, LEGS.c.call == CALLS.c.id).where(is_open)
    return list(reversed(_rows(engine, calls))), _rows(engine, legs.order_by(LEGS.c.began))


def one_transfer(engine: Engine, name: str) -> list[Row]:
    """Return the transfers that ``name`` may mean, in the order of time: its own id, or the first
    characters of that; else the session, a channel, or the Call-ID of one of its parties.

    Raises SQLAlchemyError.
    """
    name = _kept_as(name)
    every = select(TRANSFERS).order_by(TRANSFERS.c.began).limit(50)
    if found := _rows(engine, every.where(TRANSFERS.c.id.startswith(name, autoescape=True))):
        return found
    places = (TRANSFERS.c.call, *_CHANNELS, *_CALL_IDS)
    # Of a leg that another worker has had the record knows no Call-ID: its own row does.
    of_dialog = select(LEGS.c.id).where(LEGS.c.call_id == name)
    by_leg = (column.in_(of_dialog) for column in _CHANNELS)
    return _rows(engine, every.where(or_(*(column == name for column in places), *by_leg)))


def in_full(engine: Engine, name: str) -> list[Row]:
    """As `one_transfer`, each with its ``legs`` and ``steps``. Raises SQLAlchemyError."""
    return [_whole(engine, row) for row in one_transfer(engine, name)]


def _whole(engine: Engine, row: Row) -> Row:
    theirs = legs(engine, row)
    known = {leg["id"]: leg["call_id"] for leg in theirs}
    call_ids = {f"{role}_call_id": row[f"{role}_call_id"] or known.get(row[role]) for role in ROLES}
    return row | call_ids | {"legs": theirs, "steps": steps(engine, row["id"])}


def steps(engine: Engine, transfer: str) -> list[Row]:
    """Return what has happened in a transfer, in its order. Raises SQLAlchemyError."""
    of_it = select(STEPS).where(STEPS.c.transfer == transfer)
    return _rows(engine, of_it.order_by(STEPS.c.at, STEPS.c.id))


def legs(engine: Engine, transfer: Mapping[str, Any]) -> list[Row]:
    """Return the legs of the session that a transfer is of. Raises SQLAlchemyError."""
    details = transfer["details"] or {}
    parties = [*(transfer[role] for role in ROLES), details.get("consultation")]
    names = [name for name in parties if name]
    theirs = or_(LEGS.c.call == transfer["call"], LEGS.c.id.in_(names), LEGS.c.channel.in_(names))
    return _rows(engine, select(LEGS).where(theirs).order_by(LEGS.c.began))


def messages(engine: Engine, transfer: str) -> list[Message]:
    """Return the SIP messages that were kept with a transfer, in their order. Raises
    SQLAlchemyError."""
    of_it = select(MESSAGES).where(MESSAGES.c.transfer == transfer)
    return [_message(row) for row in _rows(engine, of_it.order_by(MESSAGES.c.id))]


def _kept_as(text: str) -> str:
    """A text as `store` would have kept it: SQLite ends a pattern at NUL, and PostgreSQL refuses
    it."""
    return text.replace("\0", "\ufffd")


def _message(row: Row) -> Message:
    (source, source_port), (target, target_port) = (
        row[end].rsplit(":", 1) for end in ("src", "dst")
    )
    return Message(
        time_s=row["at"].timestamp(),
        source=source.strip("[]"),
        source_port=int(source_port),
        destination=target.strip("[]"),
        destination_port=int(target_port),
        transport=row["transport"],
        text=bytes(row["text"]),
        truncated="truncated" in row["flags"].split(),
        gap="gap" in row["flags"].split(),
    )


def _rows(engine: Engine, query: Any) -> list[Row]:
    with engine.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(query)]
