"""Sending a channel to another place of the dialplan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsctl.simulator.execute_on import execute_on
from fsctl.simulator.flags import ORIGINATING
from fsctl.simulator.holding import check_hold
from fsctl.simulator.progress import hang_up

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel

_MAX_FORWARDS = 70


def transfer(channel: Channel, number: str, dialplan: str, context: str) -> None:
    """``switch_ivr_session_transfer``: empty dialplan or context come from the channel.

    ``force_transfer_dialplan`` and ``force_transfer_context`` decide then, and the caller profile
    after them. Each transfer takes one of ``max_forwards``; at none left the leg is hung up.
    """
    if not channel.up:
        return
    hops = int(channel.get_variable("max_forwards") or _MAX_FORWARDS + 1) - 1
    if hops <= 0:
        hang_up(channel, "EXCHANGE_ROUTING_ERROR")
        return
    check_hold(channel)
    channel.switch.unhold(channel)
    channel.set_variable("max_forwards", str(hops))
    channel.flags.discard(ORIGINATING)
    execute_on(channel, "execute_on_blind_transfer")
    _cut_bond(channel)
    channel.flags.add("transfer")
    # Out of execute_extension, `rdnis` becomes its number, and its context is the default.
    old = channel.present_profile
    profile = old.clone()
    profile.dialplan = (
        dialplan
        or channel.get_variable("force_transfer_dialplan")
        or (old.dialplan if old.dialplan != "inline" else "")
        or "XML"
    )
    profile.context = context or channel.get_variable("force_transfer_context") or old.context
    profile.destination_number = number or "service"
    profile.rdnis = old.destination_number
    profile.index += 1
    profile.created_us = channel.switch.now_us
    where = f"{profile.destination_number}/{profile.context}/{profile.dialplan}"
    seconds = int(channel.switch.clock.now_s)
    profile.transfer_source = f"{seconds}:{profile.profile_uuid}:bl_xfer:{where}"
    channel.profile = profile
    channel.add_to_variable("transfer_history", profile.transfer_source)
    channel.set_variable("transfer_source", profile.transfer_source)
    channel.set_state("CS_ROUTING")


def _cut_bond(channel: Channel) -> None:
    for name in ("signal_bond", "bridge_to"):
        partner = channel.switch.locate(channel.get_variable(name) or "")
        if partner is not None:
            partner.set_variable("signal_bond", None)
    channel.set_variable("signal_bond", None)
