"""Conference, queue and parking: transferred to, dialled, picked up."""

import pytest

from examples.places import place_of
from fsctl.stage import Stage
from fsctl.story import hear_each_other, talking
from fsctl.testing import MakeStage


def test_numbers() -> None:
    assert place_of("3007") == ("conference", "3007@default")
    assert place_of("6003") == ("valet_park", "lot 6003")
    assert place_of("1001") is None
    assert place_of("3007;x") is None


@pytest.mark.parametrize(
    ("number", "hears"), [("3007", "conference 3007"), ("5000", "music"), ("6000", "music")]
)
def test_a_transfer(stage: MakeStage, number: str, hears: str) -> None:
    world = stage("places.py")
    bob, alice = talking(world)
    bob.transfers(number)
    world.wait(lambda: alice_hears(world) == hears, f"Alice hears {hears}")
    bob.wait_over()
    assert bob.notifies == ["SIP/2.0 200 OK"]
    alice.hangs_up()
    world.wait(lambda: not world.legs(), "everybody is free")


def alice_hears(world: Stage) -> str:
    """No party: a conference, or music."""
    return world.party("2000").phone.hears


def test_who_is_parked_is_picked_up(stage: MakeStage) -> None:
    world = stage("places.py")
    bob, alice = talking(world)
    bob.transfers("6000")
    world.wait(lambda: alice_hears(world) == "music", "Alice hears music")
    bob.wait_over()
    carol = world.party("1002")
    carol.calls("6001")
    assert hear_each_other(alice, carol)
    world.advance(60)
    assert hear_each_other(alice, carol, limit_s=0.0)
    carol.hangs_up()
    world.wait(lambda: not world.legs(), "everybody is free")
