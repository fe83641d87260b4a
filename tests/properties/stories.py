"""Stories as data: who transfers whom, what the targets do, and what goes wrong when.

A :class:`Story` is printed as the Python that makes it, so that one which fails can be kept as it
is in ``test_regressions.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

MODES = ("connect", "sample", "legacy")
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
        texts = [repr(self.what), *(repr(text) for text in (self.who, self.to) if text)]
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


def _move(what: str, *people: st.SearchStrategy[str]) -> st.SearchStrategy[Move]:
    when = st.one_of(
        st.builds(lambda seconds: {"seconds": seconds}, st.sampled_from(SECONDS)),
        st.builds(lambda turns: {"turns": turns}, st.integers(0, 40)),
    )
    return st.builds(lambda names, moment: Move(what, *names, **moment), st.tuples(*people), when)


def _moves() -> st.SearchStrategy[tuple[Move, ...]]:
    people, pair = st.sampled_from(PEOPLE), st.sampled_from(("bob", "alice"))
    targets = st.sampled_from(TARGETS)
    refer = _move("refers", pair, st.sampled_from((*TARGETS, "nobody")))
    any_refer = _move("refers", people, targets)
    kinds = [
        refer,
        _move("hangs up", people),
        any_refer,
        _move("consults", pair, targets),
        _move("transfers to the one consulted", pair),
        _move("dies"),
        _move("is replaced"),
        _move("is terminated"),
        _move("duplicates", st.just(""), st.sampled_from(FAULTED[:6])),
        _move("delays", st.just(""), st.sampled_from(FAULTED)),
    ]
    anything: st.SearchStrategy[Any] = st.lists(st.one_of(*kinds), max_size=6).map(tuple)
    consulted = st.tuples(
        _move("consults", st.just("bob"), st.just("carol")),
        _move("transfers to the one consulted", st.just("bob")),
    )
    begins = st.one_of(refer.map(lambda move: (move,)), consulted, st.just(()))
    return st.tuples(anything, begins, anything).map(lambda parts: sum(parts, ()))


def stories() -> st.SearchStrategy[Story]:
    """Any story of at most fourteen moves, most of them with a transfer."""
    behaviours = st.sampled_from(BEHAVIOURS)
    talking = st.sampled_from((True, True, True, False))
    return st.builds(Story, st.sampled_from(MODES), behaviours, behaviours, _moves(), talking)
