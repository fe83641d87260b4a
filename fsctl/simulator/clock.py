"""The switch's clock: virtual (a story moves it) or real.

Every delay inside the simulated switch and its phones runs on this clock. The controller under
test keeps its own, real, time: a story never waits for a phone that answers after ten seconds,
but it does wait for the controller's answer over TCP.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import gevent


class Timer(Protocol):
    """A pending call."""

    def cancel(self) -> None:
        """Forget the call; without effect when it was made already."""


class Clock(Protocol):
    """What the simulator needs of a clock."""

    @property
    def now_s(self) -> float:
        """Seconds since the epoch."""

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call ``callback`` once, ``delay_s`` from now."""


@dataclass(order=True, slots=True)
class _VirtualTimer:
    when_s: float
    order: int
    callback: Callable[[], None] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        self.cancelled = True


class VirtualClock:
    """Time that stands still until it is moved; starts at ``start_s`` (seconds, epoch)."""

    def __init__(self, start_s: float = 1_700_000_000.0) -> None:
        self._now_s = start_s
        self._timers: list[_VirtualTimer] = []
        self._order = itertools.count()

    @property
    def now_s(self) -> float:
        """Seconds since the epoch, as the simulated switch believes."""
        return self._now_s

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call ``callback`` when the clock has been moved by ``delay_s``."""
        timer = _VirtualTimer(self._now_s + max(0.0, delay_s), next(self._order), callback)
        heapq.heappush(self._timers, timer)
        return timer

    def next_due_s(self) -> float | None:
        """When the next timer fires; None without timers."""
        while self._timers and self._timers[0].cancelled:
            heapq.heappop(self._timers)
        return self._timers[0].when_s if self._timers else None

    def fire_next(self) -> None:
        """Move to the next timer and make its call; does nothing without timers."""
        if self.next_due_s() is None:
            return
        timer = heapq.heappop(self._timers)
        self._now_s = max(self._now_s, timer.when_s)
        timer.callback()

    def move_to(self, when_s: float) -> None:
        """Set the time, which never goes back; the caller has fired what was due before."""
        self._now_s = max(self._now_s, when_s)


@dataclass(slots=True)
class _RealTimer:
    greenlet: Any

    def cancel(self) -> None:
        # A timer is often cancelled from its own callback: killing itself would be wrong.
        if self.greenlet is not gevent.getcurrent():
            self.greenlet.kill(block=False)


class RealClock:
    """Wall-clock time; timers are greenlets of the current hub."""

    @property
    def now_s(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call ``callback`` in ``delay_s`` real seconds."""
        return _RealTimer(gevent.spawn_later(max(0.0, delay_s), callback))
