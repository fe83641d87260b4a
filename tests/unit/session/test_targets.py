"""Several targets of one transfer, and news of them that does not come in time."""

from __future__ import annotations

import pytest

from fsctl.scenario import (
    BlindTransferRequested,
    CallAlerting,
    Connected,
    Failed,
    Scenario,
    TransferComplete,
    TransferFailed,
)
from fsctl.simulator.faults import Sending


@pytest.fixture
def talk(stage):
    """Alice and Bob talk; Carol and Dave are there."""

    def talk(scenario=None):
        playing = stage(scenario)
        alice, bob, carol, dave = (playing.phone(str(number)) for number in range(1000, 1004))
        alice.calls("1001")
        playing.until(lambda: alice.hears == "1001" and bob.hears == "1000")
        return playing, alice, bob, carol, dave

    return talk


def told(phone):
    return [body for _, body in phone.notifies]


def test_the_next_target_has_its_whole_time_to_ring(talk):
    scenario = Scenario()

    @scenario.on(BlindTransferRequested)
    def requested(event):
        for number, seconds in (("1002", 5), ("1003", 30)):
            target = event.session.call_user(number, ring_timeout_s=seconds)
            event.session.wait(lambda target=target: not target.alive or target.connected, 60)
            if target.connected:
                event.session.send_media_between(event.transferee, target)
                return

    playing, alice, bob, carol, dave = talk(scenario)
    carol.rings()
    dave.answers(after_s=20.0)
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: alice.hears == "1003" and dave.hears == "1000", 60)
    assert told(bob) == ["SIP/2.0 200 OK"]


@pytest.mark.parametrize("busy", [False, True])
def test_one_target_is_held_and_another_one_connected(talk, busy):
    """Whom FreeSWITCH calls for the transferee then is the target, and its end the transfer's."""
    scenario, ended = Scenario(), []
    scenario.on(TransferComplete)(lambda event: ended.append("complete"))
    scenario.on(TransferFailed)(lambda event: ended.append(event.code))

    @scenario.on(BlindTransferRequested)
    def requested(event):
        held = event.session.call_user("1002")
        held.wait_connected()
        event.session.connect(event.transferee, "1003")
        held.hangup()

    playing, alice, bob, _carol, dave = talk(scenario)
    if busy:
        dave.busy()
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: ended)
    playing.advance(5.0)
    assert ended == [486 if busy else "complete"]
    assert told(bob) == ["SIP/2.0 486 Busy Here" if busy else "SIP/2.0 200 OK"]
    assert alice.hears == ("1001" if busy else "1003")


def test_one_target_is_held_and_another_one_fails(talk):
    scenario, wanted, held = Scenario(), [], []
    scenario.on(Connected)(lambda event: held.append(event.call))

    @scenario.on(BlindTransferRequested)
    def requested(event):
        wanted.append(event.transferee)
        for number in ("1002", "1003"):
            event.session.call_user(number)

    @scenario.on(Failed)
    def failed(event):
        join = lambda: event.session.send_media_between(wanted[0], held[-1])  # noqa: E731
        event.session.set_timeout(0.5, join)

    playing, alice, bob, carol, dave = talk(scenario)
    carol.rings()
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: dave.in_call and carol.dialogs)
    playing.advance(1.0)
    carol.refuses_now(486)
    playing.until(lambda: alice.hears == "1003" and dave.hears == "1000")
    assert told(bob) == ["SIP/2.0 200 OK"]


def test_success_is_reported_when_the_join_has_said_so(talk):
    """Once it is no fault, for the application need not know how far FreeSWITCH is; not twice."""
    scenario, raised = Scenario(), []

    @scenario.on(BlindTransferRequested)
    def requested(event):
        target = event.session.call_user(event.transfer_to)
        target.wait_connected()
        event.session.send_media_between(event.transferee, target)
        event.session.wait(lambda: target.partner is event.transferee, 5)
        event.call.notify_blind_transfer_success()
        try:
            event.call.notify_blind_transfer_success()
        except ValueError as error:
            raised.append(str(error))

    playing, alice, bob, carol, _ = talk(scenario)
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: alice.hears == "1002" and carol.hears == "1000" and raised)
    assert raised == ["the result of this transfer stands already"]
    assert told(bob) == ["SIP/2.0 200 OK"]


def test_a_target_talks_and_no_news_of_it_has_come_by_the_deadline(talk):
    """FreeSWITCH is asked before anybody is hung up: the two are left alone."""
    playing, alice, bob, carol, _ = talk()
    hidden = ("CHANNEL_ANSWER", "CHANNEL_BRIDGE")
    playing.switch.faults.append(lambda f: Sending(()) if f.about in hidden else None)
    for link in playing.switch.links:
        link.faults.append(lambda f: Sending(()) if f.about in hidden else None)
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: alice.hears == "1002" and carol.hears == "1000")
    playing.advance(100.0)
    assert alice.hears == "1002" and carol.hears == "1000"
    assert told(bob) == ["SIP/2.0 200 OK"]
    assert not bob.in_call


@pytest.mark.parametrize("told_by", ["nobody", "another worker"])
def test_a_transferee_leaves_on_its_way_and_its_transferor_is_told_once(talk, told_by):
    """Another worker may have had the transfer and told of it, and we hear of the REFER late."""
    scenario, failed = Scenario(), []
    scenario.on(TransferFailed)(lambda event: failed.append(event.code))
    playing, alice, bob, _, _ = talk(scenario)
    transferor, transferee = bob.dialog.channel, alice.dialog.channel
    transferee.set_variable("execute_on_blind_transfer", "hangup:NORMAL_CLEARING")
    event = "refer;id=2" if told_by == "another worker" else "refer;id=1"
    transferor.set_variable("fsctl_told", event)
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: not bob.in_call)
    playing.until(lambda: not playing.worker.switchboard.sessions, 10)
    assert transferor.get_variable("sip_blind_transfer_event") == "refer;id=2"
    assert told(bob) == ([] if told_by == "another worker" else ["SIP/2.0 487 Request Terminated"])
    assert failed == ([] if told_by == "another worker" else [487])


@pytest.mark.parametrize("waits", [True, False])
def test_a_handler_that_still_waits_has_not_failed_to_decide(stage, waits):
    scenario = Scenario()

    @scenario.on(CallAlerting)
    def alerting(event):
        if waits:
            event.session.sleep(60.0)
            event.session.connect(event.call, "1002")

    playing = stage(scenario)
    alice, bob, carol = (playing.phone(str(number)) for number in range(1000, 1003))
    alice.calls("1001")
    playing.until(lambda: alice.hears in ("1001", "1002"), 100)
    assert alice.hears == ("1002" if waits else "1001")
    assert (bob.in_call, carol.in_call) == (not waits, waits)
