"""The ladder in a terminal, as sngrep draws it."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from fsctl.ladder.ladder import Event, Ladder
from fsctl.log import printable

_LEAST: Final = 16
"""Between two lanes; a terminal that is not so wide must be scrolled."""
_MOST: Final = 44


@dataclass(frozen=True, slots=True)
class _Strokes:
    lane: str = "│"
    arrow: str = "─"
    noted: str = "╌"
    step: str = "●"
    gap: str = "┆"


_ASCII: Final = _Strokes("|", "-", ".", "*", ":")


def draw(
    ladder: Ladder, clock: Callable[[float], str], width: int = 100, *, unicode: bool = True
) -> str:
    """Return the lines. ``clock`` writes a moment (seconds since 1970); ``unicode`` False: ASCII
    only."""
    lines = "\n".join(_Drawing(ladder, clock, width, unicode).lines()) + "\n"
    if unicode:
        return lines
    return lines.replace("→", "->").replace("…", "~").encode("ascii", "backslashreplace").decode()


class _Drawing:
    def __init__(
        self, ladder: Ladder, clock: Callable[[float], str], width: int, unicode: bool
    ) -> None:
        self._ladder, self._clock = ladder, clock
        self._strokes = _Strokes() if unicode else _ASCII
        self._first = len(clock(0.0)) + 11
        """Where the lanes begin: behind the time, and the time since the line before."""
        lanes = max(1, len(ladder.lanes))
        self._gap = max(_LEAST, min(_MOST, (width - self._first) // lanes))
        self._width = self._gap * lanes

    def lines(self) -> Iterator[str]:
        yield printable(self._ladder.title)
        yield ""
        roles = [printable(lane.role) for lane in self._ladder.lanes]
        if any(roles):
            yield self._row("", "", self._names(roles))
        names = [printable(lane.name) for lane in self._ladder.lanes]
        yield self._row("", "", self._names(names))
        before = None
        for event in self._ladder.events:
            since = "" if before is None else f"+{max(0.0, event.time_s - before):.3f}"
            before = event.time_s
            *above, last = self._cells(event)
            for cells in above:
                yield self._row("", "", cells)
            yield self._row(self._clock(event.time_s), since, last)

    def _row(self, time: str, since: str, cells: str) -> str:
        return f"{time:{self._first - 11}} {since:>9} {cells}".rstrip()

    def _names(self, names: list[str]) -> str:
        room = self._gap - 2
        cells = (_centred(_cut(_letters(name), room), self._gap, " ") for name in names)
        return "".join(map("".join, cells))

    def _at(self, lane: int) -> int:
        return lane * self._gap + self._gap // 2

    def _cells(self, event: Event) -> Iterator[str]:
        """What stands at the lanes; the last line has the event's time."""
        label = printable(event.label)
        label += f" x{event.count}" if event.count > 1 else ""
        label += " [truncated]" if event.truncated else ""
        if event.kind in ("step", "gap"):
            yield from self._beside(event, label)
            return
        low, high = sorted((self._at(event.source), self._at(event.target)))
        room = high - low - 1
        stroke = self._strokes.arrow if event.kind == "message" else self._strokes.noted
        text = _letters(f" {label} ")
        if len(text) > room - 4:
            yield self._over(_letters(label), low, high)
            text = []
        arrow = _centred(text, room, stroke)
        right = event.target > event.source
        arrow[-1 if right else 0] = ">" if right else "<"
        cells = self._lanes()
        cells[low + 1 : high] = arrow
        yield "".join(cells)

    def _over(self, label: list[str], low: int, high: int) -> str:
        """A label that is longer than its arrow stands over it, and over lanes where it must."""
        if len(label) > self._width:
            label = [*_cut(label, self._width - 1), "…"]
        start = (low + high + 1 - len(label)) // 2
        start = max(0, min(start, self._width - len(label)))
        cells = self._lanes()
        cells[start : start + len(label)] = label
        return "".join(cells)

    def _beside(self, event: Event, label: str) -> Iterator[str]:
        """It ends at its lane, or begins there, whichever side has more room."""
        at = self._at(event.source)
        left = at > self._width // 2
        room = at - 1 if left else self._width - at - 2
        letters = (room - 1) // (2 if "" in _letters(label) else 1)
        lines = textwrap.wrap(label, max(10, letters)) or [""]
        for number, line in enumerate(lines):
            cells = self._lanes()
            text = _letters(f"{line} " if left else f" {line}")
            start = at - len(text) if left else at + 1
            cells[max(0, start) : max(0, start) + len(text)] = text
            mark = self._strokes.step if event.kind == "step" else self._strokes.gap
            cells[at] = mark if number == len(lines) - 1 else self._strokes.lane
            yield "".join(cells)

    def _lanes(self) -> list[str]:
        cells = [" "] * self._width
        for lane in range(len(self._ladder.lanes)):
            cells[self._at(lane)] = self._strokes.lane
        return cells


def _letters(text: str) -> list[str]:
    """What stands in each cell of a terminal: of a letter that takes two the second is empty, and
    one that takes none stands with the one before."""
    cells: list[str] = []
    for letter in text:
        if unicodedata.combining(letter):
            cells = cells or [" "]
            cells[-2 if cells[-1] == "" else -1] += letter
        else:
            cells += [letter, ""] if unicodedata.east_asian_width(letter) in "WF" else [letter]
    return cells


def _cut(cells: list[str], most: int) -> list[str]:
    """No half of a letter is left."""
    whole = most >= len(cells) or cells[most] != ""
    return cells[:most] if whole else [*cells[: most - 1], " "]


def _centred(cells: list[str], width: int, fill: str) -> list[str]:
    before = (width - len(cells)) // 2
    return [*fill * before, *cells, *fill * (width - len(cells) - before)]
