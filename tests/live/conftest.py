"""Fixtures of the live tests: a real FreeSWITCH, SIPp phones, running controllers."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.live.lab.controllers import Controllers
from tests.live.lab.phones import Phones
from tests.live.lab.ports import free_port
from tests.live.lab.switch import Switch
from tests.live.lab.waiting import NotInTime

HERE = Path(__file__).parent
REPORT = pytest.StashKey[pytest.TestReport]()


def _missing() -> str:
    absent = [name for name in ("freeswitch", "sipp") if shutil.which(name) is None]
    return f"not on PATH: {', '.join(absent)}" if absent else ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything below this folder ``live``, and skip it where it cannot run."""
    reason = _missing()
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.live)
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember the outcome of the test itself, for the fixtures that clean up after it."""
    report = yield
    if report.when == "call":
        item.stash[REPORT] = report
    return report


def passed(request: pytest.FixtureRequest) -> bool:
    """Whether the test itself passed; the fixtures then may still find fault."""
    report = request.node.stash.get(REPORT, None)
    return report is not None and report.passed


@pytest.fixture(scope="session")
def running_switch() -> Iterator[Switch]:
    """The one FreeSWITCH of this process; tests use ``switch``."""
    switch = Switch()
    try:
        yield switch.start()
    finally:
        switch.stop()


@pytest.fixture
def switch(running_switch: Switch) -> Iterator[Switch]:
    """A running FreeSWITCH with its own dialplan; afterwards no channel may be left on it."""
    running_switch.uninstall()
    yield running_switch
    try:
        running_switch.wait_no_channels(5.0)
    except NotInTime as error:
        running_switch.esl("hupall")
        pytest.fail(f"channels are left: {error}\n{running_switch.log_tail()}")


@pytest.fixture
def closed_port() -> int:
    """A UDP port at which nobody listens."""
    return free_port()


@pytest.fixture
def phones(switch: Switch, request: pytest.FixtureRequest) -> Iterator[Phones]:
    """Makes phones; they are hung up and ended after the test, and may have met no surprise."""
    if "controller" in request.fixturenames:
        # set up before us, so that it looks for leaks only when the phones have hung up
        request.getfixturevalue("controller")
    made = Phones(switch)
    yield made
    ok, ladder = passed(request), made.ladder()
    if not ok:
        print(f"\n{ladder}")
    made.hang_up()
    problems = made.finish()
    if problems and ok:
        pytest.fail(f"a phone met something unexpected:\n{problems}\n{ladder}")


@pytest.fixture
def controller(switch: Switch, request: pytest.FixtureRequest) -> Iterator[Controllers]:
    """Makes running controllers; they must leave no descriptor, process or traceback behind."""
    made = Controllers(switch)
    yield made
    try:
        switch.wait_no_channels(5.0)
        made.wait_no_growth()
    finally:
        if not passed(request):
            print(f"\n{made.logs()}")
        problems = made.finish()
    if problems and passed(request):
        pytest.fail(problems)
