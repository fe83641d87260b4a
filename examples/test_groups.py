"""The ring group and the hunt group, on a simulated switch.

Who is how quick is a matter of the phones: ``party.phone``.
"""

import pytest

from fsctl.story import hear_each_other, talking
from fsctl.testing import MakeStage

BOTH = pytest.mark.parametrize(
    ("file", "group"), [("ring_group.py", "8000"), ("hunt_group.py", "8100")]
)


def test_the_first_to_answer_gets_the_caller(stage: MakeStage) -> None:
    world = stage("ring_group.py")
    silent = world.party("1001").rings()
    first, other = world.party("1002"), world.party("1003")
    first.phone.answers(after_s=3)
    other.phone.answers(after_s=5)
    alice = world.party("1000")
    alice.calls("8000")
    assert hear_each_other(alice, first)
    world.advance(5)
    assert hear_each_other(alice, first, limit_s=0.0) and not other.in_call
    assert silent.received("CANCEL") and other.received("CANCEL")


def test_one_after_the_other(stage: MakeStage) -> None:
    world = stage("hunt_group.py")
    first, second, third = (world.party(number) for number in ("1001", "1002", "1003"))
    first.rings()
    alice = world.party("1000")
    alice.calls("8100")
    assert hear_each_other(alice, second)
    invited = [party.received("INVITE")[0].time_s for party in (first, second)]
    assert invited[1] - invited[0] >= 14
    assert not third.received("INVITE")


@BOTH
def test_nobody_is_free(stage: MakeStage, file: str, group: str) -> None:
    world = stage(file)
    for number in ("1001", "1002", "1003"):
        world.party(number).is_busy()
    alice = world.party("1000")
    alice.calls(group)
    alice.wait_received(486 if group == "8000" else 480)


@BOTH
def test_a_transfer_to_the_group(stage: MakeStage, file: str, group: str) -> None:
    world = stage(file)
    world.party("1001").is_busy()
    second, third = world.party("1002"), world.party("1003")
    second.phone.answers(after_s=2)
    third.phone.answers(after_s=9)
    bob, alice = talking(world, callee="2001")
    bob.transfers(group)
    assert alice.hears_ringback()
    assert hear_each_other(alice, second)
    bob.wait_over()
    assert bob.notifies == ["SIP/2.0 200 OK"]


@BOTH
def test_other_numbers(stage: MakeStage, file: str, group: str) -> None:
    world = stage(file)
    bob, alice = talking(world, callee="2001")
    carol = world.party("2002").answers()
    bob.transfers("2002")
    assert hear_each_other(alice, carol)
