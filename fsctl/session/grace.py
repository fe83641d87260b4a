"""A moment of grace for whoever is left alone, because a REFER may be on its way to us.

A phone that has sent a REFER with Replaces may hang up both of its calls before FreeSWITCH has even
asked us about it, and ``bridge`` hangs its partners up then. So every leg of a call whose partner
has sent BYE waits for a moment at the end of its bridge, in either role: ``execute_on_post_bridge``
is executed in the leg's own thread before it is decided what becomes of it (switch_ivr_bridge.c,
``audio_bridge_thread``). ``uuid_bridge`` and ``uuid_transfer`` take a leg out of that wait,
``uuid_break`` ends it, and it ends by itself when all of us are dead. Not so where the partner
lives and is moved: its thread would wait with the leg's. A leg that was holding when it hung up
would have its partner hung up regardless, but for ``hold_hangup_xfer_exten``.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import quote

from fsctl.esl.commands import Command, GlobalSetvar, SchedApi, UuidBreak, UuidSetvar

if TYPE_CHECKING:
    from fsctl.session.call import Call
    from fsctl.session.switchboard import Switchboard

GRACE = "grace"
GRACE_CONTEXT = "fsctl_grace"
"""Where a leg waits, if its partner has sent BYE (``dialplan/grace.xml.j2``)."""

SECURED_MS = 10_000
"""The same for a leg that is known to be moved: we end it, unless we die."""

AFTER_BRIDGE = "execute_on_post_bridge"
REPLACES = "_sofia_replaces_"
"""What FreeSWITCH sets on the transferee of a REFER with Replaces before anything else happens."""

LEFT = "fsctl_left"
"""On a leg whose partner has hung up: the partner's dialog, for other workers (`left_mark`)."""

_REMEMBERED_S = 5

WAITS = {
    AFTER_BRIDGE: f"execute_extension:{GRACE} XML {GRACE_CONTEXT}",
    # Of an earlier call: sofia sets it on the partner of a leg that has sent BYE (sofia.c).
    "sip_hangup_phrase": "",
    "hold_hangup_xfer_exten": "over:XML:fsctl_rescue",
}
"""The variables of a leg that is or will be bridged."""


def secure(channel_uuid: str) -> Command:
    """Return what keeps a leg after its bridge until it is moved."""
    return UuidSetvar(channel_uuid, AFTER_BRIDGE, f"sleep:{SECURED_MS}")


def relax(channel_uuid: str) -> list[Command]:
    """Return what takes that back: everybody talks on."""
    return [
        UuidSetvar(channel_uuid, AFTER_BRIDGE, WAITS[AFTER_BRIDGE]),
        UuidSetvar(channel_uuid, REPLACES),
    ]


def end(channel_uuid: str) -> Command:
    """Return what ends the wait now: the leg goes on as after its bridge."""
    return UuidBreak(channel_uuid)


def left_mark(call_id: str, tags: Iterable[str]) -> str:
    """Return what names a SIP dialog on the leg that was left behind: Call-ID and both tags."""
    return quote(";".join([call_id, *sorted(tags)]), safe="")


def gave_up(call: Call) -> list[Command]:
    """Return what tells other workers for a moment that a caller has given its call up.

    Its REFER with Replaces may be theirs to serve, and no channel is left that could say it.
    """
    name = gave_up_name(call.sip_call_id)
    return [
        GlobalSetvar(name, left_mark("", call.sip_tags)),
        SchedApi(_REMEMBERED_S, "fsctl_gave_up", GlobalSetvar(name, "")),
    ]


def gave_up_name(call_id: str) -> str:
    """Return the global variable's name."""
    return f"fsctl_gave_up_{sha256(call_id.encode()).hexdigest()[:32]}"


def is_needless(board: Switchboard, left: Call) -> bool:
    """Whether ``left`` cannot have asked for a transfer that we have not heard of.

    Who never answered cannot; nor can a party that has no other call. That is known only where
    nobody but this process runs calls.
    """
    if not left.was_connected:
        return True
    if not board.alone:
        return False
    calls = (call for session in board.sessions.values() for call in session.calls.values())
    return not any(_may_be_same(left, other) for other in calls if other is not left)


def _may_be_same(left: Call, other: Call) -> bool:
    """The same number or the same address: a line of the same phone, or a trunk."""
    if not other.alive and other.left_behind is None:
        return False
    same_address = left.address is not None and left.address == other.address
    return same_address or left.number == other.number or not (left.number and other.number)
