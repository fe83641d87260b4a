"""Timers in FreeSWITCH: what becomes of a leg if we die, hang, or our host vanishes.

Each is armed before we wait for something that FreeSWITCH would not end by itself, moved as things
go on, and deleted when our part is done. A leg that talks when its timer fires is left alone. The
timers of a leg have its uuid as their group; that by which it must be claimed has one of its own.
The dialplan arms the first ones (``dialplan/steps.xml.j2``).
"""

from __future__ import annotations

import logging
import math

from fsctl.errors import ChannelGone, LinkError
from fsctl.esl.commands import (
    Command,
    SchedDel,
    SchedHangupUnlessTalking,
    SchedTransferUnlessTalking,
)
from fsctl.esl.connection import Connection
from fsctl.esl.events import Event

log = logging.getLogger(__name__)

RESCUE_CONTEXT = "fsctl_rescue"
_NONE_DELETED = "+OK Deleted: 0"


def claim(link: Connection, snapshot: Event) -> bool:
    """Delete the dialplan's timer: the leg that opened ``link`` is ours.

    False: too late. The timer has sent the leg on, and it is somebody else's by now.
    """
    try:
        reply = link.send(SchedDel(f"claim-{snapshot.channel_uuid}"))
    except (LinkError, ChannelGone) as error:
        log.info("[%s] not claimed: %s", link.log_id, error)
        return True  # whoever serves it will see
    return snapshot.variable("fsctl_claimable") is None or reply.text.strip() != _NONE_DELETED


def send_on(channel_uuid: str, after_s: float) -> list[Command]:
    """Return what moves the timer of a leg that waits for us to ``after_s`` seconds from now.

    It goes on as if no controller had ever claimed it.
    """
    timer = SchedTransferUnlessTalking(
        math.ceil(after_s), channel_uuid, "unclaimed", RESCUE_CONTEXT
    )
    return [SchedDel(channel_uuid), timer]


def hang_up(channel_uuid: str, after_s: float) -> list[Command]:
    """Return what moves the timer of a parked transferor to ``after_s`` seconds from now."""
    timer = SchedHangupUnlessTalking(math.ceil(after_s), channel_uuid, "BLIND_TRANSFER")
    return [SchedDel(channel_uuid), timer]


def disarm(channel_uuid: str) -> list[Command]:
    """Return what deletes the timers of a leg."""
    return [SchedDel(channel_uuid)]
