"""The switch of these tests is one with the structure of FreeSWITCH's own configuration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.lab import NotInTime, Phones
from tests.live.lab.fsctl_process import Sections
from tests.live.vanilla.installation import NONE, Installation, State
from tests.live.vanilla.scene import Scene
from tests.live.vanilla.switch import VanillaSwitch

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests of this folder by the state they need: each costs seconds to reach."""
    places = [place for place, item in enumerate(items) if HERE in item.path.parents]
    ours = sorted((items[place] for place in places), key=_state_of)
    for place, item in zip(places, ours, strict=True):
        items[place] = item


def _state_of(item: pytest.Item) -> int:
    callspec = getattr(item, "callspec", None)
    return list(State).index(callspec.params.get("state", State.STOCK) if callspec else State.STOCK)


@pytest.fixture(scope="session")
def running_switch() -> Iterator[VanillaSwitch]:
    """The one FreeSWITCH of this process for the tests of this folder."""
    switch = VanillaSwitch()
    try:
        switch.start()
        yield switch
    finally:
        switch.stop()


@pytest.fixture(scope="session")
def installation(running_switch: VanillaSwitch) -> Iterator[Installation]:
    """fsctl on that switch, in whatever state the last test wanted."""
    made = Installation(running_switch)
    yield made
    problems = made.finish()
    assert not problems, problems


@pytest.fixture
def state() -> State:
    """How fsctl stands to the switch in this test: parametrize it for another one."""
    return State.STOCK


@pytest.fixture
def settings() -> Sections:
    """What is added to fsctl's settings in this test: parametrize it for anything."""
    return NONE


@pytest.fixture
def switch(
    running_switch: VanillaSwitch, installation: Installation, state: State, settings: Sections
) -> Iterator[VanillaSwitch]:
    """The running FreeSWITCH in that state; afterwards no channel may be left on it."""
    installation.be(state, settings)
    yield running_switch
    try:
        running_switch.wait_no_channels(5.0)
    except NotInTime as error:
        running_switch.esl("hupall")
        pytest.fail(f"channels are left: {error}\n{running_switch.log_tail()}")


@pytest.fixture
def scene(switch: VanillaSwitch, phones: Phones) -> Scene:
    """No phone yet."""
    return Scene(switch, phones)
