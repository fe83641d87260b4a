"""Every path through a table, with what must be true on each.

A path is followed as far as it can lead anywhere new: what matters of its past is a *tally*, which
the test keeps (told once, joined once, ...). A step that breaks a rule raises ``Broken`` in the
tally, and the path that leads there is the message.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

S = TypeVar("S")
A = TypeVar("A")
T = TypeVar("T")


class Broken(AssertionError):
    """A rule does not hold."""


@dataclass(frozen=True)
class Move(Generic[S, A]):
    """One step: what happened, where it led and what was to be done."""

    before: S
    happened: object
    after: S
    actions: tuple[A, ...]


Moves = Callable[[S], Iterable[list[Move[S, A]]]]
"""All that may happen in a snapshot; one happening may be several steps."""


def explore(
    starts: Iterable[tuple[S, T]],
    moves: Moves[S, A],
    count: Callable[[T, Move[S, A]], T],
) -> Iterator[Move[S, A]]:
    """Yield each move that can be made from ``starts``, once for each past that matters."""
    waiting = deque((start, tally, ()) for start, tally in starts)
    seen = {(start, tally) for start, tally, _ in waiting}
    while waiting:
        snapshot, tally, path = waiting.popleft()
        for steps in moves(snapshot):
            counted, way = tally, path
            for move in steps:
                way = (*way, (move.happened, move.actions))
                try:
                    counted = count(counted, move)
                except Broken as error:
                    raise Broken(f"{error}:\n" + "\n".join(map(str, way))) from None
                yield move
            reached = steps[-1].after if steps else snapshot
            if (reached, counted) not in seen:
                seen.add((reached, counted))
                waiting.append((reached, counted, way))
