"""The controller dies in the middle of a call: nobody is dropped whom the switch can keep."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsctl.story import Party, hear_each_other, talking
from tests.stories.world import RING_TIMEOUT_S, World

SAMPLE = Path(__file__).parents[2] / "examples" / "call_user_transfer.py"


def target_rings(world: World, ring_timeout_s: int = RING_TIMEOUT_S) -> tuple[Party, Party, Party]:
    """Alice, Bob who transfers her, and Carol who rings; then the controller dies."""
    world.serve(route={"ring_timeout_s": ring_timeout_s})
    bob, alice = talking(world)
    carol = world.party("1002").rings()
    bob.refers(world.refer_to("1002"))
    carol.wait_received("INVITE")
    world.kill()
    return alice, bob, carol


def callee_rings(world: World) -> tuple[Party, Party]:
    """Alice, and Bob who rings; then the controller dies."""
    world.serve()
    bob = world.party("1001", "Bob").rings()
    alice = world.party("2000", "Alice")
    alice.calls("1001")
    alice.wait_received(180)
    world.kill()
    return alice, bob


def test_killed_while_two_talk_and_the_next_transfer_works(world: World) -> None:
    world.serve()
    bob, alice = talking(world)
    world.kill()
    assert hear_each_other(alice, bob)
    world.restart()
    carol = world.party("1002").answers()
    bob.refers(world.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    bob.wait_over()
    carol.hangs_up()
    alice.wait_received("BYE")


def test_killed_while_two_talk_and_the_next_target_is_busy(world: World) -> None:
    world.serve()
    bob, alice = talking(world)
    world.kill()
    world.restart()
    world.party("1002").refuses(486, "Gone fishing")
    bob.refers(world.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 486 Gone fishing"
    assert hear_each_other(alice, bob)


@pytest.mark.parametrize("by", ["callee", "caller"])
def test_killed_after_a_failed_transfer_and_the_next_one_knows_the_parties(
    world: World, by: str
) -> None:
    """The join after the failure makes one leg show the other's number (``uuid_bridge``)."""
    world.serve()
    transferor, transferee = talking(world, by)
    world.party("1002").refuses(486, "Gone fishing")
    transferor.refers(world.refer_to("1002"))
    transferor.wait_notify()
    assert hear_each_other(transferor, transferee)
    world.kill()
    world.restart()
    dave = world.party("1003").answers()
    transferor.refers(world.refer_to("1003"))
    assert f"<sip:{transferee.number}@" in dave.wait_received("INVITE").header("From")
    assert transferor.wait_notify(2) == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, dave)


def test_killed_while_two_talk_and_they_hang_up(world: World) -> None:
    world.serve()
    bob, alice = talking(world)
    world.kill()
    bob.hangs_up()
    alice.wait_received("BYE")


@pytest.mark.parametrize("by", ["callee", "caller"])
def test_killed_while_two_talk_and_a_legacy_transfer_works(world: World, by: str) -> None:
    world.serve(transfer={"mode": "legacy"})
    transferor, transferee = talking(world, by)
    world.kill()
    carol = world.party("1002").answers()
    transferor.refers(world.refer_to("1002"))
    assert f"<sip:{transferor.number}@" in carol.wait_received("INVITE").header("From")
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, carol)


def test_killed_after_a_failed_transfer_and_they_hang_up(world: World) -> None:
    world.serve()
    bob, alice = talking(world)
    world.party("1002").refuses(486, "Gone fishing")
    bob.refers(world.refer_to("1002"))
    bob.wait_notify()
    assert hear_each_other(alice, bob)
    world.kill()
    world.restart()
    bob.hangs_up()
    alice.wait_received("BYE")


def test_killed_while_the_target_rings_and_it_answers(world: World) -> None:
    alice, bob, carol = target_rings(world)
    carol.answers_now()
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    bob.hangs_up()
    carol.hangs_up()
    alice.wait_received("BYE")


def test_killed_while_the_target_rings_and_it_is_busy(world: World) -> None:
    alice, bob, carol = target_rings(world)
    carol.refuses_now(486, "Gone fishing")
    assert bob.wait_notify() == "SIP/2.0 486 486"  # FreeSWITCH's own words
    assert hear_each_other(alice, bob)
    alice.hangs_up()
    bob.wait_received("BYE")


def test_killed_while_the_target_rings_and_another_takes_over(world: World) -> None:
    alice, bob, carol = target_rings(world, ring_timeout_s=20)
    world.restart()
    carol.refuses_now(486, "Gone fishing")
    bob.wait_received("NOTIFY")
    assert hear_each_other(alice, bob)
    assert len(bob.notifies) == 1
    assert len(carol.received("INVITE")) == 1, "who takes over does not call her again"


def test_killed_while_the_target_of_a_scenario_rings(world: World) -> None:
    """Our ringback ends by itself, and then FreeSWITCH joins the first two again."""
    world.serve(scenario=SAMPLE.read_text(encoding="utf-8"))
    bob, alice = talking(world)
    carol = world.party("1002").rings()
    bob.refers(world.refer_to("1002"))
    carol.wait_sent(180)
    assert alice.hears_ringback()
    world.kill()
    assert bob.wait_notify(limit_s=15).startswith("SIP/2.0 4")
    assert hear_each_other(alice, bob)
    assert len(bob.notifies) == 1
    carol.wait_received("CANCEL")


def test_killed_while_the_callee_rings_and_it_answers(world: World) -> None:
    alice, bob = callee_rings(world)
    bob.answers_now()
    alice.wait_talking()
    assert hear_each_other(alice, bob)
    alice.hangs_up()
    bob.wait_received("BYE")


def test_killed_while_the_callee_rings_and_it_is_busy(world: World) -> None:
    alice, bob = callee_rings(world)
    bob.refuses_now(486, "Busy Here")
    alice.wait_received(486)
    assert len(bob.received("INVITE")) == 1


@pytest.mark.parametrize("turns", [0, 2, 4, 12])
def test_the_links_are_cut_as_the_target_refuses(world: World, turns: int) -> None:
    """The first two may be joined again by then, and their link gone before the report follows."""
    world.serve(route={"ring_timeout_s": 20})
    bob, alice = talking(world)
    carol = world.party("1002").rings()
    bob.refers(world.refer_to("1002"))
    carol.refuses_now(486, "Gone fishing")
    world.pass_turns(turns)
    world.cut_links()
    told = bob.wait_notify()
    assert told.startswith("SIP/2.0 4")
    assert hear_each_other(alice, bob)
    dave = world.party("1003").answers()
    bob.refers(world.refer_to("1003"))
    assert bob.wait_notify(2) == "SIP/2.0 200 OK"
    assert hear_each_other(alice, dave)
    assert bob.notify_events == bob.refer_events()
