"""A callee that ``connect`` called does not answer: the scenario may do something else."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import replace

import pytest

from fsctl.scenario import (
    BlindTransferRequested,
    CallAlerting,
    CallFailed,
    Connected,
    Failed,
    Scenario,
)
from fsctl.settings import Route
from fsctl.simulator import Behaviour
from fsctl.stage import CALLS


@pytest.fixture
def scenario():
    return Scenario()


@pytest.fixture
def calling(stage, scenario):
    """Alice calls Bob, who is busy; the stage and Alice."""

    def start(bob=None, callee="1001"):
        playing = stage(scenario)
        alice = playing.phone("1000", "Alice")
        playing.phone("1001").behaves(bob or Behaviour(status=486, reason="Busy Here"))
        alice.calls(callee)
        return playing, alice

    return start


EARLY = Behaviour(early=True, status=486, reason="Busy Here")


@pytest.mark.parametrize("bob", [None, EARLY], ids=["busy", "early media, busy"])
def test_handler_of_failed_leaves_the_caller_to_an_application(scenario, calling, bob):
    caller = []
    scenario.on(CallAlerting)(
        lambda event: caller.append(event.call) or event.session.connect(event.call, "1001")
    )

    @scenario.on(Failed)
    def failed(event):
        caller[0].answer()
        caller[0].execute("playback", "sorry.wav")

    playing, alice = calling(bob)
    playing.until(lambda: alice.hears == "playback sorry.wav")
    playing.until(lambda: alice.received("BYE"))  # with the application
    assert not alice.received("INVITE", 486)


def test_straight_code_goes_on(scenario, calling):
    told = []

    @scenario.on(CallAlerting)
    def alerting(event):
        callee = event.session.connect(event.call, "1001")
        try:
            callee.wait_connected()
        except CallFailed as error:
            told.append((error.code, error.reason))
            event.session.connect(event.call, "1002").wait_connected()
            told.append("connected")

    playing, alice = calling()
    playing.phone("1002")
    playing.until(lambda: alice.hears == "1002")
    playing.advance(5)
    assert alice.hears == "1002"
    assert told == [(486, "Busy Here"), "connected"]


def test_straight_code_that_does_not_catch(scenario, calling):
    scenario.on(CallAlerting)(
        lambda event: event.session.connect(event.call, "1001").wait_connected()
    )
    playing, alice = calling()
    playing.until(lambda: alice.received("INVITE", 486))
    assert alice.received("INVITE", 486)[0].reason == "Busy Here"


def test_straight_code_that_does_nothing_more(scenario, calling):
    @scenario.on(CallAlerting)
    def alerting(event):
        callee = event.session.connect(event.call, "1001")
        with contextlib.suppress(CallFailed):
            callee.wait_connected()

    playing, alice = calling()
    playing.until(lambda: alice.received("INVITE", 486))


def test_another_handler_that_waits_only_delays(scenario, calling):
    @scenario.on(CallAlerting)
    def alerting(event):
        event.session.connect(event.call, "1001")
        event.session.sleep(300)

    playing, alice = calling()
    playing.until(lambda: alice.received("INVITE", 486))
    assert alice.messages[-1].time_s - alice.messages[0].time_s < 3


def test_no_route_is_no_fault_of_the_handler(scenario, stage, caplog):
    caplog.set_level(logging.INFO, "fsctl")
    scenario.on(CallAlerting)(lambda event: event.session.connect(event.call, event.destination))
    playing = stage(scenario, replace(CALLS, routes=(Route(match="1.*"),)))
    alice = playing.phone("1000")
    alice.calls("9")
    playing.until(lambda: alice.received("INVITE", 404))
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("second", ["answers", "busy"])
def test_hunting_for_a_transferee(scenario, stage, second):
    @scenario.on(BlindTransferRequested)
    def requested(event):
        for number in ("1002", "1003"):
            try:
                event.session.connect(event.transferee, number).wait_connected()
                return
            except CallFailed as error:
                last = error
        raise last

    playing = stage(scenario)
    alice, bob = playing.phone("1000"), playing.phone("1001")
    playing.phone("1002").refuses(480, "Away")
    getattr(playing.phone("1003"), second)()
    alice.calls("1001")
    playing.until(lambda: alice.hears == "1001")
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: bob.notifies)
    told = "200 OK" if second == "answers" else "486 Busy Here"
    assert [body for _, body in bob.notifies] == [f"SIP/2.0 {told}"]
    playing.until(lambda: alice.hears == ("1003" if second == "answers" else "1001"))


def test_an_answered_call_is_told_once(scenario, calling):
    told = []
    scenario.on(Connected)(lambda event: told.append(event.call.number))
    playing, alice = calling(Behaviour())
    playing.until(lambda: alice.hears == "1001")
    assert sorted(told) == ["1000", "1001"]
