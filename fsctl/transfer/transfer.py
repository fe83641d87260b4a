"""The blind transfer as one table (RFC 3515, RFC 5589 section 6), pure: no input, output, clock.

``step(transfer, stimulus, status)`` takes a frozen :class:`Transfer` and returns the next one and
the actions to perform, in order. All transitions live in this file. A pair that is not in the
table keeps the state and asks for nothing: its caller logs it.

Four rules stand above the table, so that no row has to repeat them:

1. One final report a REFER: a ``NOTIFY_*`` action is dropped once the transferor has been told.
2. A transferor that has gone is neither told nor released, and nobody can be joined with it again:
   a row that would reconnect ends in ``FAILED`` with ``RECALL`` instead.
3. In every open state somebody else's report ends the transfer as ``FAILED``, its transferee's
   move to another controller as ``ABANDONED``; only what rings for nobody is still hung up.
4. In every open state the switch's loss ends the transfer: as ``SUCCEEDED`` when transferee and
   target talk already, else as ``ABANDONED``.

Deadlines run from the entry of a state; :data:`DEADLINES` names the setting that bounds each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from fsctl.sip.status import SipStatus


class State(Enum):
    """Where a transfer stands; the value is the name that logs and records use."""

    REQUESTED = "requested"
    """The application has been asked and has not decided."""
    CALLING_TARGET = "calling target"
    """The target rings; the transferee hears ringback; the transferor is parked."""
    HOLDING_TARGET = "holding target"
    """The target has answered the application, which has not joined it yet: it may talk first."""
    VOUCHED = "vouched"
    """The application has reported success and is about to join: the join will be the report."""
    JOINING = "joining"
    """The target has answered and is being bridged with the transferee."""
    RELEASING = "releasing"
    """Transferee and target talk; the transferor has been told and may still send its BYE."""
    TAKEN = "transferee taken"
    """Somebody else has the transferee (a pickup, ``uuid_transfer``): whom will it talk with?"""
    RECONNECTING = "reconnecting"
    """The target failed; transferee and transferor are being bridged again."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABANDONED = "abandoned"
    """A party or the switch left; nothing can be joined any more."""


class Stimulus(Enum):
    """What can happen to a transfer."""

    TARGET_CALLED = "the application calls the target"
    TARGET_ANSWERED = "the target answers"
    TARGET_HELD = "the target answers the application"
    JOIN_ASKED = "the application joins transferee and target"
    TARGET_FAILED = "the target fails"
    LEGS_JOINED = "transferee and target are bridged"
    SUCCESS_REPORTED = "the application reports success"
    TRANSFEREE_KEPT = "the application reports success when all targets have failed"
    FAILURE_REPORTED = "the application reports failure"
    JOIN_GIVEN_UP = "the target leaves before its join is reported"
    LEGS_REJOINED = "transferee and transferor are bridged again"
    REJOIN_FAILED = "transferee and transferor cannot be bridged again"
    TRANSFEREE_TAKEN = "somebody else takes the transferee"
    TRANSFEREE_HANGUP = "the transferee hangs up"
    TRANSFEROR_HANGUP = "the transferor hangs up"
    TOLD_ELSEWHERE = "somebody else has told the transferor"
    TAKEN = "another controller has the transferee"
    DEADLINE = "the deadline passes"
    SWITCH_LOST = "the switch is lost"


class Action(Enum):
    """What the runner does; it performs the actions of one step in order."""

    NOTIFY_SUCCESS = "notify success"
    NOTIFY_FAILURE = "notify failure"
    HANG_UP_TARGET = "hang up the target"
    REJOIN = "join transferee and transferor again"
    RELEASE_TRANSFEROR = "release the transferor after its grace time"
    KEEP_TRANSFEROR = "do not release the transferor after all"
    HANG_UP_TRANSFEROR = "hang up the transferor"
    RECALL = "have the transferor called again"


_S, _E, _A = State, Stimulus, Action
_STOP_AND_REJOIN = (_A.HANG_UP_TARGET, _A.REJOIN)
_STOP_TELL_AND_RELEASE = (_A.HANG_UP_TARGET, _A.NOTIFY_FAILURE, _A.RELEASE_TRANSFEROR)
_TELL_AND_RECALL = (_A.NOTIFY_FAILURE, _A.RECALL, _A.RELEASE_TRANSFEROR)
_TELL_AND_RELEASE = (_A.NOTIFY_SUCCESS, _A.RELEASE_TRANSFEROR)

TABLE: dict[tuple[State, Stimulus], tuple[State, tuple[Action, ...]]] = {
    (_S.REQUESTED, _E.TARGET_CALLED): (_S.CALLING_TARGET, ()),
    # The application keeps the transferee for itself: an announcement, a queue, voicemail.
    (_S.REQUESTED, _E.SUCCESS_REPORTED): (_S.RELEASING, _TELL_AND_RELEASE),
    (_S.REQUESTED, _E.FAILURE_REPORTED): (_S.RECONNECTING, (_A.REJOIN,)),
    (_S.REQUESTED, _E.DEADLINE): (_S.RECONNECTING, (_A.REJOIN,)),
    (_S.REQUESTED, _E.TRANSFEREE_HANGUP): (_S.ABANDONED, _STOP_TELL_AND_RELEASE),
    (_S.CALLING_TARGET, _E.TARGET_ANSWERED): (_S.JOINING, ()),
    (_S.CALLING_TARGET, _E.TARGET_FAILED): (_S.RECONNECTING, (_A.REJOIN,)),
    # Events may arrive without the one before them: bridged legs are bridged.
    (_S.CALLING_TARGET, _E.LEGS_JOINED): (_S.RELEASING, _TELL_AND_RELEASE),
    # Told early by the application's choice; the transfer itself goes on.
    (_S.CALLING_TARGET, _E.SUCCESS_REPORTED): (_S.CALLING_TARGET, (_A.NOTIFY_SUCCESS,)),
    # As in requested: it keeps the transferee, for nobody is called any more.
    (_S.CALLING_TARGET, _E.TRANSFEREE_KEPT): (_S.RELEASING, _TELL_AND_RELEASE),
    (_S.CALLING_TARGET, _E.FAILURE_REPORTED): (_S.RECONNECTING, _STOP_AND_REJOIN),
    (_S.CALLING_TARGET, _E.DEADLINE): (_S.RECONNECTING, _STOP_AND_REJOIN),
    (_S.CALLING_TARGET, _E.TRANSFEREE_HANGUP): (_S.ABANDONED, _STOP_TELL_AND_RELEASE),
    (_S.CALLING_TARGET, _E.TARGET_HELD): (_S.HOLDING_TARGET, ()),
    (_S.HOLDING_TARGET, _E.JOIN_ASKED): (_S.JOINING, ()),
    # The report goes out with the join: unset now, blind_transfer_uuid would not save the
    # transferee if we died in between.
    (_S.HOLDING_TARGET, _E.SUCCESS_REPORTED): (_S.VOUCHED, ()),
    (_S.HOLDING_TARGET, _E.FAILURE_REPORTED): (_S.RECONNECTING, _STOP_AND_REJOIN),
    (_S.HOLDING_TARGET, _E.TARGET_FAILED): (_S.RECONNECTING, _STOP_AND_REJOIN),
    (_S.HOLDING_TARGET, _E.DEADLINE): (_S.RECONNECTING, _STOP_AND_REJOIN),
    (_S.HOLDING_TARGET, _E.TRANSFEREE_HANGUP): (_S.ABANDONED, _STOP_TELL_AND_RELEASE),
    (_S.VOUCHED, _E.JOIN_ASKED): (_S.JOINING, ()),
    (_S.VOUCHED, _E.TARGET_FAILED): (_S.RECONNECTING, _STOP_AND_REJOIN),
    # The handler that vouched has failed before it joined them.
    (_S.VOUCHED, _E.FAILURE_REPORTED): (_S.RECONNECTING, _STOP_AND_REJOIN),
    (_S.VOUCHED, _E.DEADLINE): (_S.RELEASING, _TELL_AND_RELEASE),
    (_S.VOUCHED, _E.TRANSFEREE_HANGUP): (_S.ABANDONED, _STOP_TELL_AND_RELEASE),
    (_S.JOINING, _E.LEGS_JOINED): (_S.RELEASING, _TELL_AND_RELEASE),
    (_S.JOINING, _E.TARGET_FAILED): (_S.RECONNECTING, (_A.REJOIN,)),
    (_S.JOINING, _E.JOIN_GIVEN_UP): (_S.RECONNECTING, (_A.REJOIN,)),
    (_S.JOINING, _E.DEADLINE): (_S.RECONNECTING, _STOP_AND_REJOIN),
    (_S.JOINING, _E.TRANSFEREE_HANGUP): (_S.ABANDONED, _STOP_TELL_AND_RELEASE),
    # It is not ours any more: nobody pulls it back. Whoever joins it with somebody completes the
    # transfer; FreeSWITCH itself may join the first two again when its dialplan has ended.
    (_S.REQUESTED, _E.TRANSFEREE_TAKEN): (_S.TAKEN, ()),
    (_S.CALLING_TARGET, _E.TRANSFEREE_TAKEN): (_S.TAKEN, (_A.HANG_UP_TARGET,)),
    (_S.HOLDING_TARGET, _E.TRANSFEREE_TAKEN): (_S.TAKEN, (_A.HANG_UP_TARGET,)),
    (_S.VOUCHED, _E.TRANSFEREE_TAKEN): (_S.TAKEN, (_A.HANG_UP_TARGET,)),
    # The news of the join may be late: a target that talks is left alone.
    (_S.JOINING, _E.TRANSFEREE_TAKEN): (_S.TAKEN, ()),
    (_S.TAKEN, _E.LEGS_JOINED): (_S.RELEASING, _TELL_AND_RELEASE),
    (_S.TAKEN, _E.LEGS_REJOINED): (_S.FAILED, (_A.NOTIFY_FAILURE,)),
    (_S.TAKEN, _E.DEADLINE): (_S.ABANDONED, (_A.NOTIFY_FAILURE, _A.RELEASE_TRANSFEROR)),
    (_S.TAKEN, _E.TRANSFEREE_HANGUP): (_S.ABANDONED, (_A.NOTIFY_FAILURE, _A.RELEASE_TRANSFEROR)),
    (_S.RECONNECTING, _E.TRANSFEREE_TAKEN): (
        _S.ABANDONED,
        (_A.NOTIFY_FAILURE, _A.RELEASE_TRANSFEROR),
    ),
    (_S.RELEASING, _E.TRANSFEROR_HANGUP): (_S.SUCCEEDED, ()),
    # FreeSWITCH tells of a join before it reports it, and may give it up in between.
    (_S.RELEASING, _E.JOIN_GIVEN_UP): (_S.RECONNECTING, (_A.KEEP_TRANSFEROR, _A.REJOIN)),
    (_S.RELEASING, _E.DEADLINE): (_S.SUCCEEDED, (_A.HANG_UP_TRANSFEROR,)),
    # Told only now: a phone may send its next REFER at once, and FreeSWITCH takes it from legs that
    # are bridged only.
    (_S.RECONNECTING, _E.LEGS_REJOINED): (_S.FAILED, (_A.NOTIFY_FAILURE,)),
    (_S.RECONNECTING, _E.REJOIN_FAILED): (_S.FAILED, _TELL_AND_RECALL),
    (_S.RECONNECTING, _E.DEADLINE): (_S.FAILED, _TELL_AND_RECALL),
    (_S.RECONNECTING, _E.TRANSFEROR_HANGUP): (_S.FAILED, (_A.RECALL,)),
    (_S.RECONNECTING, _E.TRANSFEREE_HANGUP): (
        _S.ABANDONED,
        (_A.NOTIFY_FAILURE, _A.RELEASE_TRANSFEROR),
    ),
}
"""``(state, stimulus) -> (next state, actions)``; the whole life of a transfer."""

OPEN = frozenset(State) - {_S.SUCCEEDED, _S.FAILED, _S.ABANDONED}
"""States in which something is still owed to somebody."""

DEADLINES: dict[State, str] = {
    _S.REQUESTED: "decision_timeout_s",
    _S.CALLING_TARGET: "ring_timeout_s",
    _S.HOLDING_TARGET: "hold_timeout_s",
    _S.VOUCHED: "vouched_timeout_s",
    _S.JOINING: "join_timeout_s",
    _S.RELEASING: "release_transferor_after_s",
    _S.TAKEN: "ring_timeout_s",
    _S.RECONNECTING: "join_timeout_s",
}
"""The setting that bounds the stay in each open state."""

DEADLINE_STATUS: dict[State, SipStatus] = {
    _S.REQUESTED: SipStatus(603),
    _S.CALLING_TARGET: SipStatus(480),
    _S.HOLDING_TARGET: SipStatus(603),
    _S.JOINING: SipStatus(503),
}
"""What the transferor is told when a deadline passes (RFC 3515 section 2.4.5)."""

_PARTY_LEFT = SipStatus(487)
_SUCCESS = SipStatus(200)
_LEFT = (Stimulus.TRANSFEREE_HANGUP, Stimulus.TRANSFEREE_TAKEN, Stimulus.JOIN_GIVEN_UP)
_NOTIFIES = frozenset({_A.NOTIFY_SUCCESS, _A.NOTIFY_FAILURE})
_FOR_TRANSFEROR = _NOTIFIES | {
    _A.RELEASE_TRANSFEROR,
    _A.KEEP_TRANSFEROR,
    _A.HANG_UP_TRANSFEROR,
}


@dataclass(frozen=True, slots=True)
class Transfer:
    """One REFER's transfer, as far as decisions need it."""

    state: State = State.REQUESTED
    transferor_present: bool = True
    reported: SipStatus | None = None
    """What the transferor was told, or would have been told had it stayed."""
    owed: SipStatus | None = None
    """The failure that it is to be told when it has its call back."""

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def result(self) -> SipStatus:
        """How it ended, as a SIP status; not always what an application has reported early."""
        if self.state is State.SUCCEEDED:
            return _SUCCESS
        told = self.reported if self.reported and not self.reported.is_success else None
        return self.owed or told or SipStatus(503)


def step(
    transfer: Transfer, stimulus: Stimulus, status: SipStatus | None = None
) -> tuple[Transfer, tuple[Action, ...]]:
    """Return the next transfer and what is to be done, in order.

    ``status`` goes with ``TARGET_FAILED`` and ``FAILURE_REPORTED``: the code and phrase that the
    transferor is told.
    """
    if stimulus is Stimulus.SWITCH_LOST and transfer.is_open:
        talk = transfer.state is State.RELEASING
        return replace(transfer, state=State.SUCCEEDED if talk else State.ABANDONED), ()
    if stimulus is Stimulus.TOLD_ELSEWHERE and transfer.is_open:
        told = replace(transfer, state=State.FAILED, reported=status, owed=status)
        return told, (Action.HANG_UP_TARGET,)
    if stimulus is Stimulus.TAKEN and transfer.is_open:
        return replace(transfer, state=State.ABANDONED), (Action.HANG_UP_TARGET,)
    gone = replace(transfer, transferor_present=False)
    row = TABLE.get((transfer.state, stimulus))
    if row is None:
        left = stimulus is Stimulus.TRANSFEROR_HANGUP and transfer.is_open
        return (gone if left else transfer), ()
    following, actions = row
    if stimulus is Stimulus.TRANSFEROR_HANGUP:
        transfer = gone
    elif stimulus is Stimulus.JOIN_GIVEN_UP and transfer.state is State.RELEASING:
        transfer = replace(transfer, reported=None)  # FreeSWITCH was to report it, and did not
    failure = transfer.owed or _failure(transfer.state, stimulus, status)
    if following in (State.RECONNECTING, State.TAKEN):
        transfer = replace(transfer, owed=failure)
    return _with_rules(transfer, following, actions, failure)


def _failure(state: State, stimulus: Stimulus, given: SipStatus | None) -> SipStatus:
    """The final status that a failing step owes to the transferor."""
    if stimulus in _LEFT:
        return _PARTY_LEFT
    if stimulus is Stimulus.DEADLINE:
        return DEADLINE_STATUS.get(state, SipStatus(503))
    return given or SipStatus(503)


def _with_rules(
    transfer: Transfer, following: State, actions: tuple[Action, ...], failure: SipStatus
) -> tuple[Transfer, tuple[Action, ...]]:
    """Apply rules 1 and 2 of the module's docstring to a row of the table."""
    reported = transfer.reported
    if reported is not None:
        actions = tuple(action for action in actions if action not in _NOTIFIES)
    elif _A.NOTIFY_SUCCESS in actions:
        reported = _SUCCESS
    elif _A.NOTIFY_FAILURE in actions:
        reported = failure
    if not transfer.transferor_present:
        if following is State.RECONNECTING:
            following, reported = State.FAILED, reported or failure
        elif following is State.RELEASING:
            following = State.SUCCEEDED
        actions = tuple(
            Action.RECALL if action is Action.REJOIN else action
            for action in actions
            if action not in _FOR_TRANSFEROR
        )
    return replace(transfer, state=following, reported=reported), actions
