"""One reporter: what it has sent, and that nothing else sends a NOTIFY."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fsctl.esl.commands import Command, NotifyReferrer, UuidSetvar, UuidSetvarMulti
from fsctl.session.transfers.reporter import Reporter, of_last_refer, report
from fsctl.sip.status import SipStatus

SOURCES = Path(__file__).parents[3] / "fsctl"
EVENT = "refer;id=7"
UUID = "11111111-1111-4111-8111-111111111111"
BUSY = SipStatus(486)


class Channel:
    """A link that answers ``uuid_getvar`` with this value."""

    def __init__(self, value: str) -> None:
        self.value, self.asked = value, list[str]()

    def send_all(self, commands: Sequence[Command]) -> list[SimpleNamespace]:
        self.asked += [command.encode() for command in commands]
        return [SimpleNamespace(text=self.value) for _ in commands]


def told(outcome, code):
    return (("fsctl_cdr_outcome", outcome), ("fsctl_cdr_code", str(code)))


def test_a_report_is_sent_and_noted():
    assert Reporter(UUID, EVENT).tell(BUSY) == [
        NotifyReferrer(UUID, EVENT, b"SIP/2.0 486 Busy Here\r\n"),
        UuidSetvarMulti(UUID, (("fsctl_told", EVENT), *told("failed", 486))),
    ]


def test_a_report_of_freeswitch_is_noted_and_that_may_be_taken_back():
    noted, taken_back = Reporter(UUID, EVENT).note(), Reporter(UUID, EVENT).forget()
    said = (("fsctl_told", EVENT), *told("succeeded", 200))
    assert noted == [UuidSetvarMulti(UUID, said)]
    assert taken_back == [UuidSetvar(UUID, "fsctl_told", None)]


def test_it_is_known_whether_this_very_refer_has_been_reported():
    link: Any = Channel(EVENT)
    assert Reporter(UUID, EVENT).has_told(link) and not Reporter(UUID, "refer;id=8").has_told(link)
    asked = len(link.asked)
    assert not Reporter(UUID, None).has_told(link) and len(link.asked) == asked


def test_the_refer_that_a_leg_has_sent_last():
    sent: Any = Channel(EVENT)
    assert of_last_refer(sent, UUID) == Reporter(UUID, EVENT)
    none: Any = Channel("_undef_")
    assert not of_last_refer(none, UUID).listens


@pytest.mark.parametrize("asks", ["tell", "owe"])
def test_nobody_to_tell_is_told_nothing(asks):
    silent = Reporter(UUID, None)
    assert getattr(silent, asks)(BUSY) == [] and not silent.listens
    assert silent.note() == [] and silent.forget() == []
    assert report(UUID, None, BUSY) == []


def test_nothing_else_has_a_notify_sent():
    """Whoever tells a transferor does so by the reporter, which alone knows how."""
    users = set()
    for path in SOURCES.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if "notify" not in text.lower():
            continue
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.ImportFrom):
                continue
            names = {alias.name for alias in node.names}
            if node.module == "fsctl.switch.notify" and names & {"report", "note", "owe", "told"}:
                users.add(str(path.relative_to(SOURCES)))
            if node.module == "fsctl.switch" and "notify" in names:
                users.add(str(path.relative_to(SOURCES)))
            if "NotifyReferrer" in names:
                users.add(str(path.relative_to(SOURCES)))
    assert users == {"session/transfers/reporter.py", "switch/notify.py"}
