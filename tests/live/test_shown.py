"""Phones that show whom they talk to after a transfer: FreeSWITCH tells them by UPDATE."""

from __future__ import annotations

import pytest

from fsctl.story import hear_each_other
from tests.live.lab.settings import sections
from tests.live.lab.steps import Answer, Pause, Ring

SHOWS = (("User-Agent", "Yealink SIP-T46S"), ("Allow", "INVITE, ACK, BYE, CANCEL, UPDATE"))
"""mod_sofia.c knows by these whose display it may change."""
OTHER = (("User-Agent", "Yealink SIP-T46S"), ("Allow", "INVITE, ACK, BYE, CANCEL"))
PRIVATE = (("Privacy", "id"),)
HOUSE = {"name": "house", "match": "1002", "kind": "dialplan", "context": "public"}


@pytest.fixture
def call(phones):
    """Alice and Bob talk; Carol answers, or does these steps."""

    def begin(*steps, headers=SHOWS, private=False):
        bob = phones.party("1001", "Bob").takes(Ring(), Answer(headers))
        carol = phones.party("1002", "Carol").takes(*(steps or (Ring(), Answer(headers))))
        own = (*headers, *(PRIVATE if private else ()))
        alice = phones.caller("2000", "1001", own, name="Alice")
        for phone in (alice, bob):
            phone.wait_talking()
        return alice, bob, carol

    return begin


def told(phone):
    return [update.header("P-Asserted-Identity") for update in phone.received("UPDATE")]


def wait_shows(phones, phone, whom):
    """What it was told last; of a phone that was not told anything, what its INVITE said."""

    def shows():
        invites = [invite.header("From") for invite in phone.received("INVITE")]
        return ["", *invites, *told(phone)][-1]

    phones.wait(lambda: whom in shows(), f"{phone.name} shows {whom}, not {shows()}")


@pytest.mark.parametrize("by", ["callee", "caller"])
@pytest.mark.parametrize("kind", ["user", "dialplan"])
def test_both_phones_show_whom_they_talk_to(controller, phones, switch, call, by, kind):
    tables = sections(switch)
    if kind == "dialplan":
        tables["route"] = [HOUSE, *tables["route"]]
    controller(tables)
    alice, bob, carol = call()
    wait_shows(phones, alice, '"1001" <sip:1001@')
    transferor, transferee = (bob, alice) if by == "callee" else (alice, bob)
    transferor.refers(phones.refer_to("1002"))
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, carol)
    # Whom an extension of the switch's own dialplan calls has the name that it says.
    wait_shows(phones, transferee, '"1002" <sip:1002@' if kind == "user" else "<sip:1002@")
    wait_shows(phones, carol, '"Alice" <sip:2000@' if by == "callee" else "<sip:1001@")
    carol.hangs_up()


def test_a_phone_that_does_not_take_it_is_left_in_peace(controller, phones, switch, call):
    controller(sections(switch))
    alice, bob, carol = call(headers=OTHER)
    bob.refers(phones.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    carol.hangs_up()
    alice.wait_over()
    assert not any(phone.received("UPDATE") for phone in (alice, bob, carol))


@pytest.mark.parametrize("private", [False, True], ids=["shown", "hidden"])
@pytest.mark.parametrize("rings_ms", [0, 800], ids=["talking", "ringing"])
def test_after_an_attended_transfer(controller, phones, switch, call, rings_ms, private):
    """A party that wants to be hidden is so; the phone shows on whom it has shown."""
    controller(sections(switch, transfer={"attended": "application"}))
    late = (Ring(), Pause(rings_ms), Answer(SHOWS)) if rings_ms else ()
    alice, bob, carol = call(*late, private=private)
    line = phones.line(bob)
    line.calls("1002", SHOWS)
    if rings_ms:
        line.wait_received(180)
    else:
        line.wait_talking()
    bob.refers(phones.replacing(line, "1002"))
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    wait_shows(phones, alice, '"1002" <sip:1002@')
    wait_shows(phones, carol, "<sip:1001@" if private else '"Alice" <sip:2000@')
    alice.hangs_up()
    carol.wait_over()
    assert not private or "2000" not in str(told(carol))


@pytest.mark.parametrize("private", [False, True], ids=["shown", "hidden"])
def test_after_a_transfer_that_fails(controller, phones, switch, call, private):
    controller(sections(switch))
    alice, bob, carol = call(Ring(), private=private)
    bob.refers(phones.refer_to("1002"))
    carol.wait_sent(180)
    carol.refuses_now(486, "Busy Here")
    assert bob.wait_notify() == "SIP/2.0 486 Busy Here"
    assert hear_each_other(alice, bob)
    wait_shows(phones, alice, '"1001" <sip:1001@')
    wait_shows(phones, bob, "anonymous@" if private else '"Alice" <sip:2000@')
    alice.hangs_up()
    bob.wait_over()
    assert not private or "2000" not in str(told(bob))


def test_a_recall_shows_who_is_called_again(controller, phones, switch, call):
    controller(sections(switch))
    alice, bob, carol = call(Ring())
    bob.refers(phones.refer_to("1002"))
    carol.wait_sent(180)
    bob.hangs_up()
    bob.wait_over()
    carol.refuses_now(486, "Busy Here")
    assert hear_each_other(alice, bob)
    wait_shows(phones, alice, '"1001" <sip:1001@')
    wait_shows(phones, bob, '"Recall 2000" <sip:2000@')
    alice.hangs_up()
    bob.wait_over()
