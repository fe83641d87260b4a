"""What a check says: findings, each with a code of the table, and the report that they make."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from fsctl.log import printable


class State(Enum):
    """How a thing is. Unknown is neither good nor bad: it could not be found out."""

    OK = "ok"
    PROBLEM = "problem"
    UNKNOWN = "unknown"


GROUPS: Final[dict[str, str]] = {
    "0": "settings",
    "1": "event socket",
    "2": "FreeSWITCH and its host",
    "3": "sofia profiles",
    "4": "contexts",
    "5": "numbers",
    "6": "controllers",
    "7": "routes",
    "8": "copies of SIP messages",
}
"""By a code's first digit."""

_LONGEST: Final = 400


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    ``code`` is one of `codes.CODES`, ``what`` is the case, ``consequence`` says what follows for
    calls and transfers and ``command`` what mends it (both empty where it is ok), ``cause`` is what
    was seen, or why it could not be seen, and ``switch`` the name of the FreeSWITCH. Made by the
    checks: whatever came from FreeSWITCH or a file is made printable and short here.
    """

    code: str
    state: State
    what: str
    consequence: str = ""
    command: str = ""
    cause: str = ""
    switch: str = ""

    def __post_init__(self) -> None:
        for name in ("what", "consequence", "command", "cause", "switch"):
            text = printable(getattr(self, name))
            short = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
            object.__setattr__(self, name, short)

    def as_json(self) -> dict[str, str]:
        """Its fields by name."""
        return {
            "code": self.code,
            "state": self.state.value,
            "what": self.what,
            "consequence": self.consequence,
            "command": self.command,
            "cause": self.cause,
            "switch": self.switch,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """All findings, problems first, then what is unknown; symptoms of another one are not there.

    ``ignored`` are those that ``[check] ignore`` names, each with the reason: they do not count.
    """

    findings: tuple[Finding, ...]
    ignored: tuple[tuple[Finding, str], ...] = ()

    @property
    def exit_status(self) -> int:
        """0: all is well, 1: there is a problem, 2: something could not be told."""
        states = {finding.state for finding in self.findings}
        if State.PROBLEM in states:
            return 1
        return 2 if State.UNKNOWN in states or not states else 0

    def as_json(self) -> dict[str, object]:
        """For one JSON document."""
        return {
            "status": self.exit_status,
            "findings": [finding.as_json() for finding in self.findings],
            "ignored": [finding.as_json() | {"reason": why} for finding, why in self.ignored],
        }


_ORDER: Final = (State.PROBLEM, State.UNKNOWN, State.OK)


def report_of(findings: Iterable[Finding], ignore: Iterable[tuple[str, str]] = ()) -> Report:
    """Sort them, and set aside what is to be ignored."""
    reasons = dict(ignore)
    ordered = sorted(findings, key=lambda each: (_ORDER.index(each.state), each.switch, each.code))
    ignored = [f for f in ordered if f.code in reasons and f.state is not State.OK]
    return Report(
        tuple(finding for finding in ordered if finding not in ignored),
        tuple((finding, reasons[finding.code]) for finding in ignored),
    )
