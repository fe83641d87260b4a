"""Whose numbers a leg shows: FreeSWITCH turns them round on legs that it dialled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsctl.simulator.events import SimEvent

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel


def sort_cid(channel: Channel) -> None:
    """``switch_channel_sort_cid``: once, when a dialled leg is given something to execute."""
    if channel.direction == "outbound" and not channel.hit_dialplan:
        channel.hit_dialplan = True
        _flip_cid(channel)


def _flip_cid(channel: Channel) -> None:
    """``switch_channel_flip_cid``: its caller is now the one that was called."""
    profile = channel.profile
    channel.set_variable("pre_transfer_caller_id_name", profile.caller_id_name)
    channel.set_variable("pre_transfer_caller_id_number", profile.caller_id_number)
    name, number = profile.caller_id_name, profile.caller_id_number
    profile.caller_id_name, profile.caller_id_number = (
        profile.callee_id_name,
        profile.callee_id_number,
    )
    profile.callee_id_name, profile.callee_id_number = name, number
    if channel.bridged_to is not None:
        profile.callee_id_name = profile.callee_id_number = ""
    channel.set_variable("channel_cid_flipped", "yes")
    channel.fire_event(SimEvent("CALL_UPDATE").add("Direction", "RECV"))
