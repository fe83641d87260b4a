"""Business hours: calls are connected while the office is open; else a mailbox takes a message.

So it does when the callee is busy or does not answer. Only numbers that look like our own have a
mailbox (FreeSWITCH's application ``voicemail``): the number is part of the application's argument.
"""

import re
from datetime import datetime, time
from zoneinfo import ZoneInfo

from fsctl.scenario import CallAlerting, CallFailed, Scenario

ZONE = ZoneInfo("Europe/Berlin")
OPENS, CLOSES = time(9), time(17, 30)
WORKDAYS = range(5)  # Monday to Friday
RING_TIMEOUT_S = 20
MAILBOX = re.compile(r"[0-9]{4}")

scenario = Scenario()


def now() -> datetime:
    """The office's time; a test puts another function in the place of this one."""
    return datetime.now(ZONE)


def is_open(at: datetime) -> bool:
    return at.weekday() in WORKDAYS and OPENS <= at.time() < CLOSES


@scenario.on(CallAlerting)
def alerting(event: CallAlerting) -> None:
    if is_open(now()):
        callee = event.session.connect(event.call, event.destination, ring_timeout_s=RING_TIMEOUT_S)
        try:
            callee.wait_connected()
            return
        except CallFailed as failure:
            code, reason = failure.code, failure.reason
    else:
        code, reason = 480, "We are closed"
    if MAILBOX.fullmatch(event.destination):
        box = f"default {event.session.domain} {event.destination}"
        event.call.answer()
        event.call.execute("voicemail", box)
    else:
        event.call.reject(code, reason)
