"""What a start says: whether calls and transfers will reach us, in one line, by the doctor's quick
part. It holds nothing up: it runs beside, and its code is imported and works in a thread."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib import import_module
from typing import Any

import gevent

from fsctl.settings import Settings

log = logging.getLogger(__name__)

_DEADLINE_S = 5.0
"""More than the check's own, with the time that its import may take on a busy host."""


def begin(settings: Settings) -> None:
    """Start to look, where ``[switch]`` says how, and return at once; the line follows."""
    if settings.switches:
        gevent.spawn(_tell, settings)


def _tell(settings: Settings) -> None:
    try:
        with gevent.Timeout(_DEADLINE_S):
            check = gevent.get_hub().threadpool.apply(import_module, ("fsctl.check",))
            report = check.examine(settings, quick=True)
    except gevent.Timeout:
        log.warning("it is not known whether calls and transfers will reach us: no answer in time")
    except Exception:
        log.exception("it is not known whether calls and transfers will reach us")
    else:
        level, line = _line(settings, report)
        level(line)


def _line(settings: Settings, report: Any) -> tuple[Callable[[str], None], str]:
    """The line, with the first finding that is not ok, and where it goes."""
    calls = settings.dialplan.scope == "calls"
    observed = "news of transfers" if settings.observes else "transfers"
    what = "calls and their transfers" if calls else observed
    bad = [each for each in report.findings if each.state.value != "ok"]
    if not bad:
        return log.info, f"{what} will reach us: FreeSWITCH is set up for it"
    first, more = bad[0], len(bad) - 1
    sure = report.exit_status == 1
    begin = f"{what} may not reach us" if sure else f"it is not known whether {what} reach us"
    follows = f"; {first.consequence}" if first.consequence else ""
    cause = f" ({first.cause})" if first.cause else ""
    others = f" (and {more} more: fsctl check)" if more else ""
    line = f"{begin}: {first.code} {first.what}{cause}{follows}; {first.command}{others}"
    return log.warning, line
