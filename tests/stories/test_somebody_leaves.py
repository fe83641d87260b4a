"""One of the first two hangs up while the target of a transfer rings."""

from __future__ import annotations

import pytest

from fsctl.story import Party, hear_each_other, talking
from tests.stories.world import World

BOTH = pytest.mark.parametrize("by", ["callee", "caller"])


def ringing(world: World, by: str, **transfer: object) -> tuple[Party, Party, Party]:
    """Transferor, transferee and the target that rings."""
    world.serve(transfer=transfer)
    transferor, transferee = talking(world, by)
    target = world.party("1002").rings()
    transferor.refers(world.refer_to("1002"))
    target.wait_received("INVITE")
    return transferor, transferee, target


@BOTH
def test_transferee_leaves_and_the_target_is_cancelled(world: World, by: str) -> None:
    transferor, transferee, target = ringing(world, by)
    transferee.hangs_up()
    target.wait_received("CANCEL")
    assert transferor.wait_notify() == "SIP/2.0 487 Request Terminated"
    transferor.wait_over()
    assert len(transferor.notifies) == 1


@pytest.mark.parametrize(("by", "lives"), [("callee", True), ("caller", False)])
def test_transferee_leaves_before_its_dialplan_begins(world: World, by: str, lives: bool) -> None:
    """Nothing of ours runs on its leg: a timer tells, set as the transferor's bridge ended."""
    world.serve()
    transferor, transferee = talking(world, by)
    # FreeSWITCH executes it between its 202 and the dialplan (switch_ivr.c, session_transfer).
    leaves = f"{world.leg(transferee)} execute_on_blind_transfer hangup:NORMAL_CLEARING"
    world.api(f"uuid_setvar {leaves}")
    if not lives:
        world.kill()
    transferor.refers(world.refer_to("1002"))
    transferee.wait_received("BYE")
    assert transferor.wait_notify() == "SIP/2.0 487 Request Terminated"
    transferor.wait_over()
    assert len(transferor.notifies) == 1


@BOTH
def test_transferor_leaves_and_the_target_answers(world: World, by: str) -> None:
    transferor, transferee, target = ringing(world, by)
    transferor.hangs_up()
    # an answer that crosses the BYE is still reported, and truly
    world.wait(lambda: any(m.method == "BYE" for m in transferor.received(200)))
    target.answers_now()
    assert hear_each_other(transferee, target)
    target.hangs_up()
    transferee.wait_received("BYE")
    assert not transferor.notifies


@BOTH
def test_transferor_leaves_and_the_target_is_busy(world: World, by: str) -> None:
    transferor, transferee, target = ringing(world, by, recall=False)
    transferor.hangs_up()
    target.refuses_now(486, "Busy Here")
    transferee.wait_received("BYE")
    transferee.wait_over()
    assert not transferor.notifies


@pytest.mark.parametrize("mode", ["in-session", "legacy"])
def test_transferor_leaves_and_is_called_again(world: World, mode: str) -> None:
    """And again: the next recall is for who talks with the transferee then, no earlier target."""
    transferor, transferee, target = ringing(world, "callee", mode=mode)
    for times, following in ((2, world.party("1003").rings()), (3, None)):
        transferor.hangs_up()
        transferor.wait_over()
        target.refuses_now(486, "Busy Here")
        world.wait(lambda times=times: len(transferor.received("INVITE")) == times)
        assert hear_each_other(transferee, transferor)
        if following is not None:
            transferor.refers(world.refer_to("1003"))
            following.wait_received("INVITE")
            target = following
    assert len(world.party("1002").received("INVITE")) == 1
    transferee.hangs_up()
    transferor.wait_over()


@BOTH
def test_target_answers_and_leaves_at_once(world: World, by: str) -> None:
    """Success was true for a moment, or the first two talk on: never neither."""
    transferor, transferee, target = ringing(world, by)
    target.answers_now()
    target.hangs_up()
    if transferor.wait_notify() == "SIP/2.0 200 OK":
        transferee.wait_received("BYE")
        transferor.wait_over()
    else:
        assert hear_each_other(transferee, transferor)
    assert len(transferor.notifies) == 1
