"""The one report of a REFER, and the mark on the transferor's channel that it has been sent."""

from __future__ import annotations

from fsctl.esl.commands import Command, NotifyReferrer, UuidGetvar, UuidSetvar
from fsctl.esl.connection import Connection
from fsctl.session.request import value_of
from fsctl.sip.status import SipStatus, sipfrag

TOLD = "fsctl_told"
"""The ``Event`` of the REFER that was reported last: who takes over must not report it again."""


def report(transferor_uuid: str, event: str, status: SipStatus) -> list[Command]:
    """Tell the transferor, and note that on its channel."""
    return [
        NotifyReferrer(transferor_uuid, event, sipfrag(status)),
        note(transferor_uuid, event),
    ]


def told(link: Connection, transferor_uuid: str) -> str | None:
    """Return the ``Event`` of the REFER that was reported last. Raises LinkError."""
    return value_of(link.send(UuidGetvar(transferor_uuid, TOLD)).text)


def note(transferor_uuid: str, event: str) -> Command:
    """Note that this REFER has been reported."""
    return UuidSetvar(transferor_uuid, TOLD, event)
