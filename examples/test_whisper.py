"""The target hears the announcement, then the transferee."""

from fsctl.story import hear_each_other, talking
from fsctl.testing import MakeStage


def test_announced_and_joined(stage: MakeStage) -> None:
    world = stage("whisper.py")
    bob, alice = talking(world)
    carol = world.party("1002")
    bob.transfers("1002")
    carol.wait_talking()
    assert carol.hears_ringback()  # the announcement: a tone
    assert alice.hears_ringback() and not bob.notifies
    assert hear_each_other(alice, carol)
    bob.wait_over()
    assert bob.notifies == ["SIP/2.0 200 OK"]


def test_nobody_to_be_told(stage: MakeStage) -> None:
    world = stage("whisper.py")
    bob, alice = talking(world)
    world.party("1002").refuses(603, "Decline")
    bob.transfers("1002")
    assert bob.wait_notify() == "SIP/2.0 603 Decline"
    assert hear_each_other(alice, bob)
