"""Waiting: greenlets of channels sleep until something that concerns them has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gevent.event import Event

from fsctl.simulator.clock import Clock


class Signal:
    """Something that changes; whoever waits for it looks again after each ``notify``."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: list[Event] = []

    def notify(self) -> None:
        """Wake all waiters; they run when the caller gives the hub away."""
        for waiter in self._waiters:
            waiter.set()

    def add(self, waiter: Event) -> None:
        """Register an event to be set by ``notify``."""
        self._waiters.append(waiter)

    def remove(self, waiter: Event) -> None:
        """Undo ``add``."""
        self._waiters.remove(waiter)


def wait_for(
    signals: Iterable[Signal],
    predicate: Callable[[], bool],
    clock: Clock,
    timeout_s: float | None = None,
) -> bool:
    """Block the current greenlet until ``predicate()`` or the clock has moved ``timeout_s``.

    The predicate is looked at once at the start and then after every ``notify`` of one of the
    signals. Returns its last value: False means that the time ran out.
    """
    watched = list(signals)
    waiter = Event()
    expired: list[bool] = []

    def expire() -> None:
        expired.append(True)
        waiter.set()

    timer = clock.call_later(timeout_s, expire) if timeout_s is not None else None
    for signal in watched:
        signal.add(waiter)
    try:
        while not predicate():
            if expired:
                return False
            waiter.wait()
            waiter.clear()
        return True
    finally:
        if timer is not None:
            timer.cancel()
        for signal in watched:
            signal.remove(waiter)
