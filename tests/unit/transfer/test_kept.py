"""The table of transfers in which the first two talk on: every path through it, and what holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from fsctl.sip.status import SipStatus
from fsctl.transfer.kept import (
    CLOSED,
    DEADLINES,
    OPEN,
    TABLE,
    UNBOUNDED,
    Action,
    Kept,
    Place,
    State,
    Stimulus,
    step,
)
from tests.unit.transfer.model import Broken, Move, explore

S, E, A = State, Stimulus, Action
BUSY = SipStatus(486)
TELLS = {A.TELL_SUCCESS, A.TELL_FAILURE}
ALONE = Kept(transferor_present=False, transferee=Place.ELSEWHERE)


def run(*stimuli: Stimulus, start: Kept | None = None) -> tuple[Kept, list[Action]]:
    kept, done = start or Kept(), list[Action]()
    for stimulus in stimuli:
        kept, actions = step(kept, stimulus, BUSY if stimulus is E.TARGET_FAILED else None)
        done += actions
    return kept, done


@pytest.mark.parametrize(
    ("stimuli", "actions", "told"),
    [
        pytest.param(
            (E.TARGET_FAILED,), [A.TELL_FAILURE, A.LET_BE, A.CONCLUDE], 486, id="nobody is moved"
        ),
        pytest.param(
            (E.TRANSFEROR_HANGUP, E.TRANSFEREE_HOME, E.TARGET_FAILED),
            [A.RINGBACK, A.TELL_FAILURE, A.RECALL, A.CONCLUDE],
            486,
            id="the transferor is called again",
        ),
        pytest.param(
            (E.TRANSFEROR_HANGUP, E.TARGET_FAILED, E.TRANSFEREE_HOME),
            [A.TELL_FAILURE, A.RECALL, A.CONCLUDE],
            486,
            id="as soon as its transferee has come",
        ),
        pytest.param(
            (E.TRANSFEROR_HANGUP, E.TRANSFEREE_HOME, E.TARGET_ANSWERED, E.LEGS_JOINED),
            [A.RINGBACK, A.JOIN, A.TELL_SUCCESS, A.CONCLUDE],
            200,
            id="the target talks with who has waited",
        ),
        pytest.param(
            (E.TARGET_ANSWERED, E.TARGET_FAILED, E.TRANSFEREE_HOME, E.LEGS_REJOINED),
            [A.JOIN, A.FETCH, A.HANG_UP_TARGET, A.REJOIN, A.TELL_FAILURE, A.LET_BE, A.CONCLUDE],
            487,
            id="the target leaves as it is joined",
        ),
    ],
)
def test_a_way_through_it(stimuli: tuple[Stimulus, ...], actions: list[Action], told: int) -> None:
    kept, done = run(E.TALKING, *stimuli)
    assert done == [A.KEEP, A.CALL, *actions]
    assert not kept.is_open
    assert kept.reported is not None and (kept.reported.code, kept.result.code) == (told, told)


# -- every path ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tally:
    """What matters of the past."""

    told: int = 0
    called: bool = False
    stopped: bool = False
    joined: bool = False
    ended: int = 0


def counted(tally: Tally, move: Move[Kept, Action]) -> Tally:
    before, after, actions = move.before, move.after, move.actions
    told = tally.told + sum(action in TELLS for action in actions)
    joined = tally.joined or move.happened is E.LEGS_JOINED
    called = tally.called or A.CALL in actions
    stopped = tally.stopped or A.HANG_UP_TARGET in actions or move.happened is E.TARGET_FAILED
    ended = tally.ended + len({A.CONCLUDE, A.LEAVE_RECORD} & {*actions})
    rules = {
        "told twice": told > 1,
        "success without a talk": A.TELL_SUCCESS in actions and not joined,
        "a failure after the join": A.TELL_FAILURE in actions and joined,
        "ended twice, or without an end": ended != (after.state in CLOSED),
        "untold": after.state in CLOSED and not told and A.LEAVE_RECORD not in actions,
        "called twice": tally.called and A.CALL in actions,
        "the target rings for nobody": after.state in (S.FAILED, S.COMING_HOME)
        and called
        and not stopped
        and not joined,
        "released before it is told": A.RELEASE in actions and not told,
        "joined with who has gone": A.REJOIN in actions and not before.transferor_present,
        "left alone with us": after.state is S.FAILED
        and after.transferee is Place.HOME
        and move.happened not in (E.OVERTAKEN, E.TRANSFEREE_HANGUP, E.DEADLINE)
        and before.state is not S.COMING_HOME
        and A.RECALL not in actions,
    }
    for rule, is_broken in rules.items():
        if is_broken:
            raise Broken(rule)
    return replace(
        tally, told=told, called=called, stopped=stopped, joined=joined, ended=min(ended, 2)
    )


def moves(kept: Kept) -> Iterator[list[Move[Kept, Action]]]:
    for stimulus in Stimulus:
        if kept.state is S.ASKED and stimulus not in (E.PARTED, E.TALKING):
            continue
        if stimulus is E.PARTED and kept.transferee is Place.ELSEWHERE:
            continue
        after, actions = step(kept, stimulus, BUSY if stimulus is E.TARGET_FAILED else None)
        if (after, actions) != (kept, ()):
            yield [Move(kept, stimulus, after, actions)]


ALL = [*explore([(Kept(), Tally()), (ALONE, Tally())], moves, counted)]


def test_every_row_and_every_state_is_reached() -> None:
    assert set(TABLE) <= {(move.before.state, move.happened) for move in ALL}
    assert {move.after.state for move in ALL} == set(State) - {S.ASKED}


def test_every_open_state_ends_by_its_deadlines() -> None:
    assert {*DEADLINES, *UNBOUNDED} == OPEN
    for start in {move.after for move in ALL if move.after.is_open}:
        kept, deadlines = start, 0
        while kept.is_open:
            kept, _ = step(kept, E.DEADLINE)
            deadlines += 1
            assert deadlines <= 3, start


def test_a_final_state_is_final() -> None:
    for closed in {move.after for move in ALL if not move.after.is_open}:
        assert all(step(closed, stimulus) == (closed, ()) for stimulus in Stimulus)
