"""The running session with a scenario, before a simulated switch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fsctl.errors import ChannelGone
from fsctl.scenario import (
    BlindTransferRequested,
    CallAlerting,
    Connected,
    Disconnected,
    Failed,
    NoRoute,
    Ringing,
    Scenario,
    Started,
    Terminated,
    TransferComplete,
    TransferFailed,
)
from fsctl.settings import Route, Transfer
from fsctl.stage import CALLS

EVENTS = (
    Started,
    CallAlerting,
    Ringing,
    Connected,
    Failed,
    Disconnected,
    BlindTransferRequested,
    TransferComplete,
    TransferFailed,
    Terminated,
)


@pytest.fixture
def scenario():
    return Scenario()


@pytest.fixture
def play(stage, scenario):
    """Alice (1000) and Bob (1001) talk; returns the stage and the two."""

    def start(settings=None):
        playing = stage(scenario, settings)
        alice, bob = playing.phone("1000", "Alice"), playing.phone("1001", "Bob")
        alice.calls("1001")
        playing.until(lambda: alice.hears == "1001" and bob.hears == "1000")
        return playing, alice, bob

    return start


def told(scenario: Scenario) -> list[object]:
    """Record every event, without handling the two that have a default."""
    seen: list[object] = []
    for kind in EVENTS:
        if kind not in (CallAlerting, BlindTransferRequested):
            scenario.on(kind)(seen.append)
    return seen


def names(events: list[object]) -> list[str]:
    return [type(event).__name__ for event in events]


def test_events_of_a_call_with_a_transfer(play, scenario):
    seen = told(scenario)
    playing, alice, bob = play()
    carol = playing.phone("1002")
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: alice.hears == "1002" and not bob.in_call)
    carol.hangs_up()
    playing.until(lambda: not playing.worker.switchboard.sessions)
    counts = {name: names(seen).count(name) for name in names(seen)}
    assert names(seen)[0] == "Started" and names(seen)[-1] == "Terminated"
    assert counts["Ringing"] == 2  # Bob and Carol
    assert counts["Connected"] == 3 and counts["Disconnected"] == 3
    assert counts["TransferComplete"] == 1 and "Failed" not in counts


def test_a_failed_transfer_is_told_with_code_and_phrase(play, scenario):
    seen = told(scenario)
    playing, alice, bob = play()
    playing.phone("1002").refuses(486, "Gone fishing")
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: bob.notifies and alice.hears == "1001")
    failures = [e for e in seen if isinstance(e, Failed | TransferFailed)]
    assert [(type(e), e.code, e.reason) for e in failures] == [
        (Failed, 486, "Gone fishing"),
        (TransferFailed, 486, "Gone fishing"),
    ]


def test_a_handler_that_raises_ends_in_500_and_the_two_talk_on(play, scenario, caplog):
    @scenario.on(BlindTransferRequested)
    def broken(event):
        raise RuntimeError("a bug in the scenario")

    playing, alice, bob = play()
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: bob.notifies and alice.hears == "1001")
    assert bob.notifies[0][1] == "SIP/2.0 500 Server Internal Error"
    assert "a bug in the scenario" in caplog.text


def test_an_undecided_request_is_declined_at_the_deadline(play, scenario):
    scenario.on(BlindTransferRequested)(lambda event: None)
    playing, alice, bob = play(replace(CALLS, transfer=Transfer(decision_timeout_s=7.0)))
    begun = playing.switch.clock.now_s
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: bob.notifies and alice.hears == "1001")
    assert bob.notifies[0][1] == "SIP/2.0 603 Decline"
    assert playing.switch.clock.now_s - begun == pytest.approx(7.0, abs=0.1)


def test_the_application_chooses_code_and_phrase_when_the_target_fails(play, scenario):
    @scenario.on(BlindTransferRequested)
    def requested(event):
        target = event.session.connect(event.transferee, event.transfer_to)
        target.on(Failed, lambda e: event.call.notify_blind_transfer_failed(480, "Try later"))

    playing, alice, bob = play()
    playing.phone("1002").busy()
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: bob.notifies and alice.hears == "1001")
    assert [line for _, line in bob.notifies] == ["SIP/2.0 480 Try later"]


def test_the_application_tries_somebody_else_when_the_target_fails(play, scenario):
    @scenario.on(BlindTransferRequested)
    def requested(event):
        target = event.session.connect(event.transferee, event.transfer_to)
        target.on(Failed, lambda e: event.session.connect(event.transferee, "1003"))

    playing, alice, bob = play()
    playing.phone("1002").busy()
    playing.phone("1003")
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: alice.hears == "1003")
    assert [line for _, line in bob.notifies] == ["SIP/2.0 200 OK"]


def test_success_reported_before_the_join_is_the_only_report(play, scenario):
    @scenario.on(BlindTransferRequested)
    def requested(event):
        target = event.session.connect(event.transferee, event.transfer_to)
        target.on(Connected, lambda e: event.call.notify_blind_transfer_success())

    playing, alice, bob = play()
    playing.phone("1002")
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: alice.hears == "1002" and not bob.in_call)
    assert [line for _, line in bob.notifies] == ["SIP/2.0 200 OK"]


def test_a_second_report_is_an_error_of_the_scenario(play, scenario):
    errors: list[Exception] = []

    @scenario.on(BlindTransferRequested)
    def requested(event):
        event.call.notify_blind_transfer_failed(404)
        try:
            event.call.notify_blind_transfer_failed(404)
        except ValueError as error:
            errors.append(error)

    playing, alice, bob = play()
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: bob.notifies and alice.hears == "1001")
    assert len(errors) == 1 and len(bob.notifies) == 1


@pytest.mark.parametrize(
    ("verb", "error"),
    [
        (lambda e: e.call.notify_blind_transfer_failed(200), ValueError),
        (lambda e: e.session.connect(e.call, "1002"), ValueError),  # not the leg that waits
        (lambda e: e.session.connect(e.transferee, "http://x/"), NoRoute),
    ],
)
def test_misuse_raises_and_harms_nobody(play, scenario, verb, error):
    raised: list[type[Exception]] = []

    @scenario.on(BlindTransferRequested)
    def requested(event):
        with pytest.raises(error) as caught:
            verb(event)
        raised.append(caught.type)
        event.session.connect(event.transferee, event.transfer_to)

    playing, alice, bob = play()
    playing.phone("1002")
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: alice.hears == "1002")
    assert raised == [error]


def test_two_calls_for_one_leg_are_refused(stage, scenario):
    raised: list[Exception] = []

    @scenario.on(CallAlerting)
    def alerting(event):
        event.session.connect(event.call, "1001")
        try:
            event.session.connect(event.call, "1002")
        except ValueError as error:
            raised.append(error)

    playing = stage(scenario)
    alice, carol = playing.phone("1000"), playing.phone("1002")
    playing.phone("1001")
    alice.calls("1001")
    playing.until(lambda: alice.hears == "1001")
    assert raised and not carol.received("INVITE")


def test_verbs_on_a_call_that_is_gone(play, scenario):
    raised: list[str] = []

    @scenario.on(Disconnected)
    def gone(event):
        for verb in (event.call.hangup, event.call.reject):
            try:
                verb()
            except ChannelGone:
                raised.append(verb.__name__)

    playing, alice, _ = play()
    alice.hangs_up()
    playing.until(lambda: not playing.worker.switchboard.sessions)
    assert raised[:2] == ["hangup", "reject"]


def test_rejecting_a_call(stage, scenario):
    scenario.on(CallAlerting)(lambda event: event.call.reject(503, "Closed today"))
    playing = stage(scenario)
    alice = playing.phone("1000")
    alice.calls("1001")
    playing.until(lambda: alice.received("INVITE", 503))
    assert alice.received("INVITE", 503)[0].reason == "Closed today"


def test_a_timeout_of_the_scenario_ends_the_session(play, scenario):
    scenario.on(Started)(lambda e: e.session.set_timeout(100, e.session.terminate))
    playing, alice, bob = play()
    begun = playing.switch.clock.now_s
    playing.until(lambda: not alice.in_call and not bob.in_call)
    assert 90 < playing.switch.clock.now_s - begun < 110


def test_headers_and_caller_id_of_the_applications_choice(play, scenario):
    @scenario.on(BlindTransferRequested)
    def requested(event):
        event.session.connect(
            event.transferee,
            event.transfer_to,
            caller_id="5000",
            display_name="Front, desk",
            headers={"X-Why": event.headers["X-Why"]},
        )

    playing, _, bob = play()
    carol = playing.phone("1002")
    bob.refers("<sip:1002@example.org?X-Why=because>")
    playing.until(lambda: carol.received("INVITE"))
    invite = carol.received("INVITE")[0]
    assert invite.header("X-Why") == "because"
    assert invite.header("From").startswith('"Front, desk" <sip:5000@')


def test_mode_of_a_route_and_of_a_call(stage, scenario):
    @scenario.on(CallAlerting)
    def alerting(event):
        callee = event.session.connect(event.call, event.destination)
        if not event.legacy_transfer:
            callee.on(Connected, lambda e: e.call.handle_blind_transfer(True))

    route = Route(name="legacy", transfer_mode="legacy")
    playing = stage(scenario, replace(CALLS, routes=(route,)))
    alice, bob = playing.phone("1000"), playing.phone("1001")
    playing.phone("1002").refuses(486, "Gone fishing")
    alice.calls("1001")
    playing.until(lambda: alice.hears == "1001")
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: bob.notifies and alice.hears == "1001")
    assert bob.notifies[0][1] == "SIP/2.0 486 Gone fishing"  # Bob: in the session
    alice.refers("<sip:1002@example.org>")
    playing.until(lambda: alice.notifies and alice.hears == "1001")
    assert alice.notifies[0][1] == "SIP/2.0 486 486"  # Alice: by FreeSWITCH


def test_nothing_is_left_in_the_worker(play):
    playing, alice, _ = play()
    alice.hangs_up()
    playing.until(lambda: not playing.switch.channels)
    board = playing.worker.switchboard
    playing.until(lambda: not board.sessions and board.idle.is_set())


def test_more_headers_than_can_be_carried_are_refused_and_nothing_is_left(play):
    playing, alice, bob = play()
    headers = "&".join(f"X-{number}=1" for number in range(220))
    bob.refers(f"<sip:1002@example.org?{headers}>")
    playing.until(lambda: bob.notifies and alice.hears == "1001")
    assert bob.notifies[0][1] == "SIP/2.0 400 Bad Request"
    alice.hangs_up()
    playing.until(lambda: not playing.worker.switchboard.sessions)


def test_a_failure_reported_after_the_answer_is_too_late(play, scenario):
    raised: list[Exception] = []

    def too_late(event):
        try:
            transferor.notify_blind_transfer_failed(488)
        except ValueError as error:
            raised.append(error)

    @scenario.on(BlindTransferRequested)
    def requested(event):
        nonlocal transferor
        transferor = event.call
        event.session.connect(event.transferee, event.transfer_to).on(Connected, too_late)

    transferor = None
    playing, alice, bob = play()
    playing.phone("1002")
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: alice.hears == "1002" and not bob.in_call)
    assert raised and [line for _, line in bob.notifies] == ["SIP/2.0 200 OK"]


def test_nobody_is_called_for_a_leg_that_talks(play, scenario):
    raised: list[Exception] = []

    @scenario.on(TransferFailed)
    def failed(event):
        try:
            event.session.connect(event.call.peer, "1003")
        except ValueError as error:
            raised.append(error)

    playing, alice, bob = play()
    playing.phone("1002").busy()
    other = playing.phone("1003")
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: bob.notifies and alice.hears == "1001")
    assert raised and not other.received("INVITE")


def test_somebody_else_is_called_when_the_called_party_hangs_up(stage, scenario):
    @scenario.on(CallAlerting)
    def alerting(event):
        callee = event.session.connect(event.call, "1001")
        callee.on(Disconnected, lambda e: event.session.connect(event.call, "1002"))

    playing = stage(scenario)
    alice, bob, carol = (playing.phone(number) for number in ("1000", "1001", "1002"))
    alice.calls("1001")
    playing.until(lambda: alice.hears == "1001")
    bob.hangs_up()
    playing.until(lambda: alice.hears == "1002" and carol.hears == "1000")


def test_a_rejected_legacy_call_is_a_failed_transfer(play, scenario):
    @scenario.on(CallAlerting)
    def alerting(event):
        if event.legacy_transfer:
            event.call.reject(486, "Not now")
        else:
            event.session.connect(event.call, event.destination)

    playing, alice, bob = play(replace(CALLS, transfer=Transfer(mode="legacy")))
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: bob.notifies and alice.hears == "1001")
    assert bob.notifies[0][1] == "SIP/2.0 486 486"
