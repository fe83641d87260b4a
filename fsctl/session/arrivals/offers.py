"""A call is offered to its scenario; where that decides nothing the routes connect it."""

from __future__ import annotations

import logging

from fsctl.errors import CallFailed
from fsctl.esl.events import Event
from fsctl.session.calling.applications import reject
from fsctl.session.calling.bridged import connect
from fsctl.session.calling.calls import Calls
from fsctl.session.calling.routing import NoRoute
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session
from fsctl.session.transfers.blind_registry import BlindTransfers
from fsctl.sip.status import SipStatus
from fsctl.sip.uri import Uri
from fsctl.switch.dialstring import DialStringError
from fsctl.switch.timers import disarm, send_on

log = logging.getLogger(__name__)


def offer(
    session: Session,
    call: Leg,
    destination: str,
    dialled: str | Uri,
    *,
    native: bool,
    snapshot: Event,
) -> None:
    """Tell the scenario of a call; without a handler, or when it fails, the routes connect it."""
    if not session.tell.decides_on(call):
        call.fresh = snapshot
        _connect_by_routes(session, call, dialled)
        call.fresh = None
        return
    seconds = session.settings.transfer.decision_timeout_s
    _guard(session, call)
    session.after(seconds, lambda: _connect_undecided(session, call, dialled))
    session.tell.call_alerting(
        call,
        destination,
        _custom_headers(snapshot),
        native=native,
        on_error=lambda error: _alerting_handler_failed(session, call, dialled, error),
    )


def _alerting_handler_failed(
    session: Session, call: Leg, dialled: str | Uri, error: Exception
) -> None:
    """A caller is not left without an answer: that of the party who was called, or the routes'."""
    if not _is_undecided(session, call):
        return
    if isinstance(error, CallFailed):
        reject(call, SipStatus(error.code, error.reason))
    elif isinstance(error, NoRoute):
        reject(call, error.status)
    else:
        _connect_by_routes(session, call, dialled)


def _is_undecided(session: Session, call: Leg) -> bool:
    """Nobody talks with this party or is being called for it."""
    others = (one for one in session.calls.values() if one is not call)
    calling = any(one.outgoing and one.alive for one in others)
    return (
        call.alive
        and call.partner is None
        and not session.part(Calls).is_waiting(call)
        and not calling
    )


def _connect_undecided(session: Session, call: Leg, dialled: str | Uri) -> None:
    """The scenario has done nothing with the call: it is not left without an answer."""
    _guard(session, call)
    if _is_undecided(session, call) and not call.uses and not session.waits:
        log.warning("%s: the scenario has not decided on the call: the routes do", session.id)
        _connect_by_routes(session, call, dialled)


def _guard(session: Session, call: Leg) -> None:
    """While the scenario may still be about to do something: should we die, the leg goes on."""
    before, section = call.guarded, session.settings.transfer
    seconds = section.decision_timeout_s + section.rescue_after_s
    waits = session.waits or bool(session.part(Calls).outgoing) or not call.uses
    call.guarded = waits and call.unanswered and not session.part(Calls).is_waiting(call)
    if call.guarded:
        session.link.post(*send_on(call.channel_uuid, seconds))
        session.after(section.decision_timeout_s, lambda: _guard(session, call))
    elif before and call.alive and not session.part(BlindTransfers).party(call):
        session.link.post(*disarm(call.channel_uuid))


def _connect_by_routes(session: Session, call: Leg, dialled: str | Uri) -> None:
    try:
        connect(session, call, dialled)
    except (NoRoute, DialStringError) as error:
        status = error.status if isinstance(error, NoRoute) else SipStatus(400)
        log.info("%s: %s refused with %d: %s", session.id, call, status.code, error)
        reject(call, status)


def _custom_headers(snapshot: Event) -> dict[str, str]:
    prefix = "variable_sip_h_"
    return {name.removeprefix(prefix): snapshot[name] for name in snapshot.names(prefix)}
