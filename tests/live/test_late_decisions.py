"""A controller that is late where nobody has decided: what its timers in FreeSWITCH make of it."""

from __future__ import annotations

import time

from fsctl.story import hear_each_other, talking
from tests.live.lab.settings import sections

LATE_S = 0.4
SECOND = 0.75
"""Of a second that goes on already: FreeSWITCH counts whole ones."""
FIRES_S = 3
"""The transferee's timer: a second for the decision, one for us, and one that it may be early."""
MANY = 12
APART_S = 0.015
"""Each is settled so much after the one before, and the timers fire in the middle."""

OWN = {"decision_timeout_s": 1, "rescue_after_s": 5}
HOLDS_UP = """
import time
from fsctl.scenario import BlindTransferRequested, Scenario
scenario = Scenario()

@scenario.on(BlindTransferRequested)
def requested(event):
    asked = time.time()
    event.session.sleep(0.8)
    while time.time() < {until}:
        pass
    event.session.sleep(60)
"""


def wait_for_part(part_of_second):
    """Wait until so much of a second has passed."""
    time.sleep((part_of_second - time.time()) % 1.0)


def test_a_little_late_it_is_still_the_first(controller, phones, switch):
    late = HOLDS_UP.format(until=f"asked + {OWN['decision_timeout_s'] + LATE_S}")
    served = controller(sections(switch, transfer=OWN), scenario=late)
    bob, alice = talking(phones)
    wait_for_part(SECOND)
    bob.refers(phones.refer_to("1002"))
    assert bob.wait_notify(limit_s=10) == "SIP/2.0 603 Decline"
    assert hear_each_other(alice, bob)
    served.wait_log("bridged again: reconnecting -> failed")
    assert len(bob.notifies) == 1


ONE_BY_ONE = f"""
import time
from fsctl.scenario import BlindTransferRequested, Scenario
scenario, asked = Scenario(), []

@scenario.on(BlindTransferRequested)
def requested(event):
    asked.append(time.time())
    number = len(asked) - {MANY / 2}
    event.session.sleep(asked[0] + 0.9 - time.time())
    while time.time() < int(asked[0]) + {FIRES_S} + number * {APART_S}:
        pass
    event.call.notify_blind_transfer_failed(603, "Decline")
"""


def test_at_the_same_moment_as_freeswitch(controller, phones, switch):
    """Of many transfers some are settled by us, others by FreeSWITCH: each of them once."""
    controller(sections(switch, transfer=OWN), scenario=ONE_BY_ONE)
    pairs = [talking(phones, "callee", f"20{n:02}", f"10{n:02}") for n in range(MANY)]
    wait_for_part(0.1)
    for bob, _ in pairs:
        bob.transfers("1100")
    told = [bob.wait_notify(limit_s=10) for bob, _ in pairs]
    assert set(told) <= {"SIP/2.0 603 Decline", "SIP/2.0 403 Forbidden"}
    for bob, alice in pairs:
        assert hear_each_other(alice, bob)
    assert [len(bob.notifies) for bob, _ in pairs] == [1] * MANY
