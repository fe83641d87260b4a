"""The page in docs/ is the table's."""

from __future__ import annotations

from pathlib import Path

from fsctl.transfer.blind import TABLE
from fsctl.transfer.diagram import page

DOCUMENT = Path(__file__).parents[3] / "docs" / "transfer.md"


def test_the_page_is_up_to_date():
    assert DOCUMENT.read_text(encoding="utf-8") == page(), "run python -m fsctl.transfer.diagram"


def test_every_row_is_in_the_table():
    for (state, stimulus), (following, _) in TABLE.items():
        assert f"| {state.value} | {stimulus.value} | {following.value} |" in page()
