"""In-session or legacy: chosen by the settings, by a route, or by the scenario for each call.

The two modes are told apart by the NOTIFY of a target that refuses: in a legacy transfer
FreeSWITCH writes the code where the phrase belongs (mod_sofia.c).
"""

from __future__ import annotations

import pytest

from fsctl.story import hear_each_other, talking
from tests.stories.world import World

CHOOSING = """
from fsctl.scenario import CallAlerting, Scenario
scenario = Scenario()

@scenario.on(CallAlerting)
def alerting(event):
    callee = event.session.connect(event.call, event.destination)
    callee.handle_blind_transfer({callee})
    event.call.handle_blind_transfer({caller})
"""


@pytest.mark.parametrize("by", ["callee", "caller"])
@pytest.mark.parametrize(
    ("settings", "route", "phrase"),
    [("in-session", "legacy", "486"), ("legacy", "in-session", "Gone fishing")],
)
def test_mode_of_a_route(world: World, by: str, settings: str, route: str, phrase: str) -> None:
    world.serve(transfer={"mode": settings}, route={"transfer_mode": route})
    transferor, transferee = talking(world, by)
    world.party("1002").refuses(486, "Gone fishing")
    transferor.refers(world.refer_to("1002"))
    assert transferor.wait_notify() == f"SIP/2.0 486 {phrase}"
    assert hear_each_other(transferor, transferee)


CHOOSING_BEFORE = """
from fsctl.scenario import CallAlerting, Scenario
scenario = Scenario()

@scenario.on(CallAlerting)
def alerting(event):
    event.call.handle_blind_transfer({caller})
    event.session.connect(event.call, event.destination)
"""


@pytest.mark.parametrize("caller", [True, False])
def test_mode_of_the_caller_chosen_before_anybody_is_called(world: World, caller: bool) -> None:
    opposite = "legacy" if caller else "in-session"
    world.serve(transfer={"mode": opposite}, scenario=CHOOSING_BEFORE.format(caller=caller))
    bob, alice = talking(world)
    world.party("1002").refuses(486, "Gone fishing")
    for party, in_session in ((alice, caller), (bob, not caller)):
        party.refers(world.refer_to("1002"))
        phrase = "Gone fishing" if in_session else "486"
        assert party.wait_notify() == f"SIP/2.0 486 {phrase}"
        assert hear_each_other(alice, bob)


@pytest.mark.parametrize(("callee", "caller"), [(True, False), (False, True)])
def test_mode_of_each_call(world: World, callee: bool, caller: bool) -> None:
    opposite = "legacy" if callee else "in-session"
    world.serve(transfer={"mode": opposite}, scenario=CHOOSING.format(callee=callee, caller=caller))
    bob, alice = talking(world)
    world.party("1002").refuses(486, "Gone fishing")
    for party, in_session in ((bob, callee), (alice, caller)):
        party.refers(world.refer_to("1002"))
        phrase = "Gone fishing" if in_session else "486"
        assert party.wait_notify() == f"SIP/2.0 486 {phrase}"
        assert hear_each_other(alice, bob)
