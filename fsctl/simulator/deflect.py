"""``deflect``: the switch sends a REFER to a phone, and what the phone's answers do to the leg."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsctl.simulator.events import SimEvent
from fsctl.simulator.progress import hang_up
from fsctl.simulator.words import leading_number

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel
    from fsctl.simulator.dialog import Dialog

NO_REPLY = "no reply"

_REPLY_TIMEOUT_S = 10.0
_CONTINUE = "sip_refer_continue_after_reply"
_WAITING = "refer_wanted"


def deflect(channel: Channel, refer_to: str) -> str:
    """SWITCH_MESSAGE_INDICATE_DEFLECT (mod_sofia.c): REFER, and wait ten seconds for the end.

    Returns the last sipfrag, or ``no reply``. The leg is hung up, success or not, unless
    ``sip_refer_continue_after_reply`` is set: then nothing waits, and it stays.
    """
    channel.flags.add(_WAITING)
    if channel.endpoint is not None:
        channel.endpoint.refer(refer_to)
    if channel.is_true(_CONTINUE):
        return "(null)"
    channel.wait(lambda: not channel.ready or _WAITING not in channel.flags, _REPLY_TIMEOUT_S)
    reply = channel.get_variable("sip_refer_reply") or NO_REPLY
    hang_up(channel, "BLIND_TRANSFER")
    return reply


def refer_answered(channel: Channel, status: int) -> None:
    """The phone answered the REFER itself (``sofia_handle_sip_r_refer``): only a variable."""
    channel.set_variable("sip_refer_status_code", str(status))


def notify_arrived(dialog: Dialog, sipfrag: str, substate: str) -> None:
    """A phone's NOTIFY of ``Event: refer`` (``sofia_handle_sip_i_notify``)."""
    channel = dialog.channel
    if channel is None or not channel.up:
        return
    event = SimEvent("CUSTOM", body=sipfrag, subclass="sofia::notify_refer")
    event.add("content-type", "message/sipfrag").add("event-package", "refer")
    event.add("call-id", dialog.call_id).add("subscription-substate", substate)
    # So it is spelt: no filter on Unique-ID finds it.
    event.add("UniqueID", channel.uuid)
    channel.switch.publish(event)
    status = leading_number(sipfrag.partition(" ")[2])
    if 0 < status < 200:
        channel.set_variable("sip_refer_target_provisional_status_code", str(status))
        return
    channel.set_variable("sip_refer_target_status_code", str(status))
    channel.set_variable("sip_refer_reply", sipfrag)
    if status == 200 and not channel.is_true(_CONTINUE):
        hang_up(channel, "BLIND_TRANSFER")
    channel.flags.discard(_WAITING)
    channel.wake()
