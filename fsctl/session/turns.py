"""Turns: a session's handlers run one at a time, and a handler that waits lets others run.

Each handler runs in a greenlet of its own and has the *turn* until it ends or waits. So straight
code (``call.wait_connected(30)``) and event handlers can be mixed, and still no two handlers ever
run at the same moment: nothing in a scenario needs a lock. A handler that is busy with something of
its own (a database, a web service) for longer than :data:`PATIENCE_S` loses its turn: the calls of
its session do not wait for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import Event as Flag

log = logging.getLogger(__name__)

PATIENCE_S = 1.0


class _Turn:
    """One handler, from its start to its end."""

    __slots__ = ("error", "expired", "met", "resumed", "yielded")

    def __init__(self) -> None:
        self.yielded = Flag()
        """Set while somebody else may run: this one has ended or waits."""
        self.resumed = Flag()
        self.met: Callable[[], bool] | None = None
        """What it waits for."""
        self.expired = False
        self.error: Exception | None = None


class Turns:
    """Gives turns; ``later(seconds, callback)`` calls back from the loop that also looks."""

    def __init__(self, later: Callable[[float, Callable[[], None]], object]) -> None:
        self._later = later
        self._turns: dict[Any, _Turn] = {}
        self._waiting: list[_Turn] = []

    @property
    def waiting(self) -> int:
        """How many handlers wait for something."""
        return len(self._waiting)

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
        turn.met, turn.expired = met, False
        if timeout_s is not None:
            self._later(timeout_s, lambda: self._expire(turn, met))
        self._waiting.append(turn)
        turn.resumed.clear()
        turn.yielded.set()
        turn.resumed.wait()
        turn.met = None
        if turn.error is not None:
            raise turn.error
        return met()

    def look(self) -> None:
        """Let those go on whose condition has come true, or whose time is up."""
        going_on = True
        while going_on:
            going_on = False
            for turn in tuple(self._waiting):
                if turn in self._waiting and (turn.expired or (turn.met and turn.met())):
                    self._resume(turn)
                    going_on = True

    def end(self, error: Exception) -> None:
        """Nothing will come any more: ``error`` is raised in every handler that waits."""
        while self._waiting:
            turn = self._waiting[0]
            turn.error = error
            self._resume(turn)

    def _resume(self, turn: _Turn) -> None:
        self._waiting.remove(turn)
        turn.yielded.clear()
        turn.resumed.set()
        self._let(turn)

    @staticmethod
    def _let(turn: _Turn) -> None:
        if not turn.yielded.wait(PATIENCE_S):
            log.warning("a handler keeps its turn for over %g s: it is not waited for", PATIENCE_S)

    @staticmethod
    def _expire(turn: _Turn, met: Callable[[], bool]) -> None:
        if turn.met is met:
            turn.expired = True
