"""Making calls: where a destination is dialled, whom the called party sees, and by which way.

``connect`` lets FreeSWITCH itself call somebody for a leg and join the two (see
:mod:`fsctl.session.dial`); ``call_*`` make a call of the application's own (see
:mod:`fsctl.session.outgoing`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from fsctl.errors import ChannelGone
from fsctl.session.call import Call
from fsctl.session.dial import Dial
from fsctl.session.identity import presented
from fsctl.session.outgoing import Outgoing
from fsctl.session.routing import NoRoute, Routed
from fsctl.settings import RouteKind
from fsctl.sip.refer import parse_referred_by
from fsctl.sip.status import SipStatus
from fsctl.sip.uri import Uri, UriError, parse_address

if TYPE_CHECKING:
    from fsctl.session.session import Session

log = logging.getLogger(__name__)


def connect(
    session: Session,
    call: Call,
    destination: str | Uri,
    caller_id: str | None,
    display_name: str | None,
    headers: Mapping[str, str] | None,
    ring_timeout_s: int | None,
) -> Call:
    """See ``Session.connect``."""
    check_held(call)
    running = next((dial for dial in session.dials.values() if dial.waiting is call), None)
    if running is not None and running.outgoing.alive:
        raise ValueError("somebody is being called for this leg already")
    transfer = session.open_transfer_of_transferee(call)
    if transfer is None and call.peer is not None and call.peer.alive:
        raise ValueError("this leg talks with somebody")
    routed = session.board.router.route(destination, session.domain)
    section = session.settings.transfer if transfer else session.settings.call
    transferor = transfer.transferor if transfer else None
    number, name = presented(session.settings, routed.route, call, transferor)
    dial = Dial(
        waiting=call,
        outgoing=_outgoing_call(session, routed, waiting=call),
        ring_timeout_s=ring_timeout_s or routed.route.ring_timeout_s or section.ring_timeout_s,
        caller_id=number if caller_id is None else caller_id,
        display_name=name if display_name is None else display_name,
        headers=dict(headers or {}),
        for_transfer=transfer is not None,
        native=session.reports_natively(call),
        redirects_left=session.settings.call.follow_redirects,
    )
    if running is None:
        session.start(dial, routed)
    else:
        # Its bridge has not returned, and nested bridges have been seen to crash FreeSWITCH.
        running.then = lambda: session.start(dial, routed)
    if transfer is not None:
        transfer.call_target(dial.outgoing, dial.ring_timeout_s)
    return dial.outgoing


def call_out(
    session: Session,
    destination: str | Uri,
    kind: RouteKind | None,
    caller_id: str | None,
    display_name: str | None,
    headers: Mapping[str, str] | None,
    ring_timeout_s: int | None,
    codecs: str | None,
) -> Call:
    """Call somebody for the application; what stands in the way becomes ``Failed``, a bit later."""
    session.lends = True
    transfer = session.transfer_awaiting_call()
    number, name = caller_of(caller_id), name_of(display_name)
    try:
        routed, refusal = session.board.router.route(destination, session.domain, kind), None
    except NoRoute as error:
        log.info("%s: %s", session.id, error)
        routed, refusal = None, error.status
    call = _outgoing_call(session, routed)
    section = session.settings.transfer if transfer else session.settings.call
    route_timeout_s = routed.route.ring_timeout_s if routed else None
    outgoing = Outgoing(
        session,
        call,
        ring_timeout_s=ring_timeout_s or route_timeout_s or section.ring_timeout_s,
        caller_id=number,
        display_name=name or number,
        headers=dict(headers or {}),
        codecs=session.settings.call.codecs if codecs is None else codecs,
        redirects_left=session.settings.call.follow_redirects,
        transfer=transfer,
    )
    if routed is not None:
        outgoing.start(routed)
    else:
        session.outgoing[call.channel_uuid] = outgoing
        session.calls[call.channel_uuid] = call
        status = refusal or SipStatus(404)
        session.post(lambda: outgoing.failed(status))
    if transfer is not None:
        transfer.call_target(call, outgoing.ring_timeout_s)
        session.entertain(transfer.transferee)
    return call


def redirected(session: Session, contacts: list[str]) -> Routed | None:
    """The first contact of a 3xx that our own routes admit."""
    for contact in contacts:
        address = parse_referred_by(contact)
        if address is None:
            continue
        try:
            return session.board.router.route(address.uri, session.domain)
        except NoRoute as error:
            log.info("%s: redirection not followed: %s", session.id, error)
    return None


def sip_uri_of(target: str | Uri) -> Uri:
    """The URI in a SIP URI or in a whole Refer-To or Referred-By. Raises ValueError (UriError)."""
    return target if isinstance(target, Uri) else parse_address(target).uri.request_uri()


def caller_of(caller_id: str | None) -> str:
    """The number that a called party sees: of a whole Referred-By, as of a From, its user part."""
    address = _address(caller_id)
    return address[0] if address else caller_id or ""


def name_of(display_name: str | None) -> str:
    """The display name that a called party sees; of a whole Referred-By its name, else its user."""
    address = _address(display_name)
    return (address[1] or address[0]) if address else display_name or ""


def check_held(call: Call) -> None:
    """Raises ChannelGone for a leg that has ended, ValueError for one that is not in our hands."""
    if not call.alive:
        raise ChannelGone(f"call {call.channel_uuid} has ended")
    if not call.held:
        raise ValueError("only a leg that has come to us can wait for a called party")


def _address(text: str | None) -> tuple[str, str] | None:
    if not text or ("<" not in text and ":" not in text):
        return None
    try:
        address = parse_address(text)
    except UriError:
        return None
    return address.uri.user, address.display_name


def _outgoing_call(session: Session, routed: Routed | None, waiting: Call | None = None) -> Call:
    mode = routed.route.transfer_mode if routed else None
    if mode is not None and waiting is not None and not waiting.mode_chosen:
        waiting.transfer_mode = mode
    return Call(
        session,
        session.new_channel_uuid(),
        number=routed.number if routed else "",
        display_name="",
        transfer_mode=mode or session.settings.transfer.mode,
        outgoing=True,
    )
