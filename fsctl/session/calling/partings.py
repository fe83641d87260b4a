"""A leg has hung up: what becomes of whoever talked with it."""

from __future__ import annotations

from fsctl.session.calling import bridging, safe_answers
from fsctl.session.calling.calls import Calls
from fsctl.session.core.leg import Leg, LegState, parted
from fsctl.session.core.session import Session
from fsctl.sip.status import SipStatus


def gone(session: Session, call: Leg, status: SipStatus) -> None:
    """``call`` has hung up; told once."""
    if not call.advance(LegState.DISCONNECTED):
        return
    calls = session.part(Calls)
    was_pending, peer = call.pending_peer is not None, parted(call)
    call.left_behind = peer or next(
        (dial.outgoing for dial in calls.dials.values() if dial.waiting is call), None
    )
    uses = peer.uses if peer is not None else 0
    safe_answers.ringing_for_nobody(session)
    session.tell.disconnected(call, status)
    if peer is not None and calls.lends:
        transfer = session.movers.moving(peer)
        # The news may be late: a transferee that has come back from its target is alone.
        if transfer is None or (transfer.has_joined and peer.held):
            safe_answers.forsaken(session, peer, uses)
            if was_pending:
                bridging.fetch_left(session, peer)
