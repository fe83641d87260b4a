"""Which FreeSWITCH it is, and whether it has what the rendered files need."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fsctl.check.findings import Finding
from fsctl.check.ground import Ground, ok, problem, unknown
from fsctl.esl.questions import Version

OLDEST = (1, 10, 12)
NEWEST = (1, 11)
_FORM = re.compile(r"\s*([0-9]+)\.([0-9]+)(?:\.([0-9]+))?")


def version(ground: Ground) -> Iterator[Finding]:
    """FSC201: the version is one that was tried."""
    text = ground.ask(Version()).strip()
    found = _FORM.match(text)
    if found is None:
        yield unknown("FSC201", "FreeSWITCH's version is not known", f"it says {text!r}")
        return
    numbers = tuple(int(part or 0) for part in found.groups())
    if numbers < OLDEST:
        yield problem(
            "FSC201",
            f"FreeSWITCH {text} is too old",
            "transfers may fail in ways that fsctl was never tried with",
            "install FreeSWITCH 1.10.12 or newer",
        )
    elif numbers[:2] > NEWEST:
        yield unknown("FSC201", f"FreeSWITCH {text} is newer than any that was tried", "1.10, 1.11")
    else:
        yield ok("FSC201", f"FreeSWITCH {text}")
