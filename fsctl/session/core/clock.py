"""Time as sessions need it: something that calls back later. Tests give a clock of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import gevent


class Pending(Protocol):
    """A call that is still to be made."""

    def cancel(self) -> None:
        """Forget it; without effect when it was made already."""


class Clock(Protocol):
    """Calls back after a while, from the hub: the callback must not block."""

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Pending:
        """Call ``callback`` once, ``delay_s`` seconds from now."""


class _HubTimer:
    """A timer of gevent's event loop: no greenlet waits for it."""

    __slots__ = ("_timer",)

    def __init__(self, delay_s: float, callback: Callable[[], None]) -> None:
        self._timer = gevent.get_hub().loop.timer(max(0.0, delay_s))
        self._timer.start(callback)

    def cancel(self) -> None:
        self._timer.stop()
        self._timer.close()


class RealClock:
    """The time of the wall, by gevent's event loop."""

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Pending:
        return _HubTimer(delay_s, callback)


class Timer:
    """A callback that a session's greenlet makes once; :meth:`cancel` makes it never come."""

    __slots__ = ("_callback", "_pending")

    def __init__(
        self,
        clock: Clock,
        delay_s: float,
        callback: Callable[[], None],
        post: Callable[[Callable[[], None]], None],
    ) -> None:
        self._callback: Callable[[], None] | None = callback
        self._pending = clock.call_later(delay_s, lambda: post(self._run))

    def cancel(self) -> None:
        """Never call back, even when the time is up and the greenlet has not come to it yet."""
        self._callback = None
        self._pending.cancel()

    @property
    def is_pending(self) -> bool:
        """Whether it may still call back."""
        return self._callback is not None

    def _run(self) -> None:
        callback, self._callback = self._callback, None
        if callback is not None:
            self._pending.cancel()
            callback()
