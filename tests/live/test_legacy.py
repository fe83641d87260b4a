"""Legacy transfers on the real switch: FreeSWITCH moves the legs and reports by itself."""

from __future__ import annotations

import pytest

from tests.live.lab import Refuse, Ring
from tests.live.lab.party import hear_each_other, sections, talking

SCENARIO = """
from fsctl.scenario import Scenario, TransferComplete, TransferFailed
scenario = Scenario()

@scenario.on(TransferComplete)
def complete(event):
    print("TOLD", "complete", event.call.number, flush=True)

@scenario.on(TransferFailed)
def failed(event):
    print("TOLD", "failed", event.call.number, event.code, event.reason, flush=True)
"""


@pytest.fixture(params=["callee", "caller"])
def transfer(request, controller, switch, phones):
    served = controller(sections(switch, transfer={"mode": "legacy"}), scenario=SCENARIO)
    alice, bob = talking(phones)
    transferor, transferee = (bob, alice) if request.param == "callee" else (alice, bob)
    return served, transferor, transferee


def test_answered(transfer, phones, switch):
    served, transferor, transferee = transfer
    target = phones.callee("1002", [Ring()])
    transferor.refer(f"<{switch.uri('1002')}>")
    invite = target.wait_received("INVITE")
    assert f"<sip:{transferor.number}@" in invite.header("From")
    assert "X-FS-" not in str(invite.headers)
    assert not transferor.notifies()
    target.answer()
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, target)
    served.wait_log(f"TOLD complete {transferor.number}")
    transferor.wait_over()
    assert len(transferor.notifies()) == 1
    assert hear_each_other(transferee, target)


def test_failed(transfer, phones, switch):
    served, transferor, transferee = transfer
    phones.callee("1002", [Ring(), Refuse(486, "Gone fishing")])
    transferor.refer(f"<{switch.uri('1002')}>")
    # FreeSWITCH repeats the code where the phrase belongs (mod_sofia.c).
    assert transferor.wait_notify() == "SIP/2.0 486 486"
    assert hear_each_other(transferor, transferee)
    served.wait_log(f"TOLD failed {transferor.number} 486 Gone fishing")
    transferee.bye()
    transferor.wait_over()
    assert len(transferor.notifies()) == 1


def test_failed_and_then_answered(transfer, phones, switch):
    served, transferor, transferee = transfer
    phones.callee("1002", [Refuse(486, "Gone fishing")])
    target = phones.callee("1003")
    transferor.refer(f"<{switch.uri('1002')}>")
    transferor.wait_notify()
    assert hear_each_other(transferor, transferee)
    transferor.refer(f"<{switch.uri('1003')}>")
    assert transferor.wait_notify(2) == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, target)
    served.wait_log(f"TOLD complete {transferor.number}")
    transferor.wait_over()


def test_no_route(transfer, switch):
    _, transferor, transferee = transfer
    transferor.refer(f"<{switch.uri('7')}>")
    assert transferor.wait_notify() == "SIP/2.0 404 404"
    assert hear_each_other(transferor, transferee)


def test_reported_at_once(controller, switch, phones):
    settings = {"mode": "legacy", "legacy_report": "at-once"}
    controller(sections(switch, transfer=settings))
    alice, bob = talking(phones)
    target = phones.callee("1002", [Ring()])
    bob.refer(f"<{switch.uri('1002')}>")
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    bob.wait_over()
    target.answer()
    assert hear_each_other(alice, target)


def test_mode_of_a_route(controller, switch, phones):
    settings = sections(switch)
    settings["route"][0]["transfer_mode"] = "legacy"
    controller(settings)
    _, bob = talking(phones)
    phones.callee("1002", [Refuse(486, "Gone fishing")])
    bob.refer(f"<{switch.uri('1002')}>")
    assert bob.wait_notify() == "SIP/2.0 486 486"


CHOOSING = """
from fsctl.scenario import CallAlerting, Scenario
scenario = Scenario()

@scenario.on(CallAlerting)
def alerting(event):
    callee = event.session.connect(event.call, event.destination)
    callee.handle_blind_transfer({callee})
    event.call.handle_blind_transfer({caller})
"""


@pytest.mark.parametrize(("callee", "caller"), [(True, False), (False, True)])
def test_mode_of_a_call(controller, switch, phones, callee, caller):
    opposite = "legacy" if callee else "in-session"
    settings = sections(switch, transfer={"mode": opposite})
    controller(settings, scenario=CHOOSING.format(callee=callee, caller=caller))
    alice, bob = talking(phones)
    phones.callee("1002", [Refuse(486, "Gone fishing")])
    bob.refer(f"<{switch.uri('1002')}>")
    assert bob.wait_notify() == f"SIP/2.0 486 {'Gone fishing' if callee else '486'}"
    assert hear_each_other(alice, bob)
    alice.refer(f"<{switch.uri('1002')}>")
    assert alice.wait_notify() == f"SIP/2.0 486 {'Gone fishing' if caller else '486'}"
    assert hear_each_other(alice, bob)
