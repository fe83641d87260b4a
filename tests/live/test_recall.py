"""The transferor has left, and the target fails: the transferor is called again."""

from __future__ import annotations

import pytest

from fsctl.story import hear_each_other, talking
from tests.live.lab.settings import sections


@pytest.fixture
def forsaken(controller, phones, switch):
    """Alice, whom Bob has transferred to a target that rings; Bob has hung up."""

    def begin(**transfer):
        own = {"recall_prefix": "Back: ", **transfer}
        served = controller(sections(switch, ring_timeout_s=3, transfer=own))
        bob, alice = talking(phones)
        target = phones.party("1002").rings()
        bob.refers(phones.refer_to("1002"))
        target.wait_sent(180)
        bob.hangs_up()
        bob.wait_over()
        return served, alice, bob, target

    return begin


@pytest.mark.parametrize("dies", [False, True], ids=["served", "killed"])
def test_the_transferor_answers(forsaken, phones, dies):
    served, alice, bob, target = forsaken()
    if dies:
        served.kill9()
    target.refuses_now(486, "Busy Here")
    recall = bob.wait_received("INVITE", times=2)
    assert recall.header("From").startswith('"Back： 2000" <sip:2000@')
    bob.wait_talking()
    assert hear_each_other(alice, bob)
    if not dies:
        target = phones.party("1003").answers()
        bob.refers(phones.refer_to("1003"))
        assert bob.wait_notify() == "SIP/2.0 200 OK", "it is under control as before"
        assert hear_each_other(alice, target)
    alice.hangs_up()
    bob.wait_over()


def test_the_caller_has_transferred(controller, phones, switch):
    controller(sections(switch))
    bob = phones.party("1001", name="Bob").answers()
    alice = phones.party("1005", name="Alice").answers()
    # a phone that can be called, and that calls: Alice calls by her second dialog
    caller = phones.caller("1005", "1001", name="Alice calls")
    caller.wait_talking()
    target = phones.party("1002").rings()
    caller.refers(phones.refer_to("1002"))
    target.wait_sent(180)
    caller.hangs_up()
    target.refuses_now(486, "Busy Here")
    assert '"Recall 1001" <sip:1001@' in alice.wait_received("INVITE").header("From")
    alice.wait_talking()
    assert hear_each_other(alice, bob)
    bob.hangs_up()
    alice.wait_over()


@pytest.mark.parametrize("dies", [False, True], ids=["served", "killed"])
def test_nobody_answers_and_the_operator_does(forsaken, phones, dies):
    served, alice, bob, target = forsaken(fallback="number", fallback_number="1009", recall=False)
    if dies:
        served.kill9()
    operator = phones.party("1009").answers()
    target.refuses_now(486, "Busy Here")
    operator.wait_talking()
    assert hear_each_other(alice, operator)
    assert len(bob.received("INVITE")) == 1
    operator.hangs_up()
    alice.wait_over()


def test_the_transferor_is_busy_and_the_call_ends(controller, phones, switch):
    controller(sections(switch))
    bob = phones.party("1001", name="Bob").answers()
    caller = phones.caller("1005", "1001", name="Alice calls")
    caller.wait_talking()
    busy = phones.party("1005", name="Alice").refuses(486, "Busy Here")
    target = phones.party("1002").rings()
    caller.refers(phones.refer_to("1002"))
    target.wait_sent(180)
    caller.hangs_up()
    target.refuses_now(486, "Busy Here")
    busy.wait_received("INVITE")
    bob.wait_received("BYE")


def test_an_announcement_is_made_before_the_call_ends(forsaken):
    sound = "tone_stream://%(3000,0,440)"
    _, alice, _, target = forsaken(recall=False, fallback="announcement", fallback_sound=sound)
    target.refuses_now(486, "Busy Here")
    assert alice.hears_ringback()
    alice.wait_received("BYE")


def test_a_transfer_by_the_switch_alone_is_recalled_too(controller, phones, switch):
    served = controller(sections(switch, transfer={"mode": "legacy"}))
    served.kill9()
    bob, alice = talking(phones)
    target = phones.party("1002").rings()
    bob.refers(phones.refer_to("1002"))
    target.wait_sent(180)
    bob.hangs_up()
    bob.wait_over()
    target.refuses_now(486, "Busy Here")
    bob.wait_received("INVITE", times=2)
    bob.wait_talking()
    assert hear_each_other(alice, bob)
    alice.hangs_up()
    bob.wait_over()
