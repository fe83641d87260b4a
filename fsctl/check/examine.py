"""Asks each FreeSWITCH everything, within one deadline, and makes the report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import gevent

from fsctl.check import version
from fsctl.check.event_socket import open_link
from fsctl.check.findings import CODES, Finding, Report, report_of
from fsctl.check.ground import Check, Ground, Unreadable, Wanted, ok, unknown
from fsctl.errors import LinkError
from fsctl.esl.waiting import Deadline
from fsctl.settings import Settings, Switch

DEADLINE_S: Final = 9.0
QUICK_DEADLINE_S: Final = 2.5

CHECKS: Final[tuple[tuple[str, Check], ...]] = (("FSC201", version.version),)
"""In their order, each with the code that is unknown when its answer cannot be read."""
QUICK: Final = frozenset({"FSC201"})
"""Those that decide whether calls and transfers come to us, at a start."""


def examine(settings: Settings, *, quick: bool = False, wanted: Wanted | None = None) -> Report:
    """Ask every FreeSWITCH of the settings, and return what was found.

    Never raises, writes nothing. It ends within 10 s (3 s if ``quick``); the gevent hub goes on
    meanwhile.
    """
    seconds = QUICK_DEADLINE_S if quick else DEADLINE_S
    findings = list(_about_settings(settings))
    asked = [
        gevent.spawn(_examine, settings, switch, wanted or Wanted(), quick, seconds)
        for switch in settings.switches
    ]
    for greenlet in gevent.joinall(asked):
        findings += greenlet.get()
    return report_of(findings)


def _about_settings(settings: Settings) -> Iterator[Finding]:
    if not settings.switches:
        yield unknown(
            "FSC002",
            "FreeSWITCH cannot be asked",
            "the settings have no [switch] with a password",
            "set [switch] host, port and password_file",
        )


def _examine(
    settings: Settings, switch: Switch, wanted: Wanted, quick: bool, seconds: float
) -> list[Finding]:
    """One FreeSWITCH. What was found until the deadline counts."""
    found: list[Finding] = []
    deadline = Deadline(seconds)
    over = gevent.Timeout.start_new(seconds)
    link = None
    try:
        opened = open_link(switch, deadline)
        if isinstance(opened, Finding):
            found.append(opened)
        else:
            link = opened
            where = f"{switch.host}:{switch.port}"
            found.append(ok("FSC101", f"FreeSWITCH's event socket at {where} lets us in"))
            _ask(Ground(settings, switch, wanted, link, deadline, quick), found)
    except gevent.Timeout as expired:
        if expired is not over:
            raise
        found.append(_too_slow(f"not done within {seconds:g} s"))
    except LinkError as error:
        found.append(_too_slow(str(error)))
    finally:
        over.close()
        if link is not None:
            link.close()
    return found


def _ask(ground: Ground, found: list[Finding]) -> None:
    for code, check in CHECKS:
        if ground.quick and code not in QUICK:
            continue
        try:
            found.extend(check(ground))
        except Unreadable as error:
            found.append(unknown(code, f"not known: {CODES[code]}", str(error)))


def _too_slow(cause: str) -> Finding:
    return unknown(
        "FSC102",
        "FreeSWITCH does not answer everything in time",
        cause,
        "systemctl status freeswitch; then check again",
        "what is not listed here could not be found out",
    )
