"""The attended transfer as one table (REFER with Replaces: RFC 3891, RFC 5589 section 7), pure.

``step(transfer, stimulus, status)`` takes a frozen :class:`Attended` and returns the next one and
the actions to perform, in order. FreeSWITCH asks for each REFER by a loopback, and its report is
our answer: the loopback answered is the 200, hung up the 403 (sofia.c). A pair that is not in the
table keeps the state and asks for nothing.

Five rules stand above the table, so that no row has to repeat them:

1. As long as nothing is granted, a transferee whose transferor has left comes to us, once.
2. A transferor that has left is not asked after, and FreeSWITCH would join nobody for it: a row
   that claims the two, or that gives a grant up, has them joined by us instead.
3. Before the join a target whose bridge with the transferor is over waits in the dialplan, once.
4. The loopback's end counts only while its transferor is there: with that it goes by itself.
5. Where FreeSWITCH has not asked, nobody knows the Refer-To: a target cannot be called anew.

Deadlines run from the entry of a state; :data:`DEADLINES` names the time that bounds each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from fsctl.sip.status import SipStatus


class State(Enum):
    """Where an attended transfer stands; the value is the name that logs use."""

    SEEKING = "seeking the dialog to replace"
    """FreeSWITCH's list of channels lags behind, and so do events."""
    REQUESTED = "requested"
    """The application has been asked and has not decided."""
    WAITING = "waiting for the target"
    """Accepted: everybody talks on, or the target still rings for the transferor."""
    VANISHED = "target gone"
    """Nobody knows yet whether the target left, or its caller took the call back."""
    CALLING = "calling the target anew"
    """The transferor has taken its call back: the target rings for the transferee."""
    CLAIMING = "claiming the first two"
    """Can a blind REFER of one of them still overtake this one?"""
    ANSWERED = "answered"
    """The loopback is answered: FreeSWITCH bridges the transferee with it and reports success."""
    DOUBTED = "loopback gone"
    """It went after our answer: were the two bridged, or had the transferor left?"""
    COMING_HOME = "transferee comes home"
    """Success is reported; the transferee opens a link of its own."""
    JOINING = "joining"
    """Transferee and target are being bridged."""
    SUCCEEDED = "succeeded"
    REFUSED = "refused"
    """Everybody talks on."""
    BROKEN = "broken"
    """Success had been reported, and one of the two was not there any more."""
    ABANDONED = "abandoned"
    """The session has ended before it; FreeSWITCH's dialplan has the parties."""


class Stimulus(Enum):
    """What can happen to an attended transfer."""

    READ = "the request is read"
    UNREADABLE = "the request cannot be read"
    ACCEPTED = "it is accepted"
    REFUSED = "it is refused"
    GIVES_WAY = "a blind REFER of the same two counts"
    TARGET_READY = "the target talks, and can be joined"
    TARGET_FAILED = "the target fails"
    TARGET_VANISHED = "the target is gone, and nobody knows why"
    TAKEN_BACK = "the transferor takes its call to the target back"
    CLAIMED = "no other REFER can move the first two"
    OVERTAKEN = "a blind REFER has overtaken it"
    BRIDGED = "the transferee is bridged with the loopback"
    BRIDGED_HERE = "the transferee, whose link is ours, is bridged with the loopback"
    NOT_BRIDGED = "the transferee is not bridged with the loopback"
    LOOPBACK_GONE = "the loopback ends"
    TRANSFEREE_HOME = "the transferee has come home"
    HANDED_OVER = "the target is an application"
    LEGS_JOINED = "transferee and target are bridged"
    NOT_JOINED = "transferee and target are not bridged"
    JOIN_FAILED = "transferee and target cannot be bridged"
    TRANSFEREE_LEFT = "the transferee hangs up"
    TARGET_LEFT = "the target hangs up"
    TRANSFEROR_LEFT = "the transferor hangs up"
    REPLACED_LEFT = "the transferor leaves the target behind"
    DEADLINE = "the deadline passes"
    SESSION_ENDS = "the session ends"
    SESSION_EMPTY = "the session ends with its transferee"


class Action(Enum):
    """What the runner does; some answer with the next stimulus."""

    ASK = "ask the application"
    LOOK = "see what has become of the target"
    CALL_TARGET = "call the target for the transferee"
    STOP_TARGET = "hang up the target that rings"
    CLAIM = "have no other REFER move the first two"
    ANSWER = "grant it: answer the loopback"
    REJECT = "refuse it: hang the loopback up"
    ASK_BRIDGED = "ask whether the transferee is bridged with the loopback"
    SEND_FOR = "have the transferee come to us"
    FETCH = "have the transferee come to us to be joined"
    RINGBACK = "let the transferee hear that it rings"
    KEEP_TARGET = "have the target wait in the dialplan"
    JOIN = "join transferee and target"
    ASK_JOINED = "ask whether transferee and target are bridged"
    ENTER_APPLICATION = "put the transferee into the application"
    CLOSE = "release what has served"
    RESTORE = "let the first two send a REFER again"
    LET_BE = "let everybody talk on"
    RELAX = "let the bridges end as ever"
    LET_GO = "leave the loopback to the dialplan"
    HANG_UP_ALL = "hang up whoever is left alone"


_S, _E, _A = State, Stimulus, Action

SEEKS = frozenset({_S.SEEKING, _S.REQUESTED, _S.WAITING, _S.VANISHED, _S.CALLING})
"""States in which nothing is granted: refused, everybody talks on."""

BEFORE_JOIN = SEEKS | {_S.CLAIMING, _S.ANSWERED, _S.DOUBTED, _S.COMING_HOME}

CLOSED = frozenset({_S.SUCCEEDED, _S.REFUSED, _S.BROKEN, _S.ABANDONED})

OPEN = BEFORE_JOIN | {_S.JOINING}
"""States in which something is still owed to somebody."""


def _in_order(states: frozenset[State]) -> list[State]:
    return [state for state in State if state in states]


_REFUSE = (_S.REFUSED, (_A.REJECT, _A.LET_BE))
_STOP = (_S.REFUSED, (_A.REJECT, _A.STOP_TARGET, _A.LET_BE))
_TAKE_BACK = (_S.REFUSED, (_A.REJECT, _A.RESTORE, _A.LET_BE))
_BREAK = (_S.BROKEN, (_A.HANG_UP_ALL,))
_DROP = (_S.REFUSED, (_A.REJECT, _A.RELAX))
_JOIN_HERE = (_S.JOINING, (_A.REJECT, _A.JOIN))
_JOIN_ALONE = (_S.COMING_HOME, (_A.REJECT, _A.FETCH))
_FETCHES = frozenset({_A.SEND_FOR, _A.FETCH})

Row = tuple[State, tuple[Action, ...]]

TABLE: dict[tuple[State, Stimulus], Row] = {
    (_S.SEEKING, _E.READ): (_S.REQUESTED, (_A.ASK,)),
    # What has been read must do: the application is told of a dialog that nobody knows.
    (_S.SEEKING, _E.DEADLINE): (_S.REQUESTED, (_A.ASK,)),
    (_S.SEEKING, _E.UNREADABLE): _REFUSE,
    (_S.REQUESTED, _E.ACCEPTED): (_S.WAITING, (_A.LOOK,)),
    (_S.REQUESTED, _E.REFUSED): _REFUSE,
    (_S.REQUESTED, _E.DEADLINE): _REFUSE,
    (_S.WAITING, _E.TARGET_READY): (_S.CLAIMING, (_A.CLAIM,)),
    (_S.WAITING, _E.TARGET_FAILED): _REFUSE,
    (_S.WAITING, _E.TARGET_VANISHED): (_S.VANISHED, ()),
    (_S.WAITING, _E.TAKEN_BACK): (_S.CALLING, (_A.CALL_TARGET,)),
    (_S.WAITING, _E.DEADLINE): _REFUSE,
    (_S.VANISHED, _E.TAKEN_BACK): (_S.CALLING, (_A.CALL_TARGET,)),
    (_S.VANISHED, _E.TARGET_FAILED): _REFUSE,
    (_S.VANISHED, _E.DEADLINE): _REFUSE,
    (_S.CALLING, _E.TARGET_READY): (_S.CLAIMING, (_A.CLAIM,)),
    (_S.CALLING, _E.TARGET_FAILED): _REFUSE,
    (_S.CALLING, _E.DEADLINE): _STOP,
    (_S.CLAIMING, _E.CLAIMED): (_S.ANSWERED, (_A.ANSWER,)),
    # Its sender's partner is moved by the other REFER already: nothing is given back.
    (_S.CLAIMING, _E.OVERTAKEN): _REFUSE,
    (_S.CLAIMING, _E.DEADLINE): _TAKE_BACK,
    (_S.ANSWERED, _E.BRIDGED_HERE): (_S.JOINING, (_A.JOIN,)),
    # The session's link is the transferor's, which leaves: the transferee opens one itself.
    (_S.ANSWERED, _E.BRIDGED): (_S.COMING_HOME, (_A.FETCH,)),
    (_S.ANSWERED, _E.DEADLINE): (_S.ANSWERED, (_A.ASK_BRIDGED,)),
    (_S.ANSWERED, _E.NOT_BRIDGED): _TAKE_BACK,
    (_S.ANSWERED, _E.LOOPBACK_GONE): (_S.DOUBTED, (_A.ASK_BRIDGED,)),
    (_S.DOUBTED, _E.BRIDGED_HERE): (_S.JOINING, (_A.JOIN,)),
    (_S.DOUBTED, _E.BRIDGED): (_S.COMING_HOME, (_A.FETCH,)),
    (_S.DOUBTED, _E.NOT_BRIDGED): (_S.DOUBTED, ()),
    (_S.DOUBTED, _E.TRANSFEROR_LEFT): (_S.DOUBTED, (_A.ASK_BRIDGED,)),
    (_S.DOUBTED, _E.DEADLINE): (_S.ANSWERED, (_A.ASK_BRIDGED,)),
    (_S.COMING_HOME, _E.TRANSFEREE_HOME): (_S.JOINING, (_A.JOIN,)),
    # The dialplan has joined them, for it took us for dead.
    (_S.COMING_HOME, _E.LEGS_JOINED): (_S.SUCCEEDED, (_A.CLOSE,)),
    (_S.COMING_HOME, _E.NOT_JOINED): _BREAK,
    (_S.JOINING, _E.LEGS_JOINED): (_S.SUCCEEDED, (_A.CLOSE,)),
    # A parking place is free, and a queue shorter, when the transferor has left it.
    (_S.JOINING, _E.HANDED_OVER): (_S.SUCCEEDED, (_A.CLOSE, _A.ENTER_APPLICATION)),
    (_S.JOINING, _E.NOT_JOINED): _BREAK,
    # The news of the join may be late.
    **{
        (state, stimulus): (state, (_A.ASK_JOINED,))
        for state in (_S.COMING_HOME, _S.JOINING)
        for stimulus in (_E.TRANSFEREE_LEFT, _E.TARGET_LEFT, _E.DEADLINE)
    },
    (_S.JOINING, _E.JOIN_FAILED): (_S.JOINING, (_A.ASK_JOINED,)),
    **{(state, _E.TRANSFEREE_LEFT): _REFUSE for state in _in_order(SEEKS - {_S.CALLING})},
    (_S.CALLING, _E.TRANSFEREE_LEFT): _STOP,
    **{(state, _E.TRANSFEREE_LEFT): _TAKE_BACK for state in (_S.CLAIMING, _S.ANSWERED, _S.DOUBTED)},
    **{
        (state, stimulus): _STOP if state is _S.CALLING else _REFUSE
        for state in _in_order(SEEKS)
        for stimulus in (_E.GIVES_WAY, _E.LOOPBACK_GONE)
    },
    **{(state, _E.TRANSFEROR_LEFT): (state, (_A.SEND_FOR,)) for state in _in_order(SEEKS)},
    **{(state, _E.REPLACED_LEFT): (state, (_A.KEEP_TARGET,)) for state in _in_order(BEFORE_JOIN)},
    # Comfort for those who wait; it says nothing before anybody has decided.
    **{
        (state, _E.TRANSFEREE_HOME): (state, (_A.RINGBACK,))
        for state in (_S.WAITING, _S.VANISHED, _S.CALLING)
    },
    **{
        (state, stimulus): _DROP
        for state in _in_order(SEEKS)
        for stimulus in (_E.SESSION_ENDS, _E.SESSION_EMPTY)
    },
    **{
        (state, stimulus): (_S.ABANDONED, (action,))
        for state in _in_order(OPEN - SEEKS)
        for stimulus, action in (
            (_E.SESSION_ENDS, _A.LET_GO),
            (_E.SESSION_EMPTY, _A.HANG_UP_ALL),
        )
    },
}
"""``(state, stimulus) -> (next state, actions)``; the whole life of an attended transfer."""

DEADLINES: dict[State, str] = {
    _S.SEEKING: "seek_timeout_s",
    _S.REQUESTED: "decision_timeout_s",
    _S.WAITING: "freeswitch_waits_s",
    _S.VANISHED: "news_timeout_s",
    _S.CALLING: "freeswitch_waits_s",
    _S.CLAIMING: "step_timeout_s",
    _S.ANSWERED: "step_timeout_s",
    _S.DOUBTED: "news_timeout_s",
    _S.COMING_HOME: "step_timeout_s",
    _S.JOINING: "step_timeout_s",
}
"""What bounds the stay in each open state."""

_FORBIDDEN = SipStatus(403)
_BROKEN = SipStatus(503)
_RESULTS = {
    _S.SUCCEEDED: SipStatus(200),
    _S.BROKEN: _BROKEN,
    _S.ABANDONED: _BROKEN,
}


class Place(Enum):
    """Where the transferee is, before it is joined with the target."""

    WITH_TRANSFEROR = "with the transferor"
    COMING = "on its way to us"
    HOME = "on a link of its own"


@dataclass(frozen=True, slots=True)
class Attended:
    """One REFER with Replaces, as far as decisions need it."""

    state: State = State.SEEKING
    asked: bool = True
    """FreeSWITCH asks us about it; not where the transferor was gone before it could."""
    transferor_present: bool = True
    transferee: Place = Place.WITH_TRANSFEROR
    target_kept: bool = False
    """The target waits in the dialplan."""
    failure: SipStatus | None = None
    """Why the target was not reached, where somebody has said so."""

    def __str__(self) -> str:
        """How it stands, in a log line."""
        return self.state.value if self.is_open else f"{self.state.value}, {self.result}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def is_undecided(self) -> bool:
        return self.state is State.REQUESTED

    @property
    def result(self) -> SipStatus:
        """How it ended, as a SIP status; not what FreeSWITCH has told, which is 200 or 403 only."""
        return _RESULTS.get(self.state) or self.failure or _FORBIDDEN


def step(
    transfer: Attended, stimulus: Stimulus, status: SipStatus | None = None
) -> tuple[Attended, tuple[Action, ...]]:
    """Return the next transfer and what is to be done, in order.

    ``status`` goes with ``TARGET_FAILED`` and ``DEADLINE``: why the target was not reached.
    """
    row = TABLE.get((transfer.state, stimulus))
    known = transfer
    if transfer.is_open:
        match stimulus:
            case Stimulus.TRANSFEROR_LEFT if not transfer.transferor_present:
                return transfer, ()
            case Stimulus.TRANSFEROR_LEFT:
                known = replace(transfer, transferor_present=False)
            case Stimulus.REPLACED_LEFT if transfer.target_kept:
                return transfer, ()
            case Stimulus.REPLACED_LEFT if row is not None:
                known = replace(transfer, target_kept=True)
            case Stimulus.TRANSFEREE_HOME:
                known = replace(transfer, transferee=Place.HOME)
            case Stimulus.LOOPBACK_GONE if transfer.state in SEEKS and not known.transferor_present:
                return transfer, ()
    return (known, ()) if row is None else _with_rules(known, stimulus, row, status)


def _with_rules(
    transfer: Attended, stimulus: Stimulus, row: Row, status: SipStatus | None
) -> tuple[Attended, tuple[Action, ...]]:
    """Apply rules 1, 2 and 5 of the module's docstring to a row of the table."""
    following, actions = row
    elsewhere = transfer.transferee is not Place.WITH_TRANSFEROR
    claims = following is State.CLAIMING or stimulus is Stimulus.NOT_BRIDGED
    if claims and not transfer.transferor_present:
        following, actions = _JOIN_HERE if transfer.transferee is Place.HOME else _JOIN_ALONE
    elif following is State.CALLING and not transfer.asked:
        following, actions = _REFUSE
    if elsewhere and not transfer.transferor_present:
        actions = tuple(action for action in actions if action not in _FETCHES)
    if following is State.REFUSED:
        transfer = replace(transfer, failure=status or transfer.failure)
    if not _FETCHES.isdisjoint(actions):
        transfer = replace(transfer, transferee=Place.COMING)
    return replace(transfer, state=following), actions
