"""What is executed on a leg's channel: applications of FreeSWITCH, and API commands about it."""

from __future__ import annotations

from fsctl.errors import ChannelGone
from fsctl.esl.commands import Command, Execute
from fsctl.session.calling.native_call import NativeCall, leave_to_switch
from fsctl.session.core import branches
from fsctl.session.core.leg import Leg
from fsctl.sip.status import SipStatus, cause_of_status


def run(call: Leg, application: str, argument: str = "", event_uuid: str | None = None) -> None:
    """Have the call's channel execute an application. Raises ChannelGone, LinkError."""
    uuid = call.channel_uuid
    send(call, Execute(application, argument, channel_uuid=uuid, event_uuid=event_uuid))


def send(call: Leg, command: Command) -> None:
    """Send a command about the call's channel. Raises ChannelGone when it is refused, LinkError."""
    reply = call.session.link.send(command)
    if not reply.ok:
        raise ChannelGone(f"call {call.channel_uuid}: {reply.text.strip()}")


def reject(call: Leg, status: SipStatus) -> None:
    """Refuse ``call`` with ``status``; an answered one is hung up with the matching cause."""
    if call.session.part(NativeCall).reports(call):
        leave_to_switch(call, status)
    elif call.connected:
        run(call, "hangup", cause_of_status(status.code))
    elif call.outgoing:
        branches.hang_up(call.session, call)
    else:
        if status.code < 400:
            status = SipStatus(480)  # a redirection that nobody follows; `respond 302` would wait
        phrase = status.reason.replace("$", "")
        run(call, "respond", f"{status.code} {phrase}")
