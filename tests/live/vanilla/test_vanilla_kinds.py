"""Calls and transfers of every kind, on a FreeSWITCH that is laid out as it is shipped."""

from __future__ import annotations

import pytest

from tests.live.vanilla.kinds import CALLS
from tests.live.vanilla.scene import Kind, Scene
from tests.live.vanilla.transfers import TRANSFERS


@pytest.mark.parametrize("kind", CALLS, ids=str)
def test_a_call(scene: Scene, kind: Kind) -> None:
    assert scene.play(kind) == kind.outcome


@pytest.mark.parametrize(
    "kind", [kind for row in TRANSFERS for kind in row.by_freeswitch()], ids=str
)
def test_a_transfer(scene: Scene, kind: Kind) -> None:
    assert scene.play(kind) == kind.outcome
