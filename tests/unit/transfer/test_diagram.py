"""The page in docs/ says what the tables do: it is read as a reader would, and played."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from fsctl.transfer import attended, blind, blind_table, kept, native
from fsctl.transfer.diagram import SECTIONS, page

DOCUMENT = Path(__file__).parents[3] / "docs" / "transfer.md"

BY_RULE: dict[str, set[Enum]] = {
    "Blind": {
        *blind_table.TIMERS.values(),
        blind_table.Action.TAKE_REPORT,
        blind_table.Action.OWE_REPORT,
        blind_table.Action.CONCLUDE,
    },
    "Kept talking": {kept.Action.CONCLUDE},
    "Attended": set(),
    "Native": set(),
}
"""What the rules above a table add to its rows: the text of the section speaks of it."""


def _us(state: Any) -> Any:
    """A blind transfer whose report is ours, with our ringback: all that its rows name is done."""
    given_up = state is blind_table.State.RELEASING
    teller = blind.Teller.SWITCH if given_up else blind.Teller.US
    return blind.Snapshot(state, teller=teller, entertained=True)


KINDS: dict[str, tuple[ModuleType, Callable[[Any], Any], Callable[..., Any]]] = {
    "Blind": (blind_table, _us, blind.step),
    "Kept talking": (kept, kept.Kept, kept.step),
    "Attended": (attended, attended.Attended, attended.step),
    "Native": (native, native.Snapshot, native.step),
}
"""The module of the table, what makes a snapshot of a state, and the step."""


@dataclass(frozen=True)
class Line:
    """A row of a table on the page, in its words."""

    section: str
    cells: tuple[str, ...]


def read(heading: str) -> list[Line]:
    """The rows of the tables with this heading."""
    found: list[Line] = []
    section, inside = "", False
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        cells = tuple(cell.strip() for cell in line.strip("|").split(" | "))
        inside = (inside or line == heading) and line.startswith("|")
        if inside and line != heading and not set(line) <= set("|-"):
            found.append(Line(section, cells))
    return found


ROWS = read("| state | stimulus | next | actions |")
DEADLINES = read("| state | its deadline | what the transferor is told then |")


def states_of(line: Line) -> Iterator[Enum]:
    """The states of which a row speaks."""
    module, name = KINDS[line.section][0], line.cells[0]
    if name != "any other":
        yield module.State(name)
        return
    own = {each.cells[0] for each in ROWS if each.section == line.section and each.cells[1:2]}
    taken = {
        each.cells[0]
        for each in ROWS
        if each.section == line.section and each.cells[1] == line.cells[1]
    }
    yield from (module.State(state) for state in own - {"any other"} - taken)


def test_the_page_is_up_to_date():
    assert DOCUMENT.read_text(encoding="utf-8") == page(), "run python -m fsctl.transfer.diagram"


@pytest.mark.parametrize("line", ROWS, ids=lambda line: " ".join((line.section, *line.cells[:2])))
def test_a_row_of_the_page_is_what_happens(line: Line):
    """Stepped in that state, the stimulus leads there, and all that is named is done, in order."""
    module, snapshot, step = KINDS[line.section]
    named = (
        [] if line.cells[3] == "–" else [module.Action(one) for one in line.cells[3].split(", ")]
    )
    for state in states_of(line):
        after, done = step(snapshot(state), module.Stimulus(line.cells[1]))
        assert after.state.value == line.cells[2]
        explicit = [one for one in done if one not in BY_RULE[line.section] or one in named]
        assert explicit == named


@pytest.mark.parametrize("section", KINDS)
def test_what_is_not_on_the_page_does_not_happen(section: str):
    """No other pair of state and stimulus moves a transfer on, or has anything done."""
    module, snapshot, step = KINDS[section]
    on_page = {
        (state, line.cells[1])
        for line in ROWS
        if line.section == section
        for state in states_of(line)
    }
    for state in module.State:
        for stimulus in module.Stimulus:
            if (state, stimulus.value) not in on_page:
                after, done = step(snapshot(state), stimulus)
                assert after.state is state and done == (), (state, stimulus)


@pytest.mark.parametrize("section", KINDS)
def test_the_deadlines_on_the_page_bound_every_open_state(section: str):
    module, *_ = KINDS[section]
    lines = {line.cells[0]: line.cells for line in DEADLINES if line.section == section}
    assert {module.State(name) for name in lines} == module.OPEN
    for name, (_, setting, told) in lines.items():
        bound = module.DEADLINES.get(module.State(name))
        assert setting == f"`{bound}`" if bound else setting.startswith("none: ")
        status = getattr(module, "DEADLINE_STATUS", {}).get(module.State(name))
        assert told == ("–" if status is None else f"{status.code} {status.reason}")


def test_the_picture_has_the_arrows_of_the_rows():
    drawn = re.findall(r"^    (\w+) --> (\w+): (.*)$", DOCUMENT.read_text(encoding="utf-8"), re.M)
    told = [
        (module.State(state).name.lower(), module.State(following).name.lower(), stimulus)
        for section, (state, stimulus, following, *_) in (
            (line.section, line.cells) for line in ROWS
        )
        for module in (KINDS[section][0],)
        if state not in ("any other", following)
    ]
    assert sorted(drawn) == sorted(told)


def test_every_kind_has_its_section():
    assert [section.title for section in SECTIONS] == list(KINDS)
    assert {line.section for line in ROWS} == set(KINDS)
