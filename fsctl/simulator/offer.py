"""What a called phone is offered: codecs, and who may speak (the session description's direction).

Source: switch_core_media.c, ``switch_core_media_prepare_codecs`` and ``generate_local_sdp``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel

_PHONE_HOLDS = "proto_hold"


def offered_codecs(channel: Channel, caller: Channel | None) -> tuple[str, ...]:
    """The codecs that a leg offers, in order.

    Called for a leg that speaks a codec already, it offers only that one, unless
    ``media_mix_inbound_outbound_codecs`` adds the profile's own.
    """
    own = channel.switch.codecs
    absolute = channel.get_variable("absolute_codec_string")
    if absolute:
        return tuple(name.partition("@")[0] for name in absolute.split(","))
    spoken = _spoken(caller) if caller is not None else ()
    if not spoken:
        return own
    mixed = channel.is_true("media_mix_inbound_outbound_codecs")
    return (*spoken, *(name for name in own if mixed and name not in spoken))


def offered_direction(channel: Channel, caller: Channel | None) -> str:
    """``sendonly`` for a leg that is called for one on hold; ``origination_audio_mode`` wins."""
    holds = caller is not None and _PHONE_HOLDS in caller.flags
    return channel.get_variable("origination_audio_mode") or ("sendonly" if holds else "sendrecv")


def _spoken(caller: Channel) -> tuple[str, ...]:
    """The codec of an answered leg; before the answer the profile may have negotiated already."""
    phone = getattr(caller.endpoint, "phone", None)
    if phone is None:
        return ()  # the other half of a loopback
    own = caller.switch.codecs
    common = tuple(name for name in own if not phone.codecs or name in phone.codecs)
    if caller.answered or caller.early:
        return common[:1]
    return common if caller.switch.late_negotiation else ()
