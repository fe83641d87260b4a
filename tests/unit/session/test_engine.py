"""The loop that transfers run by: a deadline for each state, a log line for each step."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fsctl.session.core.clock import Timer
from fsctl.session.core.session import Session
from fsctl.session.transfers.engine import Engine
from fsctl.sip.status import SipStatus

LOGGER = "fsctl.session.transfers.engine"


class State(Enum):
    OPEN = "open"
    SHUT = "shut"


class Stimulus(Enum):
    PUSH = "a push"
    KNOCK = "a knock"
    DEADLINE = "the deadline passes"


class Action(Enum):
    CREAK = "creak"
    BANG = "bang"


@dataclass(frozen=True)
class Door:
    state: State = State.OPEN
    why: SipStatus | None = None
    knocks: int = 0

    def __str__(self) -> str:
        return f"{self.state.value}, because of {self.why}" if self.why else self.state.value


def step(
    door: Door, stimulus: Stimulus, status: SipStatus | None = None
) -> tuple[Door, tuple[Action, ...]]:
    if door.state is State.SHUT:
        return door, ()
    if stimulus is Stimulus.KNOCK:
        return replace(door, knocks=door.knocks + 1), ()
    return replace(door, state=State.SHUT, why=status), (Action.CREAK, Action.BANG)


class Hinges:
    """What the engine needs of a session: an id, and timers that are run by hand."""

    id = "S"

    def __init__(self) -> None:
        self.timers: list[tuple[float, Timer]] = []

    def after(self, seconds: float, callback: Callable[[], None]) -> Timer:
        clock = SimpleNamespace(call_later=lambda *_: SimpleNamespace(cancel=lambda: None))
        timer = Timer(cast(Any, clock), seconds, callback, lambda work: work())
        self.timers.append((seconds, timer))
        return timer

    def pending(self) -> list[float]:
        return [seconds for seconds, timer in self.timers if timer.is_pending]

    def pass_time(self) -> None:
        for _, timer in self.timers:
            timer._run()


class Keeper:
    def __init__(self, seconds: float | None = 5.0) -> None:
        self.hinges, self.done = Hinges(), list[Action]()
        self.seen: list[Door] = []
        self.engine: Engine[Door, Stimulus, Action] = Engine(
            cast(Session, self.hinges),
            "id of the door",
            "door",
            Door(),
            step,
            act=self._act,
            seconds=lambda door: seconds if door.state is State.OPEN else None,
            expired=lambda: self.engine.feed(Stimulus.DEADLINE, SipStatus(480)),
        )

    def _act(self, actions: tuple[Action, ...]) -> None:
        self.seen.append(self.engine.snapshot)
        self.done += actions


def test_actions_are_performed_in_order_in_the_new_state():
    keeper = Keeper()
    assert keeper.engine.feed(Stimulus.PUSH)
    assert keeper.done == [Action.CREAK, Action.BANG]
    assert [door.state for door in keeper.seen] == [State.SHUT]


def test_a_deadline_runs_from_the_beginning_and_ends_with_its_state():
    keeper = Keeper()
    assert keeper.hinges.pending() == [5.0]
    keeper.engine.feed(Stimulus.PUSH)
    assert keeper.hinges.pending() == []
    keeper.hinges.pass_time()
    assert keeper.engine.snapshot.why is None


def test_a_deadline_that_passes_is_fed():
    keeper = Keeper()
    keeper.hinges.pass_time()
    assert keeper.engine.snapshot == Door(State.SHUT, SipStatus(480))


def test_a_step_within_a_state_keeps_its_deadline_unless_the_wait_begins_anew():
    keeper = Keeper()
    keeper.engine.feed(Stimulus.KNOCK)
    assert len(keeper.hinges.timers) == 1 and keeper.engine.snapshot.knocks == 1
    keeper.engine.set_deadline()
    assert len(keeper.hinges.timers) == 2 and keeper.hinges.pending() == [5.0]


def test_a_state_without_a_bound_has_no_timer():
    assert Keeper(seconds=None).hinges.timers == []


def test_what_the_table_has_no_answer_to_is_ignored(caplog: pytest.LogCaptureFixture):
    keeper = Keeper()
    keeper.engine.feed(Stimulus.PUSH)
    caplog.clear()  # another test may have left this logger at INFO
    with caplog.at_level(logging.DEBUG, LOGGER):
        assert not keeper.engine.feed(Stimulus.KNOCK)
    assert caplog.messages == ["S door: a knock: ignored, shut"]
    assert keeper.done == [Action.CREAK, Action.BANG]


def test_each_step_is_one_line(caplog: pytest.LogCaptureFixture):
    keeper = Keeper()
    with caplog.at_level(logging.INFO, LOGGER):
        keeper.engine.feed(Stimulus.PUSH, SipStatus(486))
    assert caplog.messages == ["S door: a push: open -> shut, because of 486 Busy Here"]
