"""fsctl.service.orphans: which legs it touches, and which it leaves alone."""

from __future__ import annotations

from collections.abc import Callable

import gevent
import pytest

from fsctl.service import orphans
from fsctl.service.rescue import Rescue
from fsctl.settings import Settings, Switch
from tests.unit.service.fake_switch import FakeSwitch

DEAD = "127.0.0.1:9001"
A, B = "aaaaaaaa-0000", "bbbbbbbb-0000"


@pytest.fixture
def switch(monkeypatch):
    monkeypatch.setattr(orphans, "POLL_S", 0.001)
    made = FakeSwitch()
    yield made
    made.stop()


@pytest.fixture
def look(switch):
    """Orphans the dead worker's legs, until it has nothing to do or ``until`` holds."""

    def look(
        until: Callable[[], object] = lambda: False,
        held: Callable[[], set[str] | None] = set,
    ) -> list[str]:
        settings = Settings(switches=(Switch(port=switch.port, password="x", enabled=True),))
        made = Rescue(settings, held)
        made.look_after(DEAD)
        with gevent.Timeout(30):
            while made.busy and not until():
                gevent.sleep(0.005)
        made.stop()
        # What marks a record: see test_left_records.
        return [each for each in switch.told if "recorded" not in each]

    return look


def transferor() -> dict[str, str]:
    return {
        "row.state": "CS_PARK",
        "fsctl_home": DEAD,
        "blind_transfer_uuid": A,
        "sip_blind_transfer_event": "refer;id=7",
    }


def test_nothing_to_do_ends_soon(switch, look) -> None:
    assert look() == []
    assert switch.looks >= 3, "the table follows the events"


@pytest.mark.parametrize(
    ("channel", "held"),
    [
        (transferor() | {"row.state": "CS_EXECUTE"}, set()),
        (transferor() | {"fsctl_home": "127.0.0.1:9002"}, set()),
        (transferor(), {B}),
        (transferor(), {A}),
        (transferor(), None),
    ],
)
def test_what_is_held_unknown_or_somebody_elses_is_left_alone(switch, look, channel, held) -> None:
    switch.channels[B] = channel
    assert look(lambda: switch.looks > 3, lambda: held) == []


@pytest.mark.parametrize("before", [{}, {"bridge_to": B}], ids=["rings", "talks still"])
def test_a_transferor_is_released_when_its_target_has_answered(switch, look, before) -> None:
    switch.channels |= {B: transferor(), A: dict(before)}

    def answers() -> None:
        while switch.looks <= 4:
            gevent.sleep(0.001)
        switch.channels[A]["bridge_to"] = "cccccccc-0000"

    gevent.spawn(answers)
    assert look() == [f"sched_hangup +3 {B} BLIND_TRANSFER"]
    assert switch.looks > 4, "it was waited for"


def test_a_transferor_whose_transferee_left_is_told_and_released(switch, look) -> None:
    switch.channels[B] = transferor()
    notify, mark, release, *cdrs = look()
    assert notify.startswith("sendevent NOTIFY / ") and "refer;id=7" in notify
    assert "SIP/2.0 487 Request Terminated" in notify
    assert mark.startswith(f"uuid_setvar_multi {B} fsctl_told='refer;id=7';fsctl_cdr_outcome=")
    assert release == f"sched_hangup +3 {B} BLIND_TRANSFER"
    of_both = {each.split()[1] for each in cdrs if "fsctl_cdr_outcome='abandoned'" in each}
    assert of_both == {A, B} and len(cdrs) == 2


@pytest.mark.parametrize(("told", "again"), [("refer;id=7", False), ("refer;id=5", True)])
def test_a_transferor_is_not_told_twice(switch, look, told, again) -> None:
    """Its worker died between the report and the release; an older REFER does not count."""
    switch.channels[B] = transferor() | {"fsctl_told": told}
    *notify, release = [each for each in look() if "fsctl_cdr_id" not in each]
    assert bool(notify) == again
    assert release == f"sched_hangup +3 {B} BLIND_TRANSFER"


def test_without_a_password_nobody_looks(switch) -> None:
    made = Rescue(Settings(), set)
    made.look_after(DEAD)
    assert not made.busy
