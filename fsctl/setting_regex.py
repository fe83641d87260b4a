"""Regular expressions that could take forever: those of the settings meet numbers from the network.

Python's ``re`` goes back and tries again: ``(a+)+b`` reads n times ``a`` in 2**n ways, and nothing
bounds that. So the ways are counted before an expression is accepted, as Glushkov's construction
finds them: its positions, and by how many ways one may follow another. Where two ways lead round in
one circle they double with each turn; elsewhere each is a power of the number's length, or a factor
of two, and so many of these are borne.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final

LONGEST: Final = 128
"""Characters of a number that an expression of the settings is asked about."""
_LOOP_BITS: Final = math.log2(LONGEST)
_MOST_BITS: Final = 24.0
"""So many ways, as a power of two."""
_MOST_POSITIONS: Final = 400
_MOST_COPIES: Final = 64
_CHARACTERS: Final = [*map(chr, range(128)), "\u0100"]
"""The last one stands for all that is not ASCII."""


class Ambiguous(ValueError):
    """The message says why the expression could take forever."""


@dataclass
class _Part:
    """A part of an expression: by how many ways each position begins it, and ends it."""

    nullable: bool = True
    first: Counter[int] = field(default_factory=Counter)
    last: Counter[int] = field(default_factory=Counter)


@lru_cache(maxsize=256)
def check(expression: str) -> None:
    """Raise `Ambiguous` where an answer could take more than a moment."""
    bits = _Ways().bits(parser.parse(expression, re.ASCII))
    if bits > _MOST_BITS:
        raise Ambiguous("too many repetitions and alternatives compete for the same characters")


class _Ways:
    """Of one expression, or of what a look-around holds."""

    def __init__(self) -> None:
        self._reads: list[int] = [0]
        """The characters that each position reads, a bit for each; the first is the beginning."""
        self._follow: list[Counter[int]] = [Counter()]
        self._bits = 0.0
        """Of look-arounds."""

    def bits(self, tree: Any) -> float:
        """By how many ways, as a power of two, a number is read at most. Raises `Ambiguous`."""
        self._follow[0] = self._sequence(tree).first
        reach = self._reach()
        for position, follow in enumerate(self._follow):
            circle = Counter(
                {each: ways for each, ways in follow.items() if reach[each] >> position & 1}
            )
            if self._most(circle) > 1:
                raise Ambiguous("repetitions inside a repetition compete for the same characters")
            ways = self._most(follow)
            if ways > 1:
                self._bits += _LOOP_BITS if circle else math.log2(ways)
        return self._bits

    def _most(self, positions: Counter[int]) -> int:
        """By how many of these ways the same character is read."""
        seen, twice = 0, 0
        for position, ways in positions.items():
            reads = self._reads[position]
            twice |= reads if ways > 1 else reads & seen
            seen |= reads
        if not twice:
            return min(1, len(positions))
        counts = (
            sum(ways for each, ways in positions.items() if self._reads[each] >> bit & 1)
            for bit in range(len(_CHARACTERS))
            if twice >> bit & 1
        )
        return max(counts)

    def _reach(self) -> list[int]:
        """Which positions each one leads to, a bit for each."""
        reach = [sum(1 << each for each in follow) for follow in self._follow]
        for middle in range(len(reach)):
            for each in range(len(reach)):
                if reach[each] >> middle & 1:
                    reach[each] |= reach[middle]
        return reach

    def _sequence(self, tree: Any) -> _Part:
        whole = _Part()
        for code, argument in tree:
            whole = self._joined(whole, self._part(code, argument))
        return whole

    def _joined(self, one: _Part, other: _Part) -> _Part:
        self._link(one.last, other.first)
        return _Part(
            one.nullable and other.nullable,
            one.first + other.first if one.nullable else one.first,
            other.last + one.last if other.nullable else other.last,
        )

    def _link(self, last: Counter[int], first: Counter[int]) -> None:
        for position, ends in last.items():
            for each, begins in first.items():
                self._follow[position][each] += ends * begins

    def _part(self, code: Any, argument: Any) -> _Part:
        if code is codes.SUBPATTERN:
            return self._sequence(argument[3])
        if code is codes.BRANCH:
            parts = [self._sequence(each) for each in argument[1]]
            first = sum((each.first for each in parts), Counter[int]())
            last = sum((each.last for each in parts), Counter[int]())
            return _Part(any(each.nullable for each in parts), first, last)
        if code in (codes.MAX_REPEAT, codes.MIN_REPEAT):
            return self._repeat(*argument)
        if code in (codes.ASSERT, codes.ASSERT_NOT):
            self._bits += _Ways().bits(argument[1]) + _LOOP_BITS  # it may be asked everywhere
            return _Part()
        if code is codes.AT:
            return _Part()
        if code not in (codes.LITERAL, codes.NOT_LITERAL, codes.ANY, codes.IN):
            raise Ambiguous(f"{str(code).lower()} is not known here")
        return self._position(code, argument)

    def _position(self, code: Any, argument: Any) -> _Part:
        if len(self._reads) > _MOST_POSITIONS:
            raise Ambiguous("it is too long")
        pattern = parser.SubPattern(parser.State(), [(code, argument)])
        pattern.state.str = ""
        one = re._compiler.compile(pattern, re.ASCII)  # type: ignore[attr-defined]
        self._reads.append(sum(1 << n for n, each in enumerate(_CHARACTERS) if one.match(each)))
        self._follow.append(Counter())
        position = len(self._reads) - 1
        return _Part(False, Counter({position: 1}), Counter({position: 1}))

    def _repeat(self, least: int, most: Any, body: Any) -> _Part:
        if least == most and least <= _MOST_COPIES:
            whole = _Part()
            for _ in range(least):
                whole = self._joined(whole, self._sequence(body))
            return whole
        part = self._sequence(body)
        if most > 1:  # MAXREPEAT is the greatest number
            self._link(part.last, part.first)
        return _Part(part.nullable or least == 0, part.first, part.last)
