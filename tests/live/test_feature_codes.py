"""What others do with legs of a call of ours while it goes on, and a REFER afterwards.

The simulated switch has no ``att_xfer``, and no dialplan beside ours.
"""

from __future__ import annotations

import pytest

from fsctl.story import hear_each_other, talking
from tests.live.lab import Phone
from tests.live.lab.settings import sections
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
    return talking(phones, by)


def consults(switch: Switch, phone: Phone, target: Phone) -> None:
    """The phone presses the key that an operator has bound to ``att_xfer`` (``bind_meta_app``)."""
    app = f"att_xfer::user/{target.number}@{switch.domain}"
    assert switch.esl(f"uuid_broadcast {phone.world.leg(phone)} {app} aleg").startswith("+OK")
    target.wait_talking()
    assert hear_each_other(phone, target)


def transfers(switch: Switch, phone: Phone, other: Phone, target: Phone) -> None:
    """By REFER: the two talk, and the phone is told so once; it hangs up then, as phones do."""
    phone.refers(f"<{switch.uri(target.number)}>")
    assert hear_each_other(other, target)
    assert phone.wait_notify() == "SIP/2.0 200 OK"
    phone.hangs_up_all()
    assert hear_each_other(other, target)
    assert phone.notifies == ["SIP/2.0 200 OK"]
    target.hangs_up()
    other.wait_over()


@OURS
@pytest.mark.parametrize("ends", ["transferor", "target"])
def test_after_a_feature_code_a_refer_is_served(pair, phones, switch, by, ends):
    """``att_xfer`` joins the other two when one has hung up, and one of them refers."""
    one, other = pair
    carol, dave = phones.party("1002").answers(), phones.party("1003").answers()
    consults(switch, one, carol)
    left, two = (one, (other, carol)) if ends == "transferor" else (carol, (one, other))
    left.hangs_up()
    assert hear_each_other(*two)
    transfers(switch, *two, dave)


@OURS
def test_the_target_of_a_feature_code_refers(pair, phones, switch, by):
    one, other = pair
    carol, dave = phones.party("1002").answers(), phones.party("1003").answers()
    consults(switch, one, carol)
    one.hangs_up()
    assert hear_each_other(other, carol)
    transfers(switch, carol, other, dave)


@OURS
def test_a_refer_during_a_feature_code_moves_whom_it_talks_with(pair, phones, switch, by):
    """That is the one consulted; the first two talk on."""
    one, other = pair
    carol, dave = phones.party("1002").answers(), phones.party("1003").answers()
    consults(switch, one, carol)
    one.refers(phones.refer_to("1003"))
    assert one.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(carol, dave)
    assert hear_each_other(one, other)
    assert len(one.notifies) == 1


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
    bob, alice = talking(phones)
    fred, dave = (
        phones.party("3001", name="Fred").answers(),
        phones.party("3002", name="Dave").answers(),
    )
    eve = phones.caller("2001", "3001", name="Eve")
    eve.wait_talking()
    switch.esl(f"uuid_bridge {bob.world.leg(bob)} {fred.world.leg(fred)}")
    assert hear_each_other(bob, fred)
    alice.wait_over()
    bob.refers(phones.refer_to("3002"))
    assert hear_each_other(fred, dave)
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    bob.wait_over(20)
    assert hear_each_other(fred, dave)


@OURS
@pytest.mark.parametrize("sender", ["ours", "theirs"])
def test_a_leg_is_joined_with_one_of_another_call(pair, phones, switch, by, sender):
    """By ``uuid_bridge``, with one of a call that the switch has made by itself."""
    ours, left = pair
    fred = phones.party("3001", name="Fred").answers()
    eve = phones.caller("2001", "3001", name="Eve")
    eve.wait_talking()
    theirs = eve if by == "callee" else fred
    first = (ours, theirs) if sender == "ours" else (theirs, ours)
    switch.esl(f"uuid_bridge {first[0].world.leg(first[0])} {first[1].world.leg(first[1])}")
    assert hear_each_other(ours, theirs)
    left.wait_over()
    sends, moved = (ours, theirs) if sender == "ours" else (theirs, ours)
    transfers(switch, sends, moved, phones.party("1003").answers())
