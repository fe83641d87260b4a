"""The table of the native transfer, and what must hold on every path through it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from fsctl.sip.status import SipStatus
from fsctl.transfer.native import (
    DEADLINES,
    OPEN,
    TABLE,
    UNBOUNDED,
    Action,
    Snapshot,
    State,
    Stimulus,
    doubts,
    step,
)
from tests.unit.transfer.model import Broken, Move, explore

S, E, A = State, Stimulus, Action
BUSY = SipStatus(486)


@pytest.mark.parametrize(
    ("stimuli", "state", "result", "actions"),
    [
        pytest.param(
            (E.BRIDGED, E.DEADLINE), S.SUCCEEDED, 200, [A.CONCLUDE, A.GIVE_AWAY], id="answered"
        ),
        pytest.param((E.REJOINED,), S.FAILED, 486, [A.CONCLUDE, A.PAIR], id="busy"),
        pytest.param(
            (E.BRIDGED, E.REJOINED), S.FAILED, 486, [A.CONCLUDE, A.PAIR], id="a join given up"
        ),
        pytest.param(
            (E.TRANSFEREE_HANGUP,),
            S.FAILED,
            487,
            [A.CONCLUDE, A.TELL_AND_RELEASE],
            id="the transferee leaves",
        ),
        pytest.param(
            (E.BRIDGED, E.TRANSFEREE_HANGUP),
            S.SUCCEEDED,
            200,
            [A.CONCLUDE, A.GIVE_AWAY],
            id="answered, and over at once",
        ),
        pytest.param(
            (E.BRIDGED, E.RECALLED),
            S.FAILED,
            480,
            [A.CONCLUDE, A.GIVE_AWAY],
            id="the transferor is called again",
        ),
        pytest.param(
            (E.HANDED_OVER,),
            S.ABANDONED,
            503,
            [A.LEAVE_RECORD, A.GIVE_AWAY],
            id="the session ends",
        ),
        pytest.param(
            (E.BRIDGED, E.BRIDGED, E.HANDED_OVER),
            S.ABANDONED,
            503,
            [A.LEAVE_RECORD, A.GIVE_AWAY],
            id="the session ends at the join",
        ),
    ],
)
def test_story(stimuli, state, result, actions):
    snapshot, done = Snapshot(), list[Action]()
    for stimulus in stimuli:
        snapshot, made = step(snapshot, stimulus, BUSY)
        done += made
    assert (snapshot.state, snapshot.result.code, done) == (state, result, actions)


def test_whether_the_transferor_was_recalled_is_asked_when_a_join_has_settled():
    settling, _ = step(Snapshot(), E.BRIDGED)
    assert {each for each in Stimulus if doubts(settling, each)} == {
        E.DEADLINE,
        E.TRANSFEREE_HANGUP,
    }
    assert not any(doubts(Snapshot(), each) for each in Stimulus)


# -- every path -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tally:
    """What has become of a transfer on a path."""

    records: int = 0
    released: bool = False
    """Nobody waits for this session any more: they talk, or are another's, or were told."""


def moves(snapshot: Snapshot) -> Iterator[list[Move[Snapshot, Action]]]:
    for stimulus in Stimulus:
        after, actions = step(snapshot, stimulus, BUSY)
        yield [Move(snapshot, stimulus, after, actions)]


def count(tally: Tally, move: Move[Snapshot, Action]) -> Tally:
    done = move.actions
    settled = {A.PAIR, A.TELL_AND_RELEASE, A.GIVE_AWAY} & set(done)
    tally = replace(
        tally,
        records=tally.records + len({A.CONCLUDE, A.LEAVE_RECORD} & set(done)),
        released=tally.released or bool(settled),
    )
    if len(settled) > 1:
        raise Broken("a transferee is in one place")
    if tally.records != (not move.after.is_open) or tally.released != (not move.after.is_open):
        raise Broken("one record a transfer, and nobody forgotten, when it ends and not before")
    if (A.LEAVE_RECORD in done) != (move.after.state is S.ABANDONED and move.before.is_open):
        raise Broken("the record of what goes on without us is not ours")
    return tally


def every_move() -> list[Move[Snapshot, Action]]:
    return list(explore([(Snapshot(), Tally())], moves, count))


@pytest.fixture(scope="module")
def explored() -> list[Move[Snapshot, Action]]:
    return every_move()


def test_every_state_row_and_action_is_reached(explored):
    assert {move.after.state for move in explored} == set(State)
    assert {(move.before.state, move.happened) for move in explored} >= set(TABLE)
    assert {action for move in explored for action in move.actions} == set(Action)


def test_each_row_leads_where_it_says(explored):
    for move in explored:
        row = TABLE.get((move.before.state, move.happened), (move.before.state, ()))
        assert (move.after.state, move.actions) == row


def test_every_open_state_has_a_deadline_that_ends_it_or_a_reason_why_not(explored):
    assert {state for state in State if any(known is state for known, _ in TABLE)} == OPEN
    assert set(DEADLINES) ^ set(UNBOUNDED) == OPEN
    for state in DEADLINES:
        assert not step(Snapshot(state), E.DEADLINE)[0].is_open
    for state in UNBOUNDED:
        assert (state, E.DEADLINE) not in TABLE


def test_the_end_of_party_or_session_ends_every_open_state(explored):
    for state in OPEN:
        for stimulus in (E.TRANSFEREE_HANGUP, E.REJOINED, E.HANDED_OVER):
            assert not step(Snapshot(state), stimulus, BUSY)[0].is_open


def test_a_success_is_one_and_a_failure_is_none(explored):
    for move in explored:
        if not move.after.is_open:
            assert move.after.result.is_success is (move.after.state is S.SUCCEEDED)


def test_closed_states_stay(explored):
    for move in explored:
        if not move.before.is_open:
            assert (move.after, move.actions) == (move.before, ())
