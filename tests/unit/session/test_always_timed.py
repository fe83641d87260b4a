"""We may die behind any write: whom FreeSWITCH keeps parked has a timer there at each of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from fsctl.esl.commands import Command
from fsctl.esl.connection import Connection
from fsctl.scenario import BlindTransferRequested, Scenario
from fsctl.scenario.loader import load
from fsctl.simulator import bridge
from fsctl.simulator.channel import Channel
from fsctl.stage import Stage

SAMPLE = Path(__file__).parents[3] / "examples" / "call_user_transfer.py"
CAROL = "<sip:1002@example.org>"


class Writes:
    """What the controller writes at a time, and whom timers in FreeSWITCH belong to by then."""

    def __init__(self) -> None:
        self.made: list[list[str]] = []

    def note(self, commands: Sequence[Command]) -> None:
        """One write."""
        self.made.append([b" ".join(each.encode().split()).decode() for each in commands])

    def untimed(self, transferor: str) -> list[list[str]]:
        """The writes behind which that leg, which is parked and armed at first, has no timer."""
        found, timed, parked = [], True, True
        for write in self.made:
            for line in write:
                words = [*line.split(), "", "", ""]
                if words[1:3] == ["sched_del", transferor]:
                    timed = False
                if words[1] in ("sched_api", "sched_hangup") and words[3] == transferor:
                    timed = True
                if words[1] == "uuid_bridge" and transferor in words:
                    parked = False
            if parked and not timed:
                found.append(write)
        return found


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> Writes:
    made, transmit = Writes(), Connection._transmit

    def noted(link: Connection, commands: Sequence[Command], *more: Any) -> None:
        made.note(commands)
        transmit(link, commands, *more)

    monkeypatch.setattr(Connection, "_transmit", noted)
    return made


def answers(playing: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The target does."""


def is_busy(playing: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The target is."""
    playing.party("1002").refuses(486, "Busy Here")


def leaves_at_its_join(playing: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The target leaves, and FreeSWITCH has told nobody of its join."""
    joining = bridge._introduce

    def leave(caller: Channel, peer: Channel) -> None:
        joining(caller, peer)
        if "1002" in peer.name:
            bridge.hang_up(peer, "NORMAL_CLEARING")

    monkeypatch.setattr(bridge, "_introduce", leave)


def transferee_leaves(playing: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the target rings."""
    playing.party("1002").rings()
    playing.switch.clock.call_later(3.0, lambda: playing.party("1000").phone.hangs_up())


def undecided() -> Scenario:
    """Nobody decides."""
    scenario = Scenario()
    scenario.on(BlindTransferRequested)(lambda event: None)
    return scenario


@pytest.mark.parametrize(
    "made",
    [lambda: None, lambda: load(SAMPLE), undecided],
    ids=["settings", "scenario", "undecided"],
)
@pytest.mark.parametrize("happens", [answers, is_busy, leaves_at_its_join, transferee_leaves])
def test_a_parked_transferor_has_a_timer_behind_each_write(
    stage: Callable[..., Stage],
    monkeypatch: pytest.MonkeyPatch,
    writes: Writes,
    happens: Callable[[Stage, pytest.MonkeyPatch], None],
    made: Callable[[], Scenario | None],
) -> None:
    playing = stage(made())
    alice, bob = playing.phone("1000"), playing.phone("1001")
    playing.phone("1002")
    alice.calls("1001")
    playing.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    (transferor,) = (each.uuid for each in playing.switch.channels.values() if "1001" in each.name)
    writes.made.clear()
    happens(playing, monkeypatch)
    bob.refers(CAROL)
    playing.until(lambda: bob.notifies)
    playing.until(lambda: bob.hears == "1000" or not bob.in_call)
    assert len(bob.notifies) == 1
    assert writes.made and not writes.untimed(transferor)
