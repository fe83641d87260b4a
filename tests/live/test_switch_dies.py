"""FreeSWITCH dies or stands still, or only a link breaks: fsctl lets go, and serves what comes."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator

import pytest

from fsctl.story import hear_each_other, talking
from tests.live.lab import Controller, Phones, Switch, wait_for
from tests.live.lab.settings import sections

TELLS = """
from fsctl.scenario import BlindTransferRequested, Scenario, Terminated, Terminating, TransferFailed
scenario = Scenario()

def tell(event):
    print("TOLD", type(event).__name__, flush=True)

for kind in (Terminating, Terminated, TransferFailed):
    scenario.on(kind)(tell)

def cut(session):
    session.link.sock.shutdown(2)

@scenario.on(BlindTransferRequested)
def requested(event):
    if event.transfer_to == "1009":
        target = event.session.call_user("1009")
        target.wait_connected()
        event.session.send_media_between(event.transferee, target)
        return
    event.session.connect(event.transferee, event.transfer_to)
    if event.transfer_to == "1008":
        event.session.set_timeout(0.5, lambda: cut(event.session))
"""


@pytest.fixture(scope="module")
def running_switch() -> Iterator[Switch]:
    """A FreeSWITCH of this file's own: it does not survive the tests."""
    switch = Switch()
    try:
        yield switch.start()
    finally:
        switch.stop()


@pytest.fixture(params=[1, 2], ids=["alone", "two workers"])
def served(request, controller, switch) -> Controller:
    server = {"workers": request.param, "log_level": "info", "drain_timeout_s": 1.0}
    return controller(sections(switch, ring_timeout_s=20, server=server), scenario=TELLS)


def ended(served: Controller) -> list[tuple[str, str]]:
    """Outcome and code of each record."""
    return re.findall(r'"outcome": "(\w+)", "code": (\d+)', served.log_text())


def told(served: Controller) -> list[str]:
    """What the scenario has heard."""
    lines = served.log_text().splitlines()
    return [line.split()[1] for line in lines if line.startswith("TOLD")]


def wait_let_go(served: Controller) -> None:
    """No worker has a session or a link any more."""

    def let_go() -> bool:
        return all(not state.sessions and not state.links for state in served.states().values())

    wait_for(let_go, 5.0, lambda: f"fsctl lets go\n{served.log_text()}", 0.1)


def comes_back(switch: Switch) -> None:
    """FreeSWITCH starts anew, and learns who serves."""
    switch.start_again()
    switch.wait(switch.living, what="FreeSWITCH knows a controller")


def serves_again(served: Controller, phones: Phones, switch: Switch) -> None:
    """The switch comes back, and the next call and transfer work as if nothing had been."""
    comes_back(switch)
    phones.hang_up()
    bob, alice = talking(phones, caller="2021", callee="1021")
    carol = phones.party("1022").rings()
    bob.refers(f"<{switch.uri('1022')}>")
    carol.answers_now()
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    bob.wait_over()
    carol.hangs_up()
    alice.wait_over()


def test_killed_while_two_talk(served, phones, switch):
    talking(phones)
    switch.kill9()
    wait_let_go(served)
    assert "link lost" in served.log_text()
    assert told(served) == ["Terminating", "Terminated"]
    serves_again(served, phones, switch)


def two_rest(controller, phones, switch) -> Controller:
    """By a controller that may drain for long."""
    server = {"log_level": "info", "drain_timeout_s": 60.0}
    served: Controller = controller(sections(switch, server=server))
    talking(phones)
    channels = [row["uuid"] for row in switch.wait_channels(2)]
    marks = [f"uuid_getvar {uuid} fsctl_rests" for uuid in channels]
    switch.wait(lambda: all(":" in switch.esl(mark) for mark in marks), what="they rest")
    return served


def test_killed_while_two_rest(controller, phones, switch):
    """Their session waits for the switch; another life of that does not know them."""
    served = two_rest(controller, phones, switch)
    switch.kill9()
    served.wait_log("the link to its switch is away")
    assert sum(state.sessions for state in served.states().values()) == 1
    comes_back(switch)
    wait_let_go(served)
    phones.hang_up()


@pytest.mark.parametrize("first", ["switch", "fsctl"])
def test_both_are_stopped_while_two_rest(controller, phones, switch, first):
    """Nobody is waited for whose end nobody would tell."""
    served = two_rest(controller, phones, switch)
    if first == "switch":
        switch.kill9()
        served.wait_log("the link to its switch is away")
        assert served.terminate() == 0
    else:
        os.kill(served.pid, signal.SIGTERM)
        served.wait_log("draining: 1 sessions")
        switch.kill9()
        wait_for(lambda: not served.is_running, 10.0, "fsctl ends")
    phones.hang_up()
    switch.start_again()


@pytest.mark.parametrize("number", ["1002", "1009"], ids=["connect", "call_user"])
def test_killed_while_a_target_rings(served, phones, switch, number):
    bob, _ = talking(phones)
    carol = phones.party(number).rings()
    bob.refers(phones.refer_to(number))
    carol.wait_sent(180)
    switch.kill9()
    wait_let_go(served)
    assert "link lost" in served.log_text()
    assert sorted(told(served)) == ["Terminated", "Terminating", "TransferFailed"]
    wait_for(lambda: ended(served), 10.0, "FreeSWITCH cannot be asked, and the record is written")
    assert ended(served) == [("abandoned", "503")]
    serves_again(served, phones, switch)


def test_killed_again_and_again(served, phones, switch):
    for number in ("01", "11"):
        talking(phones, caller=f"20{number}", callee=f"10{number}")
        switch.kill9()
        wait_let_go(served)
        comes_back(switch)
        phones.hang_up()
    switch.kill9()
    serves_again(served, phones, switch)


@pytest.mark.parametrize("number", ["1002", "1009"], ids=["connect", "call_user"])
def test_stands_still_while_a_target_rings(served, phones, switch, number):
    """Nothing is lost: what the phones have said meanwhile is heard afterwards."""
    bob, alice = talking(phones)
    carol = phones.party(number).rings()
    bob.refers(phones.refer_to(number))
    carol.wait_sent(180)
    os.kill(switch.pid, signal.SIGSTOP)
    carol.command("answer")
    carol.wait_sent(200)
    os.kill(switch.pid, signal.SIGCONT)
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    bob.wait_over()
    assert len(bob.notifies) == 1


STOPS = """
import os, signal
from fsctl.scenario import BlindTransferRequested, Scenario
scenario = Scenario()

@scenario.on(BlindTransferRequested)
def requested(event):
    os.kill({pid}, signal.SIGSTOP)
    event.session.connect(event.transferee, event.transfer_to)
"""


def test_stands_still_for_longer_than_a_command_may_take(controller, phones, switch):
    """The transfer has failed, exactly once, and the first two talk on.

    FreeSWITCH has the command to call the target when we give it up: it may ring for a moment.
    """
    served = controller(sections(switch), scenario=STOPS.format(pid=switch.pid))
    served.expected_error = "CommandTimeout"
    bob, alice = talking(phones)
    carol = phones.party("1002").rings()
    bob.command("refer", lines=[f"Refer-To: <{switch.uri('1002')}>"])
    try:
        served.wait_log("CommandTimeout", timeout_s=10)
    finally:
        os.kill(switch.pid, signal.SIGCONT)
    assert bob.wait_notify() == "SIP/2.0 500 Server Internal Error"
    assert hear_each_other(alice, bob)
    assert len(bob.notifies) == 1
    phones.wait(lambda: not carol.in_call, "who was called for a moment is let go")
    assert hear_each_other(alice, bob)


def test_a_link_breaks_while_a_target_rings(served, phones):
    bob, alice = talking(phones)
    carol = phones.party("1008").rings()
    bob.refers(phones.refer_to("1008"))
    carol.wait_sent(180)
    served.wait_log("link lost")
    wait_let_go(served)
    carol.answers_now()
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    bob.wait_over(8)
    assert len(bob.notifies) == 1
