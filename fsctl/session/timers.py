"""Deadlines of one session, run by its own greenlet."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count


class Timer:
    """A callback that is due once; :meth:`cancel` makes it never come."""

    __slots__ = ("callback", "due_s")

    def __init__(self, due_s: float, callback: Callable[[], None]) -> None:
        self.due_s = due_s
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class Timers:
    """A heap of timers over a monotonic clock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._order = count()
        self._heap: list[tuple[float, int, Timer]] = []

    def after(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call ``callback`` in ``seconds``, from :meth:`run_due`."""
        timer = Timer(self._clock() + seconds, callback)
        heapq.heappush(self._heap, (timer.due_s, next(self._order), timer))
        return timer

    def time_left(self) -> float | None:
        """Seconds to the next timer, never negative; None when there is none."""
        while self._heap and self._heap[0][2].callback is None:
            heapq.heappop(self._heap)
        return max(0.0, self._heap[0][0] - self._clock()) if self._heap else None

    def run_due(self) -> None:
        """Call what is due, in the order of the due times."""
        while self.time_left() == 0.0:
            timer = heapq.heappop(self._heap)[2]
            if timer.callback is not None:
                timer.callback()
