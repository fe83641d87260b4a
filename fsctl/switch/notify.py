"""The one report of a REFER, and the mark on the transferor's channel that it has been sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from fsctl.esl.commands import (
    Command,
    NotifyReferrer,
    SchedApi,
    UuidBroadcast,
    UuidSetvar,
    UuidSetvarMulti,
)
from fsctl.esl.connection import Connection
from fsctl.sip.status import SipStatus, sipfrag
from fsctl.switch.marks import Context, Extension, Mark
from fsctl.switch.variables import read

NOTES_JOIN = "api_before_bridge_fsctl"
"""On a transferee, set by the dialplan: by it FreeSWITCH notes that its join has been told of."""

OWED_FOR_S = 2
"""So soon, at least, FreeSWITCH gives an owed report by itself, unless it has been given."""

_NOTHING: Mapping[str, str] = MappingProxyType({})
_UNSAFE = re.compile(r"[^0-9A-Za-z ._()/-]")
"""What would end the report in the arguments of the dialplan's ``event``, or be executed there."""


def report(
    transferor_uuid: str, event: str, status: SipStatus, besides: Mapping[str, str] = _NOTHING
) -> list[Command]:
    """Tell the transferor, and note that on its channel; see `note`."""
    return [
        NotifyReferrer(transferor_uuid, event, sipfrag(status)),
        note(transferor_uuid, event, besides),
    ]


def told(link: Connection, transferor_uuid: str) -> str | None:
    """Return the ``Event`` of the REFER that was reported last. Raises LinkError."""
    return read(link, transferor_uuid, Mark.TOLD)


def owe(
    transferor_uuid: str, event: str, status: SipStatus, after_s: float = OWED_FOR_S
) -> list[Command]:
    """Have FreeSWITCH give a report in ``after_s``, should we or our link be gone by then.

    The timer is one of the leg's own, which go when the transfer ends (`switch.timers.disarm`).
    """
    reason = _UNSAFE.sub(" ", status.reason).strip()[:100] or SipStatus(status.code).reason
    telling = f"execute_extension::{Extension.TELL} XML {Context.RESCUE}"
    return [
        UuidSetvar(transferor_uuid, Mark.OWED, f"{event} {status.code} {reason}"),
        SchedApi(after_s, transferor_uuid, UuidBroadcast(transferor_uuid, telling)),
    ]


def note(transferor_uuid: str, event: str, besides: Mapping[str, str] = _NOTHING) -> Command:
    """Note that this REFER has been reported, and what is to be set there besides."""
    if besides:
        return UuidSetvarMulti(transferor_uuid, ((Mark.TOLD, event), *besides.items()))
    return UuidSetvar(transferor_uuid, Mark.TOLD, event)
