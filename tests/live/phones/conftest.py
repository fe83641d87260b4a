"""The switch of these tests reports every SIP message; their phones are programs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.conftest import passed
from tests.live.phones.house import House
from tests.live.phones.switch import PhonesSwitch


@pytest.fixture(scope="session")
def running_switch() -> Iterator[PhonesSwitch]:
    """The one FreeSWITCH of this process for the tests of this folder."""
    switch = PhonesSwitch()
    try:
        switch.start()
        yield switch
    finally:
        switch.stop()


@pytest.fixture
def house(switch: PhonesSwitch, request: pytest.FixtureRequest) -> Iterator[House]:
    """Makes real phones; they are hung up and ended after the test."""
    request.getfixturevalue("controller")  # looks for leaks only when the phones have hung up
    made = House(switch)
    yield made
    if not passed(request):
        print(f"\n{made.ladder()}")
    made.hang_up()
    problems = made.finish()
    if problems and passed(request):
        pytest.fail(f"a phone did something unexpected:\n{problems}")
