"""News that is missing or late, a handler that fails half-way, a session that breaks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fsctl.scenario import (
    AttendedTransferRequested,
    BlindTransferRequested,
    CallAlerting,
    Failed,
    Scenario,
)
from fsctl.session.core.session import Part
from fsctl.session.transfers.deadlines import JOIN_TIMEOUT_S
from fsctl.session.transfers.record import Records, TransferRecord
from fsctl.settings import Server, Settings, Transfer
from fsctl.simulator import Phone, SimulatedSwitch
from fsctl.simulator.api import APIS
from fsctl.simulator.faults import Frame, Sending
from fsctl.stage import CALLS, Stage
from fsctl.testing import MakeStage

TARGET = "<sip:1002@example.org>"
LEGACY = replace(CALLS, transfer=Transfer(mode="legacy", release_transferor_after_s=1))
Talk = Callable[..., tuple[Stage, Phone, Phone, Phone]]


class FailingPart(Part):
    """The others are told all the same."""

    def broken(self) -> None:
        fails()

    hand_over = end = broken


@pytest.fixture
def talk(stage: MakeStage) -> Talk:
    """Alice (1000) has called Bob (1001), and they talk; Carol (1002) is the target."""

    def start(
        scenario: Scenario | None = None, settings: Settings | None = None
    ) -> tuple[Stage, Phone, Phone, Phone]:
        switch = stage(scenario, settings)
        alice, bob, carol = (switch.phone(number) for number in ("1000", "1001", "1002"))
        alice.calls("1001")
        switch.until(lambda: alice.hears == "1001" and bob.hears == "1000")
        return switch, alice, bob, carol

    return start


def losing(event: str) -> Callable[[Frame], Sending | None]:
    """A link on which no event of that name comes."""
    return lambda frame: Sending(()) if frame.kind == "event" and frame.about == event else None


def results(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Of the transfers that have been recorded."""
    records = [each for each in caplog.records if each.name == "fsctl.session.record"]
    return ["succeeded" if '"succeeded"' in each.getMessage() else "failed" for each in records]


def test_a_caller_transfers_and_the_answer_was_never_told(
    stage: MakeStage, caplog: pytest.LogCaptureFixture
) -> None:
    """It is no REFER of a party that still waits: the native transfer is followed to its end."""
    caplog.set_level(logging.INFO, "fsctl")
    switch = stage(settings=LEGACY)
    switch.switch.faults.append(losing("CHANNEL_ANSWER"))
    alice, bob, carol = (switch.phone(number) for number in ("1000", "1001", "1002"))
    alice.calls("1001")
    switch.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    alice.refers(TARGET)
    switch.until(lambda: bob.hears == "1002" and carol.hears == "1001")
    switch.until(lambda: results(caplog), 10)
    assert results(caplog) == ["succeeded"]


def test_a_native_join_is_never_told(talk: Talk) -> None:
    """The transferor is let go when the target hangs up, at the latest."""
    switch, alice, bob, carol = talk(settings=LEGACY)
    switch.switch.faults.append(losing("CHANNEL_BRIDGE"))
    bob.refers(TARGET)
    switch.until(lambda: alice.hears == "1002" and carol.hears == "1000")
    carol.hangs_up()
    switch.until(lambda: not bob.in_call, 10)
    assert [line for _, line in bob.notifies] == ["SIP/2.0 200 OK"]


def test_who_was_put_off_is_not_fetched_again(stage: MakeStage) -> None:
    """A REFER before the answer has the call made anew, once."""
    switch = stage()
    alice, bob = switch.phone("1000"), switch.phone("1001").rings()
    alice.calls("1001")
    switch.until(lambda: alice.received("INVITE", 180))
    alice.refers(TARGET, dialog=alice.dialogs[0])
    switch.until(lambda: len(bob.received("INVITE")) == 2)
    switch.advance(3)
    assert len(bob.received("INVITE")) == 2
    bob.answers_now()
    switch.until(lambda: alice.hears == "1001" and bob.hears == "1000")


def test_a_target_that_cannot_be_joined(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has left at that very moment: the first two talk on, at once."""
    scenario, bridge, refused = Scenario(), APIS["uuid_bridge"], list[str]()

    @scenario.on(BlindTransferRequested)
    def requested(event: BlindTransferRequested) -> None:
        target = event.session.call_user("1002")
        target.wait_connected()
        event.session.send_media_between(event.transferee, target)

    def refuses_once(switch: SimulatedSwitch, arguments: str) -> str:
        if refused:
            return bridge(switch, arguments)
        refused.append(arguments)
        return "-ERR Invalid uuid\n"

    switch, alice, bob, _ = talk(scenario)
    monkeypatch.setitem(APIS, "uuid_bridge", refuses_once)
    began = switch.switch.clock.now_s
    bob.refers(TARGET)
    switch.until(lambda: bob.notifies and alice.hears == "1001", 10)
    assert [line for _, line in bob.notifies] == ["SIP/2.0 487 Request Terminated"]
    assert switch.switch.clock.now_s - began < JOIN_TIMEOUT_S


def test_a_handler_that_fails_when_it_has_called_somebody(talk: Talk) -> None:
    """Its call rings for nobody: it is taken back, and the first two talk on."""
    scenario = Scenario()

    @scenario.on(BlindTransferRequested)
    def requested(event: BlindTransferRequested) -> None:
        event.session.call_user("1002")
        raise RuntimeError("a bug in the scenario")

    switch, alice, bob, carol = talk(scenario)
    carol.rings()
    bob.refers(TARGET)
    switch.until(lambda: bob.notifies and alice.hears == "1001", 10)
    assert [line for _, line in bob.notifies] == ["SIP/2.0 500 Server Internal Error"]
    switch.until(lambda: not carol.in_call)


def fails() -> None:
    raise RuntimeError("a defect")


@pytest.mark.parametrize("decided", [False, True])
def test_a_session_that_breaks_ends_what_is_undecided_only(
    talk: Talk, decided: bool, caplog: pytest.LogCaptureFixture
) -> None:
    scenario = Scenario()

    @scenario.on(BlindTransferRequested)
    def requested(event: BlindTransferRequested) -> None:
        if decided:
            event.session.connect(event.transferee, event.transfer_to)

    switch, alice, bob, carol = talk(scenario)
    carol.answers(after_s=1.5)
    bob.refers(TARGET)
    switch.advance(0.5)
    (session,) = switch.worker.switchboard.sessions.values()
    session._parts = {FailingPart: FailingPart(session), **session._parts}
    session.post(fails)
    switch.until(lambda: bob.notifies)
    told = "200 OK" if decided else "500 Server Internal Error"
    assert [line for _, line in bob.notifies] == [f"SIP/2.0 {told}"]
    switch.until(lambda: alice.hears == ("1002" if decided else "1001"))
    assert "a defect" in caplog.text
    alice.hangs_up()
    switch.until(lambda: not switch.worker.switchboard.sessions)
    assert caplog.text.count("a part has failed") == 3


def test_a_native_transferee_is_not_refused_when_calls_are_too_many(talk: Talk) -> None:
    """FreeSWITCH connects it by itself, for a transferor waits for it."""
    server = Server(max_calls=1, overload="refuse")
    switch, alice, bob, carol = talk(settings=replace(LEGACY, server=server))
    bob.refers(TARGET)
    switch.until(lambda: alice.hears == "1002" and carol.hears == "1000")
    switch.until(lambda: bob.notifies)
    assert [line for _, line in bob.notifies] == ["SIP/2.0 200 OK"]


def test_a_native_success_is_noted_where_the_next_controller_looks(talk: Talk) -> None:
    switch, alice, bob, _ = talk(settings=LEGACY)
    leg = bob.dialog.channel
    bob.refers(TARGET)
    switch.until(lambda: alice.hears == "1002" and bob.notifies)
    switch.until(lambda: leg.get_variable("fsctl_told") == "refer;id=2", 2)


@pytest.mark.parametrize(
    ("settings", "header", "value"),
    [
        ({}, "Referred-By", "<sip:1009@example.org>"),
        ({"referred_by": "drop"}, "Referred-By", ""),
        ({"referred_by": "rewrite"}, "Referred-By", "<sip:1001@127.0.0.1>"),
        (
            {"diversion": True},
            "Diversion",
            "<sip:1001@127.0.0.1>;reason=unconditional;counter=1",
        ),
    ],
)
def test_a_native_target_sees_of_the_transfer_what_the_settings_send(
    talk: Talk, settings: dict[str, Any], header: str, value: str
) -> None:
    transfer = replace(LEGACY.transfer, **settings)
    switch, alice, bob, carol = talk(settings=replace(LEGACY, transfer=transfer))
    bob.refers(TARGET, "<sip:1009@example.org>")
    switch.until(lambda: alice.hears == "1002")
    assert carol.received("INVITE")[0].header(header) == value


def test_a_native_request_that_cannot_be_used_is_refused(talk: Talk) -> None:
    """By FreeSWITCH, which joins the first two again."""
    switch, alice, bob, carol = talk(settings=LEGACY)
    bob.refers("<sip:1002@example.org;method=BYE>")
    switch.until(lambda: bob.notifies and alice.hears == "1001", 10)
    assert len(bob.notifies) == 1 and "200" not in bob.notifies[0][1]
    assert not carol.received("INVITE")


def test_who_comes_home_to_a_worker_that_has_drained_is_the_switchs(
    talk: Talk, caplog: pytest.LogCaptureFixture
) -> None:
    """What began now would be cut in the middle when the worker ends."""
    caplog.set_level(logging.INFO, "fsctl")
    switch, alice, bob, carol = talk()
    switch.worker.switchboard.drain(0.0)
    bob.refers(TARGET)
    switch.until(lambda: bob.notifies and alice.hears == "1001")
    assert not carol.received("INVITE")
    assert "taking over" not in caplog.text and not switch.worker.switchboard.sessions


def test_an_attended_request_for_nobodys_call_is_refused_by_who_drains(
    talk: Talk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "fsctl")
    switch, alice, bob, carol = talk()
    first, line = bob.dialog, bob.calls("1002")
    switch.until(lambda: carol.hears == "1001")
    switch.worker.switchboard.drain(0.0)
    bob.refers(f"<sip:1002@example.org?Replaces={line.replaces}>", dialog=first)
    switch.until(lambda: bob.notifies)
    assert [told for _, told in bob.notifies] == ["SIP/2.0 403 Forbidden"]
    assert alice.hears == "1001" and "taking over" not in caplog.text


def test_who_is_left_after_a_refused_attended_transfer_is_let_go_at_once(talk: Talk) -> None:
    """The Replaces of that request is no sign of another one."""
    scenario = Scenario()
    scenario.on(AttendedTransferRequested)(lambda event: event.refuse())
    switch, alice, bob, carol = talk(scenario)
    first, line = bob.dialog, bob.calls("1002")
    switch.until(lambda: carol.hears == "1001")
    bob.refers(f"<sip:1002@example.org?Replaces={line.replaces}>", dialog=first)
    switch.until(lambda: bob.notifies)
    bob.hangs_up(dialog=line)
    switch.until(lambda: not carol.in_call)
    bob.hangs_up(dialog=first)
    switch.until(lambda: not alice.in_call)
    assert alice.received("BYE")[0].time_s - bob.sent("BYE")[-1].time_s < 1.0


def test_a_handler_of_failed_has_time_to_decide(stage: MakeStage) -> None:
    """A timer of its own counts: it is asked for as long as for a new call."""
    scenario = Scenario()

    @scenario.on(CallAlerting)
    def alerting(event: CallAlerting) -> None:
        def failed(_: Failed) -> None:
            event.session.set_timeout(3, lambda: event.call.reject(480, "Later"))

        event.session.call_user("1002").on(Failed, failed)

    switch = stage(scenario)
    alice, carol = switch.phone("1000"), switch.phone("1002").busy()
    alice.calls("1002")
    switch.until(lambda: alice.dialog.state == "ended", 20)
    assert [refusal.reason for refusal in alice.received("INVITE", 480)] == ["Later"]
    assert carol.received("INVITE")


def test_a_handler_that_waits_has_a_moment_to_call_the_next_target(talk: Talk) -> None:
    scenario = Scenario()

    @scenario.on(BlindTransferRequested)
    def requested(event: BlindTransferRequested) -> None:
        target = event.session.call_user("1002")
        event.session.wait(lambda: not target.alive)
        event.session.sleep(0.5)
        target = event.session.call_user("1003")
        target.wait_connected()
        event.session.send_media_between(event.transferee, target)

    switch, alice, bob, carol = talk(scenario)
    carol.busy()
    switch.phone("1003")
    bob.refers(TARGET)
    switch.until(lambda: bob.notifies and alice.hears == "1003", 10)
    assert [line for _, line in bob.notifies] == ["SIP/2.0 200 OK"]


def test_the_record_of_a_native_transfer_that_goes_on_without_us_is_owed(
    talk: Talk, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fsctl.esl.server._FAREWELL_S", 0.02)  # the leg is in a bridge, and stays
    monkeypatch.setattr("fsctl.esl.farewell._PARKED_WITHIN_S", 0.02)
    caplog.set_level(logging.INFO, "fsctl")
    switch, _, bob, carol = talk(settings=LEGACY)
    owed: list[TransferRecord] = []
    switch.worker.switchboard.part(Records).owe = owed.append
    carol.rings()
    bob.refers(TARGET)
    switch.until(lambda: carol.received("INVITE"))
    switch.worker.stop()
    assert [(each.kind, each.outcome) for each in owed] == [("legacy", "abandoned")]
    assert not results(caplog)
