"""Open, closed, busy: on a simulated switch, at whatever time it is."""

from collections.abc import Callable
from datetime import datetime

import pytest

from examples import business_hours
from fsctl.stage import Stage
from fsctl.story import talking
from fsctl.testing import MakeStage

At = Callable[[datetime], Stage]
MONDAY_NOON = datetime(2026, 1, 5, 12, tzinfo=business_hours.ZONE)
SUNDAY_NOON = datetime(2026, 1, 4, 12, tzinfo=business_hours.ZONE)


@pytest.fixture
def at(stage: MakeStage, monkeypatch: pytest.MonkeyPatch) -> At:
    """The office at some time."""

    def make(now: datetime) -> Stage:
        monkeypatch.setattr(business_hours, "now", lambda: now)
        return stage(business_hours.scenario)

    return make


@pytest.mark.parametrize(
    ("when", "is_open"),
    [
        ("2026-01-05T08:59", False),
        ("2026-01-05T09:00", True),
        ("2026-01-09T17:29", True),
        ("2026-01-09T17:30", False),
        ("2026-01-10T12:00", False),
    ],
)
def test_hours(when: str, is_open: bool) -> None:
    assert business_hours.is_open(datetime.fromisoformat(when)) is is_open


def test_open(at: At) -> None:
    talking(at(MONDAY_NOON))


@pytest.mark.parametrize("answer", ["busy", "no answer"])
def test_open_but_nobody_answers(at: At, answer: str) -> None:
    world = at(MONDAY_NOON)
    bob = world.party("1001")
    bob.is_busy() if answer == "busy" else bob.rings()
    leaves_a_message(world)


def test_closed(at: At) -> None:
    world = at(SUNDAY_NOON)
    bob = world.party("1001").answers()
    leaves_a_message(world)
    assert not bob.received("INVITE")


def leaves_a_message(world: Stage) -> None:
    alice = world.party("1000")
    alice.calls("1001")
    alice.wait_talking()
    world.wait(lambda: alice.phone.hears.startswith(("voicemail", "playback")), "the mailbox")


def test_closed_and_no_mailbox(at: At) -> None:
    alice = at(SUNDAY_NOON).party("1000")
    alice.calls("004930123")
    alice.wait_received(480)
