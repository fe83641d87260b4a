"""What others do with legs of a call of ours while it goes on, and a REFER afterwards.

The simulated switch has no ``att_xfer``, and no dialplan beside ours.
"""

from __future__ import annotations

import pytest

from tests.live.lab import Phone, wait_for
from tests.live.lab.party import hear_each_other, sections, talking
from tests.live.lab.switch import Switch

OURS = pytest.mark.parametrize("by", ["caller", "callee"])


@pytest.fixture
def pair(controller, phones, switch, by):
    """Who acts and the other one; calls to 3001 are the switch's own."""
    settings = sections(
        switch,
        dialplan={"inbound_match": "1[0-9]{3}"},
        transfer={"release_transferor_after_s": 1},
    )
    controller(settings)
    alice, bob = talking(phones)
    return (alice, bob) if by == "caller" else (bob, alice)


def leg(switch: Switch, phone: Phone) -> str:
    """The channel of its call: FreeSWITCH lists it a moment later."""
    return wait_for(lambda: switch.leg_of(phone.call_id()), 5, "its leg is listed")[0]


def consults(switch: Switch, phone: Phone, target: Phone) -> None:
    """The phone presses the key that an operator has bound to ``att_xfer`` (``bind_meta_app``)."""
    app = f"att_xfer::user/{target.number}@{switch.domain}"
    assert switch.esl(f"uuid_broadcast {leg(switch, phone)} {app} aleg").startswith("+OK")
    target.wait_talking()
    assert hear_each_other(phone, target)


def transfers(switch: Switch, phone: Phone, other: Phone, target: Phone) -> None:
    """By REFER: the two talk, and the phone is told so once; it hangs up then, as phones do."""
    phone.refer(f"<{switch.uri(target.number)}>")
    assert hear_each_other(other, target)
    assert phone.wait_notify() == "SIP/2.0 200 OK"
    phone.hang_up()
    assert hear_each_other(other, target)
    assert phone.notifies() == ["SIP/2.0 200 OK"]
    target.bye()
    other.wait_over()


@OURS
@pytest.mark.parametrize("ends", ["transferor", "target"])
def test_after_a_feature_code_a_refer_is_served(pair, phones, switch, by, ends):
    """``att_xfer`` joins the other two when one has hung up, and one of them refers."""
    one, other = pair
    carol, dave = phones.callee("1002"), phones.callee("1003")
    consults(switch, one, carol)
    left, two = (one, (other, carol)) if ends == "transferor" else (carol, (one, other))
    left.bye()
    assert hear_each_other(*two)
    transfers(switch, *two, dave)


@OURS
def test_the_target_of_a_feature_code_refers(pair, phones, switch, by):
    one, other = pair
    carol, dave = phones.callee("1002"), phones.callee("1003")
    consults(switch, one, carol)
    one.bye()
    assert hear_each_other(other, carol)
    transfers(switch, carol, other, dave)


@OURS
def test_a_refer_during_a_feature_code_moves_whom_it_talks_with(pair, phones, switch, by):
    """That is the one consulted; the first two talk on."""
    one, other = pair
    carol, dave = phones.callee("1002"), phones.callee("1003")
    consults(switch, one, carol)
    one.refer(f"<{switch.uri('1003')}>")
    assert one.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(carol, dave)
    assert hear_each_other(one, other)
    assert len(one.notifies()) == 1


def test_who_transfers_one_of_another_call_is_not_parked_for_ten_minutes(
    controller, phones, switch
):
    """FreeSWITCH alone does it, and reports it: no controller knows the transferee."""
    settings = sections(
        switch,
        dialplan={"inbound_match": "1[0-9]{3}", "claim_timeout_s": 1},
        call={"ring_timeout_s": 2},
        transfer={"ring_timeout_s": 2, "decision_timeout_s": 1, "rescue_after_s": 5},
    )
    controller(settings)
    alice, bob = talking(phones)
    fred, dave = phones.callee("3001", name="Fred"), phones.callee("3002", name="Dave")
    eve = phones.caller("2001", "3001", name="Eve")
    eve.wait_talking()
    switch.esl(f"uuid_bridge {leg(switch, bob)} {leg(switch, fred)}")
    assert hear_each_other(bob, fred)
    alice.wait_over()
    bob.refer(f"<{switch.uri('3002')}>")
    assert hear_each_other(fred, dave)
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    bob.wait_over(20)
    assert hear_each_other(fred, dave)


@OURS
@pytest.mark.parametrize("sender", ["ours", "theirs"])
def test_a_leg_is_joined_with_one_of_another_call(pair, phones, switch, by, sender):
    """By ``uuid_bridge``, with one of a call that the switch has made by itself."""
    ours, left = pair
    fred = phones.callee("3001", name="Fred")
    eve = phones.caller("2001", "3001", name="Eve")
    eve.wait_talking()
    theirs = eve if by == "callee" else fred
    first = (ours, theirs) if sender == "ours" else (theirs, ours)
    switch.esl(f"uuid_bridge {leg(switch, first[0])} {leg(switch, first[1])}")
    assert hear_each_other(ours, theirs)
    left.wait_over()
    sends, moved = (ours, theirs) if sender == "ours" else (theirs, ours)
    transfers(switch, sends, moved, phones.callee("1003"))
