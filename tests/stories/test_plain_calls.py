"""Calls between two, without any transfer."""

from __future__ import annotations

from tests.stories.world import World, talking


def test_callee_hangs_up(world: World) -> None:
    world.serve()
    bob, alice = talking(world)
    bob.hangs_up()
    alice.wait_received("BYE")
