"""Timers in FreeSWITCH: what becomes of a leg if we die, hang, or our host vanishes.

Each is armed before we wait for something that FreeSWITCH would not end by itself, moved as things
go on, and deleted when our part is done. A leg that talks when its timer fires is left alone. The
timers of a leg have its uuid as their group; that by which it must be claimed has one of its own.
The dialplan arms the first ones (``dialplan/steps.xml.j2``).
"""

from __future__ import annotations

import logging

from fsctl.errors import ChannelGone, LinkError
from fsctl.esl.commands import (
    Command,
    SchedDel,
    SchedTransferUnlessTalking,
)
from fsctl.esl.connection import Connection
from fsctl.esl.events import Event, Reply
from fsctl.esl.fields import EARLY_S, no_sooner
from fsctl.log import seldom
from fsctl.settings import Settings
from fsctl.switch.marks import Context, Extension, Mark

log = logging.getLogger(__name__)

SLACK = 0.3
"""By so much of its time a timer may be later that the dialplan has armed than one of ours."""
_NONE_DELETED = "+OK Deleted: 0"

_JOINED_S = 2
"""So soon the first two are joined when nobody else has the transferee."""
_BEFORE_S = 4
"""A transferee is sent on so much before ``rescue_after_s`` is over, which is 5 s at least."""

CLAIM_TIMEOUT_S = 30.0
"""Who is late already does not give up early: the reply decides whose the leg is."""
_OUR_WORDS = (Extension.UNCLAIMED, Extension.RESCUE, Extension.ANY, Extension.NEW)
"""Numbers under which the dialplan itself goes on with a leg: as the last one, no REFER's."""


def claim(link: Connection, snapshot: Event, home: str) -> bool:
    """Delete the dialplan's timer: the leg that opened ``link`` is ours, whose address is ``home``.

    False: too late. The timer has sent the leg on, and it is somebody else's by now.
    """
    if has_been_sent_on(link, snapshot, home):
        return False
    try:
        reply = link.send(claiming(snapshot), CLAIM_TIMEOUT_S)
    except (LinkError, ChannelGone) as error:
        extra = seldom("links that ended before their leg was claimed")
        log.info("[%s] gone before it was claimed: %s", link.log_id, error, extra=extra)
        return True  # whoever serves it will see
    return is_claimed(snapshot, reply)


def claiming(snapshot: Event) -> Command:
    """Return what claims the leg; its reply says whether it is claimed."""
    return SchedDel(f"claim-{snapshot.channel_uuid}")


def is_claimed(snapshot: Event, reply: Reply) -> bool:
    """Whether this reply to `claiming` says so. An older dialplan has no such timer."""
    return snapshot.variable(Mark.CLAIMABLE) is None or reply.text.strip() != _NONE_DELETED


def has_been_sent_on(link: Connection, snapshot: Event, home: str) -> bool:
    """Whether the leg waits at somebody else's link, or nowhere: its timer is not ours to delete.

    The snapshot is the channel's as it is when we ask, and not as it was when it dialled us. The
    dialplan notes whose time was up (``fsctl_unclaimed``) before it asks others; and a leg that was
    sent on from there, too, has one of our own words as its last number.
    """
    if snapshot.get("Caller-Context") != Context.RESCUE:
        return False
    dialled_home = home.rpartition(":")[2] == str(link.local_port)
    if dialled_home and snapshot.variable(Mark.UNCLAIMED) == home:
        return True
    word = snapshot.get("Caller-RDNIS") or ""
    return word in _OUR_WORDS and word not in (snapshot.variable("sip_refer_to") or "")


def timed(snapshot: Event) -> float | None:
    """Return after how many seconds, at least, the dialplan's own timer of a parked transferor
    fires, which is armed; that of its transferee does so `head_start_s` before.

    None: an older dialplan has armed none, or they are no longer there.
    """
    text = snapshot.variable(Mark.TIMED) or ""
    return float(text) - EARLY_S if text.isascii() and text.isdigit() and len(text) < 7 else None


def head_start_s(settings: Settings) -> int:
    """Return how much earlier a transferee goes on than its transferor, which so is still there to
    be joined with it, even if another controller is asked first, and does not claim it either."""
    return no_sooner(settings.dialplan.claim_timeout_s) + _JOINED_S


def claimed_s(settings: Settings) -> float:
    """Return by when a leg is claimed, or FreeSWITCH's own, of whom two controllers are asked, one
    behind the other: both timers fire at a whole second, or half a one later."""
    return 2 * no_sooner(settings.dialplan.claim_timeout_s) + 0.5


def released_s(settings: Settings, waits_s: float) -> float:
    """Return after how long a transferor is released whose transfer may wait for ``waits_s``: its
    transferee goes on `head_start_s` before, but behind that wait."""
    return waits_s + settings.transfer.rescue_after_s - _BEFORE_S + head_start_s(settings)


def send_on(channel_uuid: str, after_s: float) -> list[Command]:
    """Return what moves the timer of a leg that waits for us to ``after_s`` seconds from now, or
    little later.

    It goes on as if no controller had ever claimed it.
    """
    timer = SchedTransferUnlessTalking(after_s, channel_uuid, Extension.UNCLAIMED, Context.RESCUE)
    return [SchedDel(channel_uuid), timer]


def release(channel_uuid: str, after_s: float) -> list[Command]:
    """Return what moves the timer of a parked transferor to ``after_s`` seconds from now, or little
    later.

    It is told, if nobody has told it and its transferee has left, and hung up.
    """
    return [SchedDel(channel_uuid), unless_talking(channel_uuid, after_s)]


def unless_talking(channel_uuid: str, after_s: float) -> Command:
    """Return that timer, which is one more."""
    return SchedTransferUnlessTalking(after_s, channel_uuid, Extension.FORLORN, Context.RESCUE)


def disarm(channel_uuid: str) -> list[Command]:
    """Return what deletes the timers of a leg."""
    return [SchedDel(channel_uuid)]
