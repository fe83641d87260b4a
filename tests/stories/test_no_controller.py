"""No controller is there, or it is told to stop: FreeSWITCH goes on by itself."""

from __future__ import annotations

import pytest

from fsctl.story import hear_each_other, talking
from tests.stories.world import World


def test_call_connects_and_a_transfer_is_refused_by_the_switch(world: World) -> None:
    world.serve()
    world.kill()
    bob, alice = talking(world)
    world.party("1002").refuses(486, "Gone fishing")
    bob.refers(world.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 403 Forbidden"
    assert hear_each_other(alice, bob)
    bob.hangs_up()
    alice.wait_received("BYE")


def test_legacy_transfer_works(world: World) -> None:
    world.serve(transfer={"mode": "legacy"})
    world.kill()
    bob, alice = talking(world)
    target = world.party("1002").answers()
    bob.refers(world.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, target)
    bob.hangs_up()


def test_the_target_of_a_legacy_transfer_leaves_at_once(world: World) -> None:
    """FreeSWITCH has told the transferor of the answer: the timer that releases it is silent."""
    world.serve(transfer={"mode": "legacy"})
    world.kill()
    bob, alice = talking(world)
    target = world.party("1002").rings()
    bob.refers(world.refer_to("1002"))
    world.wait(lambda: target.sent(180), "the target rings")
    target.answers_now()
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    target.hangs_up()
    alice.wait_received("BYE")
    bob.wait_over()
    assert bob.notifies == ["SIP/2.0 200 OK"]


def test_legacy_transfer_shows_the_transferor(world: World) -> None:
    world.serve(transfer={"mode": "legacy"})
    world.kill()
    bob, alice = talking(world)
    target = world.party("1002").answers()
    bob.refers(world.refer_to("1002"))
    seen = target.wait_received("INVITE").header("From")
    assert hear_each_other(alice, target)
    assert f"<sip:{bob.number}@" in seen, seen


@pytest.mark.parametrize(("number", "status"), [("1002", 486), ("1999", 404), ("7", 404)])
def test_callee_fails(world: World, number: str, status: int) -> None:
    world.serve()
    world.kill()
    world.party("1002").refuses(486, "Busy Here")
    alice = world.party("2000", "Alice")
    alice.calls(number)
    alice.wait_received(status)


def test_draining_leaves_the_call_to_the_switch(world: World) -> None:
    world.serve()
    bob, alice = talking(world)
    world.terminate()
    assert hear_each_other(alice, bob)
    bob.hangs_up()
    alice.wait_received("BYE")


def test_draining_while_the_target_rings(world: World) -> None:
    world.serve(route={"ring_timeout_s": 20})
    bob, alice = talking(world)
    target = world.party("1002").rings()
    bob.refers(world.refer_to("1002"))
    target.wait_received("INVITE")
    world.terminate()
    target.answers_now()
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, target)
    bob.hangs_up()
