"""The attended transfers of one worker that are open: they concern calls of several sessions."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator
from typing import Protocol

from fsctl.esl.connection import Connection
from fsctl.esl.events import Event
from fsctl.session.core.board import Board
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session

_REMEMBERED = 64


class Attended(Protocol):
    """An attended transfer, as others see it (`session.transfers.attended`)."""

    session: Session
    transferor: Leg
    transferee: Leg

    @property
    def is_unheard(self) -> bool:
        """The transferor was gone before FreeSWITCH could ask us."""

    def keeps(self, call: Leg) -> bool:
        """Whether ``call`` is about to be moved."""

    def has_guest(self, call: Leg) -> bool:
        """Whether ``call`` is in the session for its sake, or that of another one."""

    def awaits_home(self, channel: str) -> bool:
        """Whether this channel is the transferee that has been sent for."""

    def came_home(self, link: Connection) -> None:
        """It has opened ``link``."""

    def note(self, event: Event) -> None:
        """An event of some session has come."""

    def give_way(self) -> None:
        """A blind REFER has moved the same two."""

    def drop(self) -> None:
        """The session ends."""


class AttendedTransfers:
    """All that are open, and what a request that comes may still ask about."""

    def __init__(self, board: Board) -> None:
        self._open: list[Attended] = []
        self._gave_up: OrderedDict[str, Leg] = OrderedDict()

    def __iter__(self) -> Iterator[Attended]:
        return iter(tuple(self._open))

    @property
    def is_any_open(self) -> bool:
        """Whether there is one, of whatever session."""
        return bool(self._open)

    def add(self, transfer: Attended) -> None:
        """Another one has been asked for."""
        self._open.append(transfer)

    def remove(self, transfer: Attended) -> None:
        """It has ended."""
        self._open.remove(transfer)

    def of(self, session: Session) -> list[Attended]:
        """Those of one session: its transferor's."""
        return [each for each in self._open if each.session is session]

    def concern(self, legs: Collection[Leg]) -> bool:
        """Whether one of these is transferor or transferee in one of them."""
        return any(each.transferor in legs or each.transferee in legs for each in self._open)

    def keeps(self, leg: Leg) -> bool:
        """Whether one of them is about to move this party."""
        return any(each.keeps(leg) for each in self._open)

    def give_way_to_blind(self, session: Session) -> None:
        """A blind REFER has moved a party of ``session``: its attended requests are over."""
        for each in self.of(session):
            each.give_way()

    def session_ends(self, session: Session) -> None:
        """Those of it end as well."""
        for each in self.of(session):
            each.drop()

    def note_given_up(self, leg: Leg) -> None:
        """A caller has left before anybody answered, perhaps for a REFER of its; its session may be
        over in a moment."""
        self._gave_up[leg.sip_call_id] = leg
        while len(self._gave_up) > _REMEMBERED:
            self._gave_up.popitem(last=False)

    def given_up(self, call_id: str) -> Leg | None:
        """Who has left so, by its dialog's Call-ID."""
        return self._gave_up.get(call_id)
