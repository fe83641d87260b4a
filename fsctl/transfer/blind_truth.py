"""What has really happened in a blind transfer, before its table is stepped (pure).

News of FreeSWITCH may be late, or somebody else may have been quicker: :func:`asks` says what it
must be asked before a step, and :func:`in_truth` what the answers make of that step.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from fsctl.sip.status import SipStatus
from fsctl.transfer.blind import Snapshot, answers, step
from fsctl.transfer.blind_table import Action, State, Stimulus

_GIVE_UP = (Stimulus.DEADLINE, Stimulus.FAILURE_REPORTED, Stimulus.GIVEN_UP)
_FAILING = frozenset({Action.REJOIN, Action.NOTIFY_FAILURE, Action.RECALL})


class Question(Enum):
    """What only FreeSWITCH knows."""

    JOINED = "do the legs that are to be joined talk already?"
    ELSEWHERE = "has somebody else told the transferor, or taken the transferee?"


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What has become of a transfer while we did not look."""

    transferee_gone: bool = False
    told: SipStatus | None = None
    """Somebody has told the transferor how this REFER has ended: this is what FreeSWITCH says of a
    failure."""
    joined: bool = False
    """The transferee talks, and not with the transferor: then it was told of success."""
    sent_on: bool = False
    """A timer has sent the transferee to another controller, since it came to us."""


@dataclass(frozen=True, slots=True)
class News:
    """What FreeSWITCH has answered; None: it has not been asked."""

    joined: bool | None = None
    elsewhere: Elsewhere | None = None


Happening = tuple[Stimulus, SipStatus | None]


def asks(snapshot: Snapshot, stimulus: Stimulus, news: News) -> Question | None:
    """Return what FreeSWITCH must be asked, besides ``news``, before this stimulus is stepped.

    A target may have answered a moment ago, and success been reported, when we give up. Before a
    failure is told: while we were stopped, or our link held up, the timers in FreeSWITCH may have
    sent the transferee on.
    """
    doubted = snapshot.is_open and snapshot.state not in (State.REQUESTED, State.RELEASING)
    if stimulus in _GIVE_UP and doubted and news.joined is None:
        return Question.JOINED
    if news.joined:
        stimulus = _joined(snapshot)
    if news.elsewhere is None and snapshot.reported is None:
        return Question.ELSEWHERE if _fails(snapshot, stimulus) else None
    return None


def in_truth(
    snapshot: Snapshot, stimulus: Stimulus, status: SipStatus | None, news: News
) -> tuple[Happening, ...]:
    """Return what has really happened, in the light of ``news``: it is stepped in this order."""
    before: tuple[Happening, ...] = ()
    if news.joined:
        if stimulus is Stimulus.FAILURE_REPORTED:
            before = ((Stimulus.FAILURE_OVERTAKEN, None),)
        stimulus = _joined(snapshot)
    elsewhere = news.elsewhere or Elsewhere()
    if elsewhere.transferee_gone:
        stimulus = Stimulus.TRANSFEREE_HANGUP
    if elsewhere.told is not None and elsewhere.joined and answers(snapshot, Stimulus.LEGS_JOINED):
        return *before, (Stimulus.LEGS_JOINED, None)
    if elsewhere.told is not None:
        if Action.REJOIN in step(snapshot, stimulus, status)[1]:
            return *before, (Stimulus.UNDONE, elsewhere.told)
        return *before, (Stimulus.TOLD, None), (stimulus, status)
    if elsewhere.sent_on and snapshot.awaits_target and snapshot.state is not State.VOUCHED:
        return *before, (Stimulus.TAKEN_OVER, None)
    return *before, (stimulus, status)


def _joined(snapshot: Snapshot) -> Stimulus:
    rejoining = snapshot.state is State.RECONNECTING
    return Stimulus.LEGS_REJOINED if rejoining else Stimulus.LEGS_JOINED


def _fails(snapshot: Snapshot, stimulus: Stimulus) -> bool:
    """Whether this step would tell a failure, or begin to."""
    following, actions = step(snapshot, stimulus)
    noted = Action.NOTE_TOLD in actions and following.state is State.FAILED
    return noted or not _FAILING.isdisjoint(actions)
