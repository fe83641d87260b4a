"""The ladder as a picture that stands alone: no script, no font, nothing from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final
from xml.sax.saxutils import escape

from fsctl.ladder.ladder import Event, Ladder

_ROW: Final = 34
_HEAD: Final = 96
_TIME: Final = 190
"""Where the lanes begin."""
_GAP: Final = 250
_LETTERS: Final = 34
"""So many fit between two lanes."""
_TOLD: Final = 4000
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_STYLE: Final = """
:root{color-scheme:light dark}
svg{--ground:#fff;--text:#1a1a1a;--faint:#6b6b6b;--line:#b8b8b8;--request:#0b57a4;
--success:#17692b;--failure:#b3261e;--step:#6a3ea1}
@media (prefers-color-scheme:dark){svg{--ground:#16181c;--text:#ececec;--faint:#a3a3a3;
--line:#565a60;--request:#7ab8ff;--success:#7bd88f;--failure:#ff8a80;--step:#c9a6ff}}
.ground{fill:var(--ground)}
text{font:13px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:var(--text)}
.title{font-size:15px;font-weight:600}.name{font-weight:600}.faint{fill:var(--faint)}
.lane{stroke:var(--line);stroke-dasharray:2 4}
.arrow{stroke-width:1.5;fill:none}.noted .arrow{stroke-dasharray:5 4}
.request .arrow{stroke:var(--request)}.request .tip,.request .label{fill:var(--request)}
.success .arrow{stroke:var(--success)}.success .tip,.success .label{fill:var(--success)}
.failure .arrow{stroke:var(--failure)}.failure .tip,.failure .label{fill:var(--failure)}
.other .arrow,.noted .arrow{stroke:var(--faint)}.other .tip,.noted .tip{fill:var(--faint)}
.step .label,.step .tip{fill:var(--step)}.gap .label{fill:var(--failure)}
"""


def draw(ladder: Ladder, clock: Callable[[float], str]) -> str:
    """Return the document. ``clock`` writes a moment (seconds since 1970)."""
    width = _TIME + _GAP * max(1, len(ladder.lanes))
    height = _HEAD + _ROW * (len(ladder.events) + 1)
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" role="img" aria-labelledby="title desc">',
            f'<title id="title">{_text(ladder.title)}</title>',
            f'<desc id="desc">{_text(_in_words(ladder))}</desc>',
            f"<style>{_STYLE}</style>",
            f'<rect class="ground" width="{width}" height="{height}"/>',
            f'<text class="title" x="16" y="26">{_text(ladder.title)}</text>',
            *_lanes(ladder, height),
            *_events(ladder, clock),
            "</svg>\n",
        ]
    )


def _in_words(ladder: Ladder) -> str:
    names = ", ".join(" ".join(filter(None, (lane.role, lane.name))) for lane in ladder.lanes)
    return f"A ladder of {len(ladder.events)} events, from top to bottom, between {names}."


def _at(lane: int) -> int:
    return _TIME + lane * _GAP + _GAP // 2


def _lanes(ladder: Ladder, height: int) -> Iterator[str]:
    for number, lane in enumerate(ladder.lanes):
        x = _at(number)
        if lane.role:
            role = _text(lane.role)
            yield f'<text class="faint" text-anchor="middle" x="{x}" y="52">{role}</text>'
        name = _text(lane.name[:_LETTERS])
        yield f'<text class="name" text-anchor="middle" x="{x}" y="70">{name}</text>'
        yield f'<line class="lane" x1="{x}" x2="{x}" y1="78" y2="{height - 8}"/>'


def _events(ladder: Ladder, clock: Callable[[float], str]) -> Iterator[str]:
    before = None
    for number, event in enumerate(ladder.events):
        y = _HEAD + _ROW * number + 18
        since = "" if before is None else f"+{max(0.0, event.time_s - before):.3f}"
        before = event.time_s
        yield f'<g class="{_class(event)}">'
        if event.message is not None:
            told = event.message.text[:_TOLD].decode("utf-8", "replace")
            yield f"<title>{_text(told)}</title>"
        yield f'<text x="16" y="{y}">{_text(clock(event.time_s))}</text>'
        yield f'<text class="faint" text-anchor="end" x="{_TIME}" y="{y}">{since}</text>'
        yield from _drawn(event, y, len(ladder.lanes))
        yield "</g>"


def _drawn(event: Event, y: int, lanes: int) -> Iterator[str]:
    label = event.label + (f" ×{event.count}" if event.count > 1 else "")
    label += " [truncated]" if event.truncated else ""
    source, target = _at(event.source), _at(event.target)
    if source == target:
        left = event.source >= lanes / 2
        place = f'text-anchor="end" x="{source - 10}"' if left else f'x="{source + 10}"'
        yield f'<circle class="tip" cx="{source}" cy="{y - 4}" r="4"/>'
        yield f'<text class="label" {place} y="{y}">{_text(label)}</text>'
        return
    room = _LETTERS * abs(event.target - event.source)
    shown = label if len(label) <= room else label[: room - 1] + "…"
    tip = target - 8 if target > source else target + 8
    yield (
        f'<text class="label" text-anchor="middle" x="{(source + target) // 2}" y="{y - 5}">'
        f"{_text(shown)}</text>"
    )
    yield f'<line class="arrow" x1="{source}" x2="{tip}" y1="{y}" y2="{y}"/>'
    yield f'<path class="tip" d="M{target} {y}L{tip} {y - 4}L{tip} {y + 4}z"/>'


def _class(event: Event) -> str:
    if event.kind != "message":
        return event.kind
    if not event.label[:3].isdigit():
        return "request"
    return {"1": "other", "2": "success", "3": "other"}.get(event.label[0], "failure")


def _text(text: str) -> str:
    """What stands in the document as it is, whatever a network has sent."""
    return escape(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r", "")))
