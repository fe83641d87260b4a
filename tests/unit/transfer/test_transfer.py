"""The transfer table: every row by name, and what must hold on every path through it."""

from __future__ import annotations

from itertools import product

import pytest

from fsctl.sip.status import SipStatus
from fsctl.transfer.transfer import (
    DEADLINE_STATUS,
    DEADLINES,
    OPEN,
    TABLE,
    Action,
    State,
    Stimulus,
    Transfer,
    step,
)

S, E, A = State, Stimulus, Action
NOTIFIES = {A.NOTIFY_SUCCESS, A.NOTIFY_FAILURE}


def run(*stimuli: Stimulus | tuple[Stimulus, SipStatus]) -> tuple[Transfer, list[Action]]:
    transfer, done = Transfer(), []
    for stimulus in stimuli:
        name, status = stimulus if isinstance(stimulus, tuple) else (stimulus, None)
        transfer, actions = step(transfer, name, status)
        done += actions
    return transfer, done


def reachable() -> dict[Transfer, list[Action]]:
    """Every snapshot that any sequence of stimuli leads to, with the actions on one way there."""
    found: dict[Transfer, list[Action]] = {Transfer(): []}
    waiting = [Transfer()]
    while waiting:
        transfer = waiting.pop()
        for stimulus in Stimulus:
            following, actions = step(transfer, stimulus, SipStatus(486))
            if following not in found:
                found[following] = found[transfer] + list(actions)
                waiting.append(following)
    return found


@pytest.mark.parametrize(
    ("stimuli", "state", "actions", "reported"),
    [
        pytest.param(
            (E.TARGET_CALLED, E.TARGET_ANSWERED, E.LEGS_JOINED, E.TRANSFEROR_HANGUP),
            S.SUCCEEDED,
            [A.NOTIFY_SUCCESS, A.RELEASE_TRANSFEROR],
            200,
            id="answered",
        ),
        pytest.param(
            (E.TARGET_CALLED, (E.TARGET_FAILED, SipStatus(486)), E.LEGS_REJOINED),
            S.FAILED,
            [A.REJOIN, A.NOTIFY_FAILURE],
            486,
            id="busy",
        ),
        pytest.param((E.DEADLINE, E.LEGS_REJOINED), S.FAILED, None, 603, id="undecided"),
        pytest.param(
            (E.TARGET_CALLED, E.TRANSFEREE_KEPT, E.TARGET_FAILED, E.TRANSFEROR_HANGUP),
            S.SUCCEEDED,
            [A.NOTIFY_SUCCESS, A.RELEASE_TRANSFEROR],
            200,
            id="all targets fail, kept",
        ),
        pytest.param(
            (E.TARGET_CALLED, E.DEADLINE, E.LEGS_REJOINED),
            S.FAILED,
            [A.HANG_UP_TARGET, A.REJOIN, A.NOTIFY_FAILURE],
            480,
            id="no answer",
        ),
        pytest.param(
            (E.TARGET_CALLED, E.TRANSFEREE_HANGUP),
            S.ABANDONED,
            [A.HANG_UP_TARGET, A.NOTIFY_FAILURE, A.RELEASE_TRANSFEROR],
            487,
            id="transferee leaves",
        ),
        pytest.param(
            (E.TARGET_CALLED, E.TRANSFEREE_TAKEN, E.LEGS_JOINED, E.TRANSFEROR_HANGUP),
            S.SUCCEEDED,
            [A.HANG_UP_TARGET, A.NOTIFY_SUCCESS, A.RELEASE_TRANSFEROR],
            200,
            id="picked up",
        ),
        pytest.param(
            (E.TARGET_CALLED, E.TRANSFEREE_TAKEN, E.DEADLINE),
            S.ABANDONED,
            [A.HANG_UP_TARGET, A.NOTIFY_FAILURE, A.RELEASE_TRANSFEROR],
            487,
            id="taken to nobody",
        ),
        pytest.param(
            (E.TRANSFEROR_HANGUP, E.TARGET_CALLED, E.TRANSFEREE_TAKEN, E.TRANSFEREE_HANGUP),
            S.ABANDONED,
            [A.HANG_UP_TARGET],
            487,
            id="taken, with nobody to be told",
        ),
        pytest.param(
            (E.TRANSFEROR_HANGUP, E.TARGET_CALLED, E.TARGET_ANSWERED, E.LEGS_JOINED),
            S.SUCCEEDED,
            [],
            200,
            id="transferor leaves, target answers",
        ),
        pytest.param(
            (E.TRANSFEROR_HANGUP, E.TARGET_CALLED, E.TARGET_FAILED),
            S.FAILED,
            [A.RECALL],
            503,
            id="transferor leaves, target fails",
        ),
        pytest.param(
            (E.TARGET_CALLED, E.SUCCESS_REPORTED, E.TARGET_ANSWERED, E.LEGS_JOINED),
            S.RELEASING,
            [A.NOTIFY_SUCCESS, A.RELEASE_TRANSFEROR],
            200,
            id="reported early",
        ),
        pytest.param(
            (E.TARGET_CALLED, E.LEGS_JOINED, E.DEADLINE),
            S.SUCCEEDED,
            [A.NOTIFY_SUCCESS, A.RELEASE_TRANSFEROR, A.HANG_UP_TRANSFEROR],
            200,
            id="phone without BYE",
        ),
        pytest.param(
            (E.TARGET_CALLED, E.TARGET_FAILED, E.REJOIN_FAILED),
            S.FAILED,
            [A.REJOIN, A.NOTIFY_FAILURE, A.RECALL, A.RELEASE_TRANSFEROR],
            503,
            id="cannot be joined again",
        ),
        pytest.param(
            (E.TARGET_CALLED, E.TARGET_ANSWERED, E.LEGS_JOINED, E.JOIN_GIVEN_UP, E.LEGS_REJOINED),
            S.FAILED,
            [
                A.NOTIFY_SUCCESS,
                A.RELEASE_TRANSFEROR,
                A.KEEP_TRANSFEROR,
                A.REJOIN,
                A.NOTIFY_FAILURE,
            ],
            487,
            id="target leaves before the join is reported",
        ),
        pytest.param(
            (E.TARGET_CALLED, E.SUCCESS_REPORTED, E.TARGET_ANSWERED, E.JOIN_GIVEN_UP),
            S.RECONNECTING,
            [A.NOTIFY_SUCCESS, A.REJOIN],
            200,
            id="told early, and the target leaves before the join",
        ),
    ],
)
def test_story(stimuli, state, actions, reported):
    transfer, done = run(*stimuli)
    assert transfer.state is state
    assert transfer.reported is not None and transfer.reported.code == reported
    if actions is not None:
        assert done == actions


def test_own_phrase_is_reported():
    failed = (E.TARGET_FAILED, SipStatus(480, "Gone fishing"))
    transfer, _ = run(E.TARGET_CALLED, failed, E.LEGS_REJOINED)
    assert transfer.reported == SipStatus(480, "Gone fishing")


def test_every_open_state_has_a_deadline_and_a_way_out():
    assert set(DEADLINES) == OPEN
    for state in OPEN:
        assert (state, E.DEADLINE) in TABLE


def test_deadlines_that_report_have_a_status():
    for state in OPEN:
        following, _ = TABLE[state, E.DEADLINE]
        assert (following is S.RECONNECTING) == (state in DEADLINE_STATUS)


def test_closed_states_stay():
    for state, stimulus in product(set(State) - OPEN, Stimulus):
        transfer = Transfer(state=state)
        assert step(transfer, stimulus) == (transfer, ())


def test_switch_lost_abandons_every_open_state_but_that_of_success():
    for state in OPEN:
        following, actions = step(Transfer(state=state), E.SWITCH_LOST)
        assert following.state is (S.SUCCEEDED if state is S.RELEASING else S.ABANDONED)
        assert actions == ()


def test_the_result_is_no_success_that_was_reported_too_early():
    early, _ = step(Transfer(state=S.CALLING_TARGET), E.SUCCESS_REPORTED)
    failing, _ = step(early, E.TARGET_FAILED, SipStatus(486))
    failed, _ = step(failing, E.LEGS_REJOINED)
    assert failed.reported == SipStatus(200) and failed.result == SipStatus(486)
    lost, _ = step(early, E.SWITCH_LOST)
    assert lost.result == SipStatus(503)


def test_at_most_one_report_on_every_path():
    for transfer in reachable():
        for stimulus in Stimulus:
            _, actions = step(transfer, stimulus, SipStatus(486))
            sent = [action for action in actions if action in NOTIFIES]
            assert len(sent) <= (transfer.reported is None)


def test_only_a_join_given_up_takes_a_report_back():
    """It was FreeSWITCH's to make: the runner feeds it only when nothing has gone out."""
    for transfer in reachable():
        for stimulus in Stimulus:
            following, _ = step(transfer, stimulus, SipStatus(486))
            if transfer.reported is not None and following.reported is None:
                assert (transfer.state, stimulus) == (S.RELEASING, E.JOIN_GIVEN_UP)


def test_a_present_transferor_is_always_told_before_the_end():
    """Unless that is another controller's part."""
    for transfer in reachable():
        for stimulus in set(Stimulus) - {E.SWITCH_LOST, E.TAKEN}:
            following, _ = step(transfer, stimulus, SipStatus(486))
            if following.transferor_present and not following.is_open and transfer.is_open:
                assert following.reported is not None


def test_an_absent_transferor_is_left_alone():
    for transfer in reachable():
        if transfer.transferor_present:
            continue
        for stimulus in Stimulus:
            _, actions = step(transfer, stimulus, SipStatus(486))
            forbidden = NOTIFIES | {A.RELEASE_TRANSFEROR, A.HANG_UP_TRANSFEROR, A.REJOIN}
            assert not forbidden & set(actions)


def test_reconnecting_never_waits_for_an_absent_transferor():
    for transfer in reachable():
        if not transfer.transferor_present:
            assert transfer.state is not S.RECONNECTING


def test_every_state_is_reachable():
    assert {transfer.state for transfer in reachable()} == set(State)


def test_deadlines_end_every_path():
    for transfer in reachable():
        for _ in State:
            transfer, _ = step(transfer, E.DEADLINE)
        assert not transfer.is_open
