"""A channel of a session has ended: what that means for its calls, dials and transfers."""

from __future__ import annotations

import logging

from fsctl.esl.events import Event
from fsctl.session.arrivals.attended_requests import unheard
from fsctl.session.arrivals.departures import cannot_have_asked
from fsctl.session.arrivals.parties import heard
from fsctl.session.arrivals.referred import Referred
from fsctl.session.arrivals.stock import STOCK_AFTER_S, take_stock
from fsctl.session.calling import bridged, loopbacks
from fsctl.session.calling.calls import Calls
from fsctl.session.calling.native_call import NativeCall
from fsctl.session.calling.partings import gone
from fsctl.session.core import branches
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session
from fsctl.session.transfers.attended_registry import AttendedTransfers
from fsctl.session.transfers.blind_registry import BlindTransfers
from fsctl.session.transfers.kept_registry import KeptTransfers
from fsctl.session.transfers.native import Native, forsaken, left_as_joined
from fsctl.switch.end_status import hangup_status
from fsctl.switch.grace import REPLACES, departure
from fsctl.switch.grace import end as end_grace
from fsctl.switch.refer_variables import SIGNS_OF_BRIDGE, bridged_with
from fsctl.switch.variables import read

log = logging.getLogger(__name__)

_ASKED_S = 0.15
"""So soon FreeSWITCH asks us about a REFER with Replaces, if at all; the grace is longer."""


def hung_up(session: Session, event: Event) -> None:
    """A channel of ours has ended; of a called party perhaps one of several."""
    call = heard(session, event)
    if call is None:
        if event.channel_uuid == session.link_leg:
            session.change_link()  # a leg that somebody else has had since
        return
    if call.placed and loopbacks.left(session, call, event):
        return
    status = hangup_status(event)
    tags = {event.variable("sip_from_tag"), event.variable("sip_to_tag")}
    call.sip_tags = frozenset(tag for tag in tags if tag)
    call.talked_with = bridged_with([event.variable(name) for name in SIGNS_OF_BRIDGE])
    if call.placed:
        _end_grace(session, call, asked_for=bool(event.variable(REPLACES)))
    calls = session.part(Calls)
    dial = calls.dial_of(call)
    if dial is not None and not dial.answered and dial.waiting.alive:
        return  # the rest when bridge returns
    if not call.alive or _is_no_end(session, call, event):
        return
    outgoing = calls.outgoing.get(call.callee)
    if outgoing is not None:
        outgoing.hung_up(event)
        return
    _forget_unborn(session, call)
    gone(session, call, status)
    referred = session.part(Referred)
    if referred.pair is not None and call is referred.pair[1]:
        transferor, referred.pair = referred.pair[0], None
        session.part(BlindTransfers).abandon(transferor, call)
    had_link = call.channel_uuid == session.link_leg
    if had_link:
        session.change_link()
    if had_link or session.rests:
        # Whoever has hung up at the same moment is not told of on another link; and of the end of
        # the other one who rested nothing but an event tells, which may be missing.
        session.after(STOCK_AFTER_S, lambda: take_stock(session))
    native = session.part(NativeCall)
    if call.channel_uuid == session.link_leg and native.is_ours:
        forsaken(session, native.transferor)
        native.ended("abandoned", status)
    by = native.bridged
    if by and call.channel_uuid == session.link_leg and call.talked_with in ("", by):
        left_as_joined(session, by)
    running = session.part(Native).running
    if running is not None:
        running.hung_up(call)
    for transfer in session.part(BlindTransfers).open:
        transfer.hung_up(call)
    for kept in session.part(KeptTransfers).open:
        kept.hung_up(call)


def _end_grace(session: Session, left: Leg, *, asked_for: bool) -> None:
    """Whoever talked with ``left`` need not wait for a REFER that cannot come.

    But who is being told how its own REFER has ended waits: a NOTIFY goes with its dialog.
    Where FreeSWITCH itself decides on attended transfers, nobody waits at all.
    ``asked_for``: FreeSWITCH tells it, of a REFER with Replaces that was to move ``left``.
    """
    if session.settings.attended == "switch":
        return
    dial, attended = session.part(Calls).dial_of(left), session.board.part(AttendedTransfers)
    partner = left.peer or (dial.waiting if dial is not None else None)
    if left.sip_call_id and not left.outgoing and not left.was_connected:
        attended.note_given_up(left)
        if not session.board.alone:
            session.link.post(*departure(left.sip_call_id, left.sip_tags, ""))
    if partner is None or not partner.alive or attended.keeps(partner):
        return
    if cannot_have_asked(session.board, left):
        if not (asked_for or partner.being_told):
            session.link.post(*end_grace(partner.channel_uuid))
        return
    if left.sip_call_id and not session.board.alone:
        session.link.post(*departure(left.sip_call_id, left.sip_tags, partner.channel_uuid))
    _expect_request(session, left, partner)


def _expect_request(session: Session, left: Leg, partner: Leg) -> None:
    """FreeSWITCH forgets a REFER whose sender is gone before it could ask us about it."""
    replaces = read(session.link, partner.channel_uuid, REPLACES)
    if replaces:
        session.after(_ASKED_S, lambda: unheard(session.board, left, partner, replaces))


def _is_no_end(session: Session, call: Leg, event: Event) -> bool:
    """Another of the called party's phones talks, or may still answer."""
    known = call.branches
    if known is None or call.callee in session.part(Calls).outgoing:
        return False
    if call.placed and event.get("Hangup-Cause") == "LOSE_RACE":
        # Two have answered at once, and FreeSWITCH has taken the other one.
        other = known.other_that_answered(call.channel_uuid)
        if other:
            branches.settle(session, call, other)
        return True
    return not call.placed and (known.alive or session.part(Calls).dial_of(call) is None)


def _forget_unborn(session: Session, waiting: Leg) -> None:
    """The one who waited has left, perhaps before FreeSWITCH made the channel it waited for."""
    for dial in tuple(session.part(Calls).dials.values()):
        called = dial.outgoing
        unborn = called.branches is not None and not called.branches.heard_of
        if dial.waiting is waiting and (unborn or dial.interrupted):
            bridged.forget(session, dial)
