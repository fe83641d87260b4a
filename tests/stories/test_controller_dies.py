"""The controller dies."""

from __future__ import annotations

from tests.stories.world import World, hear_each_other, talking


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
