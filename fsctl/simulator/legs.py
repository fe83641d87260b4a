"""Outgoing legs: from one endpoint of a dial string to a channel that is about to dial."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

from fsctl.simulator.causes import cause_name
from fsctl.simulator.channel import Channel
from fsctl.simulator.inbound import OF_THEIR_OWN
from fsctl.simulator.loopback import attach_loopback
from fsctl.simulator.offer import offered_codecs, offered_direction
from fsctl.simulator.profile import CallerProfile
from fsctl.simulator.progress import hang_up, send_early_media

if TYPE_CHECKING:
    from fsctl.simulator.dialstring import DialledLeg
    from fsctl.simulator.phone import Phone
    from fsctl.simulator.switch import SimulatedSwitch

# Variables of a dial string that mod_sofia and the core take as something else as well.
_SIP_HEADER = "sip_h_"


class LegRefused(Exception):
    """The endpoint could not even make a channel."""

    def __init__(self, hangup_cause: str) -> None:
        super().__init__(hangup_cause)
        self.hangup_cause = hangup_cause


def make_leg(
    switch: SimulatedSwitch,
    leg: DialledLeg,
    variables: dict[str, str],
    caller: Channel | None,
) -> Channel:
    """A channel for one endpoint; it dials when its greenlet routes it.

    Raises LegRefused for what never becomes a channel: an unknown endpoint, profile, gateway or
    user, ``error/CAUSE``, or an ``origination_uuid`` that is in use.
    """
    wanted = variables.get("origination_uuid")
    if wanted and wanted in switch.channels:
        raise LegRefused("DESTINATION_OUT_OF_ORDER")
    if leg.kind == "error":
        raise LegRefused(cause_name(leg.rest, "NORMAL_CLEARING"))
    if leg.kind not in {"sofia", "user", "loopback", "null"}:
        raise LegRefused("CHAN_NOT_IMPLEMENTED")
    _check(switch, leg)
    profile = _profile(switch, leg, wanted or str(uuid.uuid4()), variables, caller)
    channel = Channel(switch, profile)
    _describe(channel, leg, variables, caller)
    if leg.kind == "loopback":
        if caller is not None and not caller.is_true("loopback_no_pre_answer"):
            send_early_media(caller)
        attach_loopback(channel, leg.rest)
    elif leg.kind != "null":
        phone = switch.directory.phone_at(leg)
        secure = leg.kind == "sofia" and "transport=tls" in leg.address.lower()
        channel.on_routing = lambda: _dial(channel, phone, leg.number, caller, secure=secure)
    else:
        channel.on_routing = lambda: channel.set_state("CS_CONSUME_MEDIA")
    channel.set_state("CS_INIT")
    channel.fire("CHANNEL_OUTGOING")
    return channel


def _check(switch: SimulatedSwitch, leg: DialledLeg) -> None:
    if leg.kind == "user" and leg.number not in switch.phones:
        raise LegRefused("SUBSCRIBER_ABSENT")
    if leg.kind == "user" and not switch.directory.contacts(leg.number):
        raise LegRefused("USER_NOT_REGISTERED")
    if leg.kind != "sofia":
        return
    if leg.profile == "gateway":
        if leg.rest.split("/")[1] not in switch.gateways:
            raise LegRefused("INVALID_GATEWAY")
    elif leg.profile not in switch.sofia_profiles:
        raise LegRefused("INVALID_PROFILE")


def _profile(
    switch: SimulatedSwitch,
    leg: DialledLeg,
    leg_uuid: str,
    variables: dict[str, str],
    caller: Channel | None,
) -> CallerProfile:
    origin = caller.profile if caller is not None else None
    name = variables.get("origination_caller_id_name")
    number = variables.get("origination_caller_id_number")
    if caller is not None:
        name = name or caller.get_variable("effective_caller_id_name")
        number = number or caller.get_variable("effective_caller_id_number")
    asked = variables.get("origination_privacy")
    return CallerProfile(
        hide_name="hide_name" in asked if asked else origin is not None and origin.hide_name,
        hide_number="hide_number" in asked if asked else origin is not None and origin.hide_number,
        unique_id=leg_uuid,
        channel_name=_channel_name(leg),
        destination_number=leg.number or leg.rest,
        context=origin.context if origin else "default",
        direction="outbound",
        logical_direction="outbound",
        username=origin.username if origin else "",
        dialplan=origin.dialplan if origin else "",
        caller_id_name=name or (origin.caller_id_name if origin else ""),
        caller_id_number=number or (origin.caller_id_number if origin else "0000000000"),
        callee_id_name=variables.get("origination_callee_id_name") or "Outbound Call",
        callee_id_number=variables.get("origination_callee_id_number") or leg.number or leg.rest,
        rdnis=origin.rdnis if origin else "",
        created_us=switch.now_us,
        times_us={"Channel-Created": switch.now_us},
        other_type="originator" if origin else "",
        other=origin.clone() if origin else None,
    )


def _channel_name(leg: DialledLeg) -> str:
    if leg.kind == "loopback":
        return f"loopback/{leg.rest.split('/')[0]}-a"
    if leg.kind == "user":
        return f"sofia/internal/{leg.rest}"
    return f"{leg.kind}/{leg.profile}/{leg.address.removeprefix('sip:')}"


def _describe(
    channel: Channel, leg: DialledLeg, variables: dict[str, str], caller: Channel | None
) -> None:
    channel.set_variable("direction", "outbound")
    channel.set_variable("is_outbound", "true")
    channel.set_variable("uuid", channel.uuid)
    channel.set_variable("session_id", str(channel.switch.next_session_id()))
    channel.set_variable("channel_name", channel.name)
    if leg.kind == "sofia":
        channel.set_variable("sip_profile_name", leg.profile)
        channel.set_variable("sip_destination_url", leg.address)
        channel.set_variable("sofia_profile_name", leg.profile)
        if leg.profile == "gateway":
            channel.set_variable("sip_gateway_name", leg.rest.split("/")[1])
    if leg.kind == "user":
        channel.set_variable("dialed_user", leg.number)
        channel.set_variable("dialed_domain", leg.host)
        channel.set_variable("presence_id", leg.rest)
    if caller is not None:
        hops = int(caller.get_variable("max_forwards") or 70)
        channel.set_variable("max_forwards", str(hops - 1))
        channel.set_variable("originator", caller.uuid)
        channel.set_variable("signal_bond", caller.uuid)
        channel.set_variable("call_uuid", caller.uuid)
        channel.set_variable("originating_leg_uuid", caller.uuid)
        _inherit(channel, caller)
    for name, value in variables.items():
        channel.set_variable(name, value)
    channel.set_variable("originate_endpoint", leg.kind)
    channel.set_variable("sip_call_id", str(uuid.uuid4()))


def _inherit(channel: Channel, caller: Channel) -> None:
    """SIP headers go from the caller to the leg it bridges to, exported variables too."""
    copies = caller.get_variable("sip_copy_custom_headers") is None
    if copies or caller.is_true("sip_copy_custom_headers"):
        for name, value in caller.variables.items():
            if name.startswith(_SIP_HEADER):
                channel.set_variable(name, value)
    for name, exported in exported_variables(caller).items():
        channel.set_variable(name, exported)


def exported_variables(caller: Channel) -> dict[str, str]:
    """What a leg hands on to those it dials (``switch_channel_process_export``)."""
    variables: dict[str, str] = {}
    for name in (caller.get_variable("export_vars") or "").split(","):
        clean = name.removeprefix("nolocal:")
        exported = caller.get_variable(name) or caller.get_variable(clean)
        if clean and exported:
            variables[clean] = exported
    return variables


def _asserted(channel: Channel, caller_id: str, privacy: str) -> list[tuple[str, str]]:
    """``cid_type`` of sofia_glue.c, where the profile's own is Remote-Party-ID."""
    match (channel.get_variable("sip_cid_type") or "rpid").lower():
        case "rpid":
            party = f"{caller_id};party=calling;screen=yes;privacy={privacy}"
            return [("Remote-Party-ID", party)]
        case "pid":
            hidden = "id" if privacy == "full" else "none"
            return [("P-Asserted-Identity", caller_id), ("Privacy", hidden)]
    return []


def _dial(
    channel: Channel, phone: Phone, number: str, caller: Channel | None, *, secure: bool = False
) -> None:
    if secure:
        hang_up(channel, "DESTINATION_OUT_OF_ORDER")  # "TLS not supported by profile"
        return
    profile = channel.profile
    shown = profile.caller_id_name
    name = "" if shown == "_undef_" else f'"{shown}" '  # sofia_glue.c leaves the name out then
    caller_id = f"{name}<sip:{profile.caller_id_number}@127.0.0.1>"
    headers = [("From", caller_id), ("To", f"<sip:{number}>")]
    privacy = "full" if profile.hide_number else "name" if profile.hide_name else "off"
    headers += _asserted(channel, caller_id, privacy)
    held_back = channel.get_variable("exclude_outgoing_extra_header")
    for variable, value in channel.variables.items():
        own = variable.removeprefix(_SIP_HEADER) in OF_THEIR_OWN
        if held_back and re.search(held_back, variable) and not own:
            continue
        if variable.startswith(_SIP_HEADER) and isinstance(value, str):
            headers.append((variable.removeprefix(_SIP_HEADER), value))
    headers.append(("SDP-Codecs", " ".join(offered_codecs(channel, caller))))
    headers.append(("SDP-Direction", offered_direction(channel, caller)))
    channel.set_state("CS_CONSUME_MEDIA")
    dialog = phone.invited(channel, tuple(headers))
    channel.endpoint = dialog
    channel.set_variable("sip_call_id", dialog.call_id)
    channel.set_variable("sip_from_tag", dialog.switch_tag)
    channel.set_variable("sip_to_tag", dialog.tag)
