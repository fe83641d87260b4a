"""Scenarios that do what a programmer will do sooner or later: too early, too late, twice."""

from __future__ import annotations

import os

import pytest

from fsctl.story import hear_each_other, talking
from tests.live.lab.settings import sections

HEADER = """
from fsctl.scenario import *
scenario = Scenario()
"""
TELL = """
@scenario.on(TransferComplete)
def complete(event):
    print("TOLD complete", event.call.number, flush=True)

@scenario.on(TransferFailed)
def failed(event):
    print("TOLD failed", event.call.number, event.code, event.reason, flush=True)
"""
CONNECT = """
@scenario.on(BlindTransferRequested)
def requested(event):
    target = event.session.connect(event.transferee, event.transfer_to, ring_timeout_s=4)
"""


@pytest.fixture
def serve(controller, switch):
    """Start a controller with the text of a scenario."""

    def start(scenario, **transfer):
        settings = sections(switch, transfer=transfer) if transfer else sections(switch)
        return controller(settings, scenario=HEADER + scenario)

    return start


def forgive(served):
    """The handler's own exception is logged, as it should be: it is no fault of the program's."""
    os.truncate(served.folder / "fsctl.log", 0)


@pytest.fixture(params=["callee", "caller"])
def direction(request):
    return request.param


def still_one_notify(phone):
    """One NOTIFY, and nothing follows it once later traffic has passed through the switch."""
    return len(phone.notifies) == 1


# -- reports of the application's own


def test_success_reported_when_the_target_is_connected(serve, phones, direction):
    """The way it is written for VoxEngine: connect, and report when the new call is answered."""
    serve(
        CONNECT
        + """
    transferor = event.call
    target.on(Connected, lambda e: transferor.notify_blind_transfer_success())
"""
    )
    transferor, transferee = talking(phones, direction)
    target = phones.party("1002").rings()
    transferor.refers(phones.refer_to("1002"))
    target.answers_now()
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, target)
    transferor.wait_over()
    assert transferor.notifies == ["SIP/2.0 200 OK"]


def test_failure_reported_when_the_target_is_connected(serve, phones, direction):
    served = serve(
        CONNECT
        + """
    transferor = event.call
    target.on(Connected, lambda e: transferor.notify_blind_transfer_failed(488, "Not this one"))
"""
        + TELL
    )
    transferor, transferee = talking(phones, direction)
    target = phones.party("1002").rings()
    transferor.refers(phones.refer_to("1002"))
    target.wait_sent(180)
    target.command("answer")
    line = transferor.wait_notify()
    if line == "SIP/2.0 200 OK":  # too late: FreeSWITCH has joined them and said so
        assert hear_each_other(transferee, target)
        transferor.wait_over()
    else:
        assert hear_each_other(transferee, transferor)
    assert still_one_notify(transferor)
    forgive(served)


def test_success_reported_early_and_the_target_is_busy(serve, phones, direction):
    serve(CONNECT + "    event.call.notify_blind_transfer_success()\n")
    transferor, transferee = talking(phones, direction)
    phones.party("1002").refuses(486, "Busy")
    transferor.refers(phones.refer_to("1002"))
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, transferor)
    assert still_one_notify(transferor)


def test_reported_twice(serve, phones):
    serve(
        """
@scenario.on(BlindTransferRequested)
def requested(event):
    event.call.notify_blind_transfer_failed(486, "First")
    try:
        event.call.notify_blind_transfer_success()
    except ValueError as error:
        print("TOLD", error, flush=True)
"""
    )
    bob, alice = talking(phones)
    bob.refers(phones.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 486 First"
    assert hear_each_other(alice, bob)
    assert still_one_notify(bob)


def test_reported_without_any_transfer(serve, phones):
    served = serve(
        """
@scenario.on(Connected)
def connected(event):
    try:
        event.call.notify_blind_transfer_success()
    except ValueError as error:
        print("TOLD", error, flush=True)
"""
    )
    bob, alice = talking(phones)
    served.wait_log("has asked for no transfer")
    assert hear_each_other(alice, bob)


# -- nothing decided, decided late, decided twice


def test_nothing_decided(serve, phones, direction):
    serve(
        """
@scenario.on(BlindTransferRequested)
def requested(event):
    pass
""",
        decision_timeout_s=1.0,
    )
    transferor, transferee = talking(phones, direction)
    transferor.refers(phones.refer_to("1002"))
    assert transferor.wait_notify() == "SIP/2.0 603 Decline"
    assert hear_each_other(transferee, transferor)
    assert still_one_notify(transferor)


def test_decided_after_the_deadline(serve, phones, direction):
    """The first two talk again by then: nobody may be called for a leg that talks."""
    served = serve(
        """
@scenario.on(BlindTransferRequested)
def requested(event):
    def late():
        try:
            event.session.connect(event.transferee, event.transfer_to)
        except Exception as error:
            print("TOLD too late:", error, flush=True)
    event.session.set_timeout(1.5, late)
""",
        decision_timeout_s=1.0,
    )
    transferor, transferee = talking(phones, direction)
    target = phones.party("1002").answers()
    transferor.refers(phones.refer_to("1002"))
    assert transferor.wait_notify() == "SIP/2.0 603 Decline"
    served.wait_log("TOLD too late")
    assert hear_each_other(transferee, transferor)
    assert not target.received("INVITE")


def test_somebody_else_is_called_after_the_failure_was_reported(serve, phones, direction):
    served = serve(
        """
@scenario.on(TransferFailed)
def failed(event):
    call = event.call.peer
    try:
        event.session.connect(call, "1003")
    except Exception as error:
        print("TOLD too late:", error, flush=True)
"""
    )
    transferor, transferee = talking(phones, direction)
    phones.party("1002").refuses(486, "Busy")
    other = phones.party("1003").answers()
    transferor.refers(phones.refer_to("1002"))
    assert transferor.wait_notify() == "SIP/2.0 486 Busy"
    served.wait_log("TOLD too late")
    assert hear_each_other(transferee, transferor)
    assert not other.received("INVITE")


def test_connected_twice(serve, phones):
    served = serve(CONNECT + "    event.session.connect(event.transferee, '1003')\n")
    bob, alice = talking(phones)
    target, other = phones.party("1002").answers(), phones.party("1003").answers()
    bob.refers(phones.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, target)
    assert not other.received("INVITE")
    forgive(served)


def test_next_target_gets_its_whole_ring_time(serve, phones):
    """Hunting: the first target does not answer, the second one has its own time to ring."""
    serve(
        CONNECT
        + """
    transferee = event.transferee
    def next_one(e):
        e.session.connect(transferee, "1003", ring_timeout_s=8)
    target.on(Failed, next_one)
"""
    )
    bob, alice = talking(phones)
    phones.party("1002").rings()
    second = phones.party("1003").rings()
    bob.refers(phones.refer_to("1002"))
    second.wait_received("INVITE", limit_s=8)
    with pytest.raises(AssertionError):
        second.wait_received("CANCEL", limit_s=5.5)
    second.answers_now()
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, second)


def test_call_that_nobody_decides_on_ends(serve, phones):
    """Every wait has a deadline: a handler may forget to connect or to reject."""
    serve(
        """
@scenario.on(CallAlerting)
def alerting(event):
    pass
""",
        decision_timeout_s=1.0,
    )
    alice = phones.caller("2000", "1001")
    alice.wait_over(6.0)


# -- handlers that fail


def test_handler_that_fails(serve, phones, direction):
    served = serve(
        """
@scenario.on(BlindTransferRequested)
def requested(event):
    event.session.connect(event.call, event.transfer_to)   # the wrong party
"""
    )
    transferor, transferee = talking(phones, direction)
    transferor.refers(phones.refer_to("1002"))
    assert transferor.wait_notify() == "SIP/2.0 500 Server Internal Error"
    assert hear_each_other(transferee, transferor)
    forgive(served)


def test_verb_on_a_call_that_has_gone(serve, phones):
    """The handler of one event asks for what cannot be done any more; the session goes on."""
    served = serve(
        """
@scenario.on(Failed)
def failed(event):
    event.call.hangup()                                     # it has ended: ChannelGone
"""
        + TELL
    )
    bob, alice = talking(phones)
    phones.party("1002").refuses(486, "Gone fishing")
    bob.refers(phones.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 486 Gone fishing"
    assert hear_each_other(alice, bob)
    forgive(served)


def test_handler_of_the_end_that_fails(serve, phones):
    """Whatever a handler of Terminated does, all links are let go (no descriptor stays open)."""
    served = serve(
        """
@scenario.on(Terminated)
def terminated(event):
    event.session.terminate()
    for call in list(event.session.calls.values()):
        call.hangup()
"""
    )
    bob, alice = talking(phones)
    phones.party("1002").refuses(486, "Busy")
    bob.refers(phones.refer_to("1002"))
    bob.wait_notify()
    assert hear_each_other(alice, bob)
    alice.hangs_up()
    bob.wait_received("BYE")
    served.wait_no_growth(20)
    forgive(served)


def test_handler_that_blocks(serve, phones, direction):
    """The hub stands still for a while: late, but right."""
    serve(
        """
import time
@scenario.on(BlindTransferRequested)
def requested(event):
    event.session.connect(event.transferee, event.transfer_to)
    time.sleep(2)
"""
    )
    transferor, transferee = talking(phones, direction)
    target = phones.party("1002").answers()
    transferor.refers(phones.refer_to("1002"))
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, target)
    transferor.wait_over(8)
    assert still_one_notify(transferor)


def test_too_many_headers_in_the_refer_to(serve, phones, switch):
    """More X-Headers than a dial string takes: one final report, whatever it is."""
    serve("")
    bob, _ = talking(phones)
    phones.party("1002").answers()
    headers = "&".join(f"X-{n}=1" for n in range(220))
    bob.refers(f"<{switch.uri('1002')}?{headers}>")
    line = bob.wait_notify()
    assert line.startswith(("SIP/2.0 4", "SIP/2.0 200"))
    assert still_one_notify(bob)


def test_mode_chosen_when_connected(serve, phones):
    serve(
        """
@scenario.on(Connected)
def connected(event):
    event.call.handle_blind_transfer(True)
""",
        mode="legacy",
    )
    bob, alice = talking(phones)
    phones.party("1002").refuses(486, "Gone fishing")
    bob.refers(phones.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 486 Gone fishing"
    assert hear_each_other(alice, bob)


# -- legacy


def test_legacy_call_is_rejected_by_the_scenario(serve, phones, direction):
    """A refused legacy transfer is a failed transfer: nobody is dropped."""
    served = serve(
        """
@scenario.on(CallAlerting)
def alerting(event):
    if event.legacy_transfer:
        event.call.reject(486, "Not now")
    else:
        event.session.connect(event.call, event.destination)
"""
        + TELL,
        mode="legacy",
    )
    transferor, transferee = talking(phones, direction)
    transferor.refers(phones.refer_to("1002"))
    assert transferor.wait_notify().startswith("SIP/2.0 486")
    assert hear_each_other(transferee, transferor)
    served.wait_log(f"TOLD failed {transferor.number} 486")


def test_legacy_new_session_connects_again_after_the_target_left(serve, phones):
    """The end of the old session must not take the leg out of the new one's hands."""
    serve(
        """
@scenario.on(CallAlerting)
def alerting(event):
    call, session = event.call, event.session
    target = session.connect(call, event.destination)
    if event.legacy_transfer:
        def again(e):
            try:
                session.connect(call, "1003")
            except Exception as error:
                print("TOLD", error, flush=True)
        target.on(Disconnected, again)
""",
        mode="legacy",
    )
    bob, alice = talking(phones)
    target, other = phones.party("1002").answers(), phones.party("1003").answers()
    bob.refers(phones.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, target)
    bob.wait_over()
    target.hangs_up()
    other.wait_received("INVITE")
    assert hear_each_other(alice, other)


def test_waiting_leg_is_connected_again_after_the_callee_left(serve, phones):
    """No transfer at all: the callee hangs up and the scenario calls somebody else."""
    serve(
        """
@scenario.on(CallAlerting)
def alerting(event):
    call, session = event.call, event.session
    target = session.connect(call, event.destination)
    def again(e):
        try:
            session.connect(call, "1003")
        except Exception as error:
            print("TOLD", error, flush=True)
    target.on(Disconnected, again)
"""
    )
    other = phones.party("1003").answers()
    bob, alice = talking(phones)
    bob.hangs_up()
    other.wait_received("INVITE")
    assert hear_each_other(alice, other)


def test_success_reported_and_then_somebody_called(serve, phones, direction):
    """The application takes the transferee for itself, as into a queue, and connects it then."""
    serve(
        """
@scenario.on(BlindTransferRequested)
def requested(event):
    event.call.notify_blind_transfer_success()
    event.session.connect(event.transferee, "1003")
"""
    )
    transferor, transferee = talking(phones, direction)
    target = phones.party("1003").answers()
    transferor.refers(phones.refer_to("1002"))
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    target.wait_received("INVITE")
    assert hear_each_other(transferee, target)
    transferor.wait_over()
    assert still_one_notify(transferor)
