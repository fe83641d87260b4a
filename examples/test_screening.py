"""Who may transfer whom where."""

import pytest

from examples.screening import refusal_of
from fsctl.story import hear_each_other, talking
from fsctl.testing import MakeStage


@pytest.mark.parametrize(
    ("transferor", "transferee", "target", "refusal"),
    [
        ("1001", "004930123", "1002", ""),
        ("1001", "004930123", "0044123", "No calls abroad"),
        ("1005", "004930123", "1002", ""),
        ("1005", "004930123", "3000", "You may not transfer there"),
        ("004930123", "1001", "1002", "You may not transfer there"),
        ("1005", "1001", "10022", "You may not transfer there"),
    ],
)
def test_the_list(transferor: str, transferee: str, target: str, refusal: str) -> None:
    assert refusal_of(transferor, transferee, target) == refusal


@pytest.mark.parametrize(
    ("target", "told", "hears"),
    [
        ("1002", "200 OK", "1002"),
        ("0044123", "603 No calls abroad", "1001"),
    ],
)
def test_a_transfer(stage: MakeStage, target: str, told: str, hears: str) -> None:
    world = stage("screening.py")
    bob, alice = talking(world)
    heard = world.party(hears)
    bob.transfers(target)
    assert bob.wait_notify() == f"SIP/2.0 {told}"
    assert hear_each_other(alice, heard)
    assert len(bob.notifies) == 1
