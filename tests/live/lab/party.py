"""The usual beginning of a live test: a controller with routes, and two phones that talk."""

from __future__ import annotations

from typing import Any

from tests.live.lab.fsctl_process import Sections
from tests.live.lab.phone import Phone
from tests.live.lab.phones import Phones
from tests.live.lab.steps import RING_AND_ANSWER, Step
from tests.live.lab.switch import Switch

UNDECIDED = """
from fsctl.scenario import BlindTransferRequested, CallAlerting, Scenario
scenario = Scenario()

@scenario.on(CallAlerting)
def alerting(event):
    if event.destination != "1009":
        event.session.connect(event.call, event.destination)
    else:
        print("asked", flush=True)

@scenario.on(BlindTransferRequested)
def requested(event):
    print("asked", flush=True)
"""
"""A scenario that decides nothing about 1009 and about any transfer; it prints when it is asked."""


def sections(switch: Switch, ring_timeout_s: int = 5, **tables: Any) -> Sections:
    """Settings that route four digits to the directory; ``tables`` are added to them."""
    route = {
        "name": "users",
        "match": "[0-9]{4}",
        "kind": "user",
        "domain": switch.domain,
        "ring_timeout_s": ring_timeout_s,
    }
    own = {"server": {"log_level": "debug", "drain_timeout_s": 1.0}, "route": [route]}
    return {**own, **tables}


def talking(
    phones: Phones, steps: tuple[Step, ...] = RING_AND_ANSWER, number: str = "1001"
) -> tuple[Phone, Phone]:
    """Alice (2000) has called Bob (1001), he has answered, and both hear each other."""
    bob = phones.callee(number, steps, name="Bob")
    alice = phones.caller("2000", number, name="Alice")
    alice.wait_talking()
    assert hear_each_other(alice, bob)
    return alice, bob


def hear_each_other(one: Phone, other: Phone) -> bool:
    """RTP flows both ways between the two, and from nobody else."""
    return one.hears(other) and other.hears(one)
