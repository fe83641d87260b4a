"""The usual settings of a live test, and a usual scenario."""

from __future__ import annotations

from typing import Any

from tests.live.lab.fsctl_process import Sections
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
