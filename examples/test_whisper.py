"""The target hears the announcement, then the transferee."""

from fsctl.testing import MakeStage


def test_announced_and_joined(stage: MakeStage) -> None:
    switch = stage("whisper.py")
    alice, bob, carol = (switch.phone(number) for number in ("1000", "1001", "1002"))
    alice.calls("1001")
    switch.until(lambda: alice.hears == "1001")
    bob.refers("<sip:1002@example.org>")
    switch.until(lambda: carol.in_call and carol.hears == "ringback")  # the announcement: a tone
    assert alice.hears == "ringback" and not bob.notifies
    switch.until(lambda: alice.hears == "1002" and carol.hears == "1000")
    switch.until(lambda: bob.notifies and not bob.in_call)
    assert [body for _, body in bob.notifies] == ["SIP/2.0 200 OK"]


def test_nobody_to_be_told(stage: MakeStage) -> None:
    switch = stage("whisper.py")
    alice, bob = switch.phone("1000"), switch.phone("1001")
    switch.phone("1002").declines()
    alice.calls("1001")
    switch.until(lambda: alice.hears == "1001")
    bob.refers("<sip:1002@example.org>")
    switch.until(lambda: bob.notifies and alice.hears == "1001")
    assert [body for _, body in bob.notifies] == ["SIP/2.0 603 Decline"]
