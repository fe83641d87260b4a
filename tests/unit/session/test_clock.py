"""Timers: called once by the one who takes them, never when cancelled."""

from __future__ import annotations

import gevent
from gevent.queue import Queue

from fsctl.session.core.clock import RealClock, Timer
from fsctl.simulator import VirtualClock


def test_called_once_by_the_taker():
    clock, posted, called = VirtualClock(), [], []
    timer = Timer(clock, 5.0, lambda: called.append(1), posted.append)
    clock.fire_next()
    assert not called and timer.is_pending
    posted.pop()()
    assert called == [1] and not timer.is_pending


def test_cancelled_before_and_after_its_time():
    clock, posted, called = VirtualClock(), [], []
    first = Timer(clock, 1.0, lambda: called.append(1), posted.append)
    second = Timer(clock, 2.0, lambda: called.append(2), posted.append)
    first.cancel()
    clock.fire_next()
    second.cancel()
    for work in posted:
        work()
    assert called == []


def test_real_clock_calls_back_from_the_hub():
    mailbox: Queue[object] = Queue()
    pending = RealClock().call_later(0.001, lambda: mailbox.put("due"))
    with gevent.Timeout(30):
        assert mailbox.get() == "due"
    pending.cancel()


def test_real_clock_forgets():
    called: list[int] = []
    RealClock().call_later(0.0, lambda: called.append(1)).cancel()
    RealClock().call_later(0.001, lambda: called.append(2))
    with gevent.Timeout(30):
        while not called:
            gevent.sleep(0.001)
    assert called == [2]
