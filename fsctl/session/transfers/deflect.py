"""A transfer that we ask for: the party's phone is sent elsewhere (we send REFER, RFC 3515)."""

from __future__ import annotations

import logging

from fsctl.esl.commands import Filter, UuidSetvar
from fsctl.session.calling.applications import run
from fsctl.session.calling.calls import Calls
from fsctl.session.core import branches
from fsctl.session.core.leg import Leg
from fsctl.session.transfers.record import conclude
from fsctl.sip.status import SipStatus, parse_sipfrag
from fsctl.sip.uri import Uri, UriError, parse_address
from fsctl.switch.variables import read_several

log = logging.getLogger(__name__)

_REFER_ANSWERED_S = 2.0
_RELEASE_S = 3.0


def transfer_to(call: Leg, target: str, timeout_s: float) -> None:
    """Send REFER to the party, and follow what its phone reports (sofia.c, sip_i_notify).

    Raises ValueError for who talks with another one, and for who has not answered or been answered:
    FreeSWITCH sends it no REFER, and says nothing of that.
    """
    session, uuid = call.session, call.channel_uuid
    if not call.connected:
        raise ValueError("this call is not answered: there is nobody to be sent elsewhere yet")
    if call.peer is not None and call.peer.alive:
        raise ValueError("this call talks with another one: stop_media_to comes first")
    session.want_custom("sofia::notify_refer")
    session.link.send_all(
        [
            Filter("UniqueID", uuid),
            # Otherwise FreeSWITCH hangs up whatever the phone reports.
            UuidSetvar(uuid, "sip_refer_continue_after_reply", "true"),
            UuidSetvar(uuid, "sip_refer_reply"),
            UuidSetvar(uuid, "sip_refer_status_code"),
        ]
    )
    session.part(Calls).deflected[uuid] = call
    run(call, "deflect", _refer_to(target, session.domain))
    session.after(_REFER_ANSWERED_S, lambda: deflect_reported(call))
    session.after(timeout_s, lambda: _deflect_ends(call, SipStatus(408)))


def deflect_reported(call: Leg) -> None:
    """The phone has sent a NOTIFY, or has had the time to refuse the REFER: ask what it says."""
    if call.session.part(Calls).deflected.get(call.channel_uuid) is not call or not call.alive:
        return
    names = ("sip_refer_reply", "sip_refer_status_code")
    report, answer = read_several(call.session.link, call.channel_uuid, *names)
    if report:
        try:
            _deflect_ends(call, SipStatus(*parse_sipfrag(report.encode())))
        except ValueError as error:
            log.info("%s: %s reports nonsense: %s", call.session.id, call, error)
    elif answer and answer.isdecimal() and int(answer) >= 300:
        _deflect_ends(call, SipStatus(int(answer)))


def _deflect_ends(call: Leg, status: SipStatus) -> None:
    session = call.session
    if session.part(Calls).deflected.get(call.channel_uuid) is not call:
        return
    del session.part(Calls).deflected[call.channel_uuid]
    if not status.is_success:
        conclude("deflected", None, call, None, "failed", status)
        return
    conclude("deflected", None, call, None, "succeeded", status)
    session.after(_RELEASE_S, lambda: branches.hang_up(session, call))


def _refer_to(target: str, domain: str) -> str:
    """The Refer-To. Raises ValueError for what is no user, number or URI."""
    if ":" not in target:
        return str(Uri("sip", target, None, domain, None, (), ()))
    try:
        return str(parse_address(target).uri.request_uri())
    except UriError as error:
        raise ValueError(f"cannot transfer to {target!r}: {error}") from error
