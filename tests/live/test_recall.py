"""The transferor has left, and the target fails: the transferor is called again."""

from __future__ import annotations

import pytest

from tests.live.lab import Refuse, Ring
from tests.live.lab.party import hear_each_other, sections, talking


@pytest.fixture
def forsaken(controller, phones, switch):
    """Alice, whom Bob has transferred to a target that rings; Bob has hung up."""

    def begin(**transfer):
        own = {"recall_prefix": "Back: ", **transfer}
        served = controller(sections(switch, ring_timeout_s=3, transfer=own))
        alice, bob = talking(phones)
        target = phones.callee("1002", [Ring()])
        bob.refer(f"<{switch.uri('1002')}>")
        target.wait_sent(180)
        bob.bye()
        bob.wait_over()
        return served, alice, bob, target

    return begin


@pytest.mark.parametrize("dies", [False, True], ids=["served", "killed"])
def test_the_transferor_answers(forsaken, phones, switch, dies):
    served, alice, bob, target = forsaken()
    if dies:
        served.kill9()
    target.refuse(486, "Busy Here")
    recall = bob.wait_received("INVITE", times=2)
    assert recall.header("From").startswith('"Back： 2000" <sip:2000@')
    bob.wait_talking()
    assert hear_each_other(alice, bob)
    if not dies:
        target = phones.callee("1003")
        bob.refer(f"<{switch.uri('1003')}>")
        assert bob.wait_notify() == "SIP/2.0 200 OK", "it is under control as before"
        assert hear_each_other(alice, target)
    alice.bye()
    bob.wait_over()


def test_the_caller_has_transferred(controller, phones, switch):
    controller(sections(switch))
    bob = phones.callee("1001", name="Bob")
    alice = phones.callee("1005", name="Alice")
    # a phone that can be called, and that calls: Alice calls by her second dialog
    caller = phones.caller("1005", "1001", name="Alice calls")
    caller.wait_talking()
    target = phones.callee("1002", [Ring()])
    caller.refer(f"<{switch.uri('1002')}>")
    target.wait_sent(180)
    caller.bye()
    target.refuse(486, "Busy Here")
    assert '"Recall 1001" <sip:1001@' in alice.wait_received("INVITE").header("From")
    alice.wait_talking()
    assert hear_each_other(alice, bob)
    bob.bye()
    alice.wait_over()


@pytest.mark.parametrize("dies", [False, True], ids=["served", "killed"])
def test_nobody_answers_and_the_operator_does(forsaken, phones, dies):
    served, alice, bob, target = forsaken(fallback="number", fallback_number="1009", recall=False)
    if dies:
        served.kill9()
    operator = phones.callee("1009")
    target.refuse(486, "Busy Here")
    operator.wait_talking()
    assert hear_each_other(alice, operator)
    assert len(bob.received("INVITE")) == 1
    operator.bye()
    alice.wait_over()


def test_the_transferor_is_busy_and_the_call_ends(controller, phones, switch):
    controller(sections(switch))
    bob = phones.callee("1001", name="Bob")
    caller = phones.caller("1005", "1001", name="Alice calls")
    caller.wait_talking()
    busy = phones.callee("1005", [Refuse(486, "Busy Here")], name="Alice")
    target = phones.callee("1002", [Ring()])
    caller.refer(f"<{switch.uri('1002')}>")
    target.wait_sent(180)
    caller.bye()
    target.refuse(486, "Busy Here")
    busy.wait_received("INVITE")
    bob.wait_received("BYE")


def test_an_announcement_is_made_before_the_call_ends(forsaken):
    sound = "tone_stream://%(3000,0,440)"
    _, alice, _, target = forsaken(recall=False, fallback="announcement", fallback_sound=sound)
    target.refuse(486, "Busy Here")
    assert alice.hears_tone()
    alice.wait_received("BYE")


def test_a_transfer_by_the_switch_alone_is_recalled_too(controller, phones, switch):
    served = controller(sections(switch, transfer={"mode": "legacy"}))
    served.kill9()
    alice, bob = talking(phones)
    target = phones.callee("1002", [Ring()])
    bob.refer(f"<{switch.uri('1002')}>")
    target.wait_sent(180)
    bob.bye()
    bob.wait_over()
    target.refuse(486, "Busy Here")
    bob.wait_received("INVITE", times=2)
    bob.wait_talking()
    assert hear_each_other(alice, bob)
    alice.bye()
    bob.wait_over()
