"""The states of a transfer as a picture, drawn from the table at every build of these pages."""

from __future__ import annotations

from html import escape

from fsctl.transfer.blind import TABLE, State

WIDTH, HEIGHT = 150, 36
LEFT, RIGHT, STEP = 190, 640, 88

ROWS = {
    State.REQUESTED: (LEFT, 0.0),
    State.CALLING_TARGET: (LEFT, 1.0),
    State.HOLDING_TARGET: (LEFT, 2.0),
    State.VOUCHED: (LEFT, 3.0),
    State.JOINING: (LEFT, 4.0),
    State.RELEASING: (LEFT, 5.0),
    State.SUCCEEDED: (LEFT, 6.0),
    State.ABANDONED: (RIGHT, 0.5),
    State.TAKEN: (RIGHT, 2.0),
    State.RECONNECTING: (RIGHT, 3.5),
    State.FAILED: (RIGHT, 6.0),
}
"""The column and the row of each: success is reached downwards, failure on the right."""


def svg() -> str:
    """Return the picture; each arrow has its stimuli as a title."""
    edges: dict[tuple[State, State], list[str]] = {}
    for (state, stimulus), (following, _) in TABLE.items():
        if following is not state:
            edges.setdefault((state, following), []).append(stimulus.value)
    arrows = [_arrow(*pair, words) for pair, words in edges.items()]
    labels = [_label(pair[0], words) for pair, words in edges.items() if _is_next(*pair)]
    boxes = [_box(state) for state in State]
    size = f'viewBox="0 0 {RIGHT + WIDTH + 10} {6 * STEP + HEIGHT + 20}"'
    parts = (_HEAD, *arrows, *labels, *boxes)
    return "\n".join((f'<svg class="states" {size} role="img">', *parts, "</svg>"))


_HEAD = """<title>The states of a transfer</title>
<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="9" markerHeight="9"
 markerUnits="userSpaceOnUse" orient="auto"><path d="M0,0 L8,4 L0,8 z"/></marker></defs>"""


def _place(state: State) -> tuple[float, float]:
    column, row = ROWS[state]
    return column, 10 + row * STEP


def _box(state: State) -> str:
    x, y = _place(state)
    final = not any(known is state for known, _ in TABLE)
    return (
        f'<g class="{"final" if final else "open"}">'
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="8"/>'
        f'<text x="{x + WIDTH / 2}" y="{y + HEIGHT / 2}">{escape(state.value)}</text></g>'
    )


def _is_next(state: State, following: State) -> bool:
    """Whether the arrow leads straight down on the way to success."""
    (column, row), (to_column, to_row) = ROWS[state], ROWS[following]
    return column == to_column == LEFT and to_row == row + 1


def _arrow(state: State, following: State, words: list[str]) -> str:
    (x, y), (to_x, to_y) = _place(state), _place(following)
    middle, half = x + WIDTH / 2, HEIGHT / 2
    if x != to_x:
        path = f"M{x + WIDTH},{y + half} L{to_x},{to_y + half}"
    elif x == RIGHT or _is_next(state, following):
        down = to_y > y
        path = f"M{middle},{y + HEIGHT * down} L{middle},{to_y + HEIGHT * (not down)}"
    else:
        bend = x - 22 - 32 * (to_y - y - STEP) / STEP
        start, end = y + half + 6, to_y + half - 6
        path = f"M{x},{start} C{bend},{start} {bend},{end} {x},{end}"
    kind = "failure" if to_x == RIGHT else "success"
    kind = "abandoned" if following is State.ABANDONED else kind
    title = escape(f"{state.value} → {following.value}: {', or '.join(words)}")
    return f'<g class="{kind}"><title>{title}</title><path d="{path}"/></g>'


def _label(state: State, words: list[str]) -> str:
    """The words of an arrow that leads straight down."""
    x, y = _place(state)
    x, y = x + WIDTH / 2 + 8, y + (HEIGHT + STEP) / 2 - 7 * (len(words) - 1)
    lines = (
        f'<tspan x="{x}" dy="{14 * bool(n)}">{escape(word)}</tspan>' for n, word in enumerate(words)
    )
    return f'<text class="label" x="{x}" y="{y}">{"".join(lines)}</text>'
