"""How FreeSWITCH itself tells a transferor how its transfer ended (NOTIFY, RFC 3515)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel

CONFIRM_FLAG = "confirm_blind_transfer"
"""CF_CONFIRM_BLIND_TRANSFER: this transferee's transferor waits for a result."""

SIPFRAG = "message/sipfrag;version=2.0"


def acknowledge(channel: Channel, *, success: bool) -> bool:
    """``switch_ivr_blind_transfer_ack`` on a transferee; False when nobody waits."""
    if CONFIRM_FLAG not in channel.flags:
        return False
    channel.flags.discard(CONFIRM_FLAG)
    transferor = channel.switch.locate(channel.get_variable("blind_transfer_uuid") or "")
    if transferor is None:
        return False
    respond(transferor, success=success)
    return True


def report_bridged(channel: Channel) -> None:
    """A transferee has been bridged: success, unless ``blind_transfer_uuid`` was unset."""
    acknowledge(channel, success=True)


def report_from_dialplan_end(channel: Channel) -> None:
    """A transferee has run out of dialplan: failure, and it waits for its transferor."""
    uuid = channel.get_variable("blind_transfer_uuid")
    if CONFIRM_FLAG not in channel.flags or not uuid:
        return
    transferor = channel.switch.locate(uuid)
    if transferor is None:
        return
    respond(transferor, success=False)
    channel.set_variable("park_timeout", "10:blind_transfer")
    channel.set_state("CS_PARK")
    channel.flags.discard(CONFIRM_FLAG)


def respond(transferor: Channel, *, success: bool) -> None:
    """BLIND_TRANSFER_RESPONSE in mod_sofia: NOTIFY, and after a failure take the leg back."""
    event = transferor.get_variable("sip_blind_transfer_event")
    uuid = transferor.get_variable("blind_transfer_uuid")
    if event and uuid and transferor.endpoint is not None:
        body = "SIP/2.0 200 OK" if success else _failure(transferor, uuid)
        transferor.endpoint.notify(event, SIPFRAG, body + "\r\n")
        if not success:
            transferor.switch.transfer(transferor, f"intercept:{uuid}", "inline", "")


def _failure(transferor: Channel, uuid: str) -> str:
    transferee = transferor.switch.locate(uuid)
    status = transferee.get_variable("sip_invite_failure_status") if transferee else None
    # mod_sofia reads the status where it means the phrase.
    return f"SIP/2.0 {status} {status}" if status else "SIP/2.0 403 Forbidden"
