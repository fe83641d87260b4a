"""The tables of transfers as a page: ``python -m fsctl.transfer.diagram > docs/transfer.md``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, TypeVar

from fsctl.sip.status import SipStatus
from fsctl.transfer import attended, blind_table, kept, native

S = TypeVar("S", bound=Enum)
E = TypeVar("E", bound=Enum)
A = TypeVar("A", bound=Enum)


@dataclass(frozen=True)
class Section(Generic[S, E, A]):
    """What the page says of one kind of transfer."""

    title: str
    text: str
    table: Mapping[tuple[S, E], tuple[S, tuple[A, ...]]]
    closed: frozenset[S]
    deadlines: Mapping[S, str]
    anywhere: Mapping[E, tuple[S, tuple[A, ...]]] = field(default_factory=dict)
    """Rows that hold in every state that is not closed, unless the table has one of its own."""
    told: Mapping[S, SipStatus] = field(default_factory=dict)
    """What the transferor is told when the deadline of a state passes."""
    unbounded: Mapping[S, str] = field(default_factory=dict)
    """The open states without a deadline, and why."""

    @property
    def begins(self) -> S:
        """The state in which a transfer begins: the first row's."""
        return next(iter(self.table))[0]


BLIND = Section(
    "Blind",
    """\
One REFER, answered by the application or by the settings. Above the rows stand these rules. The
transferor is told once: where FreeSWITCH tells of a join by itself, that is noted; before we tell
anything else, the report is taken from it. A transferor that has gone is neither told nor released,
and a row that would reconnect it has it called again; one that has not asked to be told is not. An
application reports once. The timers in FreeSWITCH follow the state. What ends is recorded, unless
the record is left to others.""",
    blind_table.TABLE,
    blind_table.CLOSED,
    blind_table.DEADLINES,
    anywhere=blind_table.ANYWHERE,
    told=blind_table.DEADLINE_STATUS,
)

NATIVE = Section(
    "Native",
    """\
With `mode = "legacy"` FreeSWITCH transfers by itself, and the session that the call had before only
follows: the transferee's next bridge tells the result.""",
    native.TABLE,
    frozenset(native.State) - native.OPEN,
    native.DEADLINES,
    unbounded=native.UNBOUNDED,
)

ATTENDED = Section(
    "Attended",
    """\
A REFER with Replaces. FreeSWITCH asks for each by a loopback, and reports what comes of that: 200
when it is answered, 403 when it is hung up. Above the rows stand these rules. A transferee whose
transferor has left is sent for, once, and a target that is left behind waits in the dialplan, once.
Nothing is asked after a transferor that has left: a row that would claim the first two, or give a
grant up, has transferee and target joined by us instead. The loopback's end counts only while its
transferor is there. Where FreeSWITCH has not asked, nobody knows whom to call anew.""",
    attended.TABLE,
    attended.CLOSED,
    attended.DEADLINES,
)

KEPT = Section(
    "Kept talking",
    """\
With `keep_talking`, or asked for by `fsctl transfer`: the first two talk until the target answers.
Nobody is moved before, so a failure has nothing to undo. Above the rows stand these rules. The
asker is told once. A transferor that has gone is neither joined with anybody nor released. A
failure lets everybody be: where the transferee waits alone with us by then its transferor is called
again, and where it is on its way to us as soon as it has come. What ends is recorded, unless the
record is left to others.""",
    kept.TABLE,
    kept.CLOSED,
    kept.DEADLINES,
    anywhere=kept.ANYWHERE,
    told=kept.DEADLINE_STATUS,
    unbounded=kept.UNBOUNDED,
)

SECTIONS: tuple[Section[Any, Any, Any], ...] = (BLIND, KEPT, ATTENDED, NATIVE)

_HEAD = """\
# A transfer, from REFER to its one report

Made from the tables in `fsctl/transfer/` by `python -m fsctl.transfer.diagram`; a test keeps
the two in step."""


def page() -> str:
    """Return the page: of each kind of transfer a state diagram and its table."""
    return "\n".join([_HEAD, *(line for each in SECTIONS for line in _section(each)), ""])


def _section(section: Section[S, E, A]) -> Iterable[str]:
    yield from ("", f"## {section.title}", "", section.text, "")
    yield from _diagram(section)
    yield from ("", "| state | stimulus | next | actions |", "|---|---|---|---|")
    for (state, stimulus), (following, actions) in section.table.items():
        yield _row(state.value, stimulus, following, actions)
    for stimulus, (following, actions) in section.anywhere.items():
        yield _row("any other", stimulus, following, actions)
    yield from ("", "| state | its deadline | what the transferor is told then |", "|---|---|---|")
    for state, setting in section.deadlines.items():
        yield f"| {state.value} | `{setting}` | {section.told.get(state, '–')} |"
    for state, reason in section.unbounded.items():
        yield f"| {state.value} | none: {reason} | – |"


def _diagram(section: Section[S, E, A]) -> Iterable[str]:
    yield from ("```mermaid", "stateDiagram-v2", f"    [*] --> {_name(section.begins)}")
    for (state, stimulus), (following, _) in section.table.items():
        if following is not state:
            yield f"    {_name(state)} --> {_name(following)}: {stimulus.value}"
    for state in type(section.begins):
        if state in section.closed:
            yield f"    {_name(state)} --> [*]"
    yield "```"


def _row(state: str, stimulus: Enum, following: Enum, actions: tuple[Enum, ...]) -> str:
    done = ", ".join(action.value for action in actions) or "–"
    return f"| {state} | {stimulus.value} | {following.value} | {done} |"


def _name(state: Enum) -> str:
    return state.name.lower()


if __name__ == "__main__":
    print(page(), end="")
