"""Tables for people, and whole lines for programs that read them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fsctl.log import printable

_COLOURS = {"succeeded": "green", "failed": "red", "abandoned": "yellow"}
_WIDE = 250
"""Characters a line, where nobody looks at it."""


def coloured(outcome: str | None, text: str) -> Text:
    """A cell that tells an outcome by its colour as well."""
    return Text(printable(text), style=_COLOURS.get(outcome or "", ""))


def show_json(found: object) -> None:
    """Print one JSON document, for programs; moments by RFC 3339."""
    json.dump(found, sys.stdout, default=datetime.isoformat, indent=2)
    print()


def show(
    columns: Sequence[str], rows: Sequence[Sequence[str | Text]], *, none: str, folds: str = ""
) -> None:
    """Print a table; ``none`` is said on stderr where it has no rows.

    What came from a network is shown as text. The column ``folds`` gives way on a narrow terminal.
    """
    if not rows:
        print(none, file=sys.stderr)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, no_wrap=name != folds, overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(printable(cell)) for cell in row))
    # Who reads it by a program has whole lines.
    Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE).print(table)
