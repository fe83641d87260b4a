"""Where nothing but transfers is ours, a call whose transfer has succeeded is FreeSWITCH's again.

Scope ``transfers``: nobody has asked us about the call before its REFER, and nobody has to after
its success, unless a scenario listens, or controllers decide on attended transfers, who do better
with what they know of a call. Bridge and legs go on as when a worker dies, by what stands
on them; their next REFER begins a session as the first one did. A link that stays would cost
FreeSWITCH 50 looks a second, and the events of the call's end.
"""

from __future__ import annotations

from typing import Final

from fsctl.session.calling.calls import Calls
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session
from fsctl.session.transfers.attended_registry import AttendedTransfers
from fsctl.switch.marks import Mark

_NOBODYS: Final[dict[str, str]] = {Mark.SESSION: "", Mark.HOME: ""}


def begin(session: Session, transferee: Leg, target: Leg | None) -> bool:
    """Whether the two are to be left to FreeSWITCH when their transfer has been concluded.

    Then that they are nobody's is said on their channels with what is said there next.
    """
    if target is None or not _is_all(session, {transferee, target}):
        return False
    for leg in (transferee, target):
        leg.due |= _NOBODYS
    return True


def _is_all(session: Session, pair: set[Leg]) -> bool:
    """Whether there is nothing but these two, who talk, and nobody listens."""
    settings = session.settings
    if settings.dialplan.scope != "transfers" or settings.attended != "switch":
        return False
    if session.tell.listens():
        return False
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
