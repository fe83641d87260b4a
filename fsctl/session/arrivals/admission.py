"""Which new calls a worker takes: those for which a running call need not wait.

A worker that cannot keep up is late for all: for a new call, which FreeSWITCH connects as well, and
for a leg that comes home with a transfer, which FreeSWITCH gives up when nobody has claimed it in
time. So it is the delay that decides, however many calls run.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import TypeVar

import gevent
from gevent.hub import Waiter

_REMEMBERED_S = 1.0
"""So long, and at most twice, a leg that has come home late keeps new calls out."""
_MANY = 5
"""So many are turned away in a second before FreeSWITCH is told not to ask: another worker may have
time."""
_SWITCHES = 64
"""Of so many the delays are remembered."""

T = TypeVar("T")


class Lateness:
    """The longest delay of the last second or two."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._until = 0.0
        self._worst = self._worst_before = 0.0

    def note(self, delay_s: float) -> None:
        """One more delay, in seconds."""
        self._roll()
        self._worst = max(self._worst, delay_s)

    @property
    def worst_s(self) -> float:
        """In seconds; 0 when there was none."""
        self._roll()
        return max(self._worst, self._worst_before)

    def _roll(self) -> None:
        now = self._now()
        if now < self._until:
            return
        recent = now < self._until + _REMEMBERED_S
        self._worst_before = self._worst if recent else 0.0
        self._worst, self._until = 0.0, now + _REMEMBERED_S


class Turns:
    """Lets one new call begin in each round of the event loop, in the order in which they came.

    So what is there for running calls waits for one beginning at most. The first of a round does
    not wait itself.
    """

    def __init__(self) -> None:
        self._round = gevent.get_hub().loop.timer(0.0)
        self._waiting: deque[Waiter[None]] = deque()

    def take(self) -> None:
        """Return when it is the caller's turn."""
        if not self._round.active:
            self._begin_round()
            return
        waiter: Waiter[None] = Waiter()
        self._waiting.append(waiter)
        try:
            waiter.get()
        except BaseException:  # killed: whoever comes next is not to wait for it
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            raise

    def _begin_round(self) -> None:
        # The loop's own time stands still while callbacks run; from there the timer is in the past.
        self._round.start(self._end_round, update=False)

    def _end_round(self) -> None:
        self._round.stop()
        if self._waiting:
            self._begin_round()
            self._waiting.popleft().switch(None)


class Admission:
    """Decides on each new call of a worker."""

    def __init__(self, max_calls: int, max_delay_s: float) -> None:
        self._max_calls = max_calls
        self._max_delay_s = max_delay_s
        self._turns = Turns()
        self._lateness: OrderedDict[str, Lateness] = OrderedDict()
        self._turned_away: OrderedDict[str, deque[float]] = OrderedDict()

    def came_home(self, switch: str, delay_s: float) -> None:
        """A leg of a running call came so late, whether it could be claimed or not. A ``switch``
        that is slow itself, or a stranger that says it is one, keeps no calls of others out."""
        _remembered(self._lateness, switch, Lateness).note(delay_s)

    def turns_away(self, switch: str, now_s: float | None = None) -> bool:
        """A new call of ``switch`` that came too late is not taken. True: these are so many that
        FreeSWITCH had better not ask, and it is time to tell it. ``now_s``: a monotonic clock's."""
        now_s = time.monotonic() if now_s is None else now_s
        times = _remembered(self._turned_away, switch, lambda: deque(maxlen=_MANY))
        times.append(now_s)
        many = len(times) == _MANY and now_s - times[0] < _REMEMBERED_S
        if many:
            times.clear()
        return many

    def wait(self) -> None:
        """Return when a new call may begin."""
        self._turns.take()

    def too_many(self, running: int) -> str:
        """Why no further session may begin while so many run; empty when it may. Those that hear
        nothing (`Session.away`) count: each takes memory until it ends."""
        return f"{running} sessions run (max_calls)" if running >= self._max_calls else ""

    def too_late(self, switch: str, delay_s: float) -> str:
        """Why a new call of ``switch`` that is so late is not taken; empty when it is.

        New calls stop when one of them is as late as may be, and already when a running call's leg
        is half as late.
        """
        lateness = self._lateness.get(switch)
        worst_s = lateness.worst_s if lateness is not None else 0.0
        if delay_s > self._max_delay_s:
            return f"it has waited for {delay_s * 1000:.0f} ms (max_delay_ms)"
        if worst_s > self._max_delay_s / 2:
            return f"a leg with a transfer has waited for {worst_s * 1000:.0f} ms (max_delay_ms)"
        return ""


def _remembered(of: OrderedDict[str, T], switch: str, make: Callable[[], T]) -> T:
    """What is known ``of`` a switch, made anew where nothing is; who is not heard of is forgotten
    first."""
    if switch not in of:
        of[switch] = make()
    of.move_to_end(switch)
    if len(of) > _SWITCHES:
        of.popitem(last=False)
    return of[switch]
