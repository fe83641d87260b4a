"""Whether two talk and nothing else is going on in their session."""

from __future__ import annotations

from fsctl.session.calling.calls import Calls
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session
from fsctl.session.transfers.attended_registry import AttendedTransfers


def in_peace(session: Session, pair: set[Leg]) -> bool:
    """Whether there is nothing but these two, who talk."""
    one, other = pair
    calls, attended = session.part(Calls), session.board.part(AttendedTransfers)
    return (
        {call for call in session.calls.values() if call.alive} == pair
        and one.peer is other
        and one.pending_peer is None
        and not calls.outgoing
        and not calls.deflected
        and all(dial.waiting in pair and dial.answered for dial in calls.dials.values())
        and not session.movers.is_any_open
        and not attended.concern(pair)
    )
