"""Tables for people, and whole lines for programs that read them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fsctl import moments
from fsctl.log import printable

_COLOURS = {"succeeded": "green", "failed": "red", "abandoned": "yellow"}
_WIDE = 250
"""Characters a line, where nobody looks at it."""
_FOLDED = 16
"""A column that folds has so many, if it needs them."""
_BETWEEN = 2
"""Characters between two columns."""


def coloured(outcome: str | None, text: str) -> Text:
    """A cell that tells an outcome by its colour as well."""
    return Text(printable(text), style=_COLOURS.get(outcome or "", ""))


def show_json(found: object) -> None:
    """Print one JSON document, for programs; moments by RFC 3339."""
    json.dump(found, sys.stdout, default=moments.for_programs, indent=2)
    print()


def show(
    columns: Sequence[str], rows: Sequence[Sequence[str | Text]], *, none: str, folds: str = ""
) -> None:
    """Print a table; ``none`` is said on stderr where it has no rows.

    What came from a network is shown as text. The column ``folds`` gives way on a narrow terminal;
    where the others have no room even so, each row becomes a paragraph. Nothing is cut off.
    """
    if not rows:
        print(none, file=sys.stderr)
        return
    cells = [
        [each if isinstance(each, Text) else Text(printable(each)) for each in row] for row in rows
    ]
    # Who reads it by a program has whole lines.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
    if _least(columns, cells, folds) > console.width:
        for row in cells:
            console.print(_paragraph(columns, row, console.width), soft_wrap=True)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, no_wrap=name != folds, overflow="fold")
    for row in cells:
        table.add_row(*row)
    console.print(table)


def _least(columns: Sequence[str], rows: Sequence[Sequence[Text]], folds: str) -> int:
    """So wide must a terminal be for the table."""
    widths = [
        max(len(name), *(row[place].cell_len for row in rows)) for place, name in enumerate(columns)
    ]
    if folds:
        place = list(columns).index(folds)
        widths[place] = min(widths[place], _FOLDED)
    return sum(widths) + _BETWEEN * (len(columns) - 1)


def _paragraph(columns: Sequence[str], row: Sequence[Text], width: int) -> Text:
    """What a row says, each with its name, in as many lines as that takes."""
    whole, used = Text(), 0
    for name, cell in zip(columns, row, strict=True):
        if cell.plain in ("", "-"):
            continue
        said = Text.assemble((f"{name} ", "dim"), cell)
        if used and used + _BETWEEN + said.cell_len > width:
            whole.append("\n" + _BETWEEN * " ")
            used = _BETWEEN
        elif used:
            whole.append(_BETWEEN * " ")
            used += _BETWEEN
        whole.append_text(said)
        used += said.cell_len
    return whole
