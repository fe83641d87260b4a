"""Making calls: where a destination is dialled, whom the called party sees, and by which way.

``connect`` lets FreeSWITCH itself call somebody for a leg and join the two (see
:mod:`fsctl.session.dial`); ``call_*`` make a call of the application's own (see
:mod:`fsctl.session.outgoing`).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from uuid import uuid4

from fsctl.errors import ChannelGone, LinkError
from fsctl.esl.commands import Command, UuidGetvar, UuidTransfer
from fsctl.session import branches, media
from fsctl.session.call import Call, CallState
from fsctl.session.dial import Dial
from fsctl.session.headers import merged, passed_on
from fsctl.session.identity import Shown, chosen, presented
from fsctl.session.outgoing import Outgoing
from fsctl.session.redirect import NOT_ACCEPTABLE_HERE, Redirections
from fsctl.session.routing import NoRoute, Routed
from fsctl.settings import RouteKind
from fsctl.sip.status import SipStatus
from fsctl.sip.uri import Uri, UriError, parse_address
from fsctl.switch import timers
from fsctl.switch.marks import Context, Extension
from fsctl.switch.variables import value_of

if TYPE_CHECKING:
    from fsctl.session.session import Session
    from fsctl.session.transfers import BlindTransfer

log = logging.getLogger(__name__)

NOBODY = "none"
"""Stands for the channel of a transferor that FreeSWITCH has let go already."""
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_GRACE_S = 2.0
"""How long after its ring timeout FreeSWITCH may take to say so."""
_FETCH_S = 1.0
"""A leg whose REFER came too early is back by then, if its dialplan sends it."""


def connect(
    session: Session,
    call: Call,
    destination: str | Uri,
    caller_id: str | None,
    display_name: str | None,
    headers: Mapping[str, str] | None,
    ring_timeout_s: int | None,
    codecs: str | None,
) -> Call:
    """See ``Session.connect``."""
    check_held(call)
    running = next((dial for dial in session.dials.values() if dial.waiting is call), None)
    if running is not None and running.outgoing.alive:
        raise ValueError("somebody is being called for this leg already")
    transfer = session.transfers.awaiting_target(call)
    if transfer is None and call.peer is not None and call.peer.alive:
        raise ValueError("this leg talks with somebody")
    routed = route(session, destination)
    section = session.settings.transfer if transfer else session.settings.call
    transferor = transfer.transferor if transfer else None
    usual = presented(session.settings, routed.route, call, transferor)
    dial = Dial(
        waiting=call,
        outgoing=_outgoing_call(session, routed, waiting=call),
        ring_timeout_s=ring_timeout_s or routed.route.ring_timeout_s or section.ring_timeout_s,
        shown=chosen(usual, caller_id, display_name),
        headers=merged(session.native_headers, headers or {}),
        for_transfer=transfer is not None,
        native=session.reports_natively(call),
        redirections=Redirections(session.settings.call.follow_redirects),
        codecs=session.settings.call.codecs if codecs is None else codecs,
    )
    if running is None:
        start(session, dial, routed)
    else:
        # Its bridge has not returned, and nested bridges have been seen to crash FreeSWITCH.
        running.then = lambda: start(session, dial, routed)
    if transfer is not None:
        transfer.call_target(dial.outgoing, dial.ring_timeout_s)
    return dial.outgoing


def route(session: Session, destination: str | Uri, kind: RouteKind | None = None) -> Routed:
    """Where ``destination`` is dialled for a call of this session. Raises NoRoute."""
    return session.board.router.route(destination, session.domain, kind, session.own_hosts)


def call_out(
    session: Session,
    destination: str | Uri,
    kind: RouteKind | None,
    caller_id: str | None,
    display_name: str | None,
    headers: Mapping[str, str] | None,
    ring_timeout_s: int | None,
    codecs: str | None,
    scheme: str,
) -> Call:
    """Call somebody for the application; what stands in the way becomes ``Failed``, a bit later."""
    session.lends = True
    transfer = session.transfers.awaiting_call()
    try:
        routed, refusal = route(session, destination, kind), None
    except NoRoute as error:
        log.info("%s: %s", session.id, error)
        routed, refusal = None, error.status
    call = _outgoing_call(session, routed)
    shown = _shown(session, transfer, routed, caller_id, display_name)
    section = session.settings.transfer if transfer else session.settings.call
    route_timeout_s = routed.route.ring_timeout_s if routed else None
    outgoing = Outgoing(
        session,
        call,
        ring_timeout_s=ring_timeout_s or route_timeout_s or section.ring_timeout_s,
        shown=shown,
        headers=dict(headers or {}),
        codecs=session.settings.call.codecs if codecs is None else codecs,
        scheme=scheme,
        redirections=Redirections(session.settings.call.follow_redirects),
        transfer=transfer,
        waiting=_waiting_for(session, transfer),
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
        media.entertain(transfer)
    return call


def _shown(
    session: Session,
    transfer: BlindTransfer | None,
    routed: Routed | None,
    caller_id: str | None,
    display_name: str | None,
) -> Shown:
    """Whom a called party sees: what was chosen, else as ``connect`` has it."""
    waiting = _waiting_for(session, transfer)
    number = None if caller_id is None else caller_of(caller_id)
    name = number if display_name is None else name_of(display_name)
    usual = Shown("", "")
    if waiting is not None and routed is not None:
        transferor = transfer.transferor if transfer else None
        usual = presented(session.settings, routed.route, waiting, transferor)
    shown = chosen(usual, number, name)
    return shown._replace(name=shown.name or shown.number)


def _waiting_for(session: Session, transfer: BlindTransfer | None) -> Call | None:
    """The party for whom the application calls another one."""
    inbound = (call for call in session.calls.values() if call.alive and not call.outgoing)
    return transfer.transferee if transfer else next(inbound, None)


def start(session: Session, dial: Dial, routed: Routed) -> None:
    """Begin an attempt of ``dial``: the first, or the next after a redirection.

    Raises DialStringError, ChannelGone, LinkError; then nobody is called.
    """
    dial.passed_on = passed_on(dial.waiting, routed.route, session.settings)
    branches.name_anew(session, dial.outgoing)
    dial.routed = routed
    dial.redirections.note(routed)
    commands = [
        *_timers(session, dial),
        *dial.commands(routed, session.board.home, session.settings),
    ]
    subscribed = branches.begin(session, dial.outgoing)
    session.dials[dial.execution] = dial
    try:
        session.link.send_all([subscribed, *commands])[-1].raise_for_error()
    except (LinkError, ChannelGone):
        forget(session, dial)
        raise
    transfer = session.transfers.awaiting_target(dial.waiting)
    if transfer is not None and transfer.target is dial.outgoing:
        transfer.ring_anew()
    execution = dial.execution
    session.after(dial.ring_timeout_s + _GRACE_S, lambda: _ring_deadline(session, dial, execution))


def interrupt(session: Session, dial: Dial) -> None:
    """The waiting leg has sent a REFER before anybody has answered, and has been moved away.

    There is nobody to be transferred yet. The dialplan refuses the REFER (RFC 3261 section 14.2,
    491) and sends the leg to us again; it does not where the leg that rang has ended at that very
    moment.
    """
    dial.interrupted = True
    session.dials[dial.execution] = dial
    if dial.waiting.peer is dial.outgoing:
        dial.waiting.peer = dial.outgoing.peer = None  # bridged for the sake of early media
    log.info("%s: %s sends a REFER before anybody has answered", session.id, dial.waiting)

    def fetch() -> None:
        if dial.interrupted and dial.waiting.alive:
            waiting = dial.waiting.channel_uuid
            session.link.send(UuidTransfer(waiting, Extension.AGAIN, Context.RETURN))

    session.after(_FETCH_S, fetch)


def again(session: Session, call: Call) -> None:
    """That leg is back: the call that it waited for is made anew."""
    dials = session.dials.values()
    dial = next((each for each in dials if each.waiting is call and not each.answered), None)
    if dial is None or dial.routed is None:
        session.reject(call, SipStatus(480))
        return
    dial.interrupted = False
    del session.dials[dial.execution]
    start(session, dial, dial.routed)


def goes_on(session: Session, dial: Dial, status: SipStatus) -> bool:
    """Whether another attempt of ``dial`` begins after one that has ended with ``status``.

    The same place once more, with all codecs of the profile, where those that were asked for are
    refused (488, RFC 3261 section 8.1.3.5); the next place after a redirection. Nobody is called
    for whom nobody waits any more. Raises DialStringError, ChannelGone, LinkError.
    """
    unwanted = dial.for_transfer and session.transfers.awaiting_target(dial.waiting) is None
    if unwanted or not dial.waiting.alive or dial.outgoing.ending:
        return False
    if status.code == NOT_ACCEPTABLE_HERE and dial.codecs and dial.routed is not None:
        dial.codecs = ""
        start(session, dial, dial.routed)
        return True
    router = session.board.router
    domain, own = session.domain, session.own_hosts
    routed = dial.redirections.next(status, dial.contacts, router, domain, own)
    if routed is None:
        return False
    start(session, dial, routed)
    return True


def _timers(session: Session, dial: Dial) -> list[Command]:
    """What the timers in FreeSWITCH must know of an attempt: its own one bounds that."""
    commands: list[Command] = []
    if dial.waiting.guarded:
        dial.waiting.guarded = False
        commands += timers.disarm(dial.waiting.channel_uuid)
    if dial.native and session.native_transferor != NOBODY:
        after_s = dial.ring_timeout_s + _GRACE_S + session.settings.transfer.rescue_after_s
        commands += timers.release(session.native_transferor, after_s)
        commands += timers.send_on(dial.waiting.channel_uuid, after_s - timers.HEAD_START_S)
    return commands


def forget(session: Session, dial: Dial) -> None:
    """Nobody is being called by ``dial`` any more, and its called party never was."""
    session.dials.pop(dial.execution, None)
    dial.outgoing.advance(CallState.DISCONNECTED)


def _ring_deadline(session: Session, dial: Dial, execution: str) -> None:
    """FreeSWITCH's own timeout ends with early media (originate returns then)."""
    if dial.execution != execution or execution not in session.dials or dial.answered:
        return
    # The news of an answer may still be on its way, if we or the switch were held up.
    waiting, known = dial.waiting.channel_uuid, dial.outgoing.branches
    made = value_of(session.link.send(UuidGetvar(waiting, "originated_legs")).text) or ""
    channels = {*_UUID.findall(made), *(known.channels if known is not None else ())}
    asked = [UuidGetvar(channel, "endpoint_disposition") for channel in channels]
    replies = session.link.send_all(asked) if asked else []
    if all(value_of(reply.text) != "ANSWER" for reply in replies):
        session.hang_up(dial.outgoing, "NO_ANSWER")


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
        str(uuid4()),
        number=routed.number if routed else "",
        display_name="",
        transfer_mode=mode or session.settings.transfer.mode,
        outgoing=True,
    )
