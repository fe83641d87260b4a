"""Several workers, and the one that runs the call dies in each state: nobody is dropped."""

from __future__ import annotations

import json
import os
import re
import signal
from contextlib import suppress
from datetime import datetime

import pytest

from fsctl.story import hear_each_other, talking
from tests.live.lab import wait_for
from tests.live.lab.settings import sections

UNDECIDED = """
from fsctl.scenario import BlindTransferRequested, CallAlerting, Scenario
scenario = Scenario()

@scenario.on(CallAlerting)
def alerting(event):
    if event.destination == "1009":
        ASKED.add(event.call.channel_uuid)
        return
    event.session.connect(event.call, event.destination)

@scenario.on(BlindTransferRequested)
def requested(event):
    if event.transfer_to == "1008" and event.transferee.channel_uuid not in ASKED:
        ASKED.add(event.transferee.channel_uuid)
        return
    event.session.connect(event.transferee, event.transfer_to)

import os, sys
class Asked:
    # one file for all processes: the first that is asked does not decide
    def __contains__(self, uuid): return os.path.exists(f"{PLACE}/{uuid}")
    def add(self, uuid): open(f"{PLACE}/{uuid}", "w").close()
ASKED = Asked()
"""

LEGACY = """
from fsctl.scenario import CallAlerting, Scenario
scenario = Scenario()

@scenario.on(CallAlerting)
def alerting(event):
    event.session.connect(event.call, event.destination).handle_blind_transfer(False)
"""


class Workers:
    """The workers of a running controller."""

    def __init__(self, served, switch):
        self.served, self._switch = served, switch

    def homes(self):
        """Process id by private address, of all that were ever started."""
        return self.served.homes()

    def home(self):
        """Where the (only) call comes home to: it is on the channels."""

        def homes():
            uuids = [row["uuid"] for row in self._switch.channels()]
            return {self._home(uuid) for uuid in uuids} - {None}

        self._switch.wait(homes, what="a channel has a home")
        (home,) = homes()
        return home

    def pid(self):
        """The worker that runs the (only) call."""
        return self.homes()[self.home()]

    def pid_of(self, phone):
        """The worker that runs a phone's call."""

        def home():
            rows = self._switch.channels()
            uuids = [row["uuid"] for row in rows if f"/{phone.number}@" in row["name"]]
            return uuids and self._home(uuids[0])

        return self.homes()[self._switch.wait(home, what=f"{phone.number} has a home")]

    def _home(self, uuid):
        with suppress(KeyError):  # it has ended
            return self._switch.variable(uuid, "fsctl_home")

    def kill(self, number=signal.SIGKILL):
        """Kill the worker that runs the call, and nobody else."""
        pid = self.pid()
        os.kill(pid, number)
        if number == signal.SIGKILL:
            self.served.wait_log(f"(pid {pid}) ended with status -9")
        return pid


@pytest.fixture
def start(controller, switch):
    def start(scenario="", **server):
        own = {"log_level": "debug", "drain_timeout_s": 1.0, "workers": 2, **server}
        return controller({**sections(switch, ring_timeout_s=20), "server": own}, scenario=scenario)

    return start


@pytest.fixture
def served(start):
    return start()


@pytest.fixture
def workers(served, switch):
    return Workers(served, switch)


def transfers(transferor, transferee, target, switch):
    """The next transfer works as if nothing had been."""
    before = len(transferor.notifies)
    transferor.refers(f"<{switch.uri(target.number)}>")
    assert transferor.wait_notify(before + 1) == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, target)
    transferor.wait_over()


@pytest.mark.parametrize("by", ["callee", "caller"])
def test_killed_while_two_talk(workers, phones, switch, by):
    bob, alice = talking(phones)
    workers.kill()
    assert hear_each_other(alice, bob)
    transferor, transferee = (bob, alice) if by == "callee" else (alice, bob)
    transfers(transferor, transferee, phones.party("1002").answers(), switch)


def test_killed_while_the_callee_rings(workers, phones, switch):
    bob = phones.party("1001").rings()
    alice = phones.caller("2000", "1001")
    alice.wait_received(180)
    workers.kill()
    bob.answers_now()
    alice.wait_talking()
    assert hear_each_other(alice, bob)
    transfers(bob, alice, phones.party("1002").answers(), switch)


def test_killed_while_a_transfer_is_not_decided(start, phones, switch, tmp_path):
    served = start(f"PLACE = {str(tmp_path)!r}\n{UNDECIDED}")
    workers = Workers(served, switch)
    bob, alice = talking(phones)
    target = phones.party("1008").answers()
    bob.refers(phones.refer_to("1008"))
    wait_for(lambda: list(tmp_path.iterdir()), 5.0, "the scenario is asked")
    workers.kill()
    assert bob.wait_notify() == "SIP/2.0 200 OK", "another worker is asked, and decides"
    assert hear_each_other(alice, target)
    bob.wait_over()


def test_killed_while_a_new_call_is_not_decided(start, phones, switch, tmp_path):
    served = start(f"PLACE = {str(tmp_path)!r}\n{UNDECIDED}")
    bob = phones.party("1009").answers()
    alice = phones.caller("2000", "1009")
    # not only in the queue of the address, from where the next worker takes it
    wait_for(lambda: list(tmp_path.iterdir()), 5.0, "the scenario is asked")
    for pid in Workers(served, switch).homes().values():
        os.kill(pid, signal.SIGKILL)  # whichever has it: nothing on the channel says
    alice.wait_talking()
    assert hear_each_other(alice, bob)
    wait_for(
        lambda: served.log_text().count("FreeSWITCH is there") >= 3, 20.0, "a successor accepts"
    )
    transfers(bob, alice, phones.party("1002").answers(), switch)


@pytest.fixture
def target_rings(workers, phones, switch):
    """Alice, Bob who transfers her, and Carol who rings; then the worker dies."""
    bob, alice = talking(phones)
    carol = phones.party("1002").rings()
    bob.refers(f"<{switch.uri('1002')}>")
    carol.wait_received("INVITE")
    workers.kill()
    return alice, bob, carol


def the_record(served):
    """Outcome and code of the one record that there is when its legs have gone."""
    wait_for(lambda: records(served), 10.0, lambda: f"a record in\n{served.log_text()}")
    (record,) = records(served)
    return record["outcome"], record["code"]


def records(served):
    lines = (line for line in served.log_text().splitlines() if "fsctl.session.record: {" in line)
    return [json.loads(line[line.index("{") :]) for line in lines]


@pytest.mark.parametrize(
    ("what", "outcome", "code"),
    [
        ("answers", "succeeded", 200),
        ("refuses", "failed", 486),
        ("leaves", "abandoned", 487),
        ("answers and hangs up", "succeeded", 200),
    ],
)
def test_the_record_of_a_transfer_whose_worker_has_died(
    target_rings, workers, phones, switch, what, outcome, code
):
    """Whoever sees its end writes it, and nobody twice."""
    alice, bob, carol = target_rings
    if what == "refuses":
        carol.refuses_now(486, "Gone fishing")
    elif what == "leaves":
        alice.hangs_up()
    else:
        carol.answers_now()
    bob.wait_notify(limit_s=8)
    if what == "answers and hangs up":
        carol.hangs_up()
    assert the_record(workers.served) == (outcome, code)
    phones.hang_up()
    switch.wait_no_channels(10)
    assert the_record(workers.served) == (outcome, code)


@pytest.mark.parametrize("answers", [True, False])
def test_the_record_of_a_transfer_during_which_everybody_has_died(start, phones, answers):
    """Who comes up afterwards finds what is owed on the channels."""
    served = start(workers=1)
    bob, _ = talking(phones)
    carol = phones.party("1002").rings()
    bob.refers(phones.refer_to("1002"))
    carol.wait_sent(180)
    served.kill9()
    if answers:
        carol.answers_now()
    else:
        carol.refuses_now(486, "Gone fishing")
    bob.wait_notify(limit_s=8)
    again = start(workers=2)
    assert the_record(again) == (("succeeded", 200) if answers else ("failed", 486))
    assert not records(served)


def test_the_record_of_an_attended_transfer_whose_worker_has_died(start, phones, switch):
    """FreeSWITCH refuses it, and who comes up finds it on the transferee's channel."""
    served = start(workers=1)
    bob, _ = talking(phones)
    carol = phones.party("1002").rings()
    line = phones.caller("1001", "1002")
    carol.wait_received("INVITE")
    line.wait_received(180)
    bob.refers(phones.replacing(line, "1002"))
    wait_for(lambda: "requested -> waiting" in served.log_text(), 5.0, served.log_text)
    served.kill9()
    assert bob.wait_notify(limit_s=8) == "SIP/2.0 403 Forbidden"
    again = start(workers=2)
    assert the_record(again) == ("failed", 403)
    assert records(again)[0]["kind"] == "attended"
    assert not records(served)


def test_target_answers_and_the_transferor_is_released(target_rings):
    alice, bob, carol = target_rings
    carol.answers_now()
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    bob.wait_over(limit_s=8)  # FreeSWITCH alone would keep him for 600 s
    assert bob.received("BYE"), "he did not hang up by himself"
    assert hear_each_other(alice, carol)
    assert bob.notifies == ["SIP/2.0 200 OK"]


def test_target_is_busy_and_the_first_two_talk(target_rings, phones, switch):
    alice, bob, carol = target_rings
    carol.refuses_now(486, "Gone fishing")
    assert bob.wait_notify() == "SIP/2.0 486 Gone fishing", "another worker reports"
    assert hear_each_other(alice, bob)
    transfers(bob, alice, phones.party("1003").answers(), switch)


def test_transferee_leaves_and_the_transferor_is_told_and_released(target_rings):
    alice, bob, carol = target_rings
    alice.hangs_up()
    carol.wait_received("CANCEL")
    assert bob.wait_notify(limit_s=8) == "SIP/2.0 487 Request Terminated"
    bob.wait_over(limit_s=8)
    assert len(bob.notifies) == 1


def test_killed_after_the_success(workers, phones, switch):
    bob, alice = talking(phones)
    carol = phones.party("1002").answers()
    bob.refers(phones.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    workers.kill()
    bob.wait_over(limit_s=8)
    assert hear_each_other(alice, carol)
    transfers(carol, alice, phones.party("1003").answers(), switch)
    assert bob.notifies == ["SIP/2.0 200 OK"]


def test_killed_after_the_transferor_was_told_that_the_transferee_left(workers, phones, switch):
    """Between the report and the release: the supervisor releases, and does not tell again."""
    bob, alice = talking(phones)
    carol = phones.party("1002").rings()
    bob.refers(phones.refer_to("1002"))
    carol.wait_sent(180)
    alice.hangs_up()
    bob.wait_notify()
    workers.kill()
    bob.wait_over(limit_s=8)
    workers.served.wait_log("the transferee of")
    switch.wait_no_channels(5)
    assert bob.notifies == ["SIP/2.0 487 Request Terminated"]


@pytest.mark.parametrize("legacy", [False, True], ids=["in-session", "legacy"])
def test_killed_after_the_success_and_the_talk_that_followed_is_over(start, phones, switch, legacy):
    """The transferor, still to be released, is not told that its transferee has left."""
    workers = Workers(start(LEGACY if legacy else ""), switch)
    bob, alice = talking(phones)
    carol = phones.party("1002").answers()
    bob.refers(phones.refer_to("1002"))
    bob.wait_notify()
    assert hear_each_other(alice, carol)
    carol.hangs_up()
    alice.wait_over()
    workers.kill()
    bob.wait_over(limit_s=8)
    workers.served.wait_log("the transferee of")
    switch.wait_no_channels(5)
    assert bob.notifies == ["SIP/2.0 200 OK"]


# -- hanging


def test_calls_that_arrive_while_a_worker_hangs(start, phones, switch):
    served = start(hang_timeout_s=60)
    pids = list(Workers(served, switch).homes().values())
    os.kill(pids[0], signal.SIGSTOP)
    talkers = [talking(phones, caller=f"20{n}", callee=f"10{n}") for n in (11, 12, 13)]
    assert all(hear_each_other(*pair) for pair in talkers)
    os.kill(pids[0], signal.SIGCONT)


def test_transfer_asked_of_a_worker_that_hangs(start, phones, switch):
    served = start(hang_timeout_s=1)
    bob, alice = talking(phones)
    carol = phones.party("1002").answers()
    pid = Workers(served, switch).kill(signal.SIGSTOP)
    bob.refers(phones.refer_to("1002"))
    assert bob.wait_notify(limit_s=8) == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    bob.wait_over()
    served.wait_log(f"(pid {pid}) has been silent for 1 s")


# -- links that nobody serves: FreeSWITCH parks such a leg for ever, and only the supervisor helps

DIES_ON_ACCEPT = """
import os, signal
from fsctl.esl.server import EslServer
from fsctl.scenario import Scenario

scenario = Scenario()
serve = EslServer._serve

def die_once(self, sock, peer):
    if os.path.exists(ORDER):
        os.unlink(ORDER)
        os.kill(os.getpid(), signal.SIGKILL)
    serve(self, sock, peer)

EslServer._serve = die_once
"""


@pytest.fixture
def order(start, tmp_path):
    """Once this file exists, the next worker that accepts a link dies of it."""
    path = tmp_path / "order"
    start(f"ORDER = {str(path)!r}\n{DIES_ON_ACCEPT}")
    return path


def test_killed_when_it_has_accepted_a_new_call(order, phones, switch):
    order.touch()
    bob = phones.party("1001").answers()
    alice = phones.caller("2000", "1001")
    alice.wait_talking(limit_s=8)
    assert not order.exists()
    assert hear_each_other(alice, bob)
    transfers(bob, alice, phones.party("1002").answers(), switch)


def test_killed_when_it_has_accepted_a_transferee(order, phones):
    bob, alice = talking(phones)
    carol = phones.party("1002").answers()
    order.touch()
    bob.refers(phones.refer_to("1002"))
    assert bob.wait_notify(limit_s=8) == "SIP/2.0 200 OK", "another worker is asked"
    assert not order.exists()
    assert hear_each_other(alice, carol)
    bob.wait_over()


# -- reload


def test_reload_under_a_running_call(start, phones, switch):
    served = start(drain_timeout_s=20)
    workers = Workers(served, switch)
    bob, alice = talking(phones)
    before = workers.homes()
    mine = workers.pid()
    os.kill(served.pid, signal.SIGHUP)
    served.wait_log("reloaded")
    other = next(pid for pid in before.values() if pid != mine)
    served.wait_log(f"(pid {other}) ended with status 0")
    assert hear_each_other(alice, bob)
    second = talking(phones, caller="2011", callee="1011")
    assert hear_each_other(*second), "new calls are served by the new ones"
    assert workers.pid_of(second[0]) not in before.values()
    carol = phones.party("1002").answers()
    transfers(bob, alice, carol, switch)
    assert workers.pid_of(carol) == mine, "the transfer came home to the old one"
    carol.hangs_up()
    alice.wait_received("BYE")
    served.wait_log(f"(pid {mine}) ended with status 0")


def test_reload_under_a_call_that_is_transferred_in_legacy_mode(start, phones, switch):
    """The leg that comes back is one of the old worker's calls: it serves it, and releases Bob."""
    served = start(LEGACY, drain_timeout_s=20)
    bob, alice = talking(phones)
    os.kill(served.pid, signal.SIGHUP)
    served.wait_log("reloaded")
    transfers(bob, alice, phones.party("1002").answers(), switch)


def test_reload_does_not_cut_calls_at_its_deadline(start, phones, switch):
    served = start(drain_timeout_s=0.2)
    workers = Workers(served, switch)
    bob, alice = talking(phones)
    mine = workers.pid()
    os.kill(served.pid, signal.SIGHUP)
    served.wait_log(f"(pid {mine}) ended with status 0", timeout_s=10)
    assert hear_each_other(alice, bob)
    transfers(bob, alice, phones.party("1002").answers(), switch)


def test_termination_leaves_the_talking_alone(served, phones):
    bob, alice = talking(phones)
    assert served.terminate() == 0
    assert hear_each_other(alice, bob)
    bob.hangs_up()
    alice.wait_received("BYE")


def test_nobody_is_cut_when_all_are_killed(served, phones):
    bob, alice = talking(phones)
    served.kill9()
    assert hear_each_other(alice, bob)
    phones.party("1002").refuses(486, "Busy")
    bob.refers(phones.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 403 Forbidden"
    assert hear_each_other(alice, bob)


@pytest.mark.parametrize("by", ["callee", "caller"])
def test_an_attended_transfer_between_the_calls_of_two_workers(workers, phones, switch, by):
    """Bob's two calls are different workers': the one finds the other's on the switch."""
    transferor, transferee = talking(phones, by)
    carol = phones.party("1002", name="Carol").answers()
    for _ in range(20):
        consultation = phones.caller(f"77{transferor.number}", "1002", name="Consultation")
        consultation.wait_talking()
        assert hear_each_other(consultation, carol)
        if workers.pid_of(consultation) != workers.pid_of(transferee):
            break
        consultation.hangs_up()
        carol.wait_over()
    else:
        pytest.fail("twenty calls in a row went to the same worker")
    transferor.refers(phones.replacing(consultation, "1002"))
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, carol)
    transferor.wait_over()
    consultation.wait_over()
    dave = phones.party("1003").answers()
    carol.refers(phones.refer_to("1003"))
    assert carol.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, dave)
    transferee.hangs_up()
    dave.wait_over()
    switch.wait_no_channels(5)


def test_whose_partner_hangs_up_need_not_wait_where_no_worker_has_another_call_of_that(
    start, phones, switch
):
    """A REFER with Replaces of that party could not be on its way: the wait ends as it begins."""
    start()
    phones.party("1001").answers()
    before = len(switch.log_text())

    def waited_s() -> list[float]:
        return waits_s(switch.log_text()[before:], "1001")

    for number in range(1, 7):  # FreeSWITCH may forget what ends the wait as it begins (grace.end)
        alice = phones.caller(f"20{number:02}", "1001")
        alice.wait_talking()
        alice.hangs_up()
        switch.wait(lambda ended=number: len(waited_s()) == ended)
    assert min(waited_s()) < 0.35


def waits_s(log: str, number: str) -> list[float]:
    """How long each leg of that party waited after its partner's end until it was hung up."""
    began: dict[str, datetime] = {}
    waits, now = [], datetime.min
    for line in log.splitlines():
        leg, _, rest = line.partition(" ")
        if stamp := re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}", rest):
            now = datetime.fromisoformat(stamp[0])
        if rest.endswith(" sleep(400)"):
            began[leg] = now
        elif f" Hangup sofia/lab/{number}@" in rest:
            waits.append((now - began.pop(leg, now)).total_seconds())
    return waits
