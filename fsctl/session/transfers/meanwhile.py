"""What has become of a transfer while we did not look.

We may have been stopped, or our link held up, for longer than the timers in FreeSWITCH wait: then
those have sent the transferee on, to another controller or to the end of its dialplan, where
FreeSWITCH tells the transferor and joins the first two again.
"""

from __future__ import annotations

from fsctl.esl.commands import UuidGetvar
from fsctl.esl.connection import Connection
from fsctl.session.core.leg import Leg
from fsctl.sip.status import SipStatus, failure_in
from fsctl.switch.marks import Mark
from fsctl.switch.refer_variables import RawRequest
from fsctl.switch.variables import is_gone, value_of
from fsctl.transfer.blind_truth import Elsewhere

_SENT_ON = ":bl_xfer:unclaimed/"
"""In ``transfer_source``: a timer of ours has sent the leg on (switch.timers)."""
_FORBIDDEN = SipStatus(403)


def look(link: Connection, transferor: Leg, request: RawRequest) -> Elsewhere:
    """Ask the channels of both parties. Raises :class:`fsctl.errors.LinkError`."""
    names = (
        "transfer_source",
        "sip_invite_failure_status",
        "sip_invite_failure_phrase",
        "bridge_to",
    )
    asked = [UuidGetvar(request.transferee_uuid, name) for name in names]
    asked.append(UuidGetvar(transferor.channel_uuid, Mark.TOLD))
    replies = link.send_all(asked)
    source, code, phrase, partner, told = (value_of(reply.text) for reply in replies)
    return Elsewhere(
        transferee_gone=is_gone(replies[0]),
        told=failure_of(code, phrase) if told is not None and told == request.event else None,
        joined=partner not in (None, transferor.channel_uuid),
        sent_on=_SENT_ON in (source or "") and source != request.source,
    )


def failure_of(code: str | None, phrase: str | None) -> SipStatus:
    """What FreeSWITCH tells of a failure: the target's code, if it knows one (mod_sofia.c)."""
    return failure_in(code, phrase) or _FORBIDDEN
