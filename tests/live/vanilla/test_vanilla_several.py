"""Several workers, several controllers: whoever gets a REFER knows nothing of its call."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from fsctl.story import hear_each_other
from tests.live.lab import Phone
from tests.live.lab.fsctl_process import Controller, Sections
from tests.live.vanilla.installation import Installation, State
from tests.live.vanilla.kinds import ANSWERS, CALLER, RINGS
from tests.live.vanilla.scene import Scene
from tests.live.vanilla.switch import VanillaSwitch
from tests.live.vanilla.transfers import CALLEE, PARTIES

WORKERS: Sections = {"server": {"workers": 2}}
RESCUED_S = 25.0

pytestmark = [
    pytest.mark.parametrize("state", [State.ALIVE], ids=str),
    pytest.mark.parametrize("settings", [WORKERS], ids=["workers"]),
]
by_each = pytest.mark.parametrize(("by", "moved"), PARTIES.values(), ids=PARTIES)
outcomes = pytest.mark.parametrize("answers", [True, False], ids=["answers", "busy"])


def _talk(scene: Scene) -> None:
    scene.add(CALLEE, ANSWERS)
    caller = scene.talk(CALLER, CALLEE)
    assert hear_each_other(caller, scene[CALLEE])


def _ring(scene: Scene, by: str) -> Phone:
    """One of the first two has transferred the other to where 1002 rings; 1002."""
    carol = scene.add("1002", RINGS)
    _talk(scene)
    scene[by].transfers("2040")
    carol.wait_received("INVITE")
    return carol


def _settle(scene: Scene, by: str, moved: str, carol: Phone, *, answers: bool) -> None:
    """1002 does what it does, and each party has what it is to have."""
    if answers:
        carol.answers_now()
        assert scene[by].wait_notify() == "SIP/2.0 200 OK"
        assert hear_each_other(scene[moved], carol)
        scene[by].wait_over(RESCUED_S)
    else:
        carol.refuses_now(486, "Gone fishing")
        assert scene[by].wait_notify().startswith("SIP/2.0 486 ")
        assert hear_each_other(scene[moved], scene[by])
    assert len(scene[by].notifies) == 1


def _worker_of(controller: Controller) -> int:
    """The worker that has a session."""
    return next(pid for pid, state in controller.states().items() if state.sessions)


@by_each
def test_a_chain_of_transfers(scene: Scene, by: str, moved: str) -> None:
    """Each REFER may come to any worker."""
    _talk(scene)
    scene[by].transfers("2091")
    assert scene[by].wait_notify() == "SIP/2.0 486 Busy Here"
    talking, other = scene[by], scene[moved]
    for number in ("1002", "1003", "1004", "1006"):
        target = scene.add(number, ANSWERS)
        assert hear_each_other(talking, other)
        before = len(talking.notifies)
        talking.transfers(number)
        scene.phones.wait(lambda: len(talking.notifies) > before, number)  # noqa: B023
        assert talking.notifies[-1] == "SIP/2.0 200 OK"
        assert hear_each_other(other, target)
        scene.switch.wait_channels(2)
        talking, other = other, target


@by_each
@outcomes
def test_its_worker_dies_while_the_target_rings(
    scene: Scene, installation: Installation, by: str, moved: str, answers: bool
) -> None:
    carol = _ring(scene, by)
    os.kill(_worker_of(installation.controller), signal.SIGKILL)
    _settle(scene, by, moved, carol, answers=answers)


@pytest.fixture
def second(switch: VanillaSwitch, installation: Installation) -> Iterator[Controller]:
    """Another controller."""
    made = installation.beside()
    yield made
    problems = made.finish()
    assert not problems, problems


@by_each
@outcomes
@pytest.mark.parametrize("gone", ["the one that has it", "the other one", "both"])
def test_two_controllers(
    scene: Scene,
    installation: Installation,
    second: Controller,
    by: str,
    moved: str,
    answers: bool,
    gone: str,
) -> None:
    carol = _ring(scene, by)
    both = (installation.controller, second)
    has = [any(state.sessions for state in each.states().values()) for each in both]
    assert sum(has) == 1
    for each, busy in zip(both, has, strict=True):
        if gone == "both" or busy == (gone == "the one that has it"):
            each.kill9()
    _settle(scene, by, moved, carol, answers=answers)
