"""Two FreeSWITCHes and two controllers, each with both; any of the four dies among transfers.

The first switch dials the first controller before the other, the second one the second, so that
each controller has transfers when it dies. Who is killed starts again afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from fsctl.story import Party, hear_each_other, talking
from tests.live.lab import Controller, Phones, Switch, free_port, wait_for
from tests.live.lab.settings import sections

NAMES = ("pbx-1", "pbx-2")
DECIDE_S, RING_S, RESCUE_S = 5, 20, 5
BOUND_S = DECIDE_S + RESCUE_S + 10.0
LEFT_S = RING_S + RESCUE_S + 20.0
"""FreeSWITCH's timer for a transferor whose controller is dead is that of the ring."""

SCENARIO = """
from fsctl.scenario import BlindTransferRequested, Scenario
scenario = Scenario()

@scenario.on(BlindTransferRequested)
def requested(event):
    if event.transfer_to == "1009":
        print("asked on", event.session.switch, flush=True)
    else:
        event.session.connect(event.transferee, event.transfer_to)
"""


@pytest.fixture(scope="module")
def switches() -> Iterator[list[Switch]]:
    made = [Switch(rtp_share=(number, 2)) for number in (1, 2)]
    try:
        yield [each.start() for each in made]
    finally:
        for each in made:
            each.stop()


@dataclass
class Running:
    """The transfers that are under way on one switch: transferor and transferee of each."""

    switch: Switch
    phones: Phones
    ringing: tuple[Party, Party]
    target: Party
    deciding: tuple[Party, Party]
    talking: tuple[Party, Party]


class Installation:
    """Both switches, and a controller that each of them dials first."""

    def __init__(self, switches: list[Switch], scope: str) -> None:
        self.switches = switches
        self.phones = [Phones(switch) for switch in switches]
        for phones in self.phones:
            phones.limit_s = 15.0
        self._scope = scope
        self._ports = [free_port() for _ in NAMES]
        self.controllers = [self._made(number) for number in range(2)]
        for switch, controller in zip(switches, self.controllers, strict=True):
            switch.uninstall()
            switch.install(controller.render())
        for controller in self.controllers:
            controller.start()
        self.wait_known()

    def _made(self, number: int) -> Controller:
        """Its first controller is the one of that number, for whoever is rendered from it."""
        addresses = [f"127.0.0.1:{port}" for port in self._ports]
        plan: dict[str, Any] = {
            "scope": self._scope,
            "controllers": [addresses[number], addresses[1 - number]],
            "sofia_profile": "lab",
            "inbound_contexts": ["public"],
        }
        if self._scope == "calls":
            plan["inbound_match"] = ".*"
        pairs = zip(NAMES, self.switches, strict=True)
        tables: dict[str, Any] = {
            "dialplan": plan,
            "transfer": {
                "decision_timeout_s": DECIDE_S,
                "ring_timeout_s": RING_S,
                "rescue_after_s": RESCUE_S,
                "release_transferor_after_s": 1,
            },
        }
        own = {
            **sections(self.switches[0], ring_timeout_s=RING_S, **tables),
            "switch": [{"name": name, "port": switch.esl_port} for name, switch in pairs],
        }
        passwords = {
            f"FSCTL_SWITCH_PBX_{each}_PASSWORD": switch.password
            for each, switch in enumerate(self.switches, 1)
        }
        return Controller(own, passwords, self._ports[number], SCENARIO)

    def wait_known(self) -> None:
        """Each switch knows of both controllers."""
        for switch in self.switches:
            switch.wait(lambda s=switch: len(s.living()) == 2, 15.0, "both controllers are known")

    def begin(self, number: int) -> Running:
        """On that switch: a target rings, nobody has decided yet, and two just talk."""
        switch, phones = self.switches[number], self.phones[number]
        pairs = [talking(phones, "callee", f"200{n}", f"100{n}") for n in (1, 2, 3)]
        target = phones.party("1101", "Target").rings()
        pairs[0][0].transfers("1101")
        target.wait_sent(180)
        pairs[1][0].transfers("1009")
        self.controllers[number].wait_log(f"asked on {NAMES[number]}", 15.0)
        return Running(switch, phones, pairs[0], target, pairs[1], pairs[2])

    def kill(self, victim: str) -> None:
        kind, number = victim.split()
        killed = self.controllers if kind == "controller" else self.switches
        killed[int(number) - 1].kill9()

    def start_again(self, victim: str) -> None:
        kind, number = victim.split()
        if kind == "controller":
            self.controllers[int(number) - 1].start()
        else:
            self.switches[int(number) - 1].start_again()
        self.wait_known()

    def records(self, number: int, switch: str) -> list[tuple[str, str]]:
        """Outcome and code of the transfers on a switch that this controller has recorded."""
        found = re.findall(
            r'"outcome": "(\w+)", "code": (\d+).*"switch": "([\w-]+)"',
            self.controllers[number].log_text(),
        )
        return [(outcome, code) for outcome, code, name in found if name == switch]

    def finish(self) -> str:
        for phones in self.phones:
            phones.hang_up()
        problems = [controller.finish() for controller in self.controllers]
        for phones in self.phones:
            phones.finish()
        return "\n".join(filter(None, problems))


@pytest.fixture
def install(switches: list[Switch]) -> Iterator[Any]:
    made: list[Installation] = []

    def install(scope: str) -> Installation:
        made.append(Installation(switches, scope))
        return made[-1]

    yield install
    logs = "\n".join(c.log_text() for each in made for c in each.controllers)
    print(logs)
    problems = "\n".join(filter(None, (each.finish() for each in made)))
    for switch in switches:
        switch.wait_no_channels(10.0)
        switch.uninstall()
    assert not problems, problems


def next_transfer_is_right(phones: Phones, transferor: Party, transferee: Party, new: str) -> None:
    """Its target's own words first: FreeSWITCH alone would say ``486 486``. Then it succeeds."""
    before = len(transferor.notifies)
    phones.party(f"{new}1", "Busy").refuses(486, "Gone fishing")
    transferor.transfers(f"{new}1")
    assert transferor.wait_notify(before + 1) == "SIP/2.0 486 Gone fishing"
    assert hear_each_other(transferor, transferee)
    target = phones.party(f"{new}2", "Next").answers()
    transferor.transfers(f"{new}2")
    assert transferor.wait_notify(before + 2) == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, target)


def all_goes_well(running: Running, *, released_s: float) -> None:
    """No call is lost, and each transfer ends as it should."""
    transferor, transferee = running.ringing
    running.target.answers_now()
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, running.target)
    next_transfer_is_right(running.phones, *running.talking, "120")
    undecided, other = running.deciding
    assert not undecided.wait_notify(limit_s=BOUND_S).startswith("SIP/2.0 2")
    assert hear_each_other(undecided, other)
    transferor.wait_received("BYE", limit_s=released_s)
    assert hear_each_other(transferee, running.target)


VICTIMS = ["controller 1", "controller 2", "switch 1", "switch 2"]


@pytest.mark.parametrize("scope", ["transfers", "calls"])
@pytest.mark.parametrize("victim", VICTIMS)
def test_any_of_four_dies(install: Any, scope: str, victim: str) -> None:
    made: Installation = install(scope)
    kind, number = victim.split()
    hit = int(number) - 1
    other = 1 - hit
    running = [made.begin(each) for each in range(2)]
    made.kill(victim)
    all_goes_well(running[other], released_s=10.0)
    if kind == "controller":
        all_goes_well(running[hit], released_s=LEFT_S)
    else:
        lost = made.records(hit, NAMES[hit])
        wait_for(lambda: len(made.records(hit, NAMES[hit])) >= 2, 15.0, f"records of {lost}")
        assert made.records(hit, NAMES[hit]) == [("abandoned", "503")] * 2
    assert ("succeeded", "200") in made.records(other, NAMES[other])
    made.start_again(victim)
    if kind == "switch":
        made.phones[hit].hang_up()
    for each in range(2):
        before = len(made.records(each, NAMES[each]))
        pair = talking(made.phones[each], "callee", "2005", "1005")
        next_transfer_is_right(made.phones[each], *pair, "130")
        wait_for(
            lambda n=each, least=before + 2: len(made.records(n, NAMES[n])) >= least,
            15.0,
            "the records are its own controller's again",
        )
