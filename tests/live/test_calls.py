"""Plain calls on the real switch: answered, every failure of the callee, a caller who gives up."""

from __future__ import annotations

import pytest

from tests.live.lab import Answer, Early, Pause, Refuse, Ring
from tests.live.lab.party import hear_each_other, sections, talking


@pytest.fixture(autouse=True)
def served(controller, switch):
    return controller(sections(switch, ring_timeout_s=2))


def test_answered_and_hung_up_by_the_callee(phones):
    alice, bob = talking(phones)
    bob.bye()
    alice.wait_received("BYE")


def test_answered_and_hung_up_by_the_caller(phones):
    alice, bob = talking(phones)
    alice.bye()
    bob.wait_received("BYE")


def test_caller_hears_of_ringing_before_the_answer(phones):
    bob = phones.callee("1001", [Ring()])
    alice = phones.caller("2000", "1001")
    alice.wait_received(180)
    assert not alice.received(200)
    bob.answer()
    alice.wait_talking()


def test_callee_sees_number_and_name_of_the_caller(phones):
    bob = phones.callee("1001")
    alice = phones.caller("2000", "1001", name="Alice O'Neill")
    alice.wait_talking()
    sent = bob.received("INVITE")[0].header("From")
    assert sent.startswith('"Alice O\'Neill" <sip:2000@'), sent


def test_early_media_of_the_callee_reaches_the_caller(phones):
    bob = phones.callee("1001", [Early()])
    alice = phones.caller("2000", "1001")
    alice.wait_received(183)
    assert alice.hears(bob)
    assert not alice.received(200)
    bob.answer()
    alice.wait_talking()
    assert hear_each_other(alice, bob)


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        (486, "Busy Here"),
        (603, "Decline"),
        (480, "Gone for lunch"),
        (404, "Not Found"),
        (500, "Broken"),
        (600, "Busy Everywhere"),
    ],
)
def test_callee_refuses(phones, status, phrase):
    phones.callee("1001", [Ring(), Refuse(status, phrase)])
    alice = phones.caller("2000", "1001")
    assert alice.wait_received(status).start_line == f"SIP/2.0 {status} {phrase}"


def test_callee_refuses_after_early_media(phones):
    phones.callee("1001", [Early(), Pause(200), Refuse(486, "Busy after all")])
    alice = phones.caller("2000", "1001")
    assert alice.wait_received(486).start_line == "SIP/2.0 486 Busy after all"


def test_callee_does_not_answer(phones):
    bob = phones.callee("1001", [Ring()])
    alice = phones.caller("2000", "1001")
    assert alice.wait_received(480, timeout_s=8).reason == "Temporarily Unavailable"
    bob.wait_received("CANCEL")


def test_callee_sends_early_media_and_never_answers(phones):
    bob = phones.callee("1001", [Early()])
    alice = phones.caller("2000", "1001")
    alice.wait_received(480, timeout_s=10)
    bob.wait_received("CANCEL")


def test_callee_is_not_registered(phones):
    alice = phones.caller("2000", "1999")
    alice.wait_received(404)


def test_callee_is_unreachable(phones, switch, closed_port):
    switch.add_user("1001", closed_port)
    alice = phones.caller("2000", "1001")
    alice.wait_received(503)
    switch.remove_user("1001")


@pytest.mark.parametrize("number", ["7", "no-such-user", "99999"])
def test_no_route(phones, number):
    alice = phones.caller("2000", number)
    alice.wait_received(404)


def test_caller_gives_up_while_ringing(phones):
    bob = phones.callee("1001", [Ring()])
    alice = phones.caller("2000", "1001")
    alice.wait_received(180)
    alice.cancel()
    alice.wait_received(487)
    bob.wait_received("CANCEL")


def test_callee_redirects_to_somebody_our_routes_admit(phones, switch):
    carol = phones.callee("1002")
    contact = f"<sip:1002@{switch.domain}:{switch.sip_port}>"
    phones.callee("1001", [Refuse(302, "Moved Temporarily", [("Contact", contact)])])
    alice = phones.caller("2000", "1001")
    alice.wait_talking()
    assert hear_each_other(alice, carol)


def test_callee_redirects_to_somewhere_else(phones):
    stranger = phones.callee("5", [Ring(), Answer()])
    contact = f"<sip:stranger@127.0.0.1:{stranger.port}>"
    phones.callee("1001", [Refuse(302, "Moved Temporarily", [("Contact", contact)])])
    alice = phones.caller("2000", "1001")
    alice.wait_received(480)
    assert not stranger.received("INVITE")
