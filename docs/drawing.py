"""The states of a transfer as a picture, drawn from its table at every build of these pages."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from html import escape
from typing import Any

from fsctl.transfer import blind_table, native
from fsctl.transfer.diagram import Section

WIDTH, HEIGHT = 150, 36
LEFT, RIGHT, STEP = 190, 640, 88

_B, _N = blind_table.State, native.State
PLACES: dict[Enum, tuple[int, float]] = {
    _B.REQUESTED: (LEFT, 0.0),
    _B.CALLING_TARGET: (LEFT, 1.0),
    _B.HOLDING_TARGET: (LEFT, 2.0),
    _B.VOUCHED: (LEFT, 3.0),
    _B.JOINING: (LEFT, 4.0),
    _B.RELEASING: (LEFT, 5.0),
    _B.SUCCEEDED: (LEFT, 6.0),
    _B.ABANDONED: (RIGHT, 0.5),
    _B.TAKEN: (RIGHT, 2.0),
    _B.RECONNECTING: (RIGHT, 3.5),
    _B.FAILED: (RIGHT, 6.0),
    _N.REQUESTED: (LEFT, 0.0),
    _N.SETTLING: (LEFT, 1.0),
    _N.SUCCEEDED: (LEFT, 2.0),
    _N.FAILED: (RIGHT, 2.0),
    _N.ABANDONED: (RIGHT, 0.5),
}
"""The column and the row of each: success is reached downwards, failure on the right."""


def svg(section: Section[Any, Any, Any]) -> str:
    """Return the picture of one kind; each arrow has its stimuli as a title."""
    edges: dict[tuple[Enum, Enum], list[str]] = {}
    for (state, stimulus), (following, _) in section.table.items():
        if following is not state:
            edges.setdefault((state, following), []).append(stimulus.value)
    states = list(type(section.begins))
    places = {state: PLACES.get(state) or _anywhere(section, states, state) for state in states}
    drawing = _Drawing(places)
    arrows = [drawing.arrow(*pair, words) for pair, words in edges.items()]
    labels = [
        drawing.label(pair[0], words) for pair, words in edges.items() if drawing.is_next(*pair)
    ]
    boxes = [drawing.box(state, final=state in section.closed) for state in states]
    last = max(row for _, row in places.values())
    size = f'viewBox="0 0 {RIGHT + WIDTH + 10} {last * STEP + HEIGHT + 20:g}"'
    title = f"<title>The states of a transfer: {escape(section.title.lower())}</title>"
    parts = (title, _HEAD, *arrows, *labels, *boxes)
    return "\n".join((f'<svg class="states" {size} role="img">', *parts, "</svg>"))


def _anywhere(
    section: Section[Any, Any, Any], states: list[Enum], state: Enum
) -> tuple[int, float]:
    """A state that nobody has placed: the open ones on the left, in their order."""
    closed = state in section.closed
    column = [each for each in states if (each in section.closed) is closed]
    return RIGHT if closed else LEFT, float(column.index(state))


_HEAD = """<defs>
<marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="9" markerHeight="9"
 markerUnits="userSpaceOnUse" orient="auto"><path d="M0,0 L8,4 L0,8 z"/></marker></defs>"""


class _Drawing:
    """Boxes and arrows between their places."""

    def __init__(self, places: Mapping[Enum, tuple[int, float]]) -> None:
        self._places = places

    def _place(self, state: Enum) -> tuple[float, float]:
        column, row = self._places[state]
        return column, 10 + row * STEP

    def box(self, state: Enum, *, final: bool) -> str:
        """A state."""
        x, y = self._place(state)
        return (
            f'<g class="{"final" if final else "open"}">'
            f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="8"/>'
            f'<text x="{x + WIDTH / 2}" y="{y + HEIGHT / 2}">{escape(state.value)}</text></g>'
        )

    def is_next(self, state: Enum, following: Enum) -> bool:
        """Whether the arrow leads straight down on the way to success."""
        (column, row), (to_column, to_row) = self._places[state], self._places[following]
        return column == to_column == LEFT and to_row == row + 1

    def arrow(self, state: Enum, following: Enum, words: list[str]) -> str:
        """From one state to another; its words are shown where it is pointed at."""
        (x, y), (to_x, to_y) = self._place(state), self._place(following)
        middle, half = x + WIDTH / 2, HEIGHT / 2
        if x != to_x:
            start, end = (x + WIDTH, to_x) if x < to_x else (x, to_x + WIDTH)
            path = f"M{start},{y + half} L{end},{to_y + half}"
        elif x == RIGHT or self.is_next(state, following):
            down = to_y > y
            path = f"M{middle},{y + HEIGHT * down} L{middle},{to_y + HEIGHT * (not down)}"
        else:
            bend = x - 22 - 32 * (abs(to_y - y) - STEP) / STEP
            down = 6 if to_y > y else -6
            start, end = y + half + down, to_y + half - down
            path = f"M{x},{start} C{bend},{start} {bend},{end} {x},{end}"
        kind = "failure" if to_x == RIGHT else "success"
        kind = "abandoned" if following.name == "ABANDONED" else kind
        title = escape(f"{state.value} → {following.value}: {', or '.join(words)}")
        return f'<g class="{kind}"><title>{title}</title><path d="{path}"/></g>'

    def label(self, state: Enum, words: list[str]) -> str:
        """The words of an arrow that leads straight down."""
        x, y = self._place(state)
        x, y = x + WIDTH / 2 + 8, y + (HEIGHT + STEP) / 2 - 7 * (len(words) - 1)
        lines = (
            f'<tspan x="{x}" dy="{14 * bool(n)}">{escape(word)}</tspan>'
            for n, word in enumerate(words)
        )
        return f'<text class="label" x="{x}" y="{y}">{"".join(lines)}</text>'
