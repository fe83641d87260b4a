"""Transfers that the application decides: it refuses, sends elsewhere, or loses patience."""

from __future__ import annotations

import pytest

from fsctl.story import hear_each_other, talking
from tests.stories.world import World

RECEPTION = """
from fsctl.scenario import BlindTransferRequested, Scenario, TransferComplete, TransferFailed
scenario = Scenario()

@scenario.on(BlindTransferRequested)
def requested(event):
    tell("requested", event.call.number, event.transfer_to)
    if event.transfer_to.startswith("00"):
        event.call.notify_blind_transfer_failed(603, "No calls abroad")
    else:
        event.session.connect(event.transferee, "1003", headers={"X-Via": "reception"})

@scenario.on(TransferComplete)
def complete(event):
    tell("complete", event.call.number)

@scenario.on(TransferFailed)
def failed(event):
    tell("failed", event.call.number, event.code, event.reason)
"""


def test_application_refuses_and_the_two_talk_on(world: World) -> None:
    world.serve(scenario=RECEPTION)
    bob, alice = talking(world)
    bob.refers("<sip:0044123@example.org>")
    assert bob.wait_notify() == "SIP/2.0 603 No calls abroad"
    assert hear_each_other(alice, bob)
    world.wait_told("failed 1001 603 No calls abroad")
    assert world.told() == ["requested 1001 0044123", "failed 1001 603 No calls abroad"]


def test_application_sends_the_transferee_to_somebody_else(world: World) -> None:
    world.serve(scenario=RECEPTION)
    bob, alice = talking(world)
    carol, dave = world.party("1002").answers(), world.party("1003").answers()
    bob.refers(world.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, dave)
    assert dave.received("INVITE")[0].header("X-Via") == "reception"
    assert not carol.received("INVITE")
    world.wait_told("complete 1001")
    assert world.told() == ["requested 1001 1002", "complete 1001"]


IMPATIENT = """
from fsctl.scenario import BlindTransferRequested, Scenario
scenario = Scenario()

@scenario.on(BlindTransferRequested)
def requested(event):
    event.session.connect(event.transferee, event.transfer_to)
    event.session.set_timeout(0.5, lambda: event.call.notify_blind_transfer_failed(408, "Too slow"))
"""


def test_application_gives_up_on_a_target_that_rings(world: World) -> None:
    world.serve(scenario=IMPATIENT, route={"ring_timeout_s": 20})
    bob, alice = talking(world)
    carol = world.party("1002").rings()
    bob.refers(world.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 408 Too slow"
    carol.wait_received("CANCEL")
    assert hear_each_other(alice, bob)
    assert len(bob.notifies) == 1


HASTY = """
from fsctl.scenario import BlindTransferRequested, Ringing, Scenario
scenario = Scenario()

@scenario.on(BlindTransferRequested)
def requested(event):
    target = event.session.connect(event.transferee, event.transfer_to)
    target.on(Ringing, lambda _: event.call.notify_blind_transfer_success())
"""


def test_application_reports_success_before_the_target_answers(world: World) -> None:
    world.serve(scenario=HASTY, route={"ring_timeout_s": 20})
    bob, alice = talking(world)
    carol = world.party("1002").rings()
    bob.refers(world.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert not carol.sent(200)
    carol.answers_now()
    assert hear_each_other(alice, carol)
    bob.wait_over()
    assert bob.notifies == ["SIP/2.0 200 OK"]
    carol.hangs_up()
    alice.wait_received("BYE")


QUEUE = """
from fsctl.scenario import BlindTransferRequested, CallFailed, Scenario
scenario = Scenario()

@scenario.on(BlindTransferRequested)
def requested(event):
    try:
        CALL.wait_connected()
    except CallFailed:
        event.call.notify_blind_transfer_success()
        event.transferee.execute("fifo", "support in")
"""
WAYS = {
    "connect": "event.session.connect(event.transferee, event.transfer_to)",
    "call_user": "event.session.call_user(event.transfer_to)",
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("by", ["callee", "caller"])
def test_application_keeps_a_transferee_whose_target_is_busy(
    world: World, way: str, by: str
) -> None:
    world.serve(scenario=QUEUE.replace("CALL", WAYS[way]))
    transferor, transferee = talking(world, by)
    world.party("1002").refuses(486, "Busy Here")
    transferor.refers(world.refer_to("1002"))
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    world.wait_application("fifo")
    transferor.wait_over()
    assert transferee.in_call
    transferee.hangs_up()
    assert transferor.notifies == ["SIP/2.0 200 OK"]


@pytest.mark.parametrize(
    "application", ['"execute_extension", "none XML nowhere"', '"socket", "127.0.0.1:1 async full"']
)
def test_the_end_of_an_application_that_dialplans_execute_is_seen(
    world: World, application: str
) -> None:
    scenario = QUEUE.replace("CALL", WAYS["connect"])
    world.serve(scenario=scenario.replace('"fifo", "support in"', application))
    transferor, transferee = talking(world, "callee")
    world.party("1002").refuses(486, "Busy Here")
    transferor.refers(world.refer_to("1002"))
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    transferee.wait_over()
    transferor.wait_over()


TOGETHER = """
from fsctl.scenario import BlindTransferRequested, Connected, Failed, Scenario
scenario = Scenario()
asked = []

@scenario.on(BlindTransferRequested)
def requested(event):
    asked[:] = [event.transferee]
    for number in ("1002", "1003"):
        event.session.call_user(number)

@scenario.on(Connected)
def connected(event):
    if event.call.number == "1003":
        event.session.send_media_between(asked[0], event.call)

@scenario.on(Failed)
def failed(event):
    tell("failed", event.call.number)
"""


@pytest.mark.parametrize("answers", [True, False])
def test_of_two_targets_that_ring_together_one_is_busy(world: World, answers: bool) -> None:
    world.serve(scenario=TOGETHER)
    bob, alice = talking(world)
    carol, dave = world.party("1002").rings(), world.party("1003").rings()
    bob.refers(world.refer_to("1002"))
    carol.wait_received("INVITE")
    dave.wait_received("INVITE")
    carol.refuses_now(486, "Busy Here")
    world.wait_told("failed 1002")
    if answers:
        dave.answers_now()
        assert hear_each_other(alice, dave)
        assert bob.wait_notify() == "SIP/2.0 200 OK"
    else:
        dave.refuses_now(603, "Decline")
        assert bob.wait_notify() == "SIP/2.0 603 Decline"
        assert hear_each_other(alice, bob)
    assert len(bob.notifies) == 1
