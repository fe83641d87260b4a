"""A controller that hangs, vanishes or dies at once: no caller and no transferor waits for it."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from contextlib import suppress

import pytest

from fsctl.story import hear_each_other, talking
from tests.live.lab.ports import free_port
from tests.live.lab.settings import UNDECIDED, sections

CLAIM_S = 5.0
"""FreeSWITCH's timer fires 2 to 3.5 s after it was armed, and the phones need a moment."""
SOON_S = 1.5
IN_TIME_S = 1.7
"""Somewhat less than `claim_timeout_s`, and more than what a second is short of."""


class Peer:
    """At a port, and no controller: it ``closes``, is ``silent``, or a ``black hole``."""

    def __init__(self, behaviour: str) -> None:
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self.address = "{}:{}".format(*self._listener.getsockname())
        self._kept: list[socket.socket] = []
        self._closes = behaviour == "closes"
        if behaviour == "black hole":
            # A full queue: further SYNs are dropped.
            self._listener.listen(0)
            for _ in range(2):
                self._kept.append(socket.socket())
                self._kept[-1].setblocking(False)
                with suppress(BlockingIOError):
                    self._kept[-1].connect(self._listener.getsockname())
        else:
            self._listener.listen(8)
            threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                accepted, _ = self._listener.accept()
                if self._closes:
                    accepted.close()
                else:
                    self._kept.append(accepted)

    def close(self) -> None:
        """Gone."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for each in (self._listener, *self._kept):
            each.close()


@pytest.fixture
def peer():
    made: list[Peer] = []

    def make(behaviour: str) -> Peer:
        made.append(Peer(behaviour))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def served(controller, switch):
    """A single process without a supervisor."""
    return controller(sections(switch))


@pytest.fixture
def stopped(served):
    """That, which is stopped by SIGSTOP when it is called."""
    yield lambda: os.kill(served.pid, signal.SIGSTOP)
    os.kill(served.pid, signal.SIGCONT)


@pytest.mark.parametrize("behaviour", ["closes", "silent"])
def test_a_call_that_nobody_claims_is_connected_by_the_switch(
    controller, switch, phones, peer, behaviour
):
    wrong = peer(behaviour)
    controller(sections(switch, dialplan={"controllers": [wrong.address], "only_living": False}))
    bob = phones.party("1001").answers()
    alice = phones.caller("2000", "1001")
    alice.wait_talking(limit_s=CLAIM_S)
    assert hear_each_other(alice, bob)
    bob.refers(phones.refer_to("1002"))
    assert bob.wait_notify(limit_s=2 * CLAIM_S) == "SIP/2.0 403 Forbidden"
    assert hear_each_other(alice, bob)


def test_a_host_that_has_vanished_is_not_dialled(controller, switch, phones, peer):
    wrong = peer("black hole")
    port = free_port()
    own = {"controllers": [wrong.address, f"127.0.0.1:{port}"]}
    controller(sections(switch, dialplan=own), port=port)
    began = time.monotonic()
    bob, _ = talking(phones)
    assert time.monotonic() - began < SOON_S
    phones.party("1002").refuses(486, "Gone fishing")
    bob.refers(phones.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 486 Gone fishing", "our own words: it was asked"


def test_a_black_hole_is_one(peer):
    """The test above would show nothing otherwise."""
    with socket.socket() as caller, pytest.raises(TimeoutError):
        caller.settimeout(0.5)
        host, _, number = peer("black hole").address.partition(":")
        caller.connect((host, int(number)))


def test_a_call_that_arrives_when_the_controller_has_just_stopped(stopped, phones):
    stopped()
    bob = phones.party("1001").answers()
    alice = phones.caller("2000", "1001")
    alice.wait_talking(limit_s=CLAIM_S)
    assert hear_each_other(alice, bob)
    alice.hangs_up()
    bob.wait_over()


def test_a_controller_that_hangs_is_soon_not_dialled_any_more(stopped, phones, switch):
    stopped()
    switch.wait(lambda: not switch.living(), what="FreeSWITCH forgets it", timeout_s=6)
    bob = phones.party("1001").answers()
    alice = phones.caller("2000", "1001")
    alice.wait_talking(limit_s=SOON_S)
    assert hear_each_other(alice, bob)
    bob.refers(phones.refer_to("1002"))
    assert bob.wait_notify(limit_s=SOON_S) == "SIP/2.0 403 Forbidden"
    assert hear_each_other(alice, bob)


def test_a_transfer_that_the_controller_does_not_claim(stopped, phones):
    bob, alice = talking(phones)
    stopped()
    phones.party("1002").answers()
    bob.refers(phones.refer_to("1002"))
    assert bob.wait_notify(limit_s=2 * CLAIM_S) == "SIP/2.0 403 Forbidden"
    assert hear_each_other(alice, bob)
    assert len(bob.notifies) == 1


def test_a_transfer_that_the_controller_claims_in_time(stopped, served, phones):
    """FreeSWITCH counts whole seconds, and nearly all of the first one has passed."""
    bob, alice = talking(phones)
    carol = phones.party("1002").answers()
    stopped()
    time.sleep((0.8 - time.time()) % 1.0)
    bob.refers(phones.refer_to("1002"))
    time.sleep(IN_TIME_S)
    os.kill(served.pid, signal.SIGCONT)
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)


def test_a_transfer_that_its_worker_does_not_claim_goes_to_another(controller, phones, switch):
    own = {"log_level": "debug", "workers": 2, "hang_timeout_s": 60}
    served = controller({**sections(switch), "server": own})
    bob, alice = talking(phones)
    carol = phones.party("1002").answers()
    (home,) = {switch.variable(row["uuid"], "fsctl_home") for row in switch.wait_channels(2)}
    pid = served.homes()[home]
    os.kill(pid, signal.SIGSTOP)
    bob.refers(phones.refer_to("1002"))
    assert bob.wait_notify(limit_s=CLAIM_S) == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    bob.wait_over()
    os.kill(pid, signal.SIGCONT)


def test_a_worker_that_wakes_up_late_lets_go_of_what_was_sent_on(controller, phones, switch):
    own = {"log_level": "debug", "workers": 2, "hang_timeout_s": 60}
    served = controller({**sections(switch, ring_timeout_s=20), "server": own})
    bob, alice = talking(phones)
    carol = phones.party("1002").rings()
    (home,) = {switch.variable(row["uuid"], "fsctl_home") for row in switch.wait_channels(2)}
    pid = served.homes()[home]
    os.kill(pid, signal.SIGSTOP)
    bob.refers(phones.refer_to("1002"))
    carol.wait_received("INVITE", limit_s=2 * CLAIM_S)
    os.kill(pid, signal.SIGCONT)
    served.wait_log("has been sent on before we claimed it")
    carol.answers_now()
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    bob.wait_over()
    assert len(bob.notifies) == 1 and not carol.received("BYE")
    assert "of an earlier transfer" not in served.log_text()


def test_a_controller_that_comes_back_is_dialled_again(controller, phones, switch):
    served = controller(sections(switch))
    served.kill9()
    switch.wait(lambda: not switch.living(), what="FreeSWITCH forgets it", timeout_s=6)
    controller(sections(switch), install=False, port=served.port)
    bob, alice = talking(phones)
    phones.party("1002").refuses(486, "Gone fishing")
    bob.refers(phones.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 486 Gone fishing"
    assert hear_each_other(alice, bob)


@pytest.fixture
def asked(controller, switch):
    """A controller that has a second to decide, and stops as it is asked."""
    own = {"decision_timeout_s": 1, "rescue_after_s": 5}
    served = controller(sections(switch, transfer=own), scenario=UNDECIDED)

    def stop():
        served.wait_log("asked")
        os.kill(served.pid, signal.SIGSTOP)

    yield stop
    os.kill(served.pid, signal.SIGCONT)


def test_a_controller_hangs_when_it_is_asked_about_a_transfer(asked, phones):
    bob, alice = talking(phones)
    bob.refers(phones.refer_to("1002"))
    asked()
    assert bob.wait_notify(limit_s=12) == "SIP/2.0 403 Forbidden"
    assert hear_each_other(alice, bob)


def test_the_transferor_waits_until_another_has_not_claimed_its_transferee_either(
    controller, switch, phones, peer
):
    """Its own timer hung it up meanwhile: nobody was there to be joined with the transferee."""
    port = free_port()
    addresses = [f"127.0.0.1:{port}", peer("silent").address]
    tables = {
        "transfer": {"decision_timeout_s": 1, "rescue_after_s": 5},
        "dialplan": {"controllers": addresses, "only_living": False, "claim_timeout_s": 6},
    }
    served = controller(sections(switch, **tables), scenario=UNDECIDED, port=port)
    bob, alice = talking(phones)
    bob.refers(phones.refer_to("1002"))
    served.wait_log("asked")
    os.kill(served.pid, signal.SIGSTOP)
    try:
        assert bob.wait_notify(limit_s=25) == "SIP/2.0 403 Forbidden"
        assert hear_each_other(alice, bob)
    finally:
        os.kill(served.pid, signal.SIGCONT)


STANDS_STILL = """
import os, signal
from fsctl.scenario import BlindTransferRequested, Scenario
scenario = Scenario()

@scenario.on(BlindTransferRequested)
def requested(event):
    os.kill(os.getpid(), signal.SIGSTOP)
    event.session.connect(event.transferee, event.transfer_to)
"""


def test_a_controller_stands_still_right_behind_its_claim(controller, phones, switch):
    """It has done nothing with the transferee, and finds so when it goes on."""
    served = controller(sections(switch, ring_timeout_s=60), scenario=STANDS_STILL)
    bob, alice = talking(phones)
    carol = phones.party("1002").rings()
    bob.refers(phones.refer_to("1002"))
    assert bob.wait_notify(limit_s=4 * CLAIM_S) == "SIP/2.0 403 Forbidden"
    assert hear_each_other(alice, bob)
    os.kill(served.pid, signal.SIGCONT)
    served.wait_log("-> failed")
    assert hear_each_other(alice, bob)
    assert not carol.received("INVITE") and len(bob.notifies) == 1


def test_a_controller_hangs_when_it_is_asked_about_a_call(asked, phones):
    bob = phones.party("1009").answers()
    alice = phones.caller("2000", "1009")
    asked()
    alice.wait_talking(limit_s=12)
    assert hear_each_other(alice, bob)


WAITS = """
from fsctl.scenario import AttendedTransferRequested, Scenario
scenario = Scenario()

@scenario.on(AttendedTransferRequested)
def requested(event):
    print("asked", flush=True)
"""


@pytest.mark.parametrize("behaviour", ["closes", "silent"])
def test_who_was_about_to_be_moved_is_released_though_nobody_claims_the_request(
    controller, switch, phones, peer, behaviour
):
    """The loopback asks anybody when its worker has died, and is sent on by its timer.

    So those whom that worker had kept for their join waited for 6 s after their partner's BYE.
    """
    port = free_port()
    own = {"controllers": [f"127.0.0.1:{port}", peer(behaviour).address], "only_living": False}
    served = controller(sections(switch, dialplan=own), scenario=WAITS, port=port)
    bob, alice = talking(phones)
    carol = phones.party("1002").answers()
    line = bob.consults("1002")
    line.wait_talking()
    bob.refers(phones.replacing(line, "1002"))
    served.wait_log("asked")
    served.kill9()
    assert bob.wait_notify(limit_s=CLAIM_S) == "SIP/2.0 403 Forbidden"
    assert hear_each_other(alice, bob)
    bob.hangs_up()
    alice.wait_over(limit_s=2 * SOON_S)
    line.hangs_up()
    carol.wait_over(limit_s=2 * SOON_S)
