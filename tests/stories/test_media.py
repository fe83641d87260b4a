"""Codecs that a target is offered, and what an operator's dialplan leaves on a leg."""

from __future__ import annotations

import pytest

from fsctl.story import hear_each_other, talking
from tests.stories.test_redirections import WAYS
from tests.stories.world import World

BOTH_CODECS = {"inbound-codec-prefs": "PCMU,PCMA", "outbound-codec-prefs": "PCMU,PCMA"}


@WAYS
@pytest.mark.parametrize("late", ["true", "false"])
def test_a_phone_that_speaks_another_codec_is_reached(
    world: World, scenario: str, late: str
) -> None:
    """The caller speaks PCMU, the others PCMA only: FreeSWITCH transcodes."""
    world.serve(profile={**BOTH_CODECS, "inbound-late-negotiation": late}, scenario=scenario)
    bob = world.party("1001", "Bob").answers_in("PCMA")
    carol = world.party("1002").answers_in("PCMA")
    alice = world.party("2000", "Alice")
    alice.calls("1001")
    alice.wait_talking()
    assert hear_each_other(alice, bob)
    bob.refers(world.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    for party in (bob, carol):
        (invite,) = party.received("INVITE")
        assert sorted(invite.codecs) == ["PCMA", "PCMU"]


@WAYS
def test_codecs_that_a_target_refuses_are_followed_by_all_of_the_profile_once(
    world: World, scenario: str
) -> None:
    world.serve(profile=BOTH_CODECS, call={"codecs": "PCMU"}, scenario=scenario)
    bob, _ = talking(world)
    carol = world.party("1002").answers_in("PCMA")
    dave = world.party("1003").refuses(488, "Not Acceptable Here")
    bob.refers(world.refer_to("1003"))
    assert bob.wait_notify() == "SIP/2.0 488 Not Acceptable Here"
    assert [sorted(m.codecs) for m in dave.received("INVITE")] == [["PCMU"], ["PCMA", "PCMU"]]
    bob.refers(world.refer_to("1002"))
    assert bob.wait_notify(2) == "SIP/2.0 200 OK"
    assert [sorted(m.codecs) for m in carol.received("INVITE")] == [["PCMU"], ["PCMA", "PCMU"]]


LEFT = {
    "park": ["set park_after_bridge=true"],
    "park by export": ["export park_after_bridge=true", "export nolocal:park_after_bridge=true"],
    "transfer": ["set transfer_after_bridge=1003:XML:default"],
    "application": ["set exec_after_bridge_app=park"],
    "bypass": ["set bypass_media=true"],
    "proxy": ["export proxy_media=true"],
}


@pytest.mark.parametrize("by", ["callee", "caller"])
@pytest.mark.parametrize("left", LEFT.values(), ids=LEFT.keys())
def test_what_an_operators_dialplan_leaves_does_not_break_a_transfer(
    world: World, left: list[str], by: str
) -> None:
    world.serve(dialplan=left)
    bob, alice = talking(world, by)
    nobody = world.party("1003").answers()
    world.party("1004").refuses(486, "Busy Here")
    carol = world.party("1002").rings()
    bob.refers(world.refer_to("1004"))
    assert bob.wait_notify() == "SIP/2.0 486 Busy Here"
    assert hear_each_other(alice, bob)
    bob.refers(world.refer_to("1002"))
    assert alice.hears_ringback()
    carol.answers_now()
    assert bob.wait_notify(2) == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    carol.hangs_up()
    alice.wait_received("BYE")
    assert not nobody.received("INVITE")
