"""Every controller is killed in each state of a transfer: timers in FreeSWITCH do the rest.

``pytest -s`` shows how long it took in each case until people talked again.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fsctl.story import hear_each_other, talking
from tests.live.lab import wait_for
from tests.live.lab.settings import UNDECIDED, sections

RING_S, RESCUE_S = 3, 5
BOUND_S = RING_S + RESCUE_S + 7.0
"""FreeSWITCH's timers are up to 1.5 s later than told, our own ringing has three of grace."""
BOTH = pytest.mark.parametrize("by", ["callee", "caller"])

HELD = """
from fsctl.scenario import BlindTransferRequested, Scenario
scenario = Scenario()

@scenario.on(BlindTransferRequested)
def requested(event):
    target = event.session.call_user(event.transfer_to)
    target.wait_connected()
    print("holds", flush=True)
    event.session.sleep(30)
"""


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Show how long it took."""
    began = time.monotonic()
    yield
    print(f"\n{what}: {time.monotonic() - began:.2f} s")


@pytest.fixture
def begin(controller, phones, switch):
    """Start a controller and a call; returns it, the transferor and the transferee."""

    def begin(by="callee", scenario="", **transfer):
        own = {"ring_timeout_s": RING_S, "rescue_after_s": RESCUE_S, **transfer}
        call = {"ring_timeout_s": RING_S}
        tables = sections(switch, ring_timeout_s=RING_S, transfer=own, call=call)
        served = controller(tables, scenario=scenario)
        return served, *talking(phones, by)

    return begin


@pytest.fixture
def target_rings(begin, phones, switch):
    """All are dead; returns transferor, transferee and the target that rings."""

    def target_rings(by, **transfer):
        served, transferor, transferee = begin(by, **transfer)
        target = phones.party("1002").rings()
        transferor.refers(phones.refer_to("1002"))
        target.wait_sent(180)
        served.kill9()
        return transferor, transferee, target

    return target_rings


def no_timer_is_left(switch):
    """Nothing will fire at people who talk; FreeSWITCH's own tasks have other groups."""
    groups = [line for line in switch.esl("show tasks").splitlines() if "sched_api" in line]
    return not [
        line for line in groups if "fsctl-living" not in line and "fsctl-context" not in line
    ]


@BOTH
def test_the_target_answers(target_rings, by):
    transferor, transferee, target = target_rings(by)
    target.answers_now()
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, target)
    with timed("the parked transferor is released"):
        transferor.wait_received("BYE", limit_s=BOUND_S)
    assert hear_each_other(transferee, target)
    target.hangs_up()
    transferee.wait_over()


@BOTH
def test_the_target_answers_and_leaves_again(target_rings, by):
    """FreeSWITCH has told the transferor: its timer does not tell it again."""
    transferor, transferee, target = target_rings(by)
    target.answers_now()
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, target)
    target.hangs_up()
    transferee.wait_over()
    transferor.wait_received("BYE", limit_s=BOUND_S)
    assert len(transferor.notifies) == 1


@BOTH
def test_the_target_does_not_answer(target_rings, by, switch):
    transferor, transferee, _ = target_rings(by)
    with timed("talking again after the ring timeout has passed"):
        status = transferor.wait_notify(limit_s=BOUND_S)
        assert hear_each_other(transferee, transferor)
    assert not status.startswith("SIP/2.0 2")
    switch.wait(lambda: no_timer_is_left(switch), what="the timers are gone")
    assert len(transferor.notifies) == 1


@BOTH
def test_the_target_is_busy(target_rings, by, switch):
    transferor, transferee, target = target_rings(by)
    with timed("talking again after a refusal"):
        target.refuses_now(486, "Busy Here")
        assert transferor.wait_notify() == "SIP/2.0 486 486"
        assert hear_each_other(transferee, transferor)
    switch.wait(lambda: no_timer_is_left(switch), what="the timers are gone")


@BOTH
def test_the_transferee_leaves(target_rings, by):
    transferor, transferee, target = target_rings(by)
    transferee.hangs_up()
    target.wait_received("CANCEL")
    with timed("the parked transferor is told, its transferee has left"):
        assert transferor.wait_notify(limit_s=BOUND_S) == "SIP/2.0 487 Request Terminated"
    transferor.wait_received("BYE", limit_s=BOUND_S)
    assert len(transferor.notifies) == 1


@BOTH
def test_the_transferor_leaves_and_the_target_answers(target_rings, by):
    transferor, transferee, target = target_rings(by)
    transferor.hangs_up()
    target.answers_now()
    assert hear_each_other(transferee, target)


@BOTH
def test_all_leave(target_rings, by):
    transferor, transferee, target = target_rings(by)
    transferor.hangs_up()
    transferee.hangs_up()
    target.wait_received("CANCEL")


@BOTH
def test_nobody_has_decided(begin, phones, switch, by):
    served, transferor, transferee = begin(by, UNDECIDED)
    transferor.refers(phones.refer_to("1002"))
    served.wait_log("asked")
    served.kill9()
    with timed("talking again, undecided"):
        assert transferor.wait_notify() == "SIP/2.0 403 Forbidden"
        assert hear_each_other(transferee, transferor)
    switch.wait(lambda: no_timer_is_left(switch), what="the timers are gone")


@BOTH
def test_the_target_is_held_by_a_scenario(begin, phones, by):
    served, transferor, transferee = begin(by, HELD)
    target = phones.party("1002").answers()
    transferor.refers(phones.refer_to("1002"))
    served.wait_log("holds")
    served.kill9()
    target.wait_received("BYE")
    with timed("talking again, target held"):
        # what we play to the transferee ends by itself, after a round
        assert not transferor.wait_notify(limit_s=BOUND_S).startswith("SIP/2.0 2")
        assert hear_each_other(transferee, transferor)


@BOTH
def test_the_transfer_has_just_succeeded(begin, phones, by):
    served, transferor, transferee = begin(by)
    target = phones.party("1002").answers()
    transferor.refers(phones.refer_to("1002"))
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    served.kill9()
    transferor.wait_received("BYE", limit_s=BOUND_S)
    assert hear_each_other(transferee, target)
    target.hangs_up()
    transferee.wait_over()


@BOTH
@pytest.mark.parametrize("after_ms", [0, 5, 15, 30, 60])
def test_at_any_moment_after_the_answer(begin, phones, by, after_ms):
    """While they are being joined: nobody is lost, and the transferor is told the truth."""
    served, transferor, transferee = begin(by)
    target = phones.party("1002").rings()
    transferor.refers(phones.refer_to("1002"))
    target.wait_sent(180)
    target.answers_now()
    time.sleep(after_ms / 1000)  # the moment is what is tested
    served.kill9()
    status = transferor.wait_notify(limit_s=BOUND_S)
    partner = target if status == "SIP/2.0 200 OK" else transferor
    assert hear_each_other(transferee, partner)
    if partner is target:
        transferor.wait_received("BYE", limit_s=BOUND_S)
    assert len(transferor.notifies) == 1


@BOTH
@pytest.mark.parametrize("after_ms", [0, 5, 15, 30, 60])
def test_at_any_moment_after_a_refusal(begin, phones, by, after_ms):
    """The first two talk, and their transferor is told: by FreeSWITCH, if we die right before."""
    served, transferor, transferee = begin(by)
    target = phones.party("1002").rings()
    transferor.refers(phones.refer_to("1002"))
    target.wait_sent(180)
    target.refuses_now(486, "Busy Here")
    time.sleep(after_ms / 1000)  # the moment is what is tested
    served.kill9()
    assert not transferor.wait_notify(limit_s=BOUND_S).startswith("SIP/2.0 2")
    assert hear_each_other(transferee, transferor)
    assert len(transferor.notifies) == 1


def test_a_new_call_is_not_decided(controller, phones, switch):
    served = controller(sections(switch), scenario=UNDECIDED)
    bob = phones.party("1009").answers()
    alice = phones.caller("2000", "1009")
    switch.wait(lambda: [row for row in switch.channels() if row["application"] == "socket"])
    served.kill9()
    alice.wait_talking()
    assert hear_each_other(alice, bob)


@BOTH
def test_a_legacy_transfer_and_the_target_answers(target_rings, by):
    transferor, transferee, target = target_rings(by, mode="legacy")
    target.answers_now()
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, target)
    transferor.wait_received("BYE", limit_s=BOUND_S)
    assert hear_each_other(transferee, target)


@BOTH
def test_a_legacy_transfer_and_the_target_is_busy(target_rings, by, switch):
    transferor, transferee, target = target_rings(by, mode="legacy")
    target.refuses_now(486, "Busy Here")
    assert transferor.wait_notify() == "SIP/2.0 486 486"
    assert hear_each_other(transferee, transferor)
    switch.wait(lambda: no_timer_is_left(switch), what="the timers are gone")


def test_a_timer_does_not_touch_a_leg_that_talks(controller, phones, switch):
    """What the timers rest on, for each way in which two legs are joined."""
    controller(sections(switch))
    bob, alice = talking(phones)  # by `bridge`
    for joined_by in ("bridge", "uuid_bridge", "intercept"):
        uuids = [row["uuid"] for row in switch.wait_channels(2)]
        if joined_by == "uuid_bridge":
            switch.esl(f"uuid_bridge {uuids[0]} {uuids[1]}")
        elif joined_by == "intercept":
            switch.esl(f"uuid_setvar {uuids[1]} park_after_bridge true")
            switch.esl(f"uuid_transfer {uuids[0]} intercept:{uuids[1]} inline")
        assert hear_each_other(alice, bob), joined_by
        for uuid in uuids:
            kill = f"expand uuid:{uuid} uuid_kill {uuid}${{variable_bridge_to}} BLIND_TRANSFER"
            switch.esl(f"sched_api +1 {uuid} {kill}")
        wait_for(lambda: no_timer_is_left(switch), 5.0, "the timers have fired")
        assert hear_each_other(alice, bob), joined_by


@pytest.mark.parametrize("unread", [False, True], ids=["closed", "reset"])
def test_a_whole_write_is_obeyed_though_its_sender_dies(switch, unread):
    """What rests on it: in one write a timer goes, and another takes its place."""
    with socket.create_connection(("127.0.0.1", switch.esl_port)) as dying:
        dying.sendall(f"auth {switch.password}\n\n".encode())
        while b"+OK accepted" not in dying.recv(4096):
            pass
        if unread:  # then its end is a reset
            dying.sendall(b"event plain ALL\n\n" + 50 * b"api version\n\n")
            wait_for(lambda: len(dying.recv(65536, socket.MSG_PEEK)) > 1000, 5.0)
        numbers = range(200)
        dying.sendall(
            b"".join(b"api global_setvar last_write=%d\n\n" % number for number in numbers)
        )
    wait_for(lambda: switch.esl("global_getvar last_write").strip() == "199", 5.0, "the last word")
    switch.esl("global_setvar last_write=")
