"""REFER: what mod_sofia does with a phone's transfer (``sofia_handle_sip_i_refer``)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

from fsctl.simulator.events import SimEvent
from fsctl.simulator.originate import originate
from fsctl.simulator.progress import hang_up, partner_of
from fsctl.simulator.sip import ReferTarget, parse_refer_to
from fsctl.simulator.transfer_report import CONFIRM_FLAG, SIPFRAG
from fsctl.simulator.uuid_bridge import uuid_bridge

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel
    from fsctl.simulator.dialog import Dialog
    from fsctl.simulator.switch import SimulatedSwitch

_FORBIDDEN = "SIP/2.0 403 Forbidden\r\n"
_DECISION_TIMEOUT_S = 60.0


def refer_arrived(dialog: Dialog, cseq: int, refer_to: str, referred_by: str | None) -> None:
    """A REFER within the dialog: 202 always, and then what the Refer-To asks for."""
    channel = dialog.channel
    if channel is None or not channel.up:
        dialog.response_in("REFER", 481)
        return
    dialog.response_in("REFER", 202)
    event = f"refer;id={cseq}"
    target = parse_refer_to(refer_to)
    if channel.switch.full_id and target.host and not target.replaces:
        # sofia.c prints a user that is not there, and finds it good enough to go on.
        user = "(null)" if target.user is None else target.user
        target = replace(target, user=f"{user}@{target.host}")
    if target.user is None and not target.replaces:
        # Nothing more ever happens: no NOTIFY, no event. Phones may hang on this.
        return
    if target.params:
        channel.set_variable("sip_refer_to_params", target.params)
    channel.set_variable("transfer_disposition", "recv_replace")
    if target.replaces:
        _attended(channel, target, event, refer_to, referred_by)
    else:
        _blind(channel, target, event, refer_to, referred_by)


def _blind(
    channel: Channel, target: ReferTarget, event: str, refer_to: str, referred_by: str | None
) -> None:
    number = target.user or ""
    # Also the leg that rings for this one, or for which it rings.
    transferee = partner_of(channel)
    bond = transferee.uuid if transferee is not None else ""
    channel.set_variable("transfer_to", f"blind:{bond or number}")
    channel.set_variable("transfer_destination", f"blind:{number}")
    if transferee is None:
        _refuse_one_legged(channel, number, event, refer_to)
        return
    channel.set_variable("transfer_fallback_extension", _phone_number(channel))
    if referred_by:
        transferee.set_variable("sip_h_Referred-By", referred_by)
    transferee.set_variable("sip_refer_to", refer_to.strip())
    channel.set_variable("endpoint_disposition", "BLIND_TRANSFER")
    if channel.is_true("confirm_blind_transfer"):
        _hold_transferor(channel, transferee, event)
    elif channel.endpoint is not None:
        channel.endpoint.notify(event, SIPFRAG, "SIP/2.0 200 OK\r\n")
    if target.params:
        transferee.set_variable("sip_h_X-FS-Refer-Params", target.params)
    if channel.switch.fire_transfer_events:
        for leg, name in ((channel, "transferor"), (transferee, "transferee")):
            leg.fire_event(SimEvent("CUSTOM", subclass=f"sofia::{name}"))
    channel.switch.transfer(transferee, number, "", "")


def _hold_transferor(channel: Channel, transferee: Channel, event: str) -> None:
    transferee.next_flags.add(CONFIRM_FLAG)
    channel.set_variable("sip_blind_transfer_event", event)
    transferee.set_variable("blind_transfer_uuid", channel.uuid)
    channel.set_variable("blind_transfer_uuid", transferee.uuid)
    channel.set_variable("park_timeout", "600:blind_transfer")
    channel.set_state("CS_PARK")


def _refuse_one_legged(channel: Channel, number: str, event: str, refer_to: str) -> None:
    error = SimEvent("CUSTOM", subclass="sofia::error").add("Error-Type", "blind_transfer")
    error.add("Transfer-Exten", number).add("Full-Refer-To", refer_to)
    channel.fire_event(error)
    channel.set_variable("endpoint_disposition", "ATTENDED_TRANSFER_ERROR")
    if channel.endpoint is not None:
        channel.endpoint.notify(event, SIPFRAG, _FORBIDDEN)


def _phone_number(channel: Channel) -> str:
    if channel.direction == "inbound":
        return channel.profile.caller_id_number
    return channel.profile.destination_number


# -- attended: Refer-To with Replaces ----------------------------------------------------------


def _attended(
    channel: Channel, target: ReferTarget, event: str, refer_to: str, referred_by: str | None
) -> None:
    switch = channel.switch
    call_id = unquote(target.replaces).split(";", 1)[0]
    replaced = next(
        (c for c in switch.channels.values() if c.up and c.get_variable("sip_call_id") == call_id),
        None,
    )
    if replaced is None or switch.every_transfer_a_nightmare:
        _ask_elsewhere(channel, target, event, refer_to, referred_by)
    else:
        _join_far_ends(channel, replaced, event, refer_to, referred_by)


def _join_far_ends(
    channel: Channel, replaced: Channel, event: str, refer_to: str, referred_by: str | None
) -> None:
    """Both calls are ours: the two far ends are joined, both of the transferor's legs end."""
    switch = channel.switch
    first = switch.locate(channel.get_variable("signal_bond") or "")
    second = switch.locate(replaced.get_variable("signal_bond") or "")
    if channel.endpoint is None:
        return
    if first is None or second is None:
        if not _send_on(channel, replaced, first, second, refer_to, referred_by):
            channel.endpoint.notify(event, SIPFRAG, _FORBIDDEN)
            return
        channel.endpoint.notify(event, SIPFRAG, "SIP/2.0 200 OK\r\n")
        hang_up(channel if first is None else replaced, "ATTENDED_TRANSFER")
        return
    channel.set_variable("transfer_to", f"att:{second.uuid}")
    if switch.fire_transfer_events:
        replaced.fire_event(
            SimEvent("CUSTOM", subclass="sofia::replaced").add("att_xfer_replaced_by", first.uuid)
        )
        told = SimEvent("CUSTOM", subclass="sofia::transferor")
        told.add("att_xfer_original_call_id", first.uuid)
        told.add("att_xfer_destination_call_id", second.uuid)
        told.add("att_xfer_destination_peer_uuid", replaced.uuid)
        channel.fire_event(told)
        first.fire_event(SimEvent("CUSTOM", subclass="sofia::transferee"))
    channel.endpoint.notify(event, SIPFRAG, "SIP/2.0 200 OK\r\n")
    channel.set_variable("endpoint_disposition", "ATTENDED_TRANSFER")
    replaced.set_state("CS_PARK")
    uuid_bridge(switch, first.uuid, second.uuid)
    switch.clock.call_later(1.8, lambda: hang_up(replaced, "ATTENDED_TRANSFER"))


def _send_on(
    channel: Channel,
    replaced: Channel,
    first: Channel | None,
    second: Channel | None,
    refer_to: str,
    referred_by: str | None,
) -> bool:
    """One of the two calls is with an application: whoever is in the other is sent to its number,
    in whatever context; False: nobody is."""
    moved, left = (first, replaced) if first is not None else (second, channel)
    if moved is None:
        return False
    if first is None:
        hang_up(replaced, "ATTENDED_TRANSFER")
    if referred_by:
        moved.set_variable("sip_h_Referred-By", referred_by)
    moved.set_variable("sip_refer_to", refer_to.strip())
    channel.switch.transfer(moved, left.profile.destination_number, "", "")
    return True


def _ask_elsewhere(
    channel: Channel, target: ReferTarget, event: str, refer_to: str, referred_by: str | None
) -> None:
    """The dialog to replace is not known: dial for it, and move the transferee on an answer."""
    switch = channel.switch
    bond = channel.get_variable("signal_bond") or ""
    transferee = switch.locate(bond)
    if transferee is None or target.user is None:
        if channel.endpoint is not None:
            channel.endpoint.notify(event, SIPFRAG, _FORBIDDEN)
        return
    replaces = unquote(target.replaces)
    transferee.set_variable("_sofia_replaces_", replaces)
    port = f":{target.port}" if target.port else ""
    dial_string = switch.nightmare_dial_string or (
        f"sofia/{switch.default_profile}/sip:{target.user}@{target.host}{port}"
    )
    variables = {
        "_sofia_replaces_": replaces,
        "sip_refer_to": refer_to.strip(),
        "sip_h_X-FS-Refer-From": channel.uuid,
        "sip_h_X-FS-Refer-For": bond,
    }
    if referred_by:
        variables["Referred-By"] = referred_by
    if switch.fire_transfer_events:
        told = SimEvent("CUSTOM", subclass="sofia::transferor")
        channel.fire_event(told.add("att_xfer_original_call_id", bond))
        transferee.fire_event(SimEvent("CUSTOM", subclass="sofia::transferee"))
    switch.spawn(_nightmare, switch, channel, bond, dial_string, variables, event)


def _nightmare(
    switch: SimulatedSwitch,
    channel: Channel,
    transferee_uuid: str,
    dial_string: str,
    variables: dict[str, str],
    event: str,
) -> None:
    result = originate(switch, dial_string, timeout_s=_DECISION_TIMEOUT_S, extra=variables)
    success = result.channel is not None
    if result.channel is not None:
        if channel.up:
            channel.set_variable("transfer_to", f"att:{result.channel.uuid}")
            uuid_bridge(switch, transferee_uuid, result.channel.uuid)
            channel.set_variable("endpoint_disposition", "ATTENDED_TRANSFER")
        else:
            hang_up(result.channel, "ORIGINATOR_CANCEL")
            success = False
    if channel.up and channel.endpoint is not None:
        body = "SIP/2.0 200 OK\r\n" if success else _FORBIDDEN
        channel.endpoint.notify(event, "message/sipfrag", body)
