"""The ring group and the hunt group, on a simulated switch."""

import pytest

from fsctl.testing import MakeStage

BOTH = pytest.mark.parametrize(
    ("file", "group"), [("ring_group.py", "8000"), ("hunt_group.py", "8100")]
)


def test_the_first_to_answer_gets_the_caller(stage: MakeStage) -> None:
    switch = stage("ring_group.py")
    alice, first, other = (switch.phone(number) for number in ("1000", "1002", "1003"))
    switch.phone("1001").no_answer()
    first.answers(after_s=3)
    other.answers(after_s=5)
    alice.calls("8000")
    switch.until(lambda: alice.hears == "1002" and first.hears == "1000")
    switch.advance(5)
    assert alice.hears == "1002" and not other.in_call
    assert switch.phone("1001").received("CANCEL") and other.received("CANCEL")


def test_one_after_the_other(stage: MakeStage) -> None:
    switch = stage("hunt_group.py")
    alice, second = switch.phone("1000"), switch.phone("1002")
    switch.phone("1001").no_answer()
    alice.calls("8100")
    switch.until(lambda: alice.hears == "1002" and second.hears == "1000")
    invited = [switch.phone(n).received("INVITE")[0].time_s for n in ("1001", "1002")]
    assert invited[1] - invited[0] >= 14
    assert not switch.phone("1003").received("INVITE")


@BOTH
def test_nobody_is_free(stage: MakeStage, file: str, group: str) -> None:
    switch = stage(file)
    alice = switch.phone("1000")
    for number in ("1001", "1002", "1003"):
        switch.phone(number).busy()
    alice.calls(group)
    status = 486 if group == "8000" else 480
    switch.until(lambda: alice.received("INVITE", status))


@BOTH
def test_a_transfer_to_the_group(stage: MakeStage, file: str, group: str) -> None:
    switch = stage(file)
    alice, bob = switch.phone("1000"), switch.phone("2000")
    switch.phone("1001").busy()
    switch.phone("1002").answers(after_s=2)
    switch.phone("1003").answers(after_s=9)
    alice.calls("2000")
    switch.until(lambda: alice.hears == "2000")
    bob.refers(f"<sip:{group}@example.org>")
    switch.until(lambda: alice.hears == "ringback")
    switch.until(lambda: alice.hears == "1002")
    switch.until(lambda: bob.notifies and not bob.in_call)
    assert [body for _, body in bob.notifies] == ["SIP/2.0 200 OK"]


@BOTH
def test_other_numbers(stage: MakeStage, file: str, group: str) -> None:
    switch = stage(file)
    alice, bob, carol = (switch.phone(number) for number in ("1000", "2000", "2001"))
    alice.calls("2000")
    switch.until(lambda: alice.hears == "2000")
    bob.refers("<sip:2001@example.org>")
    switch.until(lambda: alice.hears == "2001" and carol.hears == "1000")
