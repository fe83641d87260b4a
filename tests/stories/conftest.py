"""Every story is played twice: on the simulated switch, and on the real one where it is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

# The laboratory of the live tests: the switch, its phones and controllers, and their leak checks.
from tests.live.conftest import (  # noqa: F401
    REPORT,
    _missing,
    controller,
    phones,
    pytest_runtest_makereport,
    running_switch,
    switch,
)
from tests.stories.real import RealWorld
from tests.stories.simulated import SimulatedWorld
from tests.stories.world import World

_REASON = _missing()
_REAL = pytest.param(
    "real", marks=[pytest.mark.live, pytest.mark.skipif(bool(_REASON), reason=_REASON or "-")]
)


@pytest.fixture(params=["simulated", _REAL])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """What the story is played on; afterwards nothing may be left of its calls."""
    made = _simulated(tmp_path) if request.param == "simulated" else _real(request, tmp_path)
    yield made
    report = request.node.stash.get(REPORT, None)
    made.finish(passed=report is not None and report.passed)


def _simulated(folder: Path) -> World:
    return SimulatedWorld(folder)


def _real(request: pytest.FixtureRequest, folder: Path) -> World:
    names = ("switch", "controller", "phones")
    fixtures = {name: request.getfixturevalue(name) for name in names}
    return RealWorld(folder, fixtures["switch"], fixtures["controller"], fixtures["phones"])
