"""Stories as data: who transfers whom, what the targets do, and what goes wrong when.

A :class:`Story` is printed as the Python that makes it, so that one which fails can be kept as it
is in ``test_regressions.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

MODES = ("connect", "sample", "legacy", "keep")
"""``keep``: as ``connect``, with ``keep_talking``."""
PEOPLE = ("alice", "bob", "carol", "dave")
TARGETS = ("carol", "dave")
BEHAVIOURS = (
    "answers",
    "answers slowly",
    "busy",
    "rings",
    "unreachable",
    "answers and leaves",
    "answers and leaves soon",
    "early media, then busy",
    "early media, then answers",
    "refuses",
)
FAULTED = (
    "event CHANNEL_ANSWER",
    "event CHANNEL_BRIDGE",
    "event CHANNEL_HANGUP",
    "event CHANNEL_EXECUTE_COMPLETE",
    "event CUSTOM",
    "event",
    "reply",
    "api",
)
SECONDS = (0.0, 0.001, 0.006, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.1, 3.5)
LEAVES = ("202", "NOTIFY")
ENDS = ("call", "line", "both")
SOON = (0.0, 0.001, 0.02, 0.04, 0.06, 0.1, 0.3)
JOINTS = (",", "|", ":_:")


@dataclass(frozen=True, slots=True)
class Leaves:
    """How the phones that send a REFER hang up: so long after its 202, or its NOTIFY.

    ``ends``: the dialog of the REFER, that which it asks to have replaced, or both.
    """

    after: str = "NOTIFY"
    seconds: float = 0.0
    ends: str = "call"


@dataclass(frozen=True, slots=True)
class Device:
    """A second phone of Carol's: what it does, and what stands before it in her dial string."""

    does: str
    joined_by: str = ","


@dataclass(frozen=True, slots=True)
class Move:
    """One thing that somebody does.

    It happens ``seconds`` after all that follows from the move before it has come to rest; with
    ``turns`` it comes so many turns of the hub after that move, whatever is under way.
    """

    what: str
    who: str = ""
    to: str = ""
    seconds: float = 0.0
    turns: int | None = None

    def __repr__(self) -> str:
        people = [self.who, self.to] if self.to else [self.who] if self.who else []
        texts = [repr(self.what), *map(repr, people)]
        if self.turns is not None:
            texts.append(f"turns={self.turns}")
        elif self.seconds:
            texts.append(f"seconds={self.seconds}")
        return f"Move({', '.join(texts)})"


@dataclass(frozen=True, slots=True)
class Story:
    """Alice calls Bob; then the moves, one after the other."""

    mode: str
    carol: str
    dave: str
    moves: tuple[Move, ...]
    talking: bool = True
    """The moves begin when Bob has answered; else while his phone rings."""
    leaves: Leaves | None = None
    """None: a phone that has sent a REFER waits to be hung up."""
    device: Device | None = None

    def __repr__(self) -> str:
        """One line, without what is as usual."""
        texts = [repr(each) for each in (self.mode, self.carol, self.dave, self.moves)]
        texts += [] if self.talking else ["talking=False"]
        texts += [f"leaves={self.leaves}"] if self.leaves else []
        texts += [f"device={self.device}"] if self.device else []
        return f"Story({', '.join(texts)})"


def read_story(text: str) -> Story:
    """The story that is printed so; ``text`` is Python and is executed."""
    names = {"Story": Story, "Move": Move, "Leaves": Leaves, "Device": Device}
    story = eval(text, names)
    if not isinstance(story, Story):
        raise TypeError(f"no story: {text}")
    return story


def _move(what: str, *people: st.SearchStrategy[str]) -> st.SearchStrategy[Move]:
    when = st.one_of(
        st.builds(lambda seconds: {"seconds": seconds}, st.sampled_from(SECONDS)),
        st.builds(lambda turns: {"turns": turns}, st.integers(0, 40)),
    )
    return st.builds(lambda names, moment: Move(what, *names, **moment), st.tuples(*people), when)


def _mostly(
    usual: st.SearchStrategy[Any], other: st.SearchStrategy[Any], one_in: int = 4
) -> st.SearchStrategy[Any]:
    """``other`` in one of so many draws (``one_of`` drops what it is given twice)."""
    return st.integers(1, one_in).flatmap(lambda drawn: other if drawn == one_in else usual)


def _kinds() -> list[st.SearchStrategy[Move]]:
    people, pair = st.sampled_from(PEOPLE), st.sampled_from(("bob", "alice"))
    targets = st.sampled_from(TARGETS)
    return [
        _move("refers", pair, st.sampled_from((*TARGETS, "nobody"))),
        _move("hangs up", people),
        _move("refers", people, targets),
        _move("consults", pair, targets),
        _move("transfers to the one consulted", pair),
        _move("dies"),
        _move("is replaced"),
        _move("is terminated"),
        _move("duplicates", st.just(""), st.sampled_from(FAULTED[:6])),
        _move("delays", st.just(""), st.sampled_from(FAULTED)),
        _move("picks up", st.just("eve"), people),
        _move("is moved", people, targets),
        _move("is moved without a context", people, targets),
        _move("loses its kept links"),
    ]


def _moves() -> st.SearchStrategy[tuple[Move, ...]]:
    """Whatever comes together: much of it cannot be judged but for who is left alone."""
    kinds = _kinds()
    anything: st.SearchStrategy[Any] = st.lists(st.one_of(*kinds), max_size=6).map(tuple)
    consulted = st.tuples(
        _move("consults", st.just("bob"), st.just("carol")),
        _move("transfers to the one consulted", st.just("bob")),
    )
    begins = st.one_of(kinds[0].map(lambda move: (move,)), consulted, st.just(()))
    return st.tuples(anything, begins, anything).map(lambda parts: sum(parts, ()))


def _transfers() -> st.SearchStrategy[tuple[Move, ...]]:
    """Transfers, one after the other, and only the network is odd: all of it can be judged."""
    pair, to = st.sampled_from(("bob", "alice")), st.sampled_from((*TARGETS, "nobody"))
    soon, long = st.sampled_from(SECONDS), st.just(6.0)
    first = st.builds(lambda who, to, s: Move("refers", who, to, s), pair, to, soon)
    later = st.builds(lambda who, to, s: Move("refers", who, to, s), pair, to, long)
    several = st.builds(lambda one, more: (one, *more), first, st.lists(later, max_size=2))
    consulted = st.builds(
        lambda who, to, s: (
            Move("consults", who, to),
            Move("transfers to the one consulted", who, seconds=s),
        ),
        pair,
        st.sampled_from(TARGETS),
        st.sampled_from((0.02, 0.1, 0.3, 1.0, 2.1)),
    )
    odd = st.lists(st.one_of(*_kinds()[8:10]), max_size=1).map(tuple)
    cut = _mostly(st.just(()), st.just((Move("loses its kept links"),)))
    parts = st.tuples(odd, _mostly(several, consulted))
    return st.builds(
        lambda moves, cut, at: (
            moves[: at % (len(moves) + 1)] + cut + moves[at % (len(moves) + 1) :]
        ),
        parts.map(lambda each: sum(each, ())),
        cut,
        st.integers(0, 6),
    )


def stories() -> st.SearchStrategy[Story]:
    """Any story of at most fourteen moves, most of them with a transfer."""
    behaviours = st.sampled_from(BEHAVIOURS)
    modes, talking = st.sampled_from(MODES), _mostly(st.just(True), st.just(False))
    leaves = st.builds(
        Leaves, st.sampled_from(LEAVES), st.sampled_from(SOON), st.sampled_from(ENDS)
    )
    leave = _mostly(st.none(), leaves)
    device = st.builds(Device, behaviours, st.sampled_from(JOINTS))
    devices = _mostly(st.none(), device)
    wild = st.builds(Story, modes, behaviours, behaviours, _moves(), talking, leave, devices)
    patient = st.sampled_from([does for does in BEHAVIOURS if "leaves" not in does])
    does = _mostly(patient, behaviours)
    good = st.builds(Story, modes, does, does, _transfers(), st.just(True), leave, devices)
    return _mostly(good, wild)
