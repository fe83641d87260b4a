"""The reception's own tests, on a simulated switch."""

from fsctl.story import hear_each_other, talking
from fsctl.testing import MakeStage


def test_calls_abroad_are_refused_and_the_two_talk_on(stage: MakeStage) -> None:
    world = stage("reception.py")
    alice, bob = world.party("1000", "Alice"), world.party("1001", "Bob")
    alice.calls("1001")
    assert hear_each_other(alice, bob)
    bob.transfers("0044123")
    assert bob.wait_notify() == "SIP/2.0 603 No calls abroad"
    assert hear_each_other(alice, bob)


def test_a_colleague_is_called_with_our_header(stage: MakeStage) -> None:
    world = stage("reception.py")
    bob, alice = talking(world)
    carol = world.party("1002").answers()
    bob.transfers("1002")
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    assert carol.received("INVITE")[0].header("X-Via") == "reception"


def test_nobody_answers_and_a_minute_takes_no_time(stage: MakeStage) -> None:
    world = stage("reception.py")
    world.party("1001").rings()
    alice = world.party("1000")
    alice.calls("1001")
    alice.wait_received(480)
