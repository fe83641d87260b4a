"""The legs of one worker, by what they are known: found without a walk through all sessions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from fsctl.session.core.board import Board

if TYPE_CHECKING:
    from fsctl.session.core.leg import Leg
    from fsctl.session.core.session import Session

INDEXED: Final = ("number", "address", "sip_call_id")
"""The attributes of a leg by which it is found."""


class Directory:
    """Every leg that a session has made, by each of `INDEXED`, until the session ends.

    An attribute that is set tells of it by itself (`fsctl.session.core.leg`).
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._legs: dict[tuple[str, Any], dict[Leg, None]] = {}

    def add(self, leg: Leg) -> None:
        """A session has made it."""
        leg.directory = self
        for name in INDEXED:
            self._put(leg, name)

    def changes(self, leg: Leg, name: str) -> None:
        """This attribute is about to be another."""
        self._take(leg, name)

    def changed(self, leg: Leg, name: str) -> None:
        """It is another now."""
        self._put(leg, name)

    def find(self, name: str, value: object) -> Iterator[Leg]:
        """Those of the calls of running sessions of which this attribute is so."""
        for leg in self._legs.get((name, value), ()):
            session = leg.session
            if self._board.sessions.get(session.id) is session and leg in session.calls.values():
                yield leg

    def session_ends(self, session: Session) -> None:
        """Its legs are gone, but for those that another session has taken."""
        for leg in {*session.made, *session.calls.values()}:
            if leg.session is session and leg.directory is self:
                leg.directory = None
                for name in INDEXED:
                    self._take(leg, name)
        session.made.clear()

    def _put(self, leg: Leg, name: str) -> None:
        key = name, getattr(leg, name)
        legs = self._legs.get(key)
        if legs is None:
            legs = self._legs[key] = {}
            if self._board.siblings is not None:
                self._board.siblings.add(*key)
        legs[leg] = None

    def _take(self, leg: Leg, name: str) -> None:
        key = name, getattr(leg, name)
        legs = self._legs.get(key)
        if legs is None:
            return
        legs.pop(leg, None)
        if not legs:
            del self._legs[key]
            if self._board.siblings is not None:
                self._board.siblings.remove(*key)
