"""One step of a blind transfer: from its row in :mod:`fsctl.transfer.blind_table`, pure.

``step(snapshot, stimulus, status)`` takes a frozen :class:`Snapshot` and returns the next one and
the actions to perform, in order. A pair that is in neither table keeps the state and asks for
nothing: its caller logs it.

Rules that stand above the rows, so that no row has to repeat them:

1. One final report a REFER: a ``NOTIFY_*`` action is dropped once the transferor has been told.
   While FreeSWITCH is to tell of a join by itself, that join is noted; whatever else we tell, we
   take the report from it first. A report that waits for a join is left with FreeSWITCH meanwhile.
2. A transferor that has gone is neither told nor released, and nobody can be joined with it again:
   a row that would reconnect ends in ``FAILED`` with ``RECALL`` instead. One that is there, but has
   not asked to be told (no REFER), is just not told.
3. An application reports once (:func:`admit`).
4. The timers in FreeSWITCH follow the state (:data:`TIMERS`).
5. A transfer that ends is concluded, unless its row leaves the record to others.

News of FreeSWITCH may be late, or somebody else may have been quicker: what it is asked before a
step, and what the answers make of that step, says :mod:`fsctl.transfer.blind_truth`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from fsctl.sip.status import SipStatus
from fsctl.transfer.blind_table import (
    ANYWHERE,
    AWAITING_TARGET,
    CLOSED,
    DEADLINE_STATUS,
    OPEN,
    RECALL,
    TABLE,
    TIMERS,
    Action,
    Row,
    State,
    Stimulus,
)

_PARTY_LEFT = SipStatus(487)
_SUCCESS = SipStatus(200)
_UNAVAILABLE = SipStatus(503)
_LEFT_UNREPORTED = (Stimulus.JOIN_GIVEN_UP, Stimulus.LEFT_AS_JOINED)
_UNREPORTED = (*_LEFT_UNREPORTED, Stimulus.NEVER_REPORTED)
"""FreeSWITCH has told us of a join that it was to report, and has not."""
_LEFT = (Stimulus.TRANSFEREE_HANGUP, Stimulus.TRANSFEREE_TAKEN, *_LEFT_UNREPORTED)
_LATE = (Stimulus.REPORT_LATE, Stimulus.REPORT_OVERDUE)
_JOINED = (State.JOINING, State.RELEASING, State.SUCCEEDED)
_JOINS = (Stimulus.LEGS_JOINED, Stimulus.LEGS_REJOINED, Stimulus.JOINED_ELSEWHERE)
"""FreeSWITCH tells the transferor of these by itself, while the report is its own."""
_KEEPS_TIMERS = (
    Stimulus.TAKEN_OVER,
    Stimulus.HANDED_OVER,
    Stimulus.SWITCH_LOST,
    Stimulus.WITHDRAWN,
    Stimulus.KEPT,
)
"""Others go on with the transfer, and the timers are theirs."""
_REPORTS = (Stimulus.SUCCESS_REPORTED, Stimulus.TRANSFEREE_KEPT, Stimulus.FAILURE_REPORTED)
_NOTIFIES = frozenset({Action.NOTIFY_SUCCESS, Action.NOTIFY_FAILURE})
_FOR_TRANSFEROR = _NOTIFIES | {
    Action.FORGET_TOLD,
    Action.RELEASE_TRANSFEROR,
    Action.KEEP_TRANSFEROR,
    Action.PUT_RELEASE_OFF,
    Action.HANG_UP_TRANSFEROR,
}


class Teller(Enum):
    """Who sends the transferor the NOTIFY of a success."""

    SWITCH = "FreeSWITCH"
    """By itself, when transferee and target are bridged: ``blind_transfer_uuid`` is still set."""
    US = "fsctl"
    NOBODY = "nobody"
    """The transferor has not asked to be told: the transfer was not begun by a REFER."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One blind transfer, as far as decisions need it."""

    state: State = State.REQUESTED
    transferor_present: bool = True
    """Cleared when the transferor has hung up; it is never set again."""
    teller: Teller = Teller.SWITCH
    """``SWITCH`` becomes ``US`` for good when we tell something by ourselves, or unset its variable
    for a join that it must not report: the variable may be the next REFER's by then."""
    reported: SipStatus | None = None
    """What the transferor was told, or would have been told had it stayed and asked to be told.
    Cleared when a join that FreeSWITCH was to report is not."""
    owed: SipStatus | None = None
    """The failure that it is to be told when it has its call back; set once."""
    application_reported: bool = False
    """The application has said how the transfer ends; it may say so once."""
    entertained: bool = False
    """The transferee hears ringback by our own doing. Set when it begins; cleared when somebody
    takes the transferee, or the application lets it hear something else."""

    report_late: bool = False
    """FreeSWITCH has told us of the join, and has not reported it yet."""

    def __str__(self) -> str:
        told = f", reporting {self.reported}" if self.reported else ""
        return f"{self.state.value}{told}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def awaits_target(self) -> bool:
        """The transferee is free for a target: none has been joined with it yet."""
        return self.state in AWAITING_TARGET

    @property
    def awaits_call(self) -> bool:
        """The application has not decided, or its targets still ring: it may call another one."""
        return self.state in (State.REQUESTED, State.CALLING_TARGET)

    @property
    def falls_with_handler(self) -> bool:
        """A failing handler of the request ends it: else FreeSWITCH calls whom that has named."""
        return self.state is State.REQUESTED or self.entertained

    @property
    def result(self) -> SipStatus:
        """How it ended, as a SIP status; not always what an application has reported early."""
        if self.state is State.SUCCEEDED:
            return _SUCCESS
        told = self.reported if self.reported and not self.reported.is_success else None
        return self.owed or told or _UNAVAILABLE


# -- what an application may report ---------------------------------------------------------------


def admit(snapshot: Snapshot, report: Stimulus, status: SipStatus | None = None) -> bool:
    """Whether an application's ``report`` counts; False: too late, for a party has left.

    Raises ValueError when the result stands already, because it has reported, or the target is
    being joined (FreeSWITCH reports success then); and when the ``status`` of a failure is none.
    """
    if report is Stimulus.FAILURE_REPORTED and status is not None and status.code < 300:
        raise ValueError(f"{status.code} is not a failure")
    joined = snapshot.state in _JOINED
    if snapshot.application_reported or (joined and report is Stimulus.FAILURE_REPORTED):
        raise ValueError("the result of this transfer stands already")
    return joined or _row(snapshot, report) is not None


def _counts(snapshot: Snapshot, report: Stimulus) -> bool:
    try:
        return admit(snapshot, report)
    except ValueError:
        return False


# -- the step -------------------------------------------------------------------------------------


def answers(snapshot: Snapshot, stimulus: Stimulus) -> bool:
    """Whether there is a row for it now."""
    return _row(snapshot, stimulus) is not None


def step(
    snapshot: Snapshot, stimulus: Stimulus, status: SipStatus | None = None
) -> tuple[Snapshot, tuple[Action, ...]]:
    """Return the next snapshot and what is to be done, in order.

    ``status`` goes with ``TARGET_FAILED``, ``TARGET_LEFT``, ``FAILURE_REPORTED``, ``GIVEN_UP`` and
    ``BROKEN``: the code and phrase that the transferor is told; with ``UNDONE``: those that it was
    told.
    """
    if stimulus in _REPORTS and not _counts(snapshot, stimulus):
        return snapshot, ()
    row = _row(snapshot, stimulus)
    learnt = _learn(snapshot, stimulus, status)
    if row is None:
        return learnt, ()
    following, actions = row
    failure = snapshot.owed or _failure(snapshot.state, stimulus, status)
    if following in (State.RECONNECTING, State.TAKEN):
        learnt = replace(learnt, owed=failure)
    if not learnt.transferor_present:
        following, actions = _without_transferor(following, actions)
        if learnt.reported is None:
            learnt = replace(learnt, reported=_untold(row, failure))
    learnt, actions = _reporting(learnt, stimulus, actions, failure)
    if not learnt.entertained:
        actions = tuple(action for action in actions if action is not Action.STOP_RINGBACK)
    if following is not snapshot.state:
        actions = _entering(following, snapshot.state, stimulus, actions)
    return replace(learnt, state=following), actions


def _row(snapshot: Snapshot, stimulus: Stimulus) -> Row | None:
    """The row of the tables, if it applies to this snapshot."""
    if not snapshot.is_open:
        return None
    told_by_us = snapshot.state is State.RELEASING and snapshot.teller is Teller.US
    if stimulus in (*_UNREPORTED, *_LATE) and told_by_us:
        return None  # what has been told stands
    return TABLE.get((snapshot.state, stimulus)) or ANYWHERE.get(stimulus)


def _learn(snapshot: Snapshot, stimulus: Stimulus, status: SipStatus | None) -> Snapshot:
    """What a stimulus says besides where the transfer stands."""
    match stimulus:
        case _ if stimulus in (*_REPORTS, Stimulus.FAILURE_OVERTAKEN):
            return replace(snapshot, application_reported=True)
        case Stimulus.RINGBACK_ENDS:
            return replace(snapshot, entertained=False)
        case Stimulus.TRANSFEREE_TAKEN if (snapshot.state, stimulus) in TABLE:
            return replace(snapshot, entertained=False)
        case Stimulus.RINGBACK_BEGINS if snapshot.awaits_target:
            return replace(snapshot, entertained=True)
        case _ if stimulus in (*_LATE, Stimulus.REPORT_MADE) and snapshot.state is State.RELEASING:
            return replace(snapshot, report_late=stimulus in _LATE)
        case Stimulus.TRANSFEROR_HANGUP if snapshot.is_open:
            return replace(snapshot, transferor_present=False)
        case Stimulus.TOLD if snapshot.is_open and snapshot.reported is None:
            return replace(snapshot, reported=snapshot.owed or _PARTY_LEFT)
        case Stimulus.UNDONE if snapshot.is_open:
            return replace(snapshot, reported=status, owed=status)
        case _ if (
            stimulus in _UNREPORTED
            and snapshot.state is State.RELEASING
            and snapshot.teller is not Teller.US
        ):
            return replace(snapshot, reported=None)  # FreeSWITCH was to report it, and did not
    return snapshot


def _failure(state: State, stimulus: Stimulus, given: SipStatus | None) -> SipStatus:
    """The final status that a failing step owes to the transferor."""
    if stimulus in _LEFT:
        return _PARTY_LEFT
    if stimulus is Stimulus.DEADLINE:
        return DEADLINE_STATUS.get(state, _UNAVAILABLE)
    return given or _UNAVAILABLE


def _without_transferor(following: State, actions: tuple[Action, ...]) -> Row:
    """Rule 2: nobody to be told, released or joined with."""
    if following is State.RECONNECTING:
        following = State.FAILED
    elif following is State.RELEASING:
        following = State.SUCCEEDED
    kept = (action for action in actions if action not in _FOR_TRANSFEROR)
    return following, tuple(
        done for action in kept for done in (RECALL if action is Action.REJOIN else (action,))
    )


def _untold(row: Row, failure: SipStatus) -> SipStatus | None:
    """What a transferor that has gone would have been told."""
    following, actions = row
    if Action.NOTIFY_SUCCESS in actions:
        return _SUCCESS
    fails = following is State.RECONNECTING or Action.NOTIFY_FAILURE in actions
    return failure if fails else None


def _reporting(
    snapshot: Snapshot, stimulus: Stimulus, actions: tuple[Action, ...], failure: SipStatus
) -> tuple[Snapshot, tuple[Action, ...]]:
    """Rule 1: who tells, and that nobody tells twice."""
    done: list[Action] = []
    silent, told = snapshot.teller is Teller.NOBODY, snapshot.reported is not None
    for action in actions:
        match action:
            case Action.NOTIFY_SUCCESS | Action.NOTIFY_FAILURE if not told:
                succeeds = action is Action.NOTIFY_SUCCESS
                snapshot = replace(snapshot, reported=_SUCCESS if succeeds else failure)
                if snapshot.teller is Teller.SWITCH and stimulus in _JOINS:
                    done.append(Action.NOTE_TOLD)
                elif not silent:
                    taken = snapshot.teller is Teller.SWITCH
                    done += [Action.TAKE_REPORT, action] if taken else [action]
                    snapshot = replace(snapshot, teller=Teller.US)
            case Action.NOTIFY_SUCCESS | Action.NOTIFY_FAILURE:
                pass
            case Action.FORGET_TOLD if silent or told:
                pass
            case Action.REJOIN:
                done += [action] if silent or told else [Action.OWE_REPORT, action]
                snapshot = replace(snapshot, teller=Teller.NOBODY if silent else Teller.US)
            case _:
                done.append(action)
    return snapshot, tuple(done)


def _entering(
    state: State, before: State, stimulus: Stimulus, actions: tuple[Action, ...]
) -> tuple[Action, ...]:
    """Rules 4 and 5: what the entry of a state brings with it."""
    if before is not State.RELEASING and stimulus not in _KEEPS_TIMERS and state in TIMERS:
        actions = (TIMERS[state], *actions)
    others = stimulus in (Stimulus.WITHDRAWN, Stimulus.KEPT)
    concluded = Action.LEAVE_RECORD in actions or others
    if state in CLOSED and not concluded:
        actions = (*actions, Action.CONCLUDE)
    return actions
