"""The native transfer as one table, pure: FreeSWITCH moves the legs, and we only learn.

It is followed from the session that the call had before. The transferee's next bridge tells the
result: with anybody else the transfer is complete, with the transferor again it has failed.
FreeSWITCH reports to the transferor by itself, unless its transferee leaves.

``step(snapshot, stimulus, status)`` is as that of :mod:`fsctl.transfer.blind`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from fsctl.sip.status import SipStatus


class State(Enum):
    """Where a native transfer stands; the value is the name that logs use."""

    REQUESTED = "requested"
    """FreeSWITCH has sent the transferee to its target, which is being called."""
    SETTLING = "settling"
    """The transferee is bridged with somebody else. FreeSWITCH tells of a join before it begins,
    and gives it up if the target leaves in between."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABANDONED = "abandoned"
    """The session ends before it; the transferee is FreeSWITCH's, or its new session's."""


class Stimulus(Enum):
    """What can happen to a native transfer."""

    BRIDGED = "the transferee is bridged with somebody else"
    REJOINED = "transferee and transferor are bridged again"
    RECALLED = "the transferor has been called again"
    TRANSFEREE_HANGUP = "the transferee hangs up"
    DEADLINE = "the deadline passes"
    HANDED_OVER = "the session ends before it"


class Action(Enum):
    """What the runner does; it performs the actions of one step in order."""

    CONCLUDE = "write the record"
    LEAVE_RECORD = "leave the record to whoever sees the end"
    PAIR = "note that transferee and transferor talk"
    TELL_AND_RELEASE = "notify failure and release the transferor"
    GIVE_AWAY = "leave the transferee to its new session"


_S, _E, _A = State, Stimulus, Action
_OVER = (_A.CONCLUDE, _A.GIVE_AWAY)
_AGAIN = (_A.CONCLUDE, _A.PAIR)
_LEFT = (_A.LEAVE_RECORD, _A.GIVE_AWAY)

TABLE: dict[tuple[State, Stimulus], tuple[State, tuple[Action, ...]]] = {
    (_S.REQUESTED, _E.BRIDGED): (_S.SETTLING, ()),
    (_S.REQUESTED, _E.REJOINED): (_S.FAILED, _AGAIN),
    # FreeSWITCH would keep the transferor parked for ten minutes, and tell it nothing.
    (_S.REQUESTED, _E.TRANSFEREE_HANGUP): (_S.FAILED, (_A.CONCLUDE, _A.TELL_AND_RELEASE)),
    (_S.REQUESTED, _E.HANDED_OVER): (_S.ABANDONED, _LEFT),
    (_S.SETTLING, _E.REJOINED): (_S.FAILED, _AGAIN),
    # FreeSWITCH has reported the join, if it was one; the transferor that had left is the party
    # that the transferee talks with when the dialplan has called it again.
    (_S.SETTLING, _E.DEADLINE): (_S.SUCCEEDED, _OVER),
    (_S.SETTLING, _E.TRANSFEREE_HANGUP): (_S.SUCCEEDED, _OVER),
    (_S.SETTLING, _E.RECALLED): (_S.FAILED, _OVER),
    (_S.SETTLING, _E.HANDED_OVER): (_S.ABANDONED, _LEFT),
}
"""``(state, stimulus) -> (next state, actions)``; the whole life of a native transfer."""

OPEN = frozenset({_S.REQUESTED, _S.SETTLING})

DEADLINES: dict[State, str] = {_S.SETTLING: "settled_after_s"}
"""What bounds the stay in a state."""

UNBOUNDED: dict[State, str] = {
    _S.REQUESTED: "FreeSWITCH ends it: it bounds the ringing of the target, and then joins the "
    "first two again or hangs the transferee up. The session ends with its last leg at the latest.",
}
"""The open states that nothing of ours bounds, and why not."""

_SUCCESS = SipStatus(200)
_PARTY_LEFT = SipStatus(487)
_NOT_REACHED = SipStatus(480)
_UNAVAILABLE = SipStatus(503)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One native transfer, as far as decisions need it."""

    state: State = State.REQUESTED
    failure: SipStatus | None = None
    """How it has failed; set by the step that ends it so."""

    def __str__(self) -> str:
        """How it stands, in a log line."""
        return self.state.value if self.is_open else f"{self.state.value}, {self.result}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def result(self) -> SipStatus:
        """How it ended, as a SIP status."""
        return _SUCCESS if self.state is State.SUCCEEDED else self.failure or _UNAVAILABLE


def doubts(snapshot: Snapshot, stimulus: Stimulus) -> bool:
    """Whether FreeSWITCH must be asked if it has called the transferor again: ``RECALLED`` then."""
    settles = stimulus in (Stimulus.DEADLINE, Stimulus.TRANSFEREE_HANGUP)
    return snapshot.state is State.SETTLING and settles


def step(
    snapshot: Snapshot, stimulus: Stimulus, status: SipStatus | None = None
) -> tuple[Snapshot, tuple[Action, ...]]:
    """Return the next snapshot and what is to be done, in order.

    ``status`` goes with ``REJOINED``: why the target was not reached.
    """
    row = TABLE.get((snapshot.state, stimulus))
    if row is None:
        return snapshot, ()
    following, actions = row
    failures = {Stimulus.TRANSFEREE_HANGUP: _PARTY_LEFT, Stimulus.RECALLED: _NOT_REACHED}
    failure = failures.get(stimulus, status) if following is State.FAILED else None
    return replace(snapshot, state=following, failure=failure), actions
