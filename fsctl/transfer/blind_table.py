"""The blind transfer as one table (RFC 3515, RFC 5589 section 6), pure: no input, output, clock.

All transitions stand here. How a step is made of a row, and the rules that stand above the rows, so
that no row has to repeat them, are :mod:`fsctl.transfer.blind`.

Deadlines run from the entry of a state; :data:`DEADLINES` names the setting that bounds each.
"""

from __future__ import annotations

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
    RINGS_ANEW = "the target is called at another address"
    TARGET_ANSWERED = "the target answers"
    TARGET_HELD = "the target answers the application"
    JOIN_ASKED = "the application joins transferee and target"
    TARGET_FAILED = "the target fails"
    TARGET_LEFT = "the target that the application has called fails"
    LEGS_JOINED = "transferee and target are bridged"
    SUCCESS_REPORTED = "the application reports success"
    TRANSFEREE_KEPT = "the application reports success when all targets have failed"
    FAILURE_REPORTED = "the application reports failure"
    FAILURE_OVERTAKEN = "the application reports failure when the legs are joined"
    GIVEN_UP = "the request is refused, or the application fails"
    BROKEN = "an error ends what the application was about"
    RINGBACK_BEGINS = "the transferee is to hear ringback by our doing"
    RINGBACK_ENDS = "the application lets the transferee hear something else"
    JOIN_GIVEN_UP = "the target leaves before its join is reported"
    LEFT_AS_JOINED = "the transferee leaves before its join is reported"
    REPORT_LATE = "the join has been told of, and not been reported yet"
    REPORT_MADE = "the late report has been made"
    REPORT_OVERDUE = "the join has not been reported for long"
    NEVER_REPORTED = "the join is never reported"
    LEGS_REJOINED = "transferee and transferor are bridged again"
    TRANSFEROR_BACK = "the transferor is back from its transferee"
    REJOIN_FAILED = "transferee and transferor cannot be bridged again"
    TRANSFEREE_TAKEN = "somebody else takes the transferee"
    JOINED_ELSEWHERE = "somebody else joins the transferee"
    WITHDRAWN = "the same REFER comes home again"
    KEPT = "the first two talk until the target answers"
    TRANSFEREE_HANGUP = "the transferee hangs up"
    TRANSFEROR_HANGUP = "the transferor hangs up"
    TOLD = "somebody else has told the transferor"
    UNDONE = "somebody else has told the transferor and joins the first two"
    TAKEN_OVER = "another controller has the transferee"
    DEADLINE = "the deadline passes"
    HANDED_OVER = "the session ends before it"
    SWITCH_LOST = "the switch is lost"


class Action(Enum):
    """What the runner does; it performs the actions of one step in order."""

    SET_TIMERS = "move the timers in FreeSWITCH along"
    SET_ONE_TIMER = "move the transferor's timer along, and delete the transferee's"
    DELETE_TIMERS = "delete the timers in FreeSWITCH"
    BEGIN_ANEW = "let the deadline begin anew"
    BLAME = "log that the application has not decided"
    TAKE_REPORT = "take the report from FreeSWITCH"
    NOTIFY_SUCCESS = "notify success"
    NOTIFY_FAILURE = "notify failure"
    NOTE_TOLD = "note that FreeSWITCH has told the transferor"
    FORGET_TOLD = "forget that FreeSWITCH has told the transferor"
    OWE_REPORT = "have FreeSWITCH report soon, should we be gone"
    HANG_UP_TARGET = "hang up the target"
    FORGET_TARGET = "forget the target"
    REJOIN = "join transferee and transferor again"
    PAIR = "note that transferee and transferor talk"
    RELEASE_TRANSFEROR = "release the transferor after its grace time"
    KEEP_TRANSFEROR = "do not release the transferor after all"
    PUT_RELEASE_OFF = "do not release the transferor yet"
    BREAK_OFF = "break off what the join waits for"
    HANG_UP_TRANSFEROR = "hang up the transferor"
    RECALL = "have the transferor called again"
    STOP_RINGBACK = "stop our ringback"
    WATCH_TRANSFEREE = "learn whom the transferee will talk with"
    GIVE_AWAY = "give both parties away"
    CONCLUDE = "write the record"
    LEAVE_RECORD = "leave the record to whoever sees the end"


_S, _E, _A = State, Stimulus, Action
_STOP_AND_REJOIN = (_A.HANG_UP_TARGET, _A.REJOIN)
_STOP_TELL_AND_RELEASE = (_A.HANG_UP_TARGET, _A.NOTIFY_FAILURE, _A.RELEASE_TRANSFEROR)
_TELL_FAILURE_AND_RELEASE = (_A.NOTIFY_FAILURE, _A.RELEASE_TRANSFEROR)
RECALL = (_A.RECALL, _A.STOP_RINGBACK)
_TELL_AND_RECALL = (_A.NOTIFY_FAILURE, *RECALL, _A.RELEASE_TRANSFEROR)
_TELL_AND_RELEASE = (_A.NOTIFY_SUCCESS, _A.RELEASE_TRANSFEROR)
_STOP_AND_WATCH = (_A.HANG_UP_TARGET, _A.WATCH_TRANSFEREE)
_STOP_AND_LEAVE = (_A.STOP_RINGBACK, _A.LEAVE_RECORD)
_RING_ANEW = (_A.BEGIN_ANEW,)

Row = tuple[State, tuple[Action, ...]]

TABLE: dict[tuple[State, Stimulus], Row] = {
    (_S.REQUESTED, _E.TARGET_CALLED): (_S.CALLING_TARGET, ()),
    # The application keeps the transferee for itself: an announcement, a queue, voicemail.
    (_S.REQUESTED, _E.SUCCESS_REPORTED): (_S.RELEASING, _TELL_AND_RELEASE),
    # A link that stood still hid the call of the target, and its join.
    (_S.REQUESTED, _E.LEGS_JOINED): (_S.RELEASING, _TELL_AND_RELEASE),
    (_S.REQUESTED, _E.FAILURE_REPORTED): (_S.RECONNECTING, (_A.REJOIN,)),
    (_S.REQUESTED, _E.GIVEN_UP): (_S.RECONNECTING, (_A.REJOIN,)),
    (_S.REQUESTED, _E.BROKEN): (_S.RECONNECTING, (_A.REJOIN,)),
    (_S.REQUESTED, _E.DEADLINE): (_S.RECONNECTING, (_A.BLAME, _A.REJOIN)),
    (_S.REQUESTED, _E.TRANSFEREE_HANGUP): (_S.ABANDONED, _STOP_TELL_AND_RELEASE),
    # What comes of it, and its report, is the affair of that kind (kept.py).
    (_S.REQUESTED, _E.KEPT): (_S.ABANDONED, ()),
    # Whoever is called last has the whole time to ring.
    (_S.CALLING_TARGET, _E.TARGET_CALLED): (_S.CALLING_TARGET, _RING_ANEW),
    (_S.CALLING_TARGET, _E.RINGS_ANEW): (_S.CALLING_TARGET, _RING_ANEW),
    (_S.CALLING_TARGET, _E.TARGET_ANSWERED): (_S.JOINING, ()),
    (_S.CALLING_TARGET, _E.TARGET_FAILED): (_S.RECONNECTING, (_A.REJOIN,)),
    (_S.CALLING_TARGET, _E.TARGET_LEFT): (_S.RECONNECTING, (_A.REJOIN,)),
    # Events may arrive without the one before them: bridged legs are bridged.
    (_S.CALLING_TARGET, _E.LEGS_JOINED): (_S.RELEASING, _TELL_AND_RELEASE),
    # Told early by the application's choice; the transfer itself goes on.
    (_S.CALLING_TARGET, _E.SUCCESS_REPORTED): (_S.CALLING_TARGET, (_A.NOTIFY_SUCCESS,)),
    # As in requested: it keeps the transferee, for nobody is called any more.
    (_S.CALLING_TARGET, _E.TRANSFEREE_KEPT): (_S.RELEASING, _TELL_AND_RELEASE),
    (_S.CALLING_TARGET, _E.FAILURE_REPORTED): (_S.RECONNECTING, _STOP_AND_REJOIN),
    (_S.CALLING_TARGET, _E.GIVEN_UP): (_S.RECONNECTING, _STOP_AND_REJOIN),
    (_S.CALLING_TARGET, _E.DEADLINE): (_S.RECONNECTING, _STOP_AND_REJOIN),
    (_S.CALLING_TARGET, _E.TRANSFEREE_HANGUP): (_S.ABANDONED, _STOP_TELL_AND_RELEASE),
    (_S.CALLING_TARGET, _E.TARGET_HELD): (_S.HOLDING_TARGET, ()),
    (_S.HOLDING_TARGET, _E.JOIN_ASKED): (_S.JOINING, ()),
    # The application has FreeSWITCH call another one for the transferee, whose join it reports.
    (_S.HOLDING_TARGET, _E.TARGET_CALLED): (_S.CALLING_TARGET, ()),
    (_S.HOLDING_TARGET, _E.LEGS_JOINED): (_S.RELEASING, _TELL_AND_RELEASE),
    # The report goes out with the join: unset now, blind_transfer_uuid would not save the
    # transferee if we died in between.
    (_S.HOLDING_TARGET, _E.SUCCESS_REPORTED): (_S.VOUCHED, ()),
    (_S.HOLDING_TARGET, _E.TRANSFEREE_KEPT): (_S.VOUCHED, ()),
    (_S.HOLDING_TARGET, _E.FAILURE_REPORTED): (_S.RECONNECTING, _STOP_AND_REJOIN),
    (_S.HOLDING_TARGET, _E.GIVEN_UP): (_S.RECONNECTING, _STOP_AND_REJOIN),
    (_S.HOLDING_TARGET, _E.TARGET_FAILED): (_S.RECONNECTING, _STOP_AND_REJOIN),
    (_S.HOLDING_TARGET, _E.TARGET_LEFT): (_S.RECONNECTING, _STOP_AND_REJOIN),
    (_S.HOLDING_TARGET, _E.DEADLINE): (
        _S.RECONNECTING,
        (_A.BLAME, _A.HANG_UP_TARGET, _A.REJOIN),
    ),
    (_S.HOLDING_TARGET, _E.TRANSFEREE_HANGUP): (_S.ABANDONED, _STOP_TELL_AND_RELEASE),
    (_S.VOUCHED, _E.JOIN_ASKED): (_S.JOINING, ()),
    (_S.VOUCHED, _E.TARGET_CALLED): (_S.CALLING_TARGET, ()),
    (_S.VOUCHED, _E.LEGS_JOINED): (_S.RELEASING, _TELL_AND_RELEASE),
    (_S.VOUCHED, _E.TARGET_FAILED): (_S.RECONNECTING, _STOP_AND_REJOIN),
    (_S.VOUCHED, _E.TARGET_LEFT): (_S.RECONNECTING, _STOP_AND_REJOIN),
    # The handler that vouched has failed before it joined them.
    (_S.VOUCHED, _E.GIVEN_UP): (_S.RECONNECTING, _STOP_AND_REJOIN),
    (_S.VOUCHED, _E.DEADLINE): (_S.RELEASING, _TELL_AND_RELEASE),
    (_S.VOUCHED, _E.TRANSFEREE_HANGUP): (_S.ABANDONED, _STOP_TELL_AND_RELEASE),
    # Of a target that leaves now the transferee's return decides.
    (_S.JOINING, _E.LEGS_JOINED): (_S.RELEASING, _TELL_AND_RELEASE),
    (_S.JOINING, _E.TARGET_FAILED): (_S.RECONNECTING, (_A.REJOIN,)),
    (_S.JOINING, _E.JOIN_GIVEN_UP): (_S.RECONNECTING, (_A.FORGET_TOLD, _A.REJOIN)),
    (_S.JOINING, _E.DEADLINE): (_S.RECONNECTING, _STOP_AND_REJOIN),
    (_S.JOINING, _E.TRANSFEREE_HANGUP): (_S.ABANDONED, _STOP_TELL_AND_RELEASE),
    # It is not ours any more: nobody pulls it back. Whoever joins it with somebody completes the
    # transfer; FreeSWITCH itself may join the first two again when its dialplan has ended.
    (_S.REQUESTED, _E.TRANSFEREE_TAKEN): (_S.TAKEN, (_A.WATCH_TRANSFEREE,)),
    (_S.CALLING_TARGET, _E.TRANSFEREE_TAKEN): (_S.TAKEN, _STOP_AND_WATCH),
    (_S.HOLDING_TARGET, _E.TRANSFEREE_TAKEN): (_S.TAKEN, _STOP_AND_WATCH),
    (_S.VOUCHED, _E.TRANSFEREE_TAKEN): (_S.TAKEN, _STOP_AND_WATCH),
    # The news of the join may be late: a target that talks is left alone.
    (_S.JOINING, _E.TRANSFEREE_TAKEN): (_S.TAKEN, (_A.WATCH_TRANSFEREE,)),
    (_S.RECONNECTING, _E.TRANSFEREE_TAKEN): (_S.ABANDONED, _TELL_FAILURE_AND_RELEASE),
    (_S.TAKEN, _E.JOINED_ELSEWHERE): (_S.RELEASING, (_A.FORGET_TARGET, *_TELL_AND_RELEASE)),
    (_S.TAKEN, _E.LEGS_JOINED): (_S.RELEASING, _TELL_AND_RELEASE),
    (_S.TAKEN, _E.LEGS_REJOINED): (_S.FAILED, (_A.NOTIFY_FAILURE,)),
    (_S.TAKEN, _E.DEADLINE): (_S.ABANDONED, _TELL_FAILURE_AND_RELEASE),
    (_S.TAKEN, _E.TRANSFEREE_HANGUP): (_S.ABANDONED, _TELL_FAILURE_AND_RELEASE),
    # A timer had sent the transferee on: what comes of it is the affair of its second arrival.
    (_S.TAKEN, _E.WITHDRAWN): (_S.ABANDONED, ()),
    (_S.RELEASING, _E.TRANSFEROR_HANGUP): (_S.SUCCEEDED, ()),
    # FreeSWITCH tells of a join before it reports it, and may give it up in between.
    (_S.RELEASING, _E.JOIN_GIVEN_UP): (
        _S.RECONNECTING,
        (_A.KEEP_TRANSFEROR, _A.FORGET_TOLD, _A.REJOIN),
    ),
    # What waits on its channel, FreeSWITCH executes first: it may take long (switch_ivr_bridge.c,
    # switch_ivr_parse_all_events), and whoever is hung up meanwhile is never told.
    (_S.RELEASING, _E.REPORT_LATE): (_S.RELEASING, (_A.BEGIN_ANEW, _A.PUT_RELEASE_OFF)),
    (_S.RELEASING, _E.REPORT_MADE): (_S.RELEASING, (_A.BEGIN_ANEW, _A.RELEASE_TRANSFEROR)),
    # Whoever lets a party hear something is let do so for a while, and not for ever.
    (_S.RELEASING, _E.REPORT_OVERDUE): (
        _S.RELEASING,
        (_A.BEGIN_ANEW, _A.PUT_RELEASE_OFF, _A.BREAK_OFF),
    ),
    (_S.RELEASING, _E.NEVER_REPORTED): (
        _S.RECONNECTING,
        (_A.KEEP_TRANSFEROR, _A.FORGET_TOLD, *_STOP_AND_REJOIN),
    ),
    # It is released all the same.
    (_S.RELEASING, _E.LEFT_AS_JOINED): (_S.ABANDONED, (_A.HANG_UP_TARGET, _A.NOTIFY_FAILURE)),
    (_S.RELEASING, _E.DEADLINE): (_S.SUCCEEDED, (_A.HANG_UP_TRANSFEROR,)),
    # Told only now: a phone may send its next REFER at once, and FreeSWITCH takes it from legs that
    # are bridged only.
    (_S.RECONNECTING, _E.LEGS_REJOINED): (_S.FAILED, (_A.NOTIFY_FAILURE,)),
    (_S.RECONNECTING, _E.TRANSFEROR_BACK): (_S.FAILED, (_A.NOTIFY_FAILURE,)),
    (_S.RECONNECTING, _E.REJOIN_FAILED): (_S.FAILED, _TELL_AND_RECALL),
    (_S.RECONNECTING, _E.DEADLINE): (_S.FAILED, _TELL_AND_RECALL),
    (_S.RECONNECTING, _E.TRANSFEROR_HANGUP): (_S.FAILED, RECALL),
    (_S.RECONNECTING, _E.TRANSFEREE_HANGUP): (_S.ABANDONED, _TELL_FAILURE_AND_RELEASE),
    # The session ends: what FreeSWITCH would not do alone is done now. Ringback without end would
    # keep the transferee from its dialplan, and so from its transferor.
    (_S.REQUESTED, _E.HANDED_OVER): (_S.ABANDONED, _STOP_AND_LEAVE),
    (_S.CALLING_TARGET, _E.HANDED_OVER): (_S.ABANDONED, _STOP_AND_LEAVE),
    (_S.HOLDING_TARGET, _E.HANDED_OVER): (_S.ABANDONED, _STOP_AND_LEAVE),
    (_S.VOUCHED, _E.HANDED_OVER): (_S.ABANDONED, _STOP_AND_LEAVE),
    (_S.RECONNECTING, _E.HANDED_OVER): (_S.FAILED, (_A.DELETE_TIMERS, _A.NOTIFY_FAILURE)),
    (_S.RELEASING, _E.HANDED_OVER): (_S.SUCCEEDED, ()),
    (_S.RELEASING, _E.SWITCH_LOST): (_S.SUCCEEDED, ()),
}
"""``(state, stimulus) -> (next state, actions)``; the whole life of a transfer."""

ANYWHERE: dict[Stimulus, Row] = {
    # FreeSWITCH's dialplan has done it when we were stopped: only what rings for nobody is left.
    _E.UNDONE: (_S.FAILED, (_A.HANG_UP_TARGET, _A.PAIR)),
    _E.TAKEN_OVER: (_S.ABANDONED, (_A.HANG_UP_TARGET, _A.GIVE_AWAY, _A.LEAVE_RECORD)),
    _E.HANDED_OVER: (_S.ABANDONED, (_A.LEAVE_RECORD,)),
    _E.SWITCH_LOST: (_S.ABANDONED, (_A.LEAVE_RECORD,)),
}
"""The same for every open state in which :data:`TABLE` says nothing else."""

CLOSED = frozenset({_S.SUCCEEDED, _S.FAILED, _S.ABANDONED})
"""States in which nothing is owed to anybody."""

OPEN = frozenset(State) - CLOSED

AWAITING_TARGET = frozenset({_S.REQUESTED, _S.CALLING_TARGET, _S.HOLDING_TARGET, _S.VOUCHED})
"""The transferee is free for a target: none has been joined with it yet."""

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

TIMERS: dict[State, Action] = {
    _S.REQUESTED: _A.SET_TIMERS,
    _S.HOLDING_TARGET: _A.SET_TIMERS,
    _S.TAKEN: _A.SET_ONE_TIMER,
    # One that fired before the two talk would tear both from their join.
    _S.RECONNECTING: _A.SET_TIMERS,
    _S.RELEASING: _A.DELETE_TIMERS,
    _S.SUCCEEDED: _A.DELETE_TIMERS,
    _S.FAILED: _A.DELETE_TIMERS,
    _S.ABANDONED: _A.DELETE_TIMERS,
}
"""What the entry of a state does with the timers in FreeSWITCH (switch.timers); they stay as they
are in other states of milliseconds, and once transferee and target talk: they may be another
transfer's by then. Those of a target's ringing go out with its call."""
