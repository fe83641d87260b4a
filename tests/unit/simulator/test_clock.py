"""The clocks, and how a story moves time."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import pytest

import fsctl.simulator.switch as module
from fsctl.simulator import (
    Dialplan,
    RealClock,
    SimulatedSwitch,
    StoryTimeout,
    VirtualClock,
    actions,
    context,
)

Lab = Any  # the class is in conftest.py, which tests cannot import


def test_virtual_time_moves_only_when_told() -> None:
    clock, fired = VirtualClock(100.0), []
    clock.call_later(2, lambda: fired.append("b"))
    clock.call_later(1, lambda: fired.append("a"))
    clock.call_later(1, lambda: fired.append("a2"))
    assert clock.now_s == 100.0
    clock.fire_next()
    assert (clock.now_s, fired) == (101.0, ["a"])
    clock.fire_next()
    clock.fire_next()
    assert (clock.now_s, fired) == (102.0, ["a", "a2", "b"])
    assert clock.next_due_s() is None


def test_a_cancelled_timer_never_fires() -> None:
    clock, fired = VirtualClock(), []
    clock.call_later(1, lambda: fired.append(1)).cancel()
    clock.fire_next()
    assert fired == []


def test_advance_fires_what_is_due_and_no_more() -> None:
    switch = SimulatedSwitch(Dialplan())
    fired: list[int] = []
    for delay in (1, 2, 3):
        switch.clock.call_later(delay, partial(fired.append, delay))
    start = switch.clock.now_s
    switch.advance(2)
    assert fired == [1, 2]
    assert switch.clock.now_s == start + 2


def test_run_until_gives_up_with_a_ladder(lab: Lab) -> None:
    lab.bob.rings()
    lab.alice.calls("1001")
    lab.handle(timeout_s=100)
    with pytest.raises(StoryTimeout, match=r"SIP/2\.0 180 Ringing"):
        lab.switch.run_until(lambda: lab.bob.in_call, limit_s=5, patience_s=0.3)
    assert lab.switch.clock.now_s < 1_700_000_100


def test_the_patience_of_run_until_is_for_silence_and_not_for_a_slow_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = itertools.count()
    monkeypatch.setattr(module, "monotonic", lambda: next(seconds))
    switch = SimulatedSwitch(Dialplan())
    fired: list[int] = []
    for delay in range(20):
        switch.clock.call_later(delay, partial(fired.append, delay))
    switch.run_until(lambda: len(fired) == 20, patience_s=5)
    assert next(seconds) > 20
    with pytest.raises(StoryTimeout):
        switch.run_until(lambda: len(fired) == 21, patience_s=5)


def test_the_real_clock_waits_for_real() -> None:
    switch = SimulatedSwitch(Dialplan(), clock=RealClock())
    fired: list[int] = []
    switch.clock.call_later(0.03, lambda: fired.append(1))
    cancelled = switch.clock.call_later(0.01, lambda: fired.append(2))
    cancelled.cancel()
    switch.run_until(lambda: fired, patience_s=5)
    assert fired == [1]


def test_originate_timeout_runs_on_the_switchs_clock(lab: Lab) -> None:
    lab.bob.rings()
    lab.alice.calls("1001")
    link, _, _ = lab.handle(timeout_s=60)
    lab.switch.advance(59)
    assert link.completed("e1") is None
    lab.switch.advance(1.5)
    assert link.completed("e1")["variable_originate_disposition"] == "NO_ANSWER"


def test_park_timeout_of_an_originated_leg(lab: Lab) -> None:
    lab.alice.calls("1001")
    link = lab.controller.next_link(1)
    link.send("bgapi originate {park_timeout=10:CALL_REJECTED}sofia/lab/sip:1002@x &park()")
    lab.switch.run_until(lambda: lab.carol.in_call)
    lab.switch.advance(9)
    assert lab.carol.in_call
    lab.switch.advance(2)
    (bye,) = lab.carol.received("BYE")
    assert bye.header("Reason") == 'Q.850;cause=21;text="CALL_REJECTED"'


def test_an_abandoned_transferor_is_released_after_600_s(lab: Lab) -> None:
    lab.call()
    lab.bob.refers("<sip:1002@x>")
    lab.controller.next_link(2)
    lab.switch.advance(599)
    assert lab.bob.in_call
    lab.switch.advance(2)
    assert lab.bob.received("BYE")


def test_sched_tasks(lab: Lab) -> None:
    link, caller, _ = lab.call()
    link.ask(f"api sched_hangup +5 {caller} CALL_REJECTED")
    link.ask(f"api sched_transfer +3 {caller} 77 XML fsctl_refer")
    assert [name for name, _ in lab.switch.scheduler.pending(caller)] == [
        "switch_ivr_schedule_hangup", "switch_ivr_schedule_transfer"
    ]  # fmt: skip
    lab.switch.advance(3.5)
    again = lab.controller.next_link(2)
    assert again.frames[0][0]["Caller-Destination-Number"] == "77"
    lab.switch.run_until(lambda: lab.alice.received("BYE"))
    assert lab.switch.scheduler.pending() == []


def test_a_call_on_the_real_clock() -> None:
    steps = actions("bridge user/1001@x")
    dialplan = Dialplan({"default": context(("^1001$", steps))})
    switch = SimulatedSwitch(dialplan, clock=RealClock())
    alice, bob = switch.phone("1000"), switch.phone("1001").answers(0.02, ring_after_s=None)
    alice.calls("1001")
    switch.run_until(lambda: alice.hears == "1001" and bob.hears == "1000", patience_s=10)
    bob.hangs_up(after_s=0.02)
    switch.run_until(lambda: not switch.channels, patience_s=10)
    switch.stop()
