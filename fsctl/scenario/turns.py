"""Turns: a session's handlers run one at a time, and a handler that waits lets others run.

Each handler runs in a greenlet of its own and has the *turn* until it ends or waits. While it has
it, nothing else happens in its session: no other handler runs, and no event is taken. So straight
code (``call.wait_connected(30)``) and event handlers can be mixed.

A handler that is busy with something of its own (a database, a web service) for longer than
:data:`PATIENCE_S` loses its turn: the calls of its session do not wait for it. From then on others
run beside it, until it uses a verb: that waits for the turn, which the handler has again then. A
verb itself is never left in its middle, however long FreeSWITCH takes to reply.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import gevent
from gevent.event import Event as Flag

log = logging.getLogger(__name__)

PATIENCE_S = 1.0

P = ParamSpec("P")
Owner = TypeVar("Owner")
Result = TypeVar("Result")


def verb(
    method: Callable[Concatenate[Owner, P], Result],
) -> Callable[Concatenate[Owner, P], Result]:
    """Decorate what a scenario may do with a session, or with what has a ``session``.

    In a handler it needs the turn, and keeps it to its end.
    """

    @wraps(method)
    def in_turn(self: Owner, /, *args: P.args, **kwargs: P.kwargs) -> Result:
        session: Any = getattr(self, "session", self)
        with session.turn():
            return method(self, *args, **kwargs)

    return in_turn


class _Turn:
    """One handler, from its start to its end."""

    __slots__ = ("error", "expired", "lost", "met", "resumed", "verbs", "yielded")

    def __init__(self) -> None:
        self.yielded = Flag()
        """Set while somebody else may run: the handler has ended, or waits."""
        self.resumed = Flag()
        """Set when the handler may go on; cleared when it begins to wait."""
        self.met: Callable[[], bool] | None = None
        """The condition that the handler waits for; None: it does not wait."""
        self.expired = False
        """The time of the wait is up. Set by its timer; cleared when another wait begins."""
        self.error: Exception | None = None
        """Raised in the handler when it goes on, once. Set by a condition that has raised, or by
        the session's end."""
        self.lost = False
        """The handler was busy elsewhere for too long: others run beside it. Cleared when it has
        the turn again."""
        self.verbs = 0
        """Verbs that the handler is in, one inside another: it keeps the turn until their end."""


class Turns:
    """Gives turns; ``later(seconds, callback)`` calls back from the loop that also looks.

    ``wake`` has that loop look again, as soon as it has nothing else to do; ``session_id`` is for
    the log.
    """

    def __init__(
        self,
        later: Callable[[float, Callable[[], None]], object],
        wake: Callable[[], None] = lambda: None,
        session_id: str = "",
    ) -> None:
        self._later, self._wake, self._session_id = later, wake, session_id
        self._turns: dict[Any, _Turn] = {}
        self._waiting: list[_Turn] = []
        self._over: Exception | None = None

    @property
    def waiting(self) -> int:
        """How many handlers wait for something."""
        return len(self._waiting)

    @property
    def busy(self) -> bool:
        """Whether a handler has not ended: it waits, or does something of its own."""
        return bool(self._turns)

    @property
    def in_handler(self) -> bool:
        """Whether a handler asks, and not fsctl itself."""
        return gevent.getcurrent() in self._turns

    def run(self, work: Callable[[], None]) -> None:
        """Give ``work`` a turn; returns when it has ended, or waits. ``work`` must not raise."""
        turn = _Turn()

        def main() -> None:
            self._turns[gevent.getcurrent()] = turn
            try:
                work()
            finally:
                del self._turns[gevent.getcurrent()]
                turn.yielded.set()

        gevent.spawn(main)
        self._let(turn)

    def wait(self, met: Callable[[], bool], timeout_s: float | None) -> bool:
        """In a handler: wait until ``met()`` is true; False when the time was up before.

        Raises RuntimeError outside of a handler, and whatever :meth:`end` was given.
        """
        if met():
            return True
        turn = self._turns.get(gevent.getcurrent())
        if turn is None:
            raise RuntimeError("only a handler of the scenario can wait")
        if timeout_s is not None:
            self._later(timeout_s, lambda: self._expire(turn, met))
        self._yield(turn, met)
        return met()

    @contextmanager
    def verb(self) -> Iterator[None]:
        """In a handler: have the turn, again if it was lost, and keep it. Elsewhere nothing.

        Raises whatever :meth:`end` was given, when the turn was lost and the session is over.
        """
        turn = self._turns.get(gevent.getcurrent())
        if turn is None:
            yield
            return
        if turn.lost:
            self._wake()
            self._yield(turn, lambda: True)
        turn.verbs += 1
        try:
            yield
        finally:
            turn.verbs -= 1

    def _yield(self, turn: _Turn, met: Callable[[], bool]) -> None:
        """Let others run until ``met()``, or until the time is up."""
        if self._over is not None:
            raise self._over
        turn.met, turn.expired = met, False
        self._waiting.append(turn)
        turn.resumed.clear()
        turn.yielded.set()
        turn.resumed.wait()
        turn.met = None
        error, turn.error = turn.error, None
        if error is not None:
            raise error

    def look(self) -> None:
        """Let those go on whose condition has come true, or raises, or whose time is up."""
        going_on = bool(self._waiting)
        while going_on:
            going_on = False
            for turn in tuple(self._waiting):
                if turn in self._waiting and self._may_go_on(turn):
                    self._resume(turn)
                    going_on = True

    @staticmethod
    def _may_go_on(turn: _Turn) -> bool:
        try:
            return turn.expired or (turn.met is not None and turn.met())
        except Exception as error:
            turn.error = error  # the handler's own: it is raised there
            return True

    def end(self, error: Exception) -> None:
        """Nothing will come any more: ``error`` is raised in every handler that waits."""
        self._over = error
        while self._waiting:
            turn = self._waiting[0]
            turn.error = error
            self._resume(turn)

    def _resume(self, turn: _Turn) -> None:
        self._waiting.remove(turn)
        turn.lost = False
        turn.yielded.clear()
        turn.resumed.set()
        self._let(turn)

    def _let(self, turn: _Turn) -> None:
        while not turn.yielded.wait(PATIENCE_S):
            if not turn.verbs:
                turn.lost = True
                log.warning(
                    "%s: a handler is busy for over %g s: its session goes on beside it",
                    self._session_id,
                    PATIENCE_S,
                )
                return

    @staticmethod
    def _expire(turn: _Turn, met: Callable[[], bool]) -> None:
        if turn.met is met:
            turn.expired = True
