"""Why a transfer has ended so, in words."""

from __future__ import annotations

from typing import Any

import pytest

from fsctl.records.words import cause

ROW = {"transferee_number": "2000", "target_number": "1002", "target": "c", "reason": ""}


@pytest.mark.parametrize(
    ("row", "steps", "said"),
    [
        ({"outcome": None}, [], "it goes on"),
        ({"outcome": None}, [("a", "calling target")], "it goes on: calling target"),
        ({"outcome": "succeeded", "code": 200}, [], "2000 talks, or talked, with 1002"),
        ({"code": 486}, [], "1002 is busy"),
        ({"code": 486, "reason": "Gone fishing"}, [], "1002 is busy (“Gone fishing”)"),
        ({"code": 480, "target_number": None}, [], "the target did not answer, or is not there"),
        ({"code": 499}, [], "1002 refused"),
        ({"code": 403, "target": None}, [], "it was refused"),
        (
            {"code": 403, "target": None, "details": {"rule": "premium", "allowed": False}},
            [],
            "the policy refused it, by rule premium",
        ),
        # It was only observed: something else has ended it.
        ({"code": 486, "details": {"rule": "premium", "allowed": False}}, [], "1002 is busy"),
        (
            {"code": 603, "details": {"exchange": {"decision": "refuse 603"}}},
            [],
            "the web service refused it",
        ),
        (
            {"outcome": "abandoned", "code": 487},
            [("the transferee hangs up", "abandoned")],
            "the party to be moved hung up",
        ),
    ],
)
def test_why(row: dict[str, Any], steps: list[tuple[str, str]], said: str) -> None:
    told = [{"what": what, "state": state} for what, state in steps]
    assert cause({"outcome": "failed", **ROW, **row}, told) == said


def test_no_number_is_a_template() -> None:
    row = {"outcome": "failed", "code": 486, "target_number": "{0.__class__}", "target": "c"}
    assert cause(row) == "{0.__class__} is busy"
