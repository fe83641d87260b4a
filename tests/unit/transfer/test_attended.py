"""The table of attended transfers: ways through it by name, and what must hold on all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from fsctl.sip.status import SipStatus
from fsctl.transfer.attended import (
    DEADLINES,
    OPEN,
    SEEKS,
    TABLE,
    Action,
    Attended,
    Place,
    State,
    Stimulus,
    step,
)

S, E, A = State, Stimulus, Action
BUSY = SipStatus(486)
UNGRANTED = [state for state in S if state in SEEKS]
QUIET = [state for state in UNGRANTED if state is not S.CALLING]
GRANTED = [state for state in S if state in OPEN - SEEKS]
GRANTS = (E.READ, E.ACCEPTED, E.TARGET_READY, E.CLAIMED)
ANSWERS = {A.ANSWER, A.REJECT}
"""What FreeSWITCH reports by: the first of them is the one report."""
ENDS = {A.LET_GO, A.HANG_UP_ALL, A.LET_BE, A.RELAX, A.CLOSE}
COUNTED = sorted(
    {*ANSWERS, *ENDS, A.JOIN, A.CLAIM, A.KEEP_TARGET, A.SEND_FOR}, key=lambda action: action.name
)
"""What is remembered of a way: how often each has been done, up to twice."""


def run(*stimuli: Stimulus, asked: bool = True) -> tuple[Attended, list[Action]]:
    transfer, done = Attended(asked=asked), []
    for stimulus in stimuli:
        status = BUSY if stimulus is E.TARGET_FAILED else None
        transfer, actions = step(transfer, stimulus, status)
        done += actions
    return transfer, done


def ways() -> Iterator[tuple[Attended, Stimulus, Attended, tuple[Action, ...], tuple[Action, ...]]]:
    """Each step of every way, with what has been done before it (each action counted to two)."""
    begins = [(Attended(asked=asked), ()) for asked in (True, False)]
    seen: set[tuple[Attended, tuple[Action, ...]]] = set(begins)
    waiting: list[tuple[Attended, tuple[Action, ...]]] = list(begins)
    while waiting:
        before, done = waiting.pop()
        for stimulus in Stimulus:
            after, actions = step(before, stimulus, BUSY)
            yield before, stimulus, after, actions, done
            # Whether it was answered or rejected first is all that matters of their order.
            counted = Counter(done + actions)
            first = [each for each in done + actions if each in ANSWERS][:1]
            rest = [each for each in COUNTED if each not in first]
            kept = [each for each in first + rest for _ in range(min(counted[each], 2))]
            key = (after, tuple(kept))
            if key not in seen:
                seen.add(key)
                waiting.append(key)


WAYS = list(ways())


@pytest.mark.parametrize(
    ("stimuli", "state", "actions", "code"),
    [
        pytest.param(
            (*GRANTS, E.BRIDGED_HERE, E.LEGS_JOINED),
            S.SUCCEEDED,
            [A.ASK, A.LOOK, A.CLAIM, A.ANSWER, A.JOIN, A.CLOSE],
            200,
            id="the callee transfers",
        ),
        pytest.param(
            (*GRANTS, E.BRIDGED, E.TRANSFEREE_HOME, E.LEGS_JOINED),
            S.SUCCEEDED,
            [A.ASK, A.LOOK, A.CLAIM, A.ANSWER, A.FETCH, A.JOIN, A.CLOSE],
            200,
            id="the caller transfers",
        ),
        pytest.param(
            (*GRANTS, E.BRIDGED, E.TRANSFEREE_HOME, E.HANDED_OVER),
            S.SUCCEEDED,
            [A.ASK, A.LOOK, A.CLAIM, A.ANSWER, A.FETCH, A.JOIN, A.CLOSE, A.ENTER_APPLICATION],
            200,
            id="into a conference",
        ),
        pytest.param(
            (E.READ, E.REFUSED), S.REFUSED, [A.ASK, A.REJECT, A.LET_BE], 403, id="refused"
        ),
        pytest.param(
            (E.DEADLINE, E.DEADLINE), S.REFUSED, [A.ASK, A.REJECT, A.LET_BE], 403, id="undecided"
        ),
        pytest.param((E.UNREADABLE,), S.REFUSED, [A.REJECT, A.LET_BE], 403, id="unreadable"),
        pytest.param(
            (E.READ, E.ACCEPTED, E.TARGET_FAILED),
            S.REFUSED,
            [A.ASK, A.LOOK, A.REJECT, A.LET_BE],
            486,
            id="the target is busy after all",
        ),
        pytest.param(
            (E.READ, E.ACCEPTED, E.TARGET_VANISHED, E.TAKEN_BACK, E.TARGET_READY),
            S.CLAIMING,
            [A.ASK, A.LOOK, A.CALL_TARGET, A.CLAIM],
            403,
            id="the second call is taken back, the target called anew",
        ),
        pytest.param(
            (E.READ, E.ACCEPTED, E.TAKEN_BACK, E.DEADLINE),
            S.REFUSED,
            [A.ASK, A.LOOK, A.CALL_TARGET, A.REJECT, A.STOP_TARGET, A.LET_BE],
            403,
            id="called anew, it rings for ever",
        ),
        pytest.param(
            (*GRANTS[:3], E.OVERTAKEN),
            S.REFUSED,
            [A.ASK, A.LOOK, A.CLAIM, A.REJECT, A.LET_BE],
            403,
            id="a blind REFER overtakes it",
        ),
        pytest.param(
            (E.READ, E.TRANSFEROR_LEFT, E.ACCEPTED, E.TRANSFEREE_HOME, E.TARGET_READY),
            S.JOINING,
            [A.ASK, A.SEND_FOR, A.LOOK, A.RINGBACK, A.REJECT, A.JOIN],
            403,
            id="the transferor leaves while the target rings",
        ),
        pytest.param(
            (E.READ, E.ACCEPTED, E.REPLACED_LEFT, E.TRANSFEROR_LEFT, E.TARGET_READY),
            S.COMING_HOME,
            [A.ASK, A.LOOK, A.KEEP_TARGET, A.SEND_FOR, A.REJECT],
            403,
            id="it hangs up both at once",
        ),
        pytest.param(
            (*GRANTS, E.TRANSFEROR_LEFT, E.LOOPBACK_GONE, E.NOT_BRIDGED),
            S.COMING_HOME,
            [A.ASK, A.LOOK, A.CLAIM, A.ANSWER, A.ASK_BRIDGED, A.REJECT, A.FETCH],
            403,
            id="it leaves before FreeSWITCH has bridged the two",
        ),
        pytest.param(
            (*GRANTS, E.LOOPBACK_GONE, E.NOT_BRIDGED, E.DEADLINE, E.NOT_BRIDGED),
            S.REFUSED,
            [A.ASK, A.LOOK, A.CLAIM, A.ANSWER, *[A.ASK_BRIDGED] * 2, A.REJECT, A.RESTORE, A.LET_BE],
            403,
            id="the loopback goes, and nobody has left",
        ),
        pytest.param(
            (*GRANTS, E.BRIDGED_HERE, E.TARGET_LEFT, E.NOT_JOINED),
            S.BROKEN,
            [A.ASK, A.LOOK, A.CLAIM, A.ANSWER, A.JOIN, A.ASK_JOINED, A.HANG_UP_ALL],
            503,
            id="the target leaves before the join",
        ),
        pytest.param(
            (*GRANTS, E.SESSION_ENDS),
            S.ABANDONED,
            [A.ASK, A.LOOK, A.CLAIM, A.ANSWER, A.LET_GO],
            503,
            id="the controller ends when it has granted",
        ),
    ],
)
def test_a_way_through_it(
    stimuli: tuple[Stimulus, ...], state: State, actions: list[Action], code: int
) -> None:
    transfer, done = run(*stimuli)
    assert transfer.state is state
    assert done == actions
    assert transfer.result.code == code


@pytest.mark.parametrize(
    ("state", "stimulus", "following", "actions"),
    [
        (S.VANISHED, E.TARGET_FAILED, S.REFUSED, (A.REJECT, A.LET_BE)),
        (S.CALLING, E.TARGET_FAILED, S.REFUSED, (A.REJECT, A.LET_BE)),
        (S.DOUBTED, E.BRIDGED_HERE, S.JOINING, (A.JOIN,)),
        (S.DOUBTED, E.BRIDGED, S.COMING_HOME, (A.FETCH,)),
        (S.DOUBTED, E.TRANSFEROR_LEFT, S.DOUBTED, (A.ASK_BRIDGED,)),
        (S.COMING_HOME, E.LEGS_JOINED, S.SUCCEEDED, (A.CLOSE,)),
        (S.COMING_HOME, E.TRANSFEREE_LEFT, S.COMING_HOME, (A.ASK_JOINED,)),
        (S.COMING_HOME, E.TARGET_LEFT, S.COMING_HOME, (A.ASK_JOINED,)),
        (S.JOINING, E.TRANSFEREE_LEFT, S.JOINING, (A.ASK_JOINED,)),
        (S.JOINING, E.JOIN_FAILED, S.JOINING, (A.ASK_JOINED,)),
        *[(state, E.TRANSFEREE_LEFT, S.REFUSED, (A.REJECT, A.LET_BE)) for state in QUIET],
        (S.CALLING, E.TRANSFEREE_LEFT, S.REFUSED, (A.REJECT, A.STOP_TARGET, A.LET_BE)),
        *[
            (state, E.TRANSFEREE_LEFT, S.REFUSED, (A.REJECT, A.RESTORE, A.LET_BE))
            for state in (S.CLAIMING, S.ANSWERED, S.DOUBTED)
        ],
        *[(state, E.GIVES_WAY, S.REFUSED, (A.REJECT, A.LET_BE)) for state in QUIET],
        *[(state, E.SESSION_ENDS, S.REFUSED, (A.REJECT, A.RELAX)) for state in UNGRANTED],
        *[
            (state, E.SESSION_ENDS, S.ABANDONED, (A.LET_GO,))
            for state in S
            if state in OPEN - SEEKS
        ],
        *[
            (state, E.SESSION_EMPTY, S.ABANDONED, (A.HANG_UP_ALL,))
            for state in S
            if state in OPEN - SEEKS
        ],
    ],
)
def test_a_step(
    state: State, stimulus: Stimulus, following: State, actions: tuple[Action, ...]
) -> None:
    transfer, done = step(Attended(state), stimulus, BUSY)
    assert (transfer.state, done) == (following, actions)


def test_what_nobody_asked_about_cannot_be_called_anew() -> None:
    """The transferor was gone before FreeSWITCH could ask: the Refer-To is known to nobody."""
    transfer, done = run(E.TRANSFEROR_LEFT, E.READ, E.ACCEPTED, E.TAKEN_BACK, asked=False)
    assert transfer.state is S.REFUSED and A.CALL_TARGET not in done


def test_the_loopback_goes_with_its_transferor() -> None:
    """It is no refusal then; while the transferor is there, it is one."""
    assert run(E.READ, E.TRANSFEROR_LEFT, E.LOOPBACK_GONE)[0].is_open
    assert run(E.READ, E.LOOPBACK_GONE)[0].state is S.REFUSED


def test_every_row_and_every_state_is_reached() -> None:
    assert set(TABLE) <= {(before.state, stimulus) for before, stimulus, *_ in WAYS}
    assert {after.state for _, _, after, *_ in WAYS} == set(State)


def test_every_open_state_ends_by_its_deadlines() -> None:
    """When nothing more is heard, and each question is answered by the worse news."""
    worse = {
        A.CLAIM: E.CLAIMED,
        A.ASK: E.ACCEPTED,
        A.ASK_BRIDGED: E.NOT_BRIDGED,
        A.ASK_JOINED: E.NOT_JOINED,
        A.CALL_TARGET: None,
    }
    assert set(DEADLINES) == OPEN
    for start in {after for _, _, after, *_ in WAYS if after.is_open}:
        transfer, stimulus, deadlines = start, E.DEADLINE, 0
        while transfer.is_open:
            assert deadlines <= 5, start
            deadlines += stimulus is E.DEADLINE
            transfer, actions = step(transfer, stimulus)
            known = [worse[action] for action in actions if worse.get(action)]
            stimulus = known[-1] if known else E.DEADLINE


def test_a_final_state_is_final() -> None:
    for before, _, after, actions, _ in WAYS:
        if not before.is_open:
            assert after == before and not actions


def test_one_report() -> None:
    """FreeSWITCH reports what the loopback comes to first: nothing is granted after a refusal."""
    for _, _, after, actions, before in WAYS:
        done = before + actions
        assert done.count(A.ANSWER) <= 1
        if A.REJECT in before and A.ANSWER not in before:
            assert A.ANSWER not in actions
        if not after.is_open:
            assert not {A.ANSWER, A.REJECT, A.LET_GO, A.HANG_UP_ALL}.isdisjoint(done)


def test_nobody_is_joined_twice_or_after_a_refusal() -> None:
    for _, _, after, actions, before in WAYS:
        done = before + actions
        assert done.count(A.JOIN) <= 1 and done.count(A.CLAIM) <= 1
        assert done.count(A.KEEP_TARGET) <= 1 and done.count(A.SEND_FOR) <= 1
        if after.state is S.REFUSED:
            assert A.JOIN not in done and {A.LET_BE, A.RELAX} & set(done)
        if after.state is S.SUCCEEDED:
            assert A.CLOSE in done
        if A.JOIN in actions:
            granted = A.ANSWER in before or not after.transferor_present
            assert granted


def test_nobody_is_hung_up_before_a_grant() -> None:
    for before, _, _, actions, _ in WAYS:
        if A.HANG_UP_ALL in actions:
            assert before.state not in SEEKS


def test_who_has_not_come_is_not_joined_from_afar() -> None:
    """Where the transferor has left, only a transferee with a link of its own can be joined."""
    for before, stimulus, after, actions, _ in WAYS:
        if A.JOIN in actions and stimulus not in (E.BRIDGED_HERE, E.TRANSFEREE_HOME):
            assert before.transferee is Place.HOME and not after.transferor_present
