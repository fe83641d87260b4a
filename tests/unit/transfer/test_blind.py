"""The table of the blind transfer: stories by name, and what must hold on every path through it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import pytest

from fsctl.sip.status import SipStatus
from fsctl.transfer.blind import Snapshot, Teller, admit, answers, step
from fsctl.transfer.blind_table import (
    ANYWHERE,
    AWAITING_TARGET,
    CLOSED,
    DEADLINE_STATUS,
    DEADLINES,
    OPEN,
    TABLE,
    TIMERS,
    Action,
    State,
    Stimulus,
)
from fsctl.transfer.blind_truth import Elsewhere, News, Question, asks, in_truth
from tests.unit.transfer.model import Broken, Move, explore

S, E, A = State, Stimulus, Action
NOTIFIES = {A.NOTIFY_SUCCESS, A.NOTIFY_FAILURE}
TIMER_ACTIONS = {A.SET_TIMERS, A.SET_ONE_TIMER, A.DELETE_TIMERS}
ASIDE = TIMER_ACTIONS | {A.OWE_REPORT, A.TAKE_REPORT, A.CONCLUDE, A.LEAVE_RECORD}
"""What the rules add to the rows."""


def run(
    *stimuli: Stimulus | tuple[Stimulus, SipStatus], start: Snapshot | None = None
) -> tuple[Snapshot, list[Action]]:
    snapshot, done = start or Snapshot(), list[Action]()
    for stimulus in stimuli:
        name, status = stimulus if isinstance(stimulus, tuple) else (stimulus, None)
        snapshot, actions = step(snapshot, name, status)
        done += actions
    return snapshot, done


# -- stories --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stimuli", "state", "actions", "reported"),
    [
        pytest.param(
            (E.TARGET_CALLED, E.TARGET_ANSWERED, E.LEGS_JOINED, E.TRANSFEROR_HANGUP),
            S.SUCCEEDED,
            [A.NOTE_TOLD, A.RELEASE_TRANSFEROR],
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
        pytest.param(
            (E.DEADLINE, E.LEGS_REJOINED),
            S.FAILED,
            [A.BLAME, A.REJOIN, A.NOTIFY_FAILURE],
            603,
            id="undecided",
        ),
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
            (E.TARGET_CALLED, E.TRANSFEREE_TAKEN, E.JOINED_ELSEWHERE, E.TRANSFEROR_HANGUP),
            S.SUCCEEDED,
            [
                A.HANG_UP_TARGET,
                A.WATCH_TRANSFEREE,
                A.FORGET_TARGET,
                A.NOTE_TOLD,
                A.RELEASE_TRANSFEROR,
            ],
            200,
            id="picked up",
        ),
        pytest.param(
            (E.TARGET_CALLED, E.TRANSFEREE_TAKEN, E.DEADLINE),
            S.ABANDONED,
            [A.HANG_UP_TARGET, A.WATCH_TRANSFEREE, A.NOTIFY_FAILURE, A.RELEASE_TRANSFEROR],
            487,
            id="taken to nobody",
        ),
        pytest.param(
            (E.TRANSFEROR_HANGUP, E.TARGET_CALLED, E.TRANSFEREE_TAKEN, E.TRANSFEREE_HANGUP),
            S.ABANDONED,
            [A.HANG_UP_TARGET, A.WATCH_TRANSFEREE],
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
            [A.NOTE_TOLD, A.RELEASE_TRANSFEROR, A.HANG_UP_TRANSFEROR],
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
                A.NOTE_TOLD,
                A.RELEASE_TRANSFEROR,
                A.KEEP_TRANSFEROR,
                A.FORGET_TOLD,
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
        pytest.param(
            (E.TARGET_CALLED, E.TARGET_HELD, E.JOIN_ASKED, E.LEGS_JOINED, E.TRANSFEROR_HANGUP),
            S.SUCCEEDED,
            [A.NOTE_TOLD, A.RELEASE_TRANSFEROR],
            200,
            id="held and joined",
        ),
        pytest.param(
            (E.TARGET_CALLED, E.TARGET_HELD, E.SUCCESS_REPORTED, E.JOIN_ASKED, E.LEGS_JOINED),
            S.RELEASING,
            [A.NOTE_TOLD, A.RELEASE_TRANSFEROR],
            200,
            id="vouched for, and told by the join",
        ),
        pytest.param(
            (E.TARGET_CALLED, E.TARGET_HELD, E.SUCCESS_REPORTED, E.DEADLINE),
            S.RELEASING,
            [A.NOTIFY_SUCCESS, A.RELEASE_TRANSFEROR],
            200,
            id="vouched for, and not joined",
        ),
        pytest.param(
            (E.SUCCESS_REPORTED, E.TRANSFEROR_HANGUP),
            S.SUCCEEDED,
            [A.NOTIFY_SUCCESS, A.RELEASE_TRANSFEROR],
            200,
            id="kept by the application",
        ),
        pytest.param(
            (E.TARGET_CALLED, E.RINGS_ANEW, E.TARGET_ANSWERED, E.LEGS_JOINED),
            S.RELEASING,
            [A.BEGIN_ANEW, A.NOTE_TOLD, A.RELEASE_TRANSFEROR],
            200,
            id="rings at another address",
        ),
        pytest.param(
            (E.TARGET_CALLED, E.TARGET_CALLED, E.TARGET_HELD, E.DEADLINE, E.LEGS_REJOINED),
            S.FAILED,
            [A.BEGIN_ANEW, A.BLAME, A.HANG_UP_TARGET, A.REJOIN, A.NOTIFY_FAILURE],
            603,
            id="one of two is held, and no more",
        ),
        pytest.param(
            (E.BROKEN, E.LEGS_REJOINED),
            S.FAILED,
            [A.REJOIN, A.NOTIFY_FAILURE],
            503,
            id="an error leaves it undecided",
        ),
        pytest.param(
            (E.TARGET_CALLED, E.TARGET_HELD, E.TARGET_CALLED, E.TARGET_ANSWERED, E.LEGS_JOINED),
            S.RELEASING,
            [A.NOTE_TOLD, A.RELEASE_TRANSFEROR],
            200,
            id="held one target, and connected another",
        ),
        pytest.param(
            (E.TARGET_CALLED, (E.TARGET_FAILED, SipStatus(486)), E.HANDED_OVER),
            S.FAILED,
            [A.REJOIN, A.NOTIFY_FAILURE],
            486,
            id="the session ends as the first two are joined",
        ),
    ],
)
def test_story(stimuli, state, actions, reported):
    snapshot, done = run(*stimuli)
    assert snapshot.state is state
    assert snapshot.reported is not None and snapshot.reported.code == reported
    assert [action for action in done if action not in ASIDE] == actions


def test_own_phrase_is_reported():
    failed = (E.TARGET_FAILED, SipStatus(480, "Gone fishing"))
    snapshot, _ = run(E.TARGET_CALLED, failed, E.LEGS_REJOINED)
    assert snapshot.reported == SipStatus(480, "Gone fishing")


def test_the_result_is_no_success_that_was_reported_too_early():
    early, _ = run(E.TARGET_CALLED, E.SUCCESS_REPORTED)
    failed, _ = run((E.TARGET_FAILED, SipStatus(486)), E.LEGS_REJOINED, start=early)
    assert failed.reported == SipStatus(200) and failed.result == SipStatus(486)
    lost, _ = run(E.SWITCH_LOST, start=early)
    assert lost.result == SipStatus(503)


def test_freeswitch_is_left_the_report_as_long_as_it_makes_one():
    joined, done = run(E.TARGET_CALLED, E.TARGET_ANSWERED, E.LEGS_JOINED)
    assert joined.teller is Teller.SWITCH and A.NOTE_TOLD in done and A.TAKE_REPORT not in done
    early, done = run(E.TARGET_CALLED, E.SUCCESS_REPORTED)
    at = done.index(A.TAKE_REPORT)
    assert early.teller is Teller.US and done[at : at + 2] == [A.TAKE_REPORT, A.NOTIFY_SUCCESS]
    failed, done = run(E.TARGET_CALLED, E.TARGET_FAILED)
    assert failed.teller is Teller.US and done[-2:] == [A.OWE_REPORT, A.REJOIN]


def test_what_we_have_told_is_not_taken_back_by_a_target_that_leaves():
    told, _ = run(E.TARGET_CALLED, E.SUCCESS_REPORTED, E.LEGS_JOINED)
    assert told.state is S.RELEASING and not answers(told, E.JOIN_GIVEN_UP)
    assert step(told, E.JOIN_GIVEN_UP) == (told, ())


def test_who_has_not_asked_is_not_told_and_is_released_all_the_same():
    begun_by_keys = Snapshot(teller=Teller.NOBODY)
    joined, done = run(E.TARGET_CALLED, E.LEGS_JOINED, start=begun_by_keys)
    assert joined.state is S.RELEASING and done[-1] is A.RELEASE_TRANSFEROR
    failed, done = run(E.TARGET_CALLED, E.TARGET_FAILED, E.LEGS_REJOINED, start=begun_by_keys)
    assert failed.state is S.FAILED and A.REJOIN in done and A.RECALL not in done
    silent = {*NOTIFIES, A.NOTE_TOLD, A.FORGET_TOLD, A.OWE_REPORT, A.TAKE_REPORT}
    assert not silent & set(done)


# -- what the application may report --------------------------------------------------------------


def test_an_application_reports_once():
    reported, _ = run(E.TARGET_CALLED, E.SUCCESS_REPORTED)
    for again in (E.SUCCESS_REPORTED, E.TRANSFEREE_KEPT, E.FAILURE_REPORTED):
        with pytest.raises(ValueError, match="stands already"):
            admit(reported, again, SipStatus(486))
        assert step(reported, again) == (reported, ())


@pytest.mark.parametrize("state", [S.JOINING, S.RELEASING, S.SUCCEEDED])
def test_a_join_is_the_report(state):
    joined = Snapshot(state=state)
    assert admit(joined, E.SUCCESS_REPORTED)
    reported, done = step(joined, E.SUCCESS_REPORTED)
    assert reported == replace(joined, application_reported=True) and done == ()
    with pytest.raises(ValueError, match="stands already"):
        admit(joined, E.FAILURE_REPORTED, SipStatus(486))


@pytest.mark.parametrize("state", [S.TAKEN, S.RECONNECTING, S.FAILED, S.ABANDONED])
def test_when_a_party_has_left_it_is_too_late(state):
    left = Snapshot(state=state)
    assert not admit(left, E.SUCCESS_REPORTED)
    assert not admit(left, E.FAILURE_REPORTED, SipStatus(486))


def test_a_failure_is_no_success():
    with pytest.raises(ValueError, match="200 is not a failure"):
        admit(Snapshot(), E.FAILURE_REPORTED, SipStatus(200))


def test_a_failure_that_is_overtaken_counts_as_the_report():
    held = Snapshot(state=S.HOLDING_TARGET)
    happened = in_truth(held, E.FAILURE_REPORTED, SipStatus(486), News(joined=True))
    joined, done = run(*(stimulus for stimulus, _ in happened), start=held)
    assert joined.state is S.RELEASING and A.NOTE_TOLD in done
    with pytest.raises(ValueError, match="stands already"):
        admit(joined, E.SUCCESS_REPORTED)


# -- what FreeSWITCH is asked ---------------------------------------------------------------------


def test_before_a_failure_is_told_it_is_asked_whether_somebody_has():
    calling, _ = run(E.TARGET_CALLED)
    assert asks(calling, E.TARGET_FAILED, News()) is Question.ELSEWHERE
    assert asks(calling, E.TARGET_ANSWERED, News()) is None
    assert asks(calling, E.TARGET_FAILED, News(elsewhere=Elsewhere())) is None
    told, _ = run(E.TARGET_CALLED, E.SUCCESS_REPORTED)
    assert asks(told, E.TARGET_FAILED, News()) is None


def test_before_it_is_given_up_it_is_asked_whether_the_legs_talk():
    calling, _ = run(E.TARGET_CALLED)
    assert asks(calling, E.DEADLINE, News()) is Question.JOINED
    assert asks(calling, E.DEADLINE, News(joined=False)) is Question.ELSEWHERE
    assert asks(calling, E.DEADLINE, News(joined=True)) is None
    assert in_truth(calling, E.DEADLINE, None, News(joined=True)) == ((E.LEGS_JOINED, None),)
    assert asks(Snapshot(), E.DEADLINE, News()) is Question.ELSEWHERE
    rejoining, _ = run(E.TARGET_CALLED, E.TARGET_FAILED)
    assert in_truth(rejoining, E.DEADLINE, None, News(joined=True)) == ((E.LEGS_REJOINED, None),)
    for state in CLOSED:
        assert asks(Snapshot(state=state), E.GIVEN_UP, News()) is None


def test_a_failure_that_freeswitch_has_told_is_not_told_again():
    calling, _ = run(E.TARGET_CALLED)
    told = News(False, Elsewhere(told=SipStatus(486)))
    happened = in_truth(calling, E.TARGET_FAILED, SipStatus(503), told)
    assert happened == ((E.UNDONE, SipStatus(486)),)
    happened = in_truth(calling, E.TRANSFEREE_HANGUP, None, told)
    left, done = run(*(stimulus for stimulus, _ in happened), start=calling)
    assert left.state is S.ABANDONED and left.reported == SipStatus(487)
    assert A.RELEASE_TRANSFEROR in done and A.NOTIFY_FAILURE not in done


def test_what_was_reported_stands_when_nobody_is_there_to_be_told() -> None:
    """The application has reported success, its transferor has left, and the target fails."""
    told = SipStatus(200)
    before = Snapshot(S.CALLING_TARGET, transferor_present=False, reported=told)
    after, _ = step(before, E.TARGET_FAILED, SipStatus(486))
    assert (after.state, after.reported, after.result.code) == (S.FAILED, told, 486)


@pytest.mark.parametrize("before", [(), (E.TARGET_CALLED,), (E.TARGET_CALLED, E.TARGET_ANSWERED)])
def test_a_success_that_freeswitch_has_told_is_one(before: tuple[Stimulus, ...]):
    """A link that stood still, and was given up: the target was called, and talks."""
    start, _ = run(*before)
    told = News(False, Elsewhere(told=SipStatus(403), joined=True))
    (happened,) = in_truth(start, E.GIVEN_UP, SipStatus(500), told)
    after, done = run(happened[0], start=start)
    assert after.state is S.RELEASING and after.reported == SipStatus(200)
    assert A.RELEASE_TRANSFEROR in done and A.HANG_UP_TARGET not in done


def test_a_transferee_that_was_sent_on_is_left_alone():
    calling, _ = run(E.TARGET_CALLED)
    sent_on = News(False, Elsewhere(sent_on=True))
    assert in_truth(calling, E.DEADLINE, None, sent_on) == ((E.TAKEN_OVER, None),)
    gone, done = run(E.TAKEN_OVER, start=calling)
    assert gone.state is S.ABANDONED
    assert done == [A.HANG_UP_TARGET, A.GIVE_AWAY, A.LEAVE_RECORD]


# -- every path -----------------------------------------------------------------------------------

STARTS = (
    Snapshot(),
    Snapshot(teller=Teller.NOBODY),
    Snapshot(transferor_present=False, teller=Teller.NOBODY),
)
"""A REFER; a transfer that was not begun by one; one whose transferor had gone by then."""

_ANSWERS = {
    Question.JOINED: [{"joined": joined} for joined in (False, True)],
    Question.ELSEWHERE: [
        {"elsewhere": seen}
        for seen in (
            Elsewhere(),
            Elsewhere(transferee_gone=True),
            Elsewhere(told=SipStatus(403)),
            Elsewhere(told=SipStatus(403), joined=True),
            Elsewhere(transferee_gone=True, told=SipStatus(403)),
            Elsewhere(sent_on=True),
        )
    ],
}
_ANSWERED_ONLY = {E.FAILURE_OVERTAKEN, E.TOLD, E.UNDONE, E.TAKEN_OVER}
"""What only FreeSWITCH's answers bring about."""
_REPORTS = (E.SUCCESS_REPORTED, E.TRANSFEREE_KEPT, E.FAILURE_REPORTED)


def heard(snapshot: Snapshot, stimulus: Stimulus, news: News) -> Iterator[News]:
    """All that FreeSWITCH may answer."""
    question = asks(snapshot, stimulus, news)
    if question is None:
        yield news
        return
    for answer in _ANSWERS[question]:
        yield from heard(snapshot, stimulus, replace(news, **answer))


def happening(snapshot: Snapshot, stimulus: Stimulus) -> Iterator[list[Move[Snapshot, Action]]]:
    status = SipStatus(486)
    for news in heard(snapshot, stimulus, News()):
        steps, now = [], snapshot
        for name, given in in_truth(snapshot, stimulus, status, news):
            after, actions = step(now, name, given)
            steps.append(Move(now, name, after, actions))
            now = after
        yield steps


def moves(snapshot: Snapshot) -> Iterator[list[Move[Snapshot, Action]]]:
    for stimulus in Stimulus:
        if stimulus not in _ANSWERED_ONLY and _may_happen(snapshot, stimulus):
            yield from happening(snapshot, stimulus)


def _may_happen(snapshot: Snapshot, stimulus: Stimulus) -> bool:
    """Whether the runner and its callers would feed it."""
    if stimulus is E.TRANSFEROR_HANGUP:
        return snapshot.transferor_present
    if stimulus is E.TARGET_CALLED:
        return snapshot.awaits_target
    if stimulus not in _REPORTS:
        return True
    try:
        return admit(snapshot, stimulus, SipStatus(486))
    except ValueError:
        return False


@dataclass(frozen=True)
class Tally:
    """What has become of the parties on a path, as far as the rules are about it."""

    told: int = 0
    rejoins: int = 0
    records: int = 0
    joined: bool = False
    """Transferee and target talk."""
    target: str = "none"
    parked: bool = True
    """The transferor waits in the park: somebody must let it go."""
    ringback: bool = False
    vouched: bool = False
    """The application has reported success."""


def holds(condition: bool, rule: str) -> None:
    if not condition:
        raise Broken(rule)


def count(tally: Tally, move: Move[Snapshot, Action]) -> Tally:
    before, after, done = move.before, move.after, set(move.actions)
    tally = _parties(tally, move)
    if move.happened is E.LEFT_AS_JOINED and before.teller is not Teller.US:
        tally = replace(tally, told=0, joined=False)  # FreeSWITCH was to tell, and has not
    told = tally.told + bool(done & {*NOTIFIES, A.NOTE_TOLD} or move.happened in (E.TOLD, E.UNDONE))
    tally = replace(
        tally,
        told=0 if A.FORGET_TOLD in done else told,
        rejoins=tally.rejoins + (A.REJOIN in done),
        records=tally.records + len(done & {A.CONCLUDE, A.LEAVE_RECORD}),
    )
    told_success = bool(done & {A.NOTIFY_SUCCESS, A.NOTE_TOLD}) and after.reported == SipStatus(200)
    holds(not told_success or tally.joined or tally.vouched, "a success is told of a join")
    holds(len(move.actions) == len(done), "an action is not asked for twice in a step")
    holds(tally.told <= 1, "one report a REFER")
    holds(tally.rejoins <= 1, "the first two are joined again once")
    holds(not (A.REJOIN in done and tally.joined), "nobody who talks is joined with another")
    holds(tally.records == (not after.is_open) or _withdrawn(move, after), "one record a transfer")
    if before.teller is Teller.NOBODY:
        holds(not done & {*NOTIFIES, A.NOTE_TOLD, A.OWE_REPORT}, "who has not asked is not told")
    if not before.transferor_present:
        alone = {*NOTIFIES, A.RELEASE_TRANSFEROR, A.HANG_UP_TRANSFEROR, A.KEEP_TRANSFEROR, A.REJOIN}
        holds(not done & alone, "a transferor that has gone is left alone")
    if before.is_open and not after.is_open:
        _ended(tally, move)
    return tally


def _parties(tally: Tally, move: Move[Snapshot, Action]) -> Tally:
    """What a stimulus says of the parties, and the actions do with them."""
    match move.happened:
        case E.TARGET_CALLED:
            tally = replace(tally, target="rings")
        case E.TARGET_ANSWERED | E.JOIN_ASKED if tally.target == "rings":
            tally = replace(tally, target="answered")
        case E.TARGET_FAILED | E.TARGET_LEFT if move.before.state in (S.CALLING_TARGET, S.JOINING):
            tally = replace(tally, target="none")  # of those that are held others may still ring
        case E.LEGS_JOINED | E.JOINED_ELSEWHERE if move.after.state in (S.RELEASING, S.SUCCEEDED):
            tally = replace(tally, joined=True)
        case E.JOIN_GIVEN_UP | E.NEVER_REPORTED if {A.REJOIN, A.RECALL} & {*move.actions}:
            tally = replace(tally, joined=False, target="none")
        case E.LEGS_REJOINED | E.TRANSFEROR_BACK | E.UNDONE | E.TRANSFEROR_HANGUP:
            tally = replace(tally, parked=False)
        case E.REJOIN_FAILED | E.DEADLINE if move.before.state is S.RECONNECTING:
            tally = replace(tally, parked=True)
        case E.SUCCESS_REPORTED | E.TRANSFEREE_KEPT:
            vouched = {E.SUCCESS_REPORTED: tally.target, E.TRANSFEREE_KEPT: "none"}
            tally = replace(tally, vouched=True, target=vouched[move.happened])
        case E.RINGBACK_BEGINS if move.before.awaits_target:
            tally = replace(tally, ringback=True)
        case E.RINGBACK_ENDS | E.TRANSFEREE_TAKEN:
            tally = replace(tally, ringback=False)
    for action in move.actions:
        if action is A.HANG_UP_TARGET:
            tally = replace(tally, target="none")
        elif action in (A.RELEASE_TRANSFEROR, A.HANG_UP_TRANSFEROR, A.REJOIN):
            tally = replace(tally, parked=False)
        elif action is A.KEEP_TRANSFEROR:
            tally = replace(tally, parked=True)
        elif action is A.STOP_RINGBACK:
            tally = replace(tally, ringback=False)
    return tally


def _withdrawn(move: Move[Snapshot, Action], after: Snapshot) -> bool:
    """Its second arrival has the record, or the other kind of transfer, or had (``after`` is final
    then)."""
    elsewhere = move.happened in (E.WITHDRAWN, E.KEPT) or not move.before.is_open
    return after.state is S.ABANDONED and elsewhere


def _ended(tally: Tally, move: Move[Snapshot, Action]) -> None:
    before, after, done = move.before, move.after, move.actions
    left = A.LEAVE_RECORD in done or move.happened in (E.WITHDRAWN, E.KEPT)
    lost = move.happened is E.SWITCH_LOST
    if after.transferor_present and not lost and not left:
        holds(after.teller is Teller.NOBODY or tally.told == 1, "who has asked is told")
        holds(not tally.parked, "nobody is left in the park")
    if not left and after.state is not S.SUCCEEDED:
        holds(tally.target != "rings", "a target does not ring for nobody")
        reached = before.state is not S.TAKEN and tally.target == "answered" and not tally.joined
        holds(not reached, "a target that has answered is not left alone")
    if after.state is S.FAILED:
        together = (E.LEGS_REJOINED, E.TRANSFEROR_BACK, E.UNDONE, E.HANDED_OVER)
        holds(A.RECALL in done or move.happened in together, "nobody is left without a partner")
    alone = A.RECALL in done or (move.happened is E.HANDED_OVER and before.awaits_target)
    holds(not (alone and tally.ringback), "our ringback keeps nobody from its dialplan")
    succeeds = after.state is S.SUCCEEDED
    holds(not succeeds or tally.joined or tally.vouched, "a success is a join, or said to be one")
    holds(not succeeds or after.result.is_success, "a success is one")
    holds(after.state is S.SUCCEEDED or not after.result.is_success, "a failure is none")


def every_move() -> list[Move[Snapshot, Action]]:
    return list(explore([(start, Tally()) for start in STARTS], moves, count))


@pytest.fixture(scope="module")
def explored() -> list[Move[Snapshot, Action]]:
    """Made once; that it can be made is the first test: see ``count``."""
    return every_move()


def test_the_rules_hold_on_every_path(explored):
    assert len({move.after for move in explored}) > 100


def test_every_state_and_every_row_is_reached(explored):
    assert {move.after.state for move in explored} == set(State)
    made = {(move.before.state, move.happened) for move in explored if move.before.is_open}
    assert set(TABLE) <= made and {(state, name) for state in OPEN for name in ANYWHERE} >= {
        pair for pair in made if pair[1] in ANYWHERE
    }
    assert set(ANYWHERE) <= {name for _, name in made}


def test_each_row_leads_where_it_says(explored):
    """But for a transferor that has gone, for whom there is no coming back."""
    for move in explored:
        row = TABLE.get((move.before.state, move.happened)) or ANYWHERE.get(move.happened)
        if row is None or not move.before.is_open or not answers(move.before, move.happened):
            assert move.after.state is move.before.state
        elif move.before.transferor_present and move.happened is not E.TRANSFEROR_HANGUP:
            assert move.after.state is row[0]


CONSEQUENCES = [
    (E.TRANSFEREE_HANGUP, OPEN - {S.RELEASING}, {S.ABANDONED}),
    (E.TRANSFEREE_TAKEN, AWAITING_TARGET | {S.JOINING}, {S.TAKEN}),
    (E.TRANSFEREE_TAKEN, {S.RECONNECTING}, {S.ABANDONED}),
    (E.GIVEN_UP, AWAITING_TARGET, {S.RECONNECTING, S.FAILED}),
    (E.FAILURE_REPORTED, AWAITING_TARGET - {S.VOUCHED}, {S.RECONNECTING, S.FAILED}),
    (E.TARGET_LEFT, AWAITING_TARGET - {S.REQUESTED}, {S.RECONNECTING, S.FAILED}),
    (E.TARGET_FAILED, {*AWAITING_TARGET, S.JOINING} - {S.REQUESTED}, {S.RECONNECTING, S.FAILED}),
    (E.TARGET_CALLED, AWAITING_TARGET, {S.CALLING_TARGET}),
    (E.LEGS_JOINED, {*AWAITING_TARGET, S.JOINING, S.TAKEN} - {S.REQUESTED}, {S.RELEASING}),
    (E.LEGS_REJOINED, {S.RECONNECTING, S.TAKEN}, {S.FAILED}),
    (E.TARGET_ANSWERED, {S.CALLING_TARGET}, {S.JOINING}),
    (E.TARGET_HELD, {S.CALLING_TARGET}, {S.HOLDING_TARGET}),
    (E.JOIN_ASKED, {S.HOLDING_TARGET, S.VOUCHED}, {S.JOINING}),
    (E.JOIN_GIVEN_UP, {S.JOINING, S.RELEASING}, {S.RECONNECTING}),
    (E.LEFT_AS_JOINED, {S.RELEASING}, {S.ABANDONED}),
    (E.REPORT_OVERDUE, {S.RELEASING}, {S.RELEASING}),
    (E.NEVER_REPORTED, {S.RELEASING}, {S.RECONNECTING}),
    (E.SUCCESS_REPORTED, {S.REQUESTED}, {S.RELEASING}),
    (E.SUCCESS_REPORTED, {S.HOLDING_TARGET}, {S.VOUCHED}),
    (E.TRANSFEREE_KEPT, {S.CALLING_TARGET}, {S.RELEASING}),
    (E.TRANSFEREE_KEPT, {S.HOLDING_TARGET}, {S.VOUCHED}),
    (E.JOINED_ELSEWHERE, {S.TAKEN}, {S.RELEASING}),
    (E.WITHDRAWN, {S.TAKEN}, {S.ABANDONED}),
    (E.KEPT, {S.REQUESTED}, {S.ABANDONED}),
    (E.TRANSFEROR_HANGUP, {S.RELEASING}, {S.SUCCEEDED}),
    (E.TRANSFEROR_HANGUP, {S.RECONNECTING}, {S.FAILED}),
    (E.TRANSFEROR_BACK, {S.RECONNECTING}, {S.FAILED}),
    (E.REJOIN_FAILED, {S.RECONNECTING}, {S.FAILED}),
    (E.HANDED_OVER, OPEN, CLOSED),
    (E.SWITCH_LOST, OPEN, CLOSED),
]
"""What may not pass without a consequence: the news, where it must have one, and which."""


@pytest.mark.parametrize(("stimulus", "states", "following"), CONSEQUENCES)
def test_what_happens_has_its_consequence(stimulus, states, following):
    for state in states:
        assert step(Snapshot(state=state), stimulus, SipStatus(486))[0].state in following


def test_only_an_application_that_has_not_decided_is_blamed(explored):
    waits = {S.REQUESTED, S.HOLDING_TARGET}
    for move in explored:
        blamed = move.happened is E.DEADLINE and move.before.state in waits
        assert (A.BLAME in move.actions) is blamed


def test_whoever_is_taken_is_watched(explored):
    for move in explored:
        enters = move.after.state is S.TAKEN and move.before.state is not S.TAKEN
        assert (A.WATCH_TRANSFEREE in move.actions) is enters


def test_every_action_is_asked_for(explored):
    assert {action for move in explored for action in move.actions} == set(Action)


def test_every_open_state_has_a_deadline_that_leaves_it_whatever_freeswitch_says(explored):
    assert set(DEADLINES) == OPEN
    for snapshot in {move.after for move in explored if move.after.is_open}:
        for steps in happening(snapshot, E.DEADLINE):
            assert steps[-1].after.state is not snapshot.state, (snapshot, steps)


def test_deadlines_end_every_path(explored):
    def longest(snapshot: Snapshot, seen: tuple[State, ...]) -> int:
        if not snapshot.is_open:
            return len(seen)
        assert snapshot.state not in seen, seen
        ways = happening(snapshot, E.DEADLINE)
        return max(longest(steps[-1].after, (*seen, snapshot.state)) for steps in ways)

    ways = [longest(snapshot, ()) for snapshot in {move.after for move in explored}]
    assert max(ways) <= 4


def test_deadlines_that_report_have_a_status():
    for state in OPEN:
        following, _ = TABLE[state, E.DEADLINE]
        assert (following is S.RECONNECTING) == (state in DEADLINE_STATUS)


def test_the_timers_in_freeswitch_follow_the_state(explored):
    for move in explored:
        timers = [action for action in move.actions if action in TIMER_ACTIONS]
        others = {E.TAKEN_OVER, E.WITHDRAWN, E.SWITCH_LOST, E.KEPT}
        if move.happened in others or move.before.state is S.RELEASING:
            assert not timers  # they are, or may be, another transfer's
        elif move.happened is E.HANDED_OVER:
            rejoining = move.before.state is S.RECONNECTING
            assert timers == ([A.DELETE_TIMERS] if rejoining else [])
        elif move.after.state is not move.before.state:
            assert timers == [TIMERS[state] for state in (move.after.state,) if state in TIMERS]
        else:
            assert not timers  # those of another call go out with it


def test_closed_states_stay():
    for state, stimulus in product(CLOSED, set(Stimulus) - {*_REPORTS, E.FAILURE_OVERTAKEN}):
        snapshot = Snapshot(state=state)
        assert step(snapshot, stimulus) == (snapshot, ())


def test_switch_lost_abandons_every_open_state_but_that_of_success():
    for state in OPEN:
        following, actions = step(Snapshot(state=state), E.SWITCH_LOST)
        succeeds = state is S.RELEASING
        assert following.state is (S.SUCCEEDED if succeeds else S.ABANDONED)
        assert actions == ((A.CONCLUDE,) if succeeds else (A.LEAVE_RECORD,))


def test_reconnecting_never_waits_for_an_absent_transferor(explored):
    for move in explored:
        if not move.after.transferor_present:
            assert move.after.state is not S.RECONNECTING


def test_only_a_join_given_up_takes_a_report_back(explored):
    for move in explored:
        if move.before.reported is not None and move.after.reported is None:
            assert move.before.state is S.RELEASING
            assert move.happened in (E.JOIN_GIVEN_UP, E.NEVER_REPORTED)


def test_an_application_decides_only_while_it_may(explored):
    """A call for the transferee, or a join, comes of a free transferee only."""
    for move in explored:
        if move.happened in (E.TARGET_CALLED, E.TARGET_HELD, E.JOIN_ASKED):
            assert move.after == move.before or move.before.state in AWAITING_TARGET
