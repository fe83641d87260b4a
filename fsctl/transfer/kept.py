"""The transfer in which the first two talk until the target answers, as one table, pure.

``step(kept, stimulus, status)`` takes a frozen :class:`Kept` and returns the next one and the
actions to perform, in order. Who has asked is nobody's business here: a REFER, whose parties
FreeSWITCH has parted, is begun by ``PARTED``, anything else by ``TALKING``. A pair that is not in
the table keeps the state and asks for nothing.

The blind table has the parties apart all the time, and FreeSWITCH ready to report: here a failure
moves nobody, and nobody but us knows the result. So it is a table of its own, and a short one.

Rules that stand above the rows, so that no row has to repeat them:

1. The asker is told once.
2. A transferor that has gone is not joined with anybody, nor released.
3. A failure lets everybody be. Where the transferee waits alone with us by then its transferor is
   called again; where it is on its way to us, because its transferor has just left, that happens as
   soon as it has come.
4. A transfer that ends is concluded, unless its row leaves the record to others.

Deadlines run from the entry of a state; :data:`DEADLINES` names the setting that bounds each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from fsctl.sip.status import SipStatus


class State(Enum):
    """Where such a transfer stands; the value is the name that logs use."""

    ASKED = "asked for"
    REJOINING = "joining the first two"
    """FreeSWITCH has parted them at the REFER."""
    CALLING = "calling the target"
    """The target rings, and the first two talk."""
    JOINING = "joining"
    """The target has answered and is being bridged with the transferee."""
    RECONNECTING = "reconnecting"
    """The target left at that moment: the first two are being bridged again."""
    COMING_HOME = "transferee comes home"
    """It has failed just as the transferor left: the transferee is on its way to us."""
    RELEASING = "releasing"
    """Transferee and target talk; the transferor is still to go."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABANDONED = "abandoned"
    """The transferee or the switch has left, or somebody else has the transferee."""


class Stimulus(Enum):
    """What can happen to it."""

    PARTED = "it begins, and the first two are apart"
    TALKING = "it begins, and everybody is where it was"
    LEGS_REJOINED = "transferee and transferor are bridged"
    REJOIN_FAILED = "transferee and transferor cannot be bridged"
    TARGET_ANSWERED = "the target answers"
    TARGET_FAILED = "the target fails"
    LEGS_JOINED = "transferee and target are bridged"
    JOIN_FAILED = "transferee and target cannot be bridged"
    TRANSFEREE_HOME = "the transferee has come to us, alone"
    TRANSFEREE_TAKEN = "somebody else takes the transferee"
    TRANSFEREE_HANGUP = "the transferee hangs up"
    TRANSFEROR_HANGUP = "the transferor hangs up"
    CANCELLED = "whoever has asked takes it back"
    OVERTAKEN = "a REFER of one of the first two comes"
    BROKEN = "an error ends it"
    DEADLINE = "the deadline passes"
    HANDED_OVER = "the session ends before it"
    SWITCH_LOST = "the switch is lost"


class Action(Enum):
    """What the runner does; it performs the actions of one step in order."""

    REJOIN = "join transferee and transferor"
    KEEP = "keep the transferee for us should its partner leave"
    CALL = "call the target"
    HANG_UP_TARGET = "hang up the target"
    JOIN = "join transferee and target"
    FETCH = "have the transferee come to us if it does not by itself"
    TELL_SUCCESS = "tell the success"
    TELL_FAILURE = "tell the failure"
    RINGBACK = "let the transferee hear that the target rings"
    LET_BE = "let everybody talk on"
    RECALL = "have the transferor called again"
    RELEASE = "release the transferor"
    HANG_UP_TRANSFEROR = "hang up the transferor"
    CONCLUDE = "write the record"
    LEAVE_RECORD = "leave the record to whoever sees the end"


_S, _E, _A = State, Stimulus, Action
_FAIL = (_S.FAILED, (_A.TELL_FAILURE, _A.LET_BE))
_STOP = (_S.FAILED, (_A.HANG_UP_TARGET, _A.TELL_FAILURE, _A.LET_BE))
_GIVE_WAY = (_S.FAILED, (_A.HANG_UP_TARGET, _A.TELL_FAILURE))
_LEFT_ALONE = (_S.ABANDONED, (_A.HANG_UP_TARGET, _A.TELL_FAILURE, _A.RELEASE))
_WAIT_ALONE = (_S.CALLING, (_A.CALL, _A.RINGBACK))
_SUCCEED = (_S.RELEASING, (_A.TELL_SUCCESS, _A.RELEASE))

Row = tuple[State, tuple[Action, ...]]

TABLE: dict[tuple[State, Stimulus], Row] = {
    (_S.ASKED, _E.PARTED): (_S.REJOINING, (_A.REJOIN,)),
    (_S.ASKED, _E.TALKING): (_S.CALLING, (_A.KEEP, _A.CALL)),
    (_S.REJOINING, _E.LEGS_REJOINED): (_S.CALLING, (_A.CALL,)),
    # The transferor has left at that moment: the transferee waits as in any other transfer.
    (_S.REJOINING, _E.REJOIN_FAILED): _WAIT_ALONE,
    (_S.REJOINING, _E.TRANSFEREE_HOME): _WAIT_ALONE,
    (_S.REJOINING, _E.TRANSFEREE_HANGUP): _LEFT_ALONE,
    (_S.REJOINING, _E.DEADLINE): _FAIL,
    (_S.CALLING, _E.TARGET_ANSWERED): (_S.JOINING, (_A.JOIN,)),
    (_S.CALLING, _E.TARGET_FAILED): _FAIL,
    (_S.CALLING, _E.CANCELLED): _STOP,
    (_S.CALLING, _E.DEADLINE): _STOP,
    (_S.CALLING, _E.BROKEN): _STOP,
    (_S.CALLING, _E.TRANSFEREE_HANGUP): _LEFT_ALONE,
    (_S.CALLING, _E.TRANSFEREE_HOME): (_S.CALLING, (_A.RINGBACK,)),
    # FreeSWITCH's dialplan has joined them while we stood still.
    (_S.CALLING, _E.LEGS_JOINED): _SUCCEED,
    (_S.JOINING, _E.LEGS_JOINED): _SUCCEED,
    (_S.JOINING, _E.JOIN_FAILED): _STOP,
    # Of a target that leaves now the transferee's return decides.
    (_S.JOINING, _E.TARGET_FAILED): (_S.JOINING, (_A.FETCH,)),
    (_S.JOINING, _E.TRANSFEREE_HOME): (_S.RECONNECTING, (_A.HANG_UP_TARGET, _A.REJOIN)),
    (_S.JOINING, _E.DEADLINE): (_S.RECONNECTING, (_A.HANG_UP_TARGET, _A.REJOIN)),
    (_S.JOINING, _E.TRANSFEREE_HANGUP): _LEFT_ALONE,
    (_S.RECONNECTING, _E.LEGS_REJOINED): _FAIL,
    (_S.RECONNECTING, _E.REJOIN_FAILED): (_S.FAILED, (_A.TELL_FAILURE, _A.RECALL)),
    (_S.RECONNECTING, _E.DEADLINE): _FAIL,
    (_S.RECONNECTING, _E.TRANSFEREE_HANGUP): _LEFT_ALONE,
    (_S.COMING_HOME, _E.TRANSFEREE_HOME): (_S.FAILED, (_A.RECALL,)),
    (_S.COMING_HOME, _E.TRANSFEREE_HANGUP): (_S.FAILED, ()),
    (_S.COMING_HOME, _E.DEADLINE): (_S.FAILED, ()),
    (_S.RELEASING, _E.TRANSFEROR_HANGUP): (_S.SUCCEEDED, ()),
    (_S.RELEASING, _E.DEADLINE): (_S.SUCCEEDED, (_A.HANG_UP_TRANSFEROR,)),
    # They talk: whatever moves the transferee now belongs to another transfer.
    (_S.RELEASING, _E.OVERTAKEN): (_S.SUCCEEDED, ()),
    (_S.RELEASING, _E.TRANSFEREE_TAKEN): (_S.SUCCEEDED, ()),
    (_S.RELEASING, _E.HANDED_OVER): (_S.SUCCEEDED, ()),
    (_S.RELEASING, _E.SWITCH_LOST): (_S.SUCCEEDED, ()),
    # The session ends, and may say so: the first two talk on, and nobody rings in vain.
    (_S.REJOINING, _E.HANDED_OVER): _FAIL,
    (_S.CALLING, _E.HANDED_OVER): _STOP,
    (_S.RECONNECTING, _E.HANDED_OVER): _FAIL,
}
"""``(state, stimulus) -> (next state, actions)``; the whole life of such a transfer."""

ANYWHERE: dict[Stimulus, Row] = {
    # FreeSWITCH has parted the first two once more, and moves one of them.
    _E.OVERTAKEN: _GIVE_WAY,
    _E.TRANSFEREE_TAKEN: _LEFT_ALONE,
    _E.HANDED_OVER: (_S.ABANDONED, (_A.LEAVE_RECORD,)),
    _E.SWITCH_LOST: (_S.ABANDONED, (_A.LEAVE_RECORD,)),
}
"""The same for every open state in which :data:`TABLE` says nothing else."""

CLOSED = frozenset({_S.SUCCEEDED, _S.FAILED, _S.ABANDONED})
"""States in which nothing is owed to anybody."""

OPEN = frozenset(State) - CLOSED

DEADLINES: dict[State, str] = {
    _S.REJOINING: "join_timeout_s",
    _S.CALLING: "ring_timeout_s",
    _S.JOINING: "join_timeout_s",
    _S.RECONNECTING: "join_timeout_s",
    _S.COMING_HOME: "join_timeout_s",
    _S.RELEASING: "release_transferor_after_s",
}
"""The setting that bounds the stay in each open state."""

UNBOUNDED = {_S.ASKED: "it begins at once"}

DEADLINE_STATUS: dict[State, SipStatus] = {_S.CALLING: SipStatus(480)}
"""What the asker is told when a deadline passes; of all others that we have failed."""

_PARTY_LEFT = SipStatus(487)
_SUCCESS = SipStatus(200)
_UNAVAILABLE = SipStatus(503)
_LEAVING = frozenset({_E.TRANSFEREE_HANGUP, _E.TRANSFEREE_TAKEN, _E.CANCELLED, _E.OVERTAKEN})
_TELLS = frozenset({_A.TELL_SUCCESS, _A.TELL_FAILURE})


class Place(Enum):
    """Where the transferee is, as long as it has no target."""

    WITH_TRANSFEROR = "with the transferor"
    ELSEWHERE = "alone, with an application"
    COMING = "on its way to us"
    HOME = "with us, alone"


@dataclass(frozen=True, slots=True)
class Kept:
    """One such transfer, as far as decisions need it."""

    state: State = State.ASKED
    transferor_present: bool = True
    """Cleared when the transferor has hung up; false from the start where there is none."""
    transferee: Place = Place.WITH_TRANSFEROR
    reported: SipStatus | None = None
    """What the asker was told."""
    failure: SipStatus | None = None
    """What it is to be told, when the first two are joined again. Set once."""

    def __str__(self) -> str:
        """How it stands, in a log line."""
        told = f", reporting {self.reported}" if self.reported else ""
        return f"{self.state.value}{told}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def awaits_target(self) -> bool:
        """The target rings, or is about to."""
        return self.state in (State.REJOINING, State.CALLING)

    @property
    def result(self) -> SipStatus:
        """How it ended, as a SIP status."""
        if self.state is State.SUCCEEDED:
            return _SUCCESS
        return self.failure or self.reported or _UNAVAILABLE


def step(
    kept: Kept, stimulus: Stimulus, status: SipStatus | None = None
) -> tuple[Kept, tuple[Action, ...]]:
    """Return the next one and what is to be done, in order.

    ``status`` goes with ``TARGET_FAILED``, ``CANCELLED`` and ``BROKEN``: what the asker is told.
    """
    if not kept.is_open:
        return kept, ()
    row = TABLE.get((kept.state, stimulus)) or ANYWHERE.get(stimulus)
    learnt = _learn(kept, stimulus)
    if row is None:
        return learnt, ()
    following, actions = row
    fails = _A.TELL_FAILURE in actions or following is State.RECONNECTING
    if fails and learnt.failure is None:
        learnt = replace(learnt, failure=_failure(kept.state, stimulus, status))
    following, actions = _with_rules(learnt, following, actions)
    if learnt.reported is not None:
        actions = tuple(action for action in actions if action not in _TELLS)
    elif not _TELLS.isdisjoint(actions):
        succeeds = Action.TELL_SUCCESS in actions
        learnt = replace(learnt, reported=_SUCCESS if succeeds else learnt.failure)
    if following in CLOSED and Action.LEAVE_RECORD not in actions:
        actions = (*actions, Action.CONCLUDE)
    return replace(learnt, state=following), actions


def _learn(kept: Kept, stimulus: Stimulus) -> Kept:
    """What a stimulus says besides where the transfer stands."""
    match stimulus:
        case Stimulus.TRANSFEROR_HANGUP:
            with_it = kept.transferee is Place.WITH_TRANSFEROR
            place = Place.COMING if with_it else kept.transferee
            return replace(kept, transferor_present=False, transferee=place)
        case Stimulus.TRANSFEREE_HOME | Stimulus.REJOIN_FAILED:
            return replace(kept, transferee=Place.HOME)
        case Stimulus.LEGS_REJOINED:
            return replace(kept, transferee=Place.WITH_TRANSFEROR)
    return kept


def _failure(state: State, stimulus: Stimulus, given: SipStatus | None) -> SipStatus:
    """The final status that a failing step owes to the asker."""
    if given is not None:
        return given
    if stimulus in _LEAVING or state is State.JOINING:
        return _PARTY_LEFT
    return DEADLINE_STATUS.get(state, _UNAVAILABLE) if stimulus is _E.DEADLINE else _UNAVAILABLE


def _with_rules(kept: Kept, following: State, actions: tuple[Action, ...]) -> Row:
    """Rules 2 and 3 of the module's docstring."""
    if not kept.transferor_present:
        if Action.REJOIN in actions:
            following = State.FAILED
            told = (Action.TELL_FAILURE, Action.LET_BE)
            actions = (*(each for each in actions if each is not Action.REJOIN), *told)
        if following is State.RELEASING:
            following = State.SUCCEEDED
        actions = tuple(action for action in actions if action is not Action.RELEASE)
    if Action.LET_BE not in actions:
        return following, actions
    if kept.transferee is Place.HOME:
        actions = tuple(_A.RECALL if each is _A.LET_BE else each for each in actions)
    elif kept.transferee is Place.COMING:
        actions = tuple(each for each in actions if each is not Action.LET_BE)
        following = State.COMING_HOME
    return following, actions
