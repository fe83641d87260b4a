"""What a ladder is drawn from: the transfers of one call, its legs, their steps, SIP messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from fsctl.errors import FsctlError
from fsctl.hep.message import Message
from fsctl.ladder.ladder import Ladder, build
from fsctl.records import find
from fsctl.records.find import Row
from fsctl.sip.roles import ROLES

Heard = Callable[[list[str]], list[Message]]
"""Returns what was heard of these Call-IDs lately."""


@dataclass(frozen=True, slots=True)
class Material:
    """All that is kept of one call's transfers."""

    transfers: list[Row]
    legs: list[Row]
    steps: list[Row]
    messages: list[Message]

    def ladder(self) -> Ladder:
        """Return it as a ladder, ready to be drawn; its title has the day, and the zone of all
        times."""
        made = build(self.transfers, self.legs, self.steps, self.messages)
        began = self.transfers[0]["began"].astimezone()
        return replace(made, title=f"{made.title}, on {began:%Y-%m-%d} ({began:%Z})")


def of_transfer(engine: Engine, name: str, heard: Heard) -> Material | None:
    """Return what is kept of all transfers of the call that ``name`` means (`find.one_transfer`),
    and what ``heard`` knows where no messages are.

    Raises FsctlError where several calls may be meant, SQLAlchemyError.
    """
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
    messages = kept or heard(_call_ids(transfers, legs))
    return Material(transfers, legs, steps, _in_time(messages))


def clock(time_s: float) -> str:
    """Write a moment (seconds since 1970) as the renderers' ``clock`` does, in this machine's
    zone."""
    return datetime.fromtimestamp(time_s).strftime("%H:%M:%S.%f")[:-3]


def _each_once(legs: Iterable[Row]) -> list[Row]:
    return list({leg["id"]: leg for leg in legs}.values())


def _in_time(messages: Iterable[Message]) -> list[Message]:
    """Each of them once for each time that it was sent; several transfers may have kept it."""
    once: dict[Any, Message] = {}
    for message in messages:
        once.setdefault((message.time_s, message.ends, message.text), message)
    return sorted(once.values(), key=lambda message: message.time_s)


def _call_ids(transfers: list[Row], legs: list[Row]) -> list[str]:
    found = [row[f"{role}_call_id"] for row in transfers for role in ROLES]
    return list(filter(None, dict.fromkeys([*found, *(leg["call_id"] for leg in legs)])))
