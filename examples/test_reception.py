"""The reception's own tests, on a simulated switch."""

from fsctl.testing import MakeStage


def test_calls_abroad_are_refused_and_the_two_talk_on(stage: MakeStage) -> None:
    switch = stage("reception.py")
    alice, bob = switch.phone("1000", "Alice"), switch.phone("1001", "Bob")
    alice.calls("1001")
    switch.until(lambda: alice.hears == "1001")
    bob.refers("<sip:0044123@example.org>")
    switch.until(lambda: bob.notifies)
    assert bob.notifies[-1][1] == "SIP/2.0 603 No calls abroad"
    switch.until(lambda: alice.hears == "1001")


def test_a_colleague_is_called_with_our_header(stage: MakeStage) -> None:
    switch = stage("reception.py")
    alice, bob, carol = (switch.phone(number) for number in ("1000", "1001", "1002"))
    alice.calls("1001")
    switch.until(lambda: alice.hears == "1001")
    bob.refers("<sip:1002@example.org>")
    switch.until(lambda: alice.hears == "1002")
    assert bob.notifies[-1][1] == "SIP/2.0 200 OK"
    assert carol.received("INVITE")[0].header("X-Via") == "reception"


def test_nobody_answers_and_a_minute_takes_no_time(stage: MakeStage) -> None:
    switch = stage("reception.py")
    alice = switch.phone("1000")
    switch.phone("1001").no_answer()
    alice.calls("1001")
    switch.until(lambda: alice.received("INVITE", 480))
