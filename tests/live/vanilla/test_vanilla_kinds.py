"""The same calls and transfers before fsctl is there, with it, without it, and after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.live.vanilla.installation import State
from tests.live.vanilla.kinds import CALLS, SAMPLED
from tests.live.vanilla.scene import Kind, Scene
from tests.live.vanilla.transfers import TRANSFERS

UNDER_CONTROL = (State.ALIVE, State.BACK)


def _calls(state: State) -> Iterator[Kind]:
    """All with fsctl, and some of each kind when it is not there."""
    if state is not State.BACK:
        yield from (kind for kind in CALLS if state is State.ALIVE or kind.name in SAMPLED)


def _transfers(state: State) -> Iterator[Kind]:
    """When nobody lives any more FreeSWITCH does it alone, as it did before."""
    full = state in (State.ALIVE, State.KILLED)
    for row in TRANSFERS:
        if full or row.sampled:
            yield from row.by_fsctl() if state in UNDER_CONTROL else row.by_freeswitch()


def _in_every_state(kinds: Callable[[State], Iterator[Kind]]) -> pytest.MarkDecorator:
    rows = [
        pytest.param(state, kind, id=f"{state}, {kind}") for state in State for kind in kinds(state)
    ]
    return pytest.mark.parametrize(("state", "kind"), rows)


@_in_every_state(_calls)
def test_a_call(scene: Scene, kind: Kind) -> None:
    assert scene.play(kind) == kind.outcome


@_in_every_state(_transfers)
def test_a_transfer(scene: Scene, kind: Kind) -> None:
    assert scene.play(kind) == kind.outcome
