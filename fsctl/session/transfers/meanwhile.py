"""What has become of a transfer while we did not look.

We may have been stopped, or our link held up, for longer than the timers in FreeSWITCH wait: then
those have sent the transferee on, to another controller or to the end of its dialplan, where
FreeSWITCH tells the transferor and joins the first two again.
"""

from __future__ import annotations

from dataclasses import replace

from fsctl.esl.commands import UuidGetvar
from fsctl.esl.connection import Connection
from fsctl.session.core.leg import Leg
from fsctl.sip.status import SipStatus
from fsctl.switch.marks import Mark
from fsctl.switch.refer_variables import RawRequest
from fsctl.switch.variables import is_gone, value_of
from fsctl.transfer.transfer import Action, State, Stimulus, Transfer, step

_SENT_ON = ":bl_xfer:unclaimed/"
"""In ``transfer_source``: a timer of ours has sent the leg on (switch.timers)."""
_LEFT = SipStatus(487)
_FORBIDDEN = SipStatus(403)


def ask_first(
    link: Connection,
    transferor: Leg,
    request: RawRequest,
    before: Transfer,
    stimulus: Stimulus,
    status: SipStatus | None,
) -> tuple[Transfer, Stimulus, SipStatus | None]:
    """Before a failure is told: has somebody else told it, or taken the transferee?

    Returns what the table is to be asked instead. Raises :class:`fsctl.errors.LinkError`.
    """
    names = ("transfer_source", "sip_invite_failure_status", "sip_invite_failure_phrase")
    asked = [UuidGetvar(request.transferee_uuid, name) for name in names]
    asked.append(UuidGetvar(transferor.channel_uuid, Mark.TOLD))
    replies = link.send_all(asked)
    if is_gone(replies[0]):
        stimulus = Stimulus.TRANSFEREE_HANGUP
    source, code, phrase, told = (value_of(reply.text) for reply in replies)
    if request.event is not None and told == request.event:
        if Action.REJOIN in step(before, stimulus, status)[1]:
            return before, Stimulus.TOLD_ELSEWHERE, failure_of(code, phrase)
        return replace(before, reported=before.owed or _LEFT), stimulus, status
    sent_on = _SENT_ON in (source or "") and source != request.source
    if sent_on and before.state in (State.REQUESTED, State.CALLING_TARGET, State.HOLDING_TARGET):
        return before, Stimulus.TAKEN, None
    return before, stimulus, status


def failure_of(code: str | None, phrase: str | None) -> SipStatus:
    """What FreeSWITCH tells of a failure: the target's code, if it knows one (mod_sofia.c)."""
    if code is not None and code.isdecimal() and 300 <= int(code) <= 699:
        return SipStatus(int(code), phrase or "")
    return _FORBIDDEN
