"""Legs that somebody else takes: a pickup, INVITE with Replaces, ``uuid_transfer``.

What is no longer in our hands is let go: nobody hangs it up, pulls it back or calls somebody for
it. Whoever joins the transferee of an open transfer with somebody completes that transfer.
"""

from __future__ import annotations

import logging

from fsctl.esl.commands import Filter, UuidGetvar
from fsctl.session.calling import safe_answers
from fsctl.session.calling.calls import Calls
from fsctl.session.calling.dial import Dial
from fsctl.session.core.leg import Leg, LegState, parted
from fsctl.session.core.session import Session
from fsctl.session.transfers.attended_registry import AttendedTransfers
from fsctl.sip.status import SipStatus
from fsctl.switch.posting import post_if_there
from fsctl.switch.timers import disarm
from fsctl.switch.variables import value_of

log = logging.getLogger(__name__)

_CANCELLED = SipStatus(487)
_TAKEN_OVER = SipStatus(200, "Taken over")
_PARTED_S = 1.0
"""How long after one of two the other may take to come back to us, or to hang up."""


def taken(session: Session, dial: Dial) -> None:
    """Somebody has taken the leg for which ``dial`` called somebody, or which talked by it."""
    waiting, called = dial.waiting, dial.outgoing
    if dial.answered and waiting.partner is not called:
        waiting.held = False  # it is on its way to us: moved by us, or since the other one has left
        return
    # Of a leg that talked the next words are its own: a REFER, a new call, its end.
    log.log(
        logging.DEBUG if dial.answered else logging.INFO, "%s: %s is taken", session.id, waiting
    )
    waiting.held = False
    dial.part()
    if not dial.answered:
        _cancelled(session, called)
    transfer = session.movers.moving(waiting)
    if transfer is not None:
        transfer.taken()
    elif not dial.answered:
        let_go(session, waiting)


def _cancelled(session: Session, called: Leg) -> None:
    """FreeSWITCH has ended it with the bridge that it was called by, or has never called it."""
    called.failure = _CANCELLED
    if called.advance(LegState.DISCONNECTED):
        session.tell.failed(called, _CANCELLED)


def watch(session: Session, transferee: Leg) -> None:
    """Learn whom it will talk with: the news of a bridge come to the leg that asked for it."""
    uuid = transferee.channel_uuid
    asked = session.link.send_all(
        [Filter("Bridge-B-Unique-ID", uuid), UuidGetvar(uuid, "bridge_to")]
    )[-1]
    other = value_of(asked.text)
    known = session.calls.get(other or "")
    if known is not None:
        session.movers.bridged({transferee, known})
    elif other is not None:
        joined_with_a_stranger(session, transferee)


def joined_with_a_stranger(session: Session, call: Leg) -> None:
    """``call`` talks with somebody whom we do not know."""
    transfer = session.movers.moving(call)
    if transfer is not None and not transfer.has_joined:
        transfer.completed_elsewhere()
        let_go(session, call)
    elif not session.board.part(AttendedTransfers).keeps(call):
        session.check_still_ours(call)  # else it is with the loopback, and bears an older session


def left(session: Session, channel_uuid: str) -> None:
    """A leg of ours has come to the dialplan as a new call, and is another session's now."""
    call = session.calls.get(channel_uuid)
    if call is None or not call.alive:
        return
    transfer = session.movers.moving(call)
    if transfer is None or transfer.has_joined:
        let_go(session, call)
        return
    call.held = False
    transfer.taken()


def came_back_alone(session: Session, call: Leg) -> None:
    """``call`` is in our hands again, and whom it talked with has not hung up, as far as we know.

    The news of that may be late, or it comes back, too; else somebody has moved it elsewhere.
    """
    other, uses = call.partner, call.uses

    def look() -> None:
        parted = call.alive and call.held and call.partner is other and call.uses == uses
        if other is None or not parted or not other.alive or other.held:
            return
        kept = session.board.part(AttendedTransfers).keeps(call)
        if not kept and not session.movers.party(call):
            log.info("%s: %s is somebody else's", session.id, other)
            let_go(session, other)

    session.after(_PARTED_S, look)


def let_go(session: Session, call: Leg) -> None:
    """``call`` lives on without us. Whom it talked with is as if it had hung up."""
    if not call.advance(LegState.DISCONNECTED):
        return
    call.held = False
    peer = parted(call)
    uses = peer.uses if peer is not None else 0
    undone = f"{session.id}: the timers of {call} stay"
    post_if_there(session.link, disarm(call.channel_uuid), undone)
    calls = session.part(Calls)
    for dial in tuple(calls.dials.values()):
        if dial.waiting is call and not dial.answered:
            _cancelled(session, dial.outgoing)  # its end will not be told to us
    # A ``bridge`` that had called it goes on, and tells when it returns that the other is alone.
    dials = {key: dial for key, dial in calls.dials.items() if dial.outgoing is call}
    session.give_away(call)
    calls.dials.update(dials)
    session.tell.disconnected(call, _TAKEN_OVER)
    if peer is None or not calls.lends or calls.is_waiting(peer):
        return
    if peer.held and session.movers.moving(peer) is None:
        safe_answers.forsaken(session, peer, uses)
