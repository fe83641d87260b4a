"""Who may transfer whom where."""

import pytest

from examples.screening import refusal_of
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
    switch = stage("screening.py")
    alice, bob = switch.phone("2000"), switch.phone("1001")
    switch.phone("1002")
    alice.calls("1001")
    switch.until(lambda: alice.hears == "1001")
    bob.refers(f"<sip:{target}@example.org>")
    switch.until(lambda: bob.notifies and alice.hears == hears)
    assert [body for _, body in bob.notifies] == [f"SIP/2.0 {told}"]
