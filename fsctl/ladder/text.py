"""The ladder in a terminal, as sngrep draws it."""

from __future__ import annotations

import textwrap
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
        return "".join(f"{name[: self._gap - 2]:^{self._gap}}" for name in names)

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
        text = f" {label} "
        if len(text) > room - 4:
            yield self._over(label, low, high)
            text = ""
        arrow = text.center(room, stroke)
        right = event.target > event.source
        arrow = arrow[:-1] + ">" if right else "<" + arrow[1:]
        cells = self._lanes()
        cells[low + 1 : high] = list(arrow)
        yield "".join(cells)

    def _over(self, label: str, low: int, high: int) -> str:
        """A label that is longer than its arrow stands over it, and over lanes where it must."""
        label = label if len(label) <= self._width else label[: self._width - 1] + "…"
        start = (low + high + 1 - len(label)) // 2
        start = max(0, min(start, self._width - len(label)))
        cells = self._lanes()
        cells[start : start + len(label)] = list(label)
        return "".join(cells)

    def _beside(self, event: Event, label: str) -> Iterator[str]:
        """It ends at its lane, or begins there, whichever side has more room."""
        at = self._at(event.source)
        left = at > self._width // 2
        room = at - 1 if left else self._width - at - 2
        lines = textwrap.wrap(label, max(10, room - 1)) or [""]
        for number, line in enumerate(lines):
            cells = self._lanes()
            text = f"{line} " if left else f" {line}"
            start = at - len(text) if left else at + 1
            cells[max(0, start) : max(0, start) + len(text)] = list(text)
            mark = self._strokes.step if event.kind == "step" else self._strokes.gap
            cells[at] = mark if number == len(lines) - 1 else self._strokes.lane
            yield "".join(cells)

    def _lanes(self) -> list[str]:
        cells = [" "] * self._width
        for lane in range(len(self._ladder.lanes)):
            cells[self._at(lane)] = self._strokes.lane
        return cells
