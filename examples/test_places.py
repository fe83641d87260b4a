"""Conference, queue and parking: transferred to, dialled, picked up."""

import pytest

from examples.places import place_of
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
    switch = stage("places.py")
    alice, bob = switch.phone("1000"), switch.phone("1001")
    alice.calls("1001")
    switch.until(lambda: alice.hears == "1001")
    bob.refers(f"<sip:{number}@example.org>")
    switch.until(lambda: alice.hears == hears)
    switch.until(lambda: not bob.in_call)
    assert [body for _, body in bob.notifies] == ["SIP/2.0 200 OK"]
    alice.hangs_up()
    switch.until(lambda: not switch.switch.channels)


def test_who_is_parked_is_picked_up(stage: MakeStage) -> None:
    switch = stage("places.py")
    alice, bob, carol = (switch.phone(number) for number in ("1000", "1001", "1002"))
    alice.calls("1001")
    switch.until(lambda: alice.hears == "1001")
    bob.refers("<sip:6000@example.org>")
    switch.until(lambda: alice.hears == "music" and not bob.in_call)
    carol.calls("6001")
    switch.until(lambda: alice.hears == "1002" and carol.hears == "1000")
    switch.advance(60)
    assert alice.hears == "1002"
    carol.hangs_up()
    switch.until(lambda: not switch.switch.channels)
