"""INVITE with Replaces (RFC 3891): what mod_sofia makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsctl.simulator.progress import hang_up, partner_of

if TYPE_CHECKING:
    from fsctl.simulator.dialog import Dialog


def picking_up(leg: Dialog) -> str:
    """What the channel of a phone executes that takes another phone's leg over."""
    assert leg.channel is not None, "the call has no leg yet"
    return f"intercept:{leg.channel.uuid}"


def taking_the_place(leg: Dialog, early_only: bool) -> str:
    """What the new channel executes inline (``sofia_handle_sip_i_invite_replaces``).

    Whoever talks with the replaced leg, or is called or calls by it, is intercepted. A leg with an
    application alone hands that over, and is hung up.
    """
    replaced = leg.channel
    assert replaced is not None, "the dialog has no leg yet"
    partner = partner_of(replaced)
    if partner is not None:
        if early_only and replaced.bridged_to is not None:
            return "hangup:CALL_REJECTED"
        return f"answer,intercept:{partner.uuid}"
    application, argument = replaced.application
    hang_up(replaced, "ATTENDED_TRANSFER")
    return f"answer,{application}:{argument}" if argument else f"answer,{application}"
