"""The controller dies, or was never there: nobody is dropped whom FreeSWITCH can keep."""

from __future__ import annotations

import pytest

from tests.live.lab import Refuse, Ring
from tests.live.lab.fsctl_process import REPOSITORY
from tests.live.lab.party import hear_each_other, sections, talking


@pytest.fixture
def served(controller, switch):
    return controller(sections(switch))


@pytest.fixture
def again(controller, switch, served):
    """Start another controller in the place of the one that was killed."""
    return lambda: controller(sections(switch), install=False, port=served.port)


def test_killed_while_two_talk(served, again, phones, switch):
    alice, bob = talking(phones)
    served.kill9()
    assert hear_each_other(alice, bob)
    again()
    target = phones.callee("1002")
    bob.refer(f"<{switch.uri('1002')}>")
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, target)
    bob.wait_over()
    target.bye()
    alice.wait_received("BYE")


def test_killed_while_two_talk_and_they_hang_up(served, phones):
    alice, bob = talking(phones)
    served.kill9()
    bob.bye()
    alice.wait_received("BYE")


def test_killed_while_two_talk_and_the_next_target_is_busy(served, again, phones, switch):
    alice, bob = talking(phones)
    served.kill9()
    again()
    phones.callee("1002", [Refuse(486, "Gone fishing")])
    bob.refer(f"<{switch.uri('1002')}>")
    assert bob.wait_notify() == "SIP/2.0 486 Gone fishing"
    assert hear_each_other(alice, bob)


def test_killed_while_the_target_rings_and_it_answers(served, phones, switch):
    alice, bob = talking(phones)
    target = phones.callee("1002", [Ring()])
    bob.refer(f"<{switch.uri('1002')}>")
    target.wait_received("INVITE")
    served.kill9()
    target.answer()
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, target)
    bob.bye()
    target.bye()
    alice.wait_received("BYE")


def test_killed_while_the_target_rings_and_it_is_busy(served, phones, switch):
    alice, bob = talking(phones)
    target = phones.callee("1002", [Ring()])
    bob.refer(f"<{switch.uri('1002')}>")
    target.wait_received("INVITE")
    served.kill9()
    target.refuse(486, "Gone fishing")
    assert bob.wait_notify() == "SIP/2.0 486 486"  # FreeSWITCH's own words
    assert hear_each_other(alice, bob)
    alice.bye()
    bob.wait_received("BYE")


def test_killed_while_the_target_rings_and_another_takes_over(served, again, phones, switch):
    alice, bob = talking(phones)
    target = phones.callee("1002", [Ring()])
    bob.refer(f"<{switch.uri('1002')}>")
    target.wait_received("INVITE")
    served.kill9()
    again()
    target.refuse(486, "Gone fishing")
    bob.wait_received("NOTIFY")
    assert hear_each_other(alice, bob)
    assert len(bob.notifies()) == 1


def test_killed_while_the_callee_rings(served, phones):
    bob = phones.callee("1001", [Ring()])
    alice = phones.caller("2000", "1001")
    alice.wait_received(180)
    served.kill9()
    bob.answer()
    alice.wait_talking()
    assert hear_each_other(alice, bob)
    alice.bye()
    bob.wait_received("BYE")


def test_killed_while_the_callee_rings_and_it_is_busy(served, phones):
    bob = phones.callee("1001", [Ring()])
    alice = phones.caller("2000", "1001")
    alice.wait_received(180)
    served.kill9()
    bob.refuse(486, "Busy Here")
    alice.wait_received(486)
    assert len(bob.received("INVITE")) == 1


def test_never_there_but_calls_connect(served, phones, switch):
    served.kill9()
    alice, bob = talking(phones)
    phones.callee("1002", [Refuse(486, "Gone fishing")])
    bob.refer(f"<{switch.uri('1002')}>")
    assert bob.wait_notify() == "SIP/2.0 403 Forbidden"
    assert hear_each_other(alice, bob)
    bob.bye()
    alice.wait_received("BYE")


def test_never_there_and_a_legacy_transfer(controller, phones, switch):
    served = controller(sections(switch, transfer={"mode": "legacy"}))
    served.kill9()
    alice, bob = talking(phones)
    target = phones.callee("1002")
    bob.refer(f"<{switch.uri('1002')}>")
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, target)
    bob.bye()


@pytest.mark.parametrize(("number", "status"), [("1002", 486), ("1999", 404), ("7", 404)])
def test_never_there_and_the_callee_fails(served, phones, number, status):
    served.kill9()
    phones.callee("1002", [Refuse(486, "Busy Here")])
    alice = phones.caller("2000", number)
    alice.wait_received(status)


def test_sigterm_drains_and_leaves_the_call_to_the_switch(served, phones, switch):
    alice, bob = talking(phones)
    assert served.terminate() == 0
    assert hear_each_other(alice, bob)
    bob.bye()
    alice.wait_received("BYE")


def test_sigterm_while_the_target_rings(served, phones, switch):
    alice, bob = talking(phones)
    target = phones.callee("1002", [Ring()])
    bob.refer(f"<{switch.uri('1002')}>")
    target.wait_received("INVITE")
    assert served.terminate() == 0
    target.answer()
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, target)
    bob.bye()


def test_killed_while_the_target_of_a_scenario_rings(controller, phones, switch):
    """Our ringback ends by itself, and then FreeSWITCH joins the first two again."""
    sample = REPOSITORY / "examples" / "call_user_transfer.py"
    served = controller(sections(switch), scenario=sample.read_text(encoding="utf-8"))
    alice, bob = talking(phones)
    target = phones.callee("1002", [Ring()])
    bob.refer(f"<{switch.uri('1002')}>")
    target.wait_sent(180)
    assert alice.hears_tone()
    served.kill9()
    assert bob.wait_received("NOTIFY", timeout_s=15).sipfrag.startswith("SIP/2.0 4")
    assert hear_each_other(alice, bob)
    assert len(bob.notifies()) == 1
    target.wait_received("CANCEL", timeout_s=10)
