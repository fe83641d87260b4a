"""The codes of ``[keys]`` beside those that a switch of somebody's own has bound itself."""

from __future__ import annotations

import pytest

from fsctl.story import hear_each_other
from tests.live.vanilla.installation import State
from tests.live.vanilla.kinds import ANSWERS, CALLER, consults_by_keys
from tests.live.vanilla.scene import Scene

KEYS = {"keys": {"blind": "*7", "attended": "*8"}}


@pytest.mark.parametrize("state", [State.ALIVE], ids=str)
@pytest.mark.parametrize("settings", [KEYS], ids=["keys"])
def test_both_kinds_of_codes_work(scene: Scene) -> None:
    """The switch's ``*4``, by the callee, who transfers; then ours, by the caller."""
    for number in ("1001", "1002", "1003"):
        scene.add(number, ANSWERS)
    consults_by_keys(scene)
    caller = scene[CALLER]
    assert hear_each_other(caller, scene["1002"])
    caller.presses("*8")
    assert caller.hears_ringback()
    caller.presses("1003#")
    assert hear_each_other(caller, scene["1003"])
    caller.hangs_up()
    assert hear_each_other(scene["1002"], scene["1003"])
