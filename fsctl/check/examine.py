"""Asks each FreeSWITCH everything, within one deadline, and makes the report."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import gevent

from fsctl.check import (
    arming,
    capture,
    contexts,
    host,
    numbers,
    profiles,
    routes,
    security,
    version,
)
from fsctl.check.answers import Unreadable
from fsctl.check.codes import CODES
from fsctl.check.copies import Copies
from fsctl.check.event_socket import open_link
from fsctl.check.findings import Finding, Report, State, report_of
from fsctl.check.ground import Check, Ground, Wanted, ok, problem, unknown
from fsctl.errors import CommandError, LinkError, SettingsError
from fsctl.esl.waiting import Deadline
from fsctl.settings import Settings, Switch

log = logging.getLogger(__name__)

DEADLINE_S: Final = 9.0
QUICK_DEADLINE_S: Final = 2.5

CHECKS: Final[tuple[tuple[str, Check], ...]] = (
    ("FSC201", version.version),
    ("FSC005", contexts.rendering),
    ("FSC604", arming.addresses),
    ("FSC401", contexts.contexts),
    ("FSC403", contexts.first_extensions),
    ("FSC501", numbers.inbound),
    ("FSC502", numbers.one),
    ("FSC301", profiles.main_profile),
    ("FSC302", profiles.parameters_loaded),
    ("FSC303", profiles.in_force),
    ("FSC305", profiles.media),
    ("FSC306", profiles.channels_section),
    ("FSC202", host.modules),
    ("FSC105", security.event_socket),
    ("FSC203", host.clock),
    ("FSC204", host.syn_retries),
    ("FSC701", routes.gateways),
    ("FSC702", routes.profiles),
    ("FSC703", routes.domains),
    ("FSC704", routes.sounds),
    ("FSC705", routes.contexts),
    ("FSC803", capture.copies),
    ("FSC601", arming.controllers),
    ("FSC602", arming.arming),
)
"""In their order, each with the code that is unknown when its answer cannot be read."""
QUICK: Final = frozenset(
    "FSC005 FSC201 FSC604 FSC401 FSC403 FSC501 FSC301 FSC302 FSC305 FSC306 FSC601 FSC602".split()
)
"""Those that decide whether calls and transfers come to us, at a start."""
SYMPTOMS: Final[dict[str, frozenset[str]]] = {
    "FSC005": frozenset("FSC302 FSC303 FSC304 FSC306 FSC401 FSC403 FSC501".split()),
    "FSC401": frozenset("FSC302 FSC303 FSC306 FSC403 FSC501 FSC603".split()),
    "FSC301": frozenset("FSC302 FSC303 FSC702".split()),
    "FSC302": frozenset({"FSC303"}),
    "FSC801": frozenset({"FSC803"}),
    "FSC403": frozenset({"FSC501"}),
    "FSC604": frozenset("FSC204 FSC601".split()),
    "FSC601": frozenset({"FSC602"}),
}
"""What follows from a problem: it is not told beside it."""


def examine(settings: Settings, *, quick: bool = False, wanted: Wanted | None = None) -> Report:
    """Ask every FreeSWITCH of the settings, and return what was found.

    Never raises, writes nothing. It ends within 10 s (3 s if ``quick``); the gevent hub goes on
    meanwhile.
    """
    seconds = QUICK_DEADLINE_S if quick else DEADLINE_S
    findings = list(_about_settings(settings, quick))
    copies = Copies()
    asked = [
        gevent.spawn(_examine, settings, switch, wanted or Wanted(), quick, seconds, copies)
        for switch in settings.switches
    ]
    try:
        for greenlet in gevent.joinall(asked):
            findings += greenlet.get()
    finally:
        copies.close()
    return report_of(findings, settings.check.ignore)


def _about_settings(settings: Settings, quick: bool) -> Iterator[Finding]:
    if not quick:
        yield from _slips(settings)
    if not settings.switches:
        yield unknown(
            "FSC002",
            "FreeSWITCH cannot be asked",
            "the settings have no [switch] with a password",
            "fsctl install (or set [switch] host, port and password_file)",
        )


def _slips(settings: Settings) -> Iterator[Finding]:
    """What prevents nothing."""
    for code in [code for code, _ in settings.check.ignore if code not in CODES]:
        yield problem(
            "FSC003", f"[check] ignore names {code}", "it ignores nothing", "docs/check.md has all"
        )
    for warning in settings.warnings:
        yield problem("FSC004", warning, "whoever reads it can use the switch", "chmod o-r FILE")


def _examine(
    settings: Settings,
    switch: Switch,
    wanted: Wanted,
    quick: bool,
    seconds: float,
    copies: Copies,
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
            _ask(Ground(settings, switch, wanted, link, deadline, copies, quick), found)
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
    return [replace(each, switch=switch.name) for each in _causes_only(found)]


def _ask(ground: Ground, found: list[Finding]) -> None:
    for code, check in CHECKS:
        if not ground.quick or code in QUICK:
            found += (each for each in _findings(code, check, ground))


def _findings(code: str, check: Check, ground: Ground) -> Iterator[Finding]:
    try:
        yield from check(ground)
    except Unreadable as error:
        yield unknown(code, _unknown(code), str(error))
    except (SettingsError, CommandError) as error:
        yield unknown(code, _unknown(code), str(error), "correct the settings")
    except LinkError:
        raise
    except Exception as error:
        log.debug("%s has failed", code, exc_info=error)
        yield unknown(code, _unknown(code), f"a fault of fsctl itself: {error!r}")


def _unknown(code: str) -> str:
    return "not known: " + CODES[code].ok.replace("`", "")


def _causes_only(findings: list[Finding]) -> list[Finding]:
    """Without those that another one explains."""
    causes = [each.code for each in findings if each.state is State.PROBLEM]
    explained = frozenset().union(*(SYMPTOMS.get(code, frozenset()) for code in causes))
    return [each for each in findings if each.code not in explained]


def _too_slow(cause: str) -> Finding:
    return unknown(
        "FSC102",
        "FreeSWITCH does not answer everything in time",
        cause,
        "systemctl status freeswitch; then check again",
        "what is not listed here could not be found out",
    )
