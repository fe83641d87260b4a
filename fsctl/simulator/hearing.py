"""Whom and what the far end of a channel hears."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel

_TONES = ("tone_stream://", "%(", "L=", "v=")
_MUSIC = "local_stream://"


def heard_on(channel: Channel) -> str:
    """A phone's number, or what else reaches the far end; see ``Phone.hears``.

    A leg that executes an application within its bridge hears that, and its partner hears nothing
    meanwhile (``CF_SUSPEND`` in ``audio_bridge_thread``).
    """
    if "write" in channel.muted:
        return "silence"
    if channel.place:
        return channel.place
    if channel.hears_early is not None and channel.hears_early.up:
        return heard_from(channel.hears_early, channel)
    if channel.hears_tone:
        return sound_of(channel.hears_tone)
    other = channel.bridged_to
    if other is None or other.endpoint is None or "suspend" in channel.flags:
        return "silence"
    return heard_from(other, channel)


def heard_from(other: Channel, asker: Channel) -> str:
    """What a channel gives to the one that it is bridged to."""
    if "read" in other.muted or other.endpoint is None:
        return "silence"
    return other.endpoint.heard_by(asker)


def sound_of(path: str) -> str:
    """``ringback`` for tones, ``music`` for hold music, ``playback PATH`` for files."""
    if path.startswith(_MUSIC):
        return "music"
    if path.startswith("silence"):
        return "silence"
    return "ringback" if path.startswith(_TONES) else f"playback {path}"
