"""What ``docs/scenario.md`` says of scenarios that fail, or decide nothing, holds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import gevent
import pytest

from fsctl.esl.connection import Connection
from fsctl.scenario import (
    BlindTransferRequested,
    CallAlerting,
    Connected,
    Disconnected,
    Failed,
    NoRoute,
    Scenario,
)
from fsctl.scenario.events import CallEvent
from fsctl.scenario.session import Session
from fsctl.simulator import Phone
from fsctl.sip.status import SipStatus
from fsctl.stage import Stage
from fsctl.testing import MakeStage

Handler = Callable[[Any], object]


def scenario_of(**handlers: Handler) -> Scenario:
    scenario = Scenario("test")
    for name, handler in handlers.items():
        event = {"alerting": CallAlerting, "requested": BlindTransferRequested}[name]
        scenario.on(event)(handler)
    return scenario


def phones(switch: Stage) -> tuple[Phone, Phone, Phone]:
    alice, bob, carol = (switch.phone(number) for number in ("1000", "1001", "1002"))
    return alice, bob, carol


def fails(_: object) -> None:
    raise RuntimeError("a defect of the scenario")


def has_no_route(_: object) -> None:
    raise NoRoute("nowhere", SipStatus(404))


def does_nothing(_: object) -> None:
    pass


def calls_carol(event: BlindTransferRequested) -> None:
    event.session.call_user("1002")


def waits_for_carol(event: CallAlerting) -> None:
    event.session.call_user("1002").wait_connected()


def sleeps(event: BlindTransferRequested) -> None:
    event.session.sleep(30)


def test_a_handler_fails_and_the_routes_connect(stage: MakeStage) -> None:
    switch = stage(scenario_of(alerting=fails))
    alice, *_ = phones(switch)
    alice.calls("1001")
    switch.until(lambda: alice.hears == "1001")


def test_a_handler_decides_nothing_and_the_routes_connect(stage: MakeStage) -> None:
    switch = stage(scenario_of(alerting=does_nothing))
    alice, *_ = phones(switch)
    alice.calls("1001")
    switch.until(lambda: alice.hears == "1001")
    assert 10 <= alice.messages[-1].time_s - alice.messages[0].time_s < 11


@pytest.mark.parametrize(
    ("handler", "status"),
    [(waits_for_carol, 486), (calls_carol, 486), (has_no_route, 404)],
)
def test_a_caller_is_told_why(stage: MakeStage, handler: Handler, status: int) -> None:
    switch = stage(scenario_of(alerting=handler))
    alice, _, carol = phones(switch)
    carol.busy()
    alice.calls("1001")
    switch.until(lambda: alice.received("INVITE", status))


@pytest.mark.parametrize(
    ("handler", "report"),
    [
        (fails, "500 Server Internal Error"),
        (has_no_route, "404 Not Found"),
        (waits_for_carol, "486 Busy Here"),
        (does_nothing, "603 Decline"),
        (sleeps, "603 Decline"),
    ],
)
def test_a_transfer_fails_and_the_two_talk_on(
    stage: MakeStage, handler: Handler, report: str
) -> None:
    switch = stage(scenario_of(requested=handler))
    alice, bob, carol = phones(switch)
    carol.busy()
    alice.calls("1001")
    switch.until(lambda: alice.hears == "1001")
    bob.refers("<sip:1002@example.org>")
    switch.until(lambda: bob.notifies)
    assert bob.notifies[-1][1] == f"SIP/2.0 {report}"
    switch.until(lambda: alice.hears == "1001")


def test_a_target_that_nobody_joins(stage: MakeStage) -> None:
    switch = stage(scenario_of(requested=calls_carol))
    alice, bob, carol = phones(switch)
    alice.calls("1001")
    switch.until(lambda: alice.hears == "1001")
    bob.refers("<sip:1002@example.org>")
    switch.until(lambda: bob.notifies)
    assert bob.notifies[-1][1] == "SIP/2.0 603 Decline"
    switch.until(lambda: alice.hears == "1001" and not carol.in_call)


def test_who_has_answered_and_is_not_wanted(stage: MakeStage) -> None:
    def alerting(event: CallAlerting) -> None:
        event.session.call_user("1001").on(Connected, fails)

    switch = stage(scenario_of(alerting=alerting))
    alice, bob, _ = phones(switch)
    alice.calls("1001")
    switch.until(lambda: bob.dialog is not None and bob.dialog.state == "ended")


def test_blocking_work_in_a_pool_of_threads(stage: MakeStage) -> None:
    threads: list[threading.Thread] = []

    def owner_of(_: str) -> str:
        threads.append(threading.current_thread())
        return "1002"

    def alerting(event: CallAlerting) -> None:
        pool = gevent.get_hub().threadpool
        event.session.connect(event.call, pool.apply(owner_of, (event.destination,)))

    switch = stage(scenario_of(alerting=alerting))
    alice, *_ = phones(switch)
    alice.calls("1001")
    switch.until(lambda: alice.hears == "1002")
    assert threads and threads[0] is not threading.main_thread()


def test_who_was_hung_up_as_it_answered_does_not_connect(
    stage: MakeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two answer at once, and the handler of the first waits before it joins anybody."""
    told: list[CallEvent] = []

    adopted: list[Connection] = []
    adopt = Session.adopt

    def noted(session: Session, link: Connection, begin: Callable[[], None]) -> None:
        adopt(session, link, begin)
        adopted.append(link)

    monkeypatch.setattr(Session, "adopt", noted)

    def rings_both(event: CallAlerting) -> None:
        calls = [event.session.call_user(number) for number in ("1001", "1002")]

        def answered(answer: Connected) -> None:
            told.append(answer)
            with gevent.Timeout(10, False):
                while len(adopted) < 2:
                    gevent.sleep(0.001)  # busy, and keeps its turn
            for call in calls:
                if call is not answer.call and call.alive:
                    call.hangup()
            event.session.sleep(1)
            event.session.send_media_between(event.call, answer.call)

        for call in calls:
            call.on(Connected, answered)
            call.on(Failed, told.append)
            call.on(Disconnected, told.append)

    switch = stage(scenario_of(alerting=rings_both))
    alice, *members = phones(switch)
    for member in members:
        member.answers(after_s=3)
    alice.calls("8000")
    switch.until(lambda: alice.hears in ("1001", "1002"))
    switch.advance(5)
    assert sum(member.in_call for member in members) == 1 and alice.hears
    assert sorted(type(event).__name__ for event in told) == ["Connected", "Failed"]


def test_a_condition_that_raises_later_fails_its_handler_and_nothing_else(
    stage: MakeStage, caplog: pytest.LogCaptureFixture
) -> None:
    seats = {"1001": "free"}

    def waits(event: CallAlerting) -> None:
        event.session.connect(event.call, event.destination)
        event.session.wait(lambda: seats["1001"] == "taken")

    switch = stage(scenario_of(alerting=waits))
    alice, bob, _ = phones(switch)
    bob.rings()
    alice.calls("1001")
    switch.until(lambda: bob.received("INVITE"))
    seats.clear()
    bob.answers_now()
    switch.until(lambda: alice.hears == "1001")
    assert "handler of CallAlerting failed" in caplog.text and "KeyError" in caplog.text
    bob.refers("<sip:1002@example.org>")
    switch.until(lambda: alice.hears == "1002" and bob.notifies)
    assert len(switch.worker.switchboard.sessions) == 1, "and it is the same session"
