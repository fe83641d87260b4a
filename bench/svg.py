"""Bar charts as SVG, drawn by hand: the benchmarks need no library for that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

_COLOURS = ("#4c6f9c", "#c8743b", "#6a9a58", "#9b6bab", "#8c8c8c", "#b4a040")
_LABEL_PX, _BAR_PX, _ROW_PX, _RIGHT_PX = 190, 480, 26, 90
_HEAD_PX = 58


@dataclass(frozen=True, slots=True)
class Chart:
    """A title, and for each row its parts, which are drawn one behind the other."""

    title: str
    rows: Mapping[str, Mapping[str, float]]


def bars(charts: Sequence[Chart]) -> str:
    """All charts below each other."""
    width = _LABEL_PX + _BAR_PX + _RIGHT_PX
    parts, top = [], 0
    for chart in charts:
        parts.append(f'<g transform="translate(0 {top})">{_chart(chart)}</g>')
        top += _HEAD_PX + _ROW_PX * len(chart.rows) + 12
    style = 'font-family="sans-serif" font-size="13"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top}" {style}>'
    return (
        f'{head}\n<rect width="100%" height="100%" fill="white"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _chart(chart: Chart) -> str:
    names = list(dict.fromkeys(name for row in chart.rows.values() for name in row))
    colours = {name: _COLOURS[index % len(_COLOURS)] for index, name in enumerate(names)}
    longest = max((sum(map(_drawn, row.values())) for row in chart.rows.values()), default=0) or 1
    lines = [f'<text x="8" y="20" font-weight="bold">{escape(chart.title)}</text>']
    for index, name in enumerate(names):
        legend = _LABEL_PX + index * 115
        lines.append(f'<rect x="{legend}" y="32" width="11" height="11" fill="{colours[name]}"/>')
        lines.append(f'<text x="{legend + 16}" y="42">{escape(name)}</text>')
    for index, (label, row) in enumerate(chart.rows.items()):
        top, left = _HEAD_PX + index * _ROW_PX, float(_LABEL_PX)
        lines.append(f'<text x="8" y="{top + 14}">{escape(label)}</text>')
        for name, value in row.items():
            long = _drawn(value) / longest * _BAR_PX
            box = f'x="{left:.1f}" y="{top}" width="{long:.1f}" height="{_ROW_PX - 6}"'
            lines.append(f'<rect {box} fill="{colours[name]}"/>')
            left += long
        total = sum(row.values())
        lines.append(f'<text x="{left + 6:.1f}" y="{top + 14}">{total:.1f}</text>')
    return "\n".join(lines)


def _drawn(value: float) -> float:
    """Below nothing, which noise can be, nothing is drawn."""
    return max(value, 0.0)
