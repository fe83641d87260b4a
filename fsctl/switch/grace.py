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
from urllib.parse import quote

from fsctl.esl.commands import Command, GlobalSetvar, SchedApi, UuidBreak, UuidSetvar
from fsctl.switch.marks import Context, Extension, Mark

SECURED_MS = 6_000
"""The same for a leg that is known to be moved: we end it, unless we die.

Somewhat more than a step of an attended transfer may take (``STEP_TIMEOUT_S`` and ``NEWS_S``).
"""

AFTER_BRIDGE = "execute_on_post_bridge"
REPLACES = "_sofia_replaces_"
"""What FreeSWITCH sets on the transferee of a REFER with Replaces before anything else happens."""

_REMEMBERED_S = 5
_PARTNER_HUNG_UP = "sip_hangup_phrase"
"""Set by sofia on the partner of a leg that has sent BYE (sofia.c)."""

WAITS = {
    AFTER_BRIDGE: f"execute_extension:{Extension.GRACE} XML {Context.GRACE}",
    _PARTNER_HUNG_UP: "",  # of an earlier call
    "hold_hangup_xfer_exten": f"{Extension.OVER}:XML:{Context.RESCUE}",
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


def end(channel_uuid: str) -> list[Command]:
    """Return what ends the wait now: the leg goes on as after its bridge.

    That may be over a frame later only, and what begins to be executed forgets that it was to be
    ended (switch_core_session.c): so first that is taken back for which the leg would wait.
    """
    return [UuidSetvar(channel_uuid, _PARTNER_HUNG_UP), UuidBreak(channel_uuid)]


def departure(call_id: str, tags: Iterable[str], behind_uuid: str) -> list[Command]:
    """Return what tells other workers for a moment that a leg has hung up, and whom it left behind.

    Its REFER with Replaces may be theirs to serve, and FreeSWITCH forgets its channel at once.
    """
    name = departure_name(call_id)
    return [
        GlobalSetvar(name, f"{tags_mark(tags)}/{behind_uuid}"),
        SchedApi(_REMEMBERED_S, "fsctl_left", GlobalSetvar(name, "")),
    ]


def departure_name(call_id: str) -> str:
    """Return the name of the global variable: a Call-ID may hold anything."""
    return f"{Mark.LEFT}{sha256(call_id.encode()).hexdigest()[:32]}"


def tags_mark(tags: Iterable[str]) -> str:
    """Return both tags of a dialog, whoever named them, as one word."""
    return quote(";".join(sorted(tags)), safe=";")
