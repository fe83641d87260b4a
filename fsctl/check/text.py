"""A report for people: grouped, a line for each finding, problems first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fsctl.check.findings import GROUPS, Finding, Report, State

_MARKS: Final = {State.OK: "ok", State.PROBLEM: "PROBLEM", State.UNKNOWN: "unknown"}
_COLOURS: Final = {State.OK: 32, State.PROBLEM: 31, State.UNKNOWN: 33}
_WIDTH: Final = max(map(len, _MARKS.values()))


def lines(report: Report, *, colour: bool = False) -> Iterator[str]:
    """Yield the lines; the same ones for the same report, and with ``colour`` for a terminal."""
    names = {finding.switch for finding in report.findings if finding.switch}
    several = len(names) > 1
    group = None
    for finding in report.findings:
        heading = (finding.state, GROUPS[finding.code[3]])
        if heading != group:
            group = heading
            yield f"{heading[1]}:"
        yield from _finding(finding, several, colour)
    for finding, reason in report.ignored:
        yield f"ignored: {finding.code} {finding.what} ({reason})"
    yield _verdict(report)


def _finding(finding: Finding, several: bool, colour: bool) -> Iterator[str]:
    mark = f"{_MARKS[finding.state]:{_WIDTH}}"
    if colour:
        mark = f"\x1b[{_COLOURS[finding.state]}m{mark}\x1b[0m"
    where = f"{finding.switch}: " if several and finding.switch else ""
    because = f" ({finding.cause})" if finding.cause else ""
    follows = f"; {finding.consequence}" if finding.consequence else ""
    yield f"  {mark} {finding.code} {where}{finding.what}{because}{follows}"
    if finding.command:
        yield f"  {'':{_WIDTH}} -> {finding.command}"


def _verdict(report: Report) -> str:
    counts = [sum(f.state is state for f in report.findings) for state in _MARKS]
    good, bad, unclear = counts
    what = f"{bad} problem{'' if bad == 1 else 's'}, {unclear} unknown, {good} ok"
    return what + (f", {len(report.ignored)} ignored" if report.ignored else "")
