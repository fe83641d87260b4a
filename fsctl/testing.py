"""A pytest plugin for users' own scenarios: a simulated switch and phones, in milliseconds.

Installed with fsctl; pytest finds it by itself. ``stage`` makes a controller that runs your
scenario and a simulated FreeSWITCH with a clock of its own, so that a minute of ringing takes no
time::

    def test_calls_abroad_are_refused(stage):
        world = stage("reception.py")
        alice, bob = world.party("1000", "Alice"), world.party("1001", "Bob")
        alice.calls("1001")
        assert hear_each_other(alice, bob)
        bob.transfers("0044123")
        assert bob.wait_notify() == "SIP/2.0 603 No calls abroad"

Parties and what may be said of them: ``fsctl.story``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from fsctl.scenario import Scenario
    from fsctl.settings import Settings
    from fsctl.stage import Stage


class MakeStage(Protocol):
    """What the fixture ``stage`` is."""

    def __call__(
        self, scenario: str | Path | Scenario | None = None, settings: Settings | None = None
    ) -> Stage:
        """Make a stage: a world with a simulated switch, its controller, and no phones yet.

        ``scenario`` is a scenario or its file, relative to the test's folder; None: the settings
        decide. Without ``settings`` it is a controller of scope calls.
        """


@pytest.fixture
def stage(request: pytest.FixtureRequest) -> Iterator[MakeStage]:
    """Make stages; all are closed after the test.

    ``scenario`` is a scenario or its file, relative to the test's folder; ``settings`` are
    ``fsctl.settings.Settings`` (``fsctl.settings.load`` reads a file). The first stage of a test
    that fails prints the ladder of its phones.
    """
    from fsctl.scenario import Scenario, load
    from fsctl.stage import Stage

    made: list[Stage] = []

    def make(
        scenario: str | Path | Scenario | None = None, settings: Settings | None = None
    ) -> Stage:
        if scenario is not None and not isinstance(scenario, Scenario):
            scenario = load(request.path.parent / scenario)
        made.append(Stage(settings, scenario))
        return made[-1]

    yield make
    for each in made:
        print(each.switch.ladder())  # shown by pytest only when the test failed
        each.close()
