"""What ``docs/scenario.md`` says of scenarios that fail, or decide nothing, holds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import gevent
import pytest

from fsctl.scenario import BlindTransferRequested, CallAlerting, Connected, NoRoute, Scenario
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
