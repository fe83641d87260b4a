"""All processes of the controller are stopped for longer than FreeSWITCH's timers wait.

By the time that they go on FreeSWITCH has settled everything: nothing is told twice, and nobody is
moved again.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fsctl.story import Party, hear_each_other, talking
from tests.stories.world import World

UNDECIDED = """
from fsctl.scenario import BlindTransferRequested, Scenario
scenario = Scenario()

@scenario.on(BlindTransferRequested)
def requested(event):
    tell("asked")
    if event.transfer_to != "1003":
        event.session.sleep(60)
    event.session.connect(event.transferee, event.transfer_to)
"""
LIMIT_S = 25.0
"""More than FreeSWITCH's timers take."""


@pytest.fixture
def frozen(world: World) -> Iterator[World]:
    """Whatever becomes of a story, its controller goes on afterwards."""
    yield world
    world.thaw()


def refers(world: World, *, mode: str = "in-session", scenario: str = "") -> tuple[Party, ...]:
    """Bob has transferred Alice to Carol, who rings; then all processes are stopped."""
    transfer = {"mode": mode, "rescue_after_s": 5, "decision_timeout_s": 2}
    world.serve(transfer=transfer, scenario=scenario)
    bob, alice = talking(world)
    carol = world.party("1002").rings()
    bob.refers(world.refer_to("1002"))
    if scenario:
        world.wait_told("asked")
    else:
        carol.wait_received("INVITE")
    world.freeze()
    return bob, alice, carol


def goes_on(world: World, bob: Party, alice: Party) -> None:
    """It finds that all is settled; the next transfer is told of as ever."""
    world.thaw()
    dave = world.party("1003").answers()
    assert hear_each_other(alice, bob)
    bob.refers(world.refer_to("1003"))
    assert bob.wait_notify(2) == "SIP/2.0 200 OK"
    assert hear_each_other(alice, dave)
    assert bob.notify_events == bob.refer_events()


@pytest.mark.parametrize("mode", ["in-session", "legacy"])
def test_the_target_refuses(frozen: World, mode: str) -> None:
    bob, alice, carol = refers(frozen, mode=mode)
    carol.refuses_now(486, "Gone fishing")
    assert bob.wait_received("NOTIFY", limit_s=LIMIT_S).body.strip() == "SIP/2.0 486 486"
    goes_on(frozen, bob, alice)


def test_nothing_is_decided(frozen: World) -> None:
    bob, alice, _ = refers(frozen, scenario=UNDECIDED)
    assert bob.wait_received("NOTIFY", limit_s=LIMIT_S).body.strip() == "SIP/2.0 403 Forbidden"
    goes_on(frozen, bob, alice)


@pytest.mark.parametrize("turns", [0, 2, 4, 6, 12])
def test_soon_after_the_refer(frozen: World, turns: int) -> None:
    """Before its claim, right behind it, or with the target being called already: the first two do
    not wait for the longest time that a target may ring for somebody else."""
    frozen.serve(call={"ring_timeout_s": 120}, transfer={"rescue_after_s": 5})
    bob, alice = talking(frozen)
    frozen.party("1002").rings()
    bob.refers(frozen.refer_to("1002"))
    frozen.pass_turns(turns)
    frozen.freeze()
    assert not bob.wait_notify(limit_s=LIMIT_S).startswith("SIP/2.0 2")
    goes_on(frozen, bob, alice)


@pytest.mark.parametrize("mode", ["in-session", "legacy"])
def test_the_target_answers(frozen: World, mode: str) -> None:
    bob, alice, carol = refers(frozen, mode=mode)
    carol.answers_now()
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    frozen.thaw()
    bob.wait_received("BYE", limit_s=LIMIT_S)
    assert hear_each_other(alice, carol)
    assert len(bob.notifies) == 1


@pytest.mark.parametrize("mode", ["in-session", "legacy"])
def test_the_transferee_leaves(frozen: World, mode: str) -> None:
    """Nobody can tell the transferor but FreeSWITCH's own timer."""
    bob, alice, carol = refers(frozen, mode=mode)
    alice.hangs_up()
    carol.wait_received("CANCEL")
    body = bob.wait_received("NOTIFY", limit_s=LIMIT_S).body
    assert body.strip() == "SIP/2.0 487 Request Terminated" and body.endswith("\n")
    frozen.thaw()
    bob.wait_received("BYE", limit_s=LIMIT_S)
    assert len(bob.notifies) == 1


@pytest.mark.parametrize("by", ["callee", "caller"])
def test_the_transferee_leaves_before_it_is_claimed(frozen: World, by: str) -> None:
    """FreeSWITCH alone tells its transferor, and its BYE does not overtake that."""
    frozen.serve()
    transferor, transferee = talking(frozen, by)
    frozen.freeze()
    transferor.refers(frozen.refer_to("1002"))
    frozen.wait_application("socket")
    transferee.hangs_up()
    assert transferor.wait_notify(limit_s=LIMIT_S) == "SIP/2.0 487 Request Terminated"
    transferor.wait_over()
