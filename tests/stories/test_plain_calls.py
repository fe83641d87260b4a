"""Calls between two, without any transfer."""

from __future__ import annotations

from fsctl.story import hear_each_other, talking
from tests.stories.world import World


def test_callee_answers_and_hangs_up(world: World) -> None:
    world.serve()
    bob, alice = talking(world)
    bob.hangs_up()
    alice.wait_received("BYE")


def test_caller_hangs_up(world: World) -> None:
    world.serve()
    bob, alice = talking(world)
    alice.hangs_up()
    bob.wait_received("BYE")


def test_caller_is_told_of_ringing_before_the_answer(world: World) -> None:
    world.serve()
    bob = world.party("1001", "Bob").rings()
    alice = world.party("2000", "Alice")
    alice.calls("1001")
    alice.wait_received(180)
    assert not alice.received(200)
    bob.answers_now()
    alice.wait_talking()
    assert hear_each_other(alice, bob)


def test_callee_sees_number_and_name_of_the_caller(world: World) -> None:
    world.serve()
    bob = world.party("1001", "Bob").answers()
    alice = world.party("2000", "Alice O'Neill")
    alice.calls("1001")
    alice.wait_talking()
    seen = bob.received("INVITE")[0].header("From")
    assert seen.startswith('"Alice O\'Neill" <sip:2000@'), seen
    assert "fsctl" not in str(bob.received("INVITE")[0].headers).lower()


def test_early_media_of_the_callee_and_then_its_answer(world: World) -> None:
    world.serve()
    bob = world.party("1001", "Bob").sends_early_media()
    alice = world.party("2000", "Alice")
    alice.calls("1001")
    alice.wait_received(183)
    assert alice.hears(bob)
    assert not alice.received(200)
    bob.answers_now()
    alice.wait_talking()
    assert hear_each_other(alice, bob)


def test_caller_gives_up_while_the_callee_rings(world: World) -> None:
    world.serve()
    bob = world.party("1001", "Bob").rings()
    alice = world.party("2000", "Alice")
    alice.calls("1001")
    alice.wait_received(180)
    alice.gives_up()
    alice.wait_received(487)
    bob.wait_received("CANCEL")
