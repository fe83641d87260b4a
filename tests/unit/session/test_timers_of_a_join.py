"""FreeSWITCH's timers of a transfer while its first two are joined again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fsctl.scenario import BlindTransferRequested, Scenario
from fsctl.session.core.leg import Leg
from fsctl.session.transfers import blind_run, timing
from fsctl.session.transfers.timing import Timing
from fsctl.settings import Transfer
from fsctl.simulator import SimulatedSwitch
from fsctl.stage import CALLS

SOON = replace(CALLS, transfer=Transfer(decision_timeout_s=5, rescue_after_s=5))
A_JOIN_S = 5
"""FreeSWITCH has as long for a join, however late we are with it."""


def talking(playing: Any) -> tuple[Any, Any]:
    alice, bob = playing.phone("1000"), playing.phone("1001")
    alice.calls("1001")
    playing.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    return alice, bob


def undecided() -> Scenario:
    scenario = Scenario()

    @scenario.on(BlindTransferRequested)
    def requested(event: BlindTransferRequested) -> None:
        pass

    return scenario


@pytest.fixture
def left_s(stage: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, float]]:
    """Plays a transfer that nobody decides; how far the transferee's timer was when FreeSWITCH was
    last asked before the join, and at the join."""

    def play() -> dict[str, float]:
        left: dict[str, float] = {}
        look, run_api = blind_run.look, SimulatedSwitch.run_api

        def note(when: str, transferee: str) -> None:
            pending = playing.switch.scheduler.pending(transferee)
            if "join" not in left:
                soonest_s = min(runtime_s for _, runtime_s in pending)
                left[when] = soonest_s - playing.switch.clock.now_s

        def looking(link: Any, transferor: Any, request: Any) -> Any:
            seen = look(link, transferor, request)
            note("look", request.transferee_uuid)
            return seen

        def running(switch: SimulatedSwitch, name: str, arguments: str) -> Any:
            if name == "uuid_bridge":
                note("join", arguments.split()[0])
            return run_api(switch, name, arguments)

        monkeypatch.setattr(blind_run, "look", looking)
        monkeypatch.setattr(SimulatedSwitch, "run_api", running)
        playing = stage(undecided(), settings=SOON)
        alice, bob = talking(playing)
        bob.refers("<sip:1002@example.org>")
        playing.until(lambda: bob.notifies and alice.hears == "1001", 20.0)
        return left

    return play


def test_none_fires_before_the_two_talk(left_s: Callable[[], dict[str, float]]) -> None:
    """It would send the transferee elsewhere, and FreeSWITCH would hang both up."""
    left = left_s()
    assert left["look"] < A_JOIN_S <= left["join"]


def test_who_is_late_moves_them_before_it_looks(
    left_s: Callable[[], dict[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it sees then holds until it has acted."""
    monkeypatch.setattr(Timing, "about_to_fire", True)
    assert left_s()["look"] >= A_JOIN_S


def test_when_they_are_about_to_fire(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(timing.time, "monotonic", lambda: now)
    session: Any = SimpleNamespace(settings=SOON)
    transferee, transferor = (
        cast(Leg, SimpleNamespace(alive=True, channel_uuid=uuid)) for uuid in ("u-1", "u-2")
    )
    ours = Timing(session, transferee, transferor, None)
    ours.wait(5.0)
    of_dialplan = Timing(session, transferee, transferor, 30.0)
    assert not ours.about_to_fire and not of_dialplan.about_to_fire
    now += 4.9  # a decision in time
    assert not ours.about_to_fire
    now += 1.0
    assert ours.about_to_fire and not of_dialplan.about_to_fire
    ours.wait(5.0)
    assert not ours.about_to_fire
    now += 15.0
    assert ours.about_to_fire and of_dialplan.about_to_fire
    ours.end()
    assert not ours.about_to_fire
