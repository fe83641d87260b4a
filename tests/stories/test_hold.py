"""Somebody is on hold around a REFER: in the end all who talk hear each other."""

from __future__ import annotations

import pytest

from fsctl.story import hear_each_other, talking
from tests.stories.world import World

SIDES = pytest.mark.parametrize("by", ["callee", "caller"])


@SIDES
@pytest.mark.parametrize("resumes", ["before the answer", "after the answer"])
@pytest.mark.parametrize("holds", ["before the REFER", "while the target rings"])
def test_the_transferee_holds(world: World, by: str, holds: str, resumes: str) -> None:
    """FreeSWITCH plays hold music to a target that rings, which holds up its answer for 2 s."""
    world.serve(route={"ring_timeout_s": 10})
    bob, alice = talking(world, by)
    carol = world.party("1002").rings()
    if holds == "before the REFER":
        alice.holds()
    bob.refers(world.refer_to("1002"))
    carol.wait_received("INVITE")
    if holds == "while the target rings":
        alice.holds()
    if resumes == "before the answer":
        alice.resumes()
    carol.answers_now()
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    if resumes == "after the answer":
        alice.resumes()
    assert hear_each_other(alice, carol)
    assert carol.received("INVITE")[0].media_direction == "sendrecv"


@SIDES
def test_the_transferor_holds_as_phones_do_before_a_refer(world: World, by: str) -> None:
    world.serve()
    bob, alice = talking(world, by)
    carol = world.party("1002").answers()
    bob.holds()
    bob.refers(world.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)


@SIDES
def test_both_hold_and_the_target_after_its_answer(world: World, by: str) -> None:
    world.serve()
    bob, alice = talking(world, by)
    carol = world.party("1002").answers()
    alice.holds()
    bob.holds()
    bob.refers(world.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    carol.holds()
    alice.resumes()
    carol.resumes()
    assert hear_each_other(alice, carol)


@SIDES
@pytest.mark.parametrize("holder", ["transferee", "transferor"])
def test_a_transfer_fails_while_somebody_holds(world: World, by: str, holder: str) -> None:
    """Who holds hears the other again when its own phone resumes."""
    world.serve()
    bob, alice = talking(world, by)
    world.party("1002").refuses(486, "Busy Here")
    who = alice if holder == "transferee" else bob
    who.holds()
    bob.refers(world.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 486 Busy Here"
    who.resumes()
    assert hear_each_other(alice, bob)


def test_a_caller_who_holds_while_it_is_connected_anew(world: World) -> None:
    """``connect`` for a leg on hold outside of a transfer, too: a second party of a scenario."""
    world.serve(
        scenario="""
from fsctl.scenario import CallAlerting, Disconnected, OnHold, Scenario

scenario = Scenario()


@scenario.on(CallAlerting)
def alerting(event):
    event.call.answer()
    event.call.on(OnHold, lambda held: held.session.connect(held.call, "1002"))
    event.call.play("tone_stream://%(2000,4000,440)", loop=True)
"""
    )
    carol = world.party("1002").answers()
    alice = world.party("2000", "Alice")
    alice.calls("1001")
    alice.wait_talking()
    alice.holds()
    carol.wait_received("ACK")
    alice.resumes()
    assert hear_each_other(alice, carol)
