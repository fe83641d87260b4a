"""What waiting parties hear, in FreeSWITCH's words: a tone, a file, or its hold music."""

from __future__ import annotations

import re
from typing import Final

from fsctl.esl.commands import UuidBroadcast
from fsctl.session.core.leg import Leg
from fsctl.setting_kinds import SOUND_TEXT
from fsctl.setting_tones import MUSIC
from fsctl.switch.variables import read

_HOLD_MUSIC: Final = "local_stream://moh"
"""Where FreeSWITCH knows none; so in its conf/vanilla/vars.xml."""


def known(leg: Leg, sound: str) -> str:
    """Return ``sound`` as a leg's own FreeSWITCH knows it. Raises LinkError.

    Source: variable ``hold_music``, of the channel or a global one (switch_channel.c,
    ``switch_channel_get_hold_music``).
    """
    if sound != MUSIC:
        return sound
    music = read(leg.session.link, leg.channel_uuid, "hold_music") or ""
    return music if re.fullmatch(SOUND_TEXT, music) else _HOLD_MUSIC


def playable(sound: str) -> str:
    """Return what the application ``playback`` takes."""
    return f"tone_stream://{sound}" if sound.startswith("%") else sound


def without_end(leg: Leg, sound: str) -> UuidBroadcast:
    """Return what plays to a parked leg, until it is moved, joined or hung up: FreeSWITCH itself
    ends it then (switch_ivr_play_say.c: the channel is not ready)."""
    path = playable(known(leg, sound))
    if path.startswith("tone_stream://"):
        path += ";loops=-1"
    elif "://" not in path:
        path = f"endless_playback::{path}"
    return UuidBroadcast(leg.channel_uuid, path)
