"""The hunt's own tests, on a simulated switch."""

from fsctl.testing import MakeStage


def test_the_stand_in_takes_the_call(stage: MakeStage) -> None:
    switch = stage("hunt.py")
    alice, bob, stand_in = (switch.phone(number) for number in ("1000", "1001", "1009"))
    bob.busy()
    alice.calls("1001")
    switch.until(lambda: alice.hears == stand_in.number)


def test_nobody_answers_and_the_caller_is_told_the_last_reason(stage: MakeStage) -> None:
    switch = stage("hunt.py")
    alice, bob, stand_in = (switch.phone(number) for number in ("1000", "1001", "1009"))
    bob.no_answer()
    stand_in.busy()
    alice.calls("1001")
    switch.until(lambda: alice.received("INVITE", 486))


def test_the_stand_in_takes_a_transfer(stage: MakeStage) -> None:
    switch = stage("hunt.py")
    alice, bob, carol = (switch.phone(number) for number in ("1000", "1001", "1002"))
    stand_in = switch.phone("1009")
    carol.no_answer()
    alice.calls("1001")
    switch.until(lambda: alice.hears == "1001")
    bob.refers("<sip:1002@example.org>")
    switch.until(lambda: alice.hears == stand_in.number and bob.notifies)
    assert bob.notifies[-1][1] == "SIP/2.0 200 OK"


def test_a_transfer_fails_with_the_last_reason_and_the_two_talk_on(stage: MakeStage) -> None:
    switch = stage("hunt.py")
    alice, bob, carol = (switch.phone(number) for number in ("1000", "1001", "1002"))
    carol.busy()
    switch.phone("1009").declines()
    alice.calls("1001")
    switch.until(lambda: alice.hears == "1001")
    bob.refers("<sip:1002@example.org>")
    switch.until(lambda: bob.notifies)
    assert bob.notifies[-1][1] == "SIP/2.0 603 Decline"
    switch.until(lambda: alice.hears == "1001")
