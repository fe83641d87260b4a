"""In-session transfers that succeed."""

from __future__ import annotations

import pytest

from tests.stories.world import World, hear_each_other, talking

BOTH = pytest.mark.parametrize("by", ["callee", "caller"])


@BOTH
def test_target_answers(world: World, by: str) -> None:
    world.serve()
    transferor, transferee = talking(world, by)
    target = world.party("1002").rings()
    transferor.refers(world.refer_to("1002"))
    target.wait_received("INVITE")
    assert transferee.hears_ringback()
    assert not transferor.notifies
    target.answer_now()
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, target)
    transferor.wait_over()
    assert hear_each_other(transferee, target)
    assert transferor.notifies == ["SIP/2.0 200 OK"]
    target.hangs_up()
    transferee.wait_received("BYE")
