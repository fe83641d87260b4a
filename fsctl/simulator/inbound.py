"""Channels of incoming calls: what an INVITE becomes."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fsctl.simulator.channel import Channel
from fsctl.simulator.profile import CallerProfile

if TYPE_CHECKING:
    from fsctl.simulator.dialog import Dialog
    from fsctl.simulator.switch import SimulatedSwitch

_HOST = "127.0.0.1"

OF_THEIR_OWN = ("identity", "date")
"""Headers that mod_sofia keeps under these names, and sends by tags of their own (sofia_glue.c)."""


def make_inbound_channel(
    switch: SimulatedSwitch,
    dialog: Dialog,
    headers: Sequence[tuple[str, str]],
    inline: str = "",
) -> Channel:
    """The channel of a phone's INVITE, in the context where calls enter.

    ``inline``: the applications that it executes instead of what the dialplan has for its number.
    """
    phone = dialog.phone
    profile = CallerProfile(
        unique_id=str(uuid.uuid4()),
        channel_name=f"sofia/{switch.default_profile}/{phone.number}@{_HOST}",
        destination_number=inline or _destination(switch, dialog),
        dialplan="inline" if inline else "XML",
        context=phone.directory.get("user_context", switch.context),
        direction="inbound",
        logical_direction="inbound",
        username=phone.number,
        caller_id_name=phone.display_name or phone.number,
        caller_id_number=phone.number,
        created_us=switch.now_us,
        times_us={"Channel-Created": switch.now_us},
    )
    channel = Channel(switch, profile)
    channel.endpoint = dialog
    dialog.channel = channel
    for name, value in _variables(switch, dialog, channel).items():
        channel.set_variable(name, value)
    for name, value in phone.directory.items():
        channel.set_variable(name, value)
    for name, value in headers:
        if name.lower() == "privacy":
            channel.set_variable("sip_Privacy", value)
            profile.hide_name = profile.hide_number = "id" in value.split(";")
        else:
            known = name.lower() if name.lower() in OF_THEIR_OWN else name
            channel.set_variable(f"sip_h_{known}", value)
    return channel


def _destination(switch: SimulatedSwitch, dialog: Dialog) -> str:
    """The number, with the host where the profile has ``full-id-in-dialplan``."""
    return f"{dialog.number}@{_HOST}" if switch.full_id else dialog.number


def _variables(switch: SimulatedSwitch, dialog: Dialog, channel: Channel) -> dict[str, str]:
    number, called = dialog.phone.number, dialog.number
    display = f'"{dialog.phone.display_name}" ' if dialog.phone.display_name else ""
    return {
        "direction": "inbound",
        "uuid": channel.uuid,
        "session_id": str(switch.next_session_id()),
        "sip_from_user": number,
        "sip_from_uri": f"{number}@{_HOST}",
        "sip_from_host": _HOST,
        "channel_name": channel.name,
        "sip_call_id": dialog.call_id,
        **dict.fromkeys(("sip_network_ip", "sip_received_ip"), _HOST),
        "sip_via_protocol": "udp",
        "sip_from_user_stripped": number,
        "sip_from_tag": dialog.tag,
        "sip_to_tag": dialog.switch_tag,
        "sofia_profile_name": switch.default_profile,
        "recovery_profile_name": switch.default_profile,
        "sip_from_display": dialog.phone.display_name,
        "sip_full_from": f"{display}<sip:{number}@{_HOST}>;tag={dialog.tag}",
        "sip_full_to": f"<sip:{called}@{_HOST}>",
        **_uri("req", called),
        "sip_req_params": dialog.uri_parameters,
        "sip_to_user": called,
        "sip_to_uri": f"{called}@{_HOST}",
        "sip_to_host": _HOST,
        **_uri("contact", number),
        "max_forwards": str(70),
        "ep_codec_string": ",".join(
            f"CORE_PCM_MODULE.{name}@8000h@20i@64000b" for name in dialog.phone.codecs
        ),
        **_identity(dialog),
        **dict.fromkeys(("read_codec", "write_codec"), "PCMU"),
        "dtmf_type": "rfc2833",
        "endpoint_disposition": "RECEIVED",
        "call_uuid": channel.uuid,
    }


def _identity(dialog: Dialog) -> dict[str, str]:
    """Of a phone whose digest was right (sofia_reg.c)."""
    if not dialog.phone.authenticates:
        return {}
    identity = {"sip_authorized": "true", "sip_auth_username": dialog.phone.number}
    return identity | {"sip_auth_realm": _HOST}


def _uri(part: str, user: str) -> dict[str, str]:
    """The three variables of one URI of the INVITE."""
    return {
        f"sip_{part}_user": user,
        f"sip_{part}_uri": f"{user}@{_HOST}",
        f"sip_{part}_host": _HOST,
    }
