"""Hold: a phone's own (re-INVITE), and the switch's (``hold``, ``uuid_hold``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsctl.simulator.parking import broadcast, stop_broadcast
from fsctl.simulator.progress import hang_up, partner_of

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel

_LEG = "leg_holding"
_PHONE = "proto_hold"
_SWITCH = "hold"
_HANGUP_HELD = "hangup_held"
_DEFAULT_MUSIC = "local_stream://moh"


def mark_hold(channel: Channel, *, on: bool) -> None:
    """``switch_channel_mark_hold``: the call state and CHANNEL_HOLD or CHANNEL_UNHOLD, once."""
    if on == (_LEG in channel.flags):
        return
    _flag(channel, on=on)
    channel.fire("CHANNEL_HOLD" if on else "CHANNEL_UNHOLD")
    _media_again(channel)


def _flag(channel: Channel, *, on: bool) -> None:
    (channel.flags.add if on else channel.flags.discard)(_LEG)
    if channel.up:
        channel.set_call_state("HELD" if on else "UNHELD")


def _media_again(channel: Channel) -> None:
    """UNHELD lasts until the next packet is read (``switch_core_session_read_frame``)."""
    if channel.up and channel.call_state == "UNHELD":
        channel.set_call_state("ACTIVE")


def phone_holds(channel: Channel) -> None:
    """``switch_core_media_toggle_hold``, sendonly: the partner hears ``hold_music``.

    The holder's variable decides; ``silence`` is none, and without the variable it is
    ``local_stream://moh``.
    """
    if not channel.answered or _PHONE in channel.flags or not channel.up:
        return
    channel.flags.add(_PHONE)
    mark_hold(channel, on=True)
    music = channel.get_variable("hold_music") or _DEFAULT_MUSIC
    partner = partner_of(channel)
    # A partner that rings has no codec yet: its playback gives up after 2 s. (Its answer is held up
    # so long on the real switch, and here not.)
    audible = partner is not None and (partner.answered or partner.early)
    if partner is not None and audible and music.lower() != "silence":
        broadcast(partner, music, loops=-1, urgent=True)


def phone_resumes(channel: Channel) -> None:
    """``switch_core_media_toggle_hold``, sendrecv."""
    if _PHONE not in channel.flags:
        return
    partner = partner_of(channel)
    if partner is not None:
        stop_broadcast(partner)
    channel.flags.discard(_PHONE)
    mark_hold(channel, on=False)


def leaves_on_hold(channel: Channel) -> None:
    """The phone that holds hangs up: CHANNEL_UNHOLD comes before CHANNEL_HANGUP."""
    if _LEG in channel.flags:
        channel.flags.add(_HANGUP_HELD)
        _flag(channel, on=False)
        channel.fire("CHANNEL_UNHOLD")


def end_hold(channel: Channel, other: Channel) -> None:
    """The end of ``audio_bridge_thread`` on a leg that holds: the other one is hung up.

    Whatever the other's own variables ask for; ``hold_hangup_xfer_exten`` on the holder instead
    sends it somewhere. A leg that is being moved or parked itself is spared.
    """
    if not channel.flags & {_LEG, _HANGUP_HELD}:
        return
    channel.flags.discard(_HANGUP_HELD)
    if other.ready and other.state != "CS_PARK":
        stop_broadcast(other)
        extension = channel.get_variable("hold_hangup_xfer_exten")
        if extension:
            other.set_variable("transfer_after_bridge", extension)
        else:
            hang_up(other, "NORMAL_CLEARING")
    mark_hold(channel, on=False)


def hold(channel: Channel) -> bool:
    """``switch_ivr_hold``: the phone gets a re-INVITE, its partner hears ``hold_music``."""
    if channel.call_state == "HELD":
        return False
    channel.flags.add(_SWITCH)
    _flag(channel, on=True)
    if channel.endpoint is not None:
        channel.endpoint.hold(held=True)
    music, partner = channel.get_variable("hold_music"), partner_of(channel)
    if music and partner is not None:
        broadcast(partner, music, loops=-1)
    channel.fire("CHANNEL_HOLD")
    return True


def unhold(channel: Channel) -> bool:
    """``switch_ivr_unhold``."""
    if channel.call_state != "HELD":
        return False
    channel.flags.discard(_SWITCH)
    _flag(channel, on=False)
    if channel.endpoint is not None:
        channel.endpoint.hold(held=False)
    partner = partner_of(channel)
    if partner is not None:
        stop_broadcast(partner)
    channel.fire("CHANNEL_UNHOLD")
    _media_again(channel)
    return True


def check_hold(channel: Channel) -> None:
    """``switch_ivr_check_hold``: what the switch holds comes back before a transfer or a join."""
    if _SWITCH in channel.flags:
        unhold(channel)
