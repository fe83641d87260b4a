"""The hunt's own tests, on a simulated switch."""

from fsctl.story import hear_each_other, talking
from fsctl.testing import MakeStage


def test_the_stand_in_takes_the_call(stage: MakeStage) -> None:
    world = stage("hunt.py")
    world.party("1001").is_busy()
    stand_in = world.party("1009").answers()
    alice = world.party("1000")
    alice.calls("1001")
    assert hear_each_other(alice, stand_in)


def test_nobody_answers_and_the_caller_is_told_the_last_reason(stage: MakeStage) -> None:
    world = stage("hunt.py")
    world.party("1001").rings()
    world.party("1009").is_busy()
    alice = world.party("1000")
    alice.calls("1001")
    alice.wait_received(486)


def test_the_stand_in_takes_a_transfer(stage: MakeStage) -> None:
    world = stage("hunt.py")
    bob, alice = talking(world)
    world.party("1002").rings()
    stand_in = world.party("1009").answers()
    bob.transfers("1002")
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, stand_in)


def test_a_transfer_fails_with_the_last_reason_and_the_two_talk_on(stage: MakeStage) -> None:
    world = stage("hunt.py")
    bob, alice = talking(world)
    world.party("1002").is_busy()
    world.party("1009").refuses(603, "Decline")
    bob.transfers("1002")
    assert bob.wait_notify() == "SIP/2.0 603 Decline"
    assert hear_each_other(alice, bob)
