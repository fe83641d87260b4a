"""The transfer table as a page: ``python -m fsctl.transfer.diagram > docs/transfer.md``."""

from __future__ import annotations

from fsctl.transfer.blind import DEADLINE_STATUS, DEADLINES, TABLE, State

_HEAD = """\
# A transfer, from REFER to its one report

Made from the table in `fsctl/transfer/blind.py` by `python -m fsctl.transfer.diagram`; a test
keeps the two in step. Three rules stand above the table: a transferor is told once; one that has
gone is neither told nor released, and a row that would reconnect it has it called again; the
loss of the switch ends every open state as *abandoned*.
"""


def page() -> str:
    """Return the page: a state diagram and the table."""
    return "\n".join((_HEAD, *_diagram(), "", *_table(), ""))


def _diagram() -> list[str]:
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {_name(State.REQUESTED)}"]
    lines += [
        f"    {_name(state)} --> {_name(following)}: {stimulus.value}"
        for (state, stimulus), (following, _) in TABLE.items()
        if following is not state
    ]
    final = [State.SUCCEEDED, State.FAILED, State.ABANDONED]
    return [*lines, *(f"    {_name(state)} --> [*]" for state in final), "```"]


def _table() -> list[str]:
    lines = ["| state | stimulus | next | actions |", "|---|---|---|---|"]
    for (state, stimulus), (following, actions) in TABLE.items():
        done = ", ".join(action.value for action in actions) or "–"
        lines.append(f"| {state.value} | {stimulus.value} | {following.value} | {done} |")
    lines += ["", "| state | its deadline | what the transferor is told then |", "|---|---|---|"]
    for state, setting in DEADLINES.items():
        lines.append(f"| {state.value} | `{setting}` | {DEADLINE_STATUS.get(state, '–')} |")
    return lines


def _name(state: State) -> str:
    return state.name.lower()


if __name__ == "__main__":
    print(page(), end="")
