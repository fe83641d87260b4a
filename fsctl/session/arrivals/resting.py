"""Two who talk need no link of their own: FreeSWITCH would look into it 50 times a second.

A session whose two legs talk, and in which nobody decides or waits for anything, rests: what may
still come of them is heard by the worker's kept link to the switch, by a mark on both channels, and
commands go by that. A REFER brings a leg home by a link of its own, as ever. Their links are let
go as when a worker dies, under legs that are bridged: the one that is left behind a bridge goes on
in its dialplan, which hangs it up. Where a scenario hears of two who talk, or of their end, it may
want such a leg back: there the links stay.
"""

from __future__ import annotations

import logging
from typing import Final

from fsctl.errors import LinkError
from fsctl.esl.commands import UuidSetvar
from fsctl.session.arrivals.hangups import take_stock
from fsctl.session.arrivals.referred import Referred
from fsctl.session.calling.calls import Calls
from fsctl.session.calling.native_call import NativeCall
from fsctl.session.core.clock import Timer
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Part, Session
from fsctl.session.transfers.native import Native
from fsctl.session.transfers.peace import in_peace
from fsctl.switch.marks import Mark

log = logging.getLogger(__name__)

REST_AFTER_S = 2.0
"""How long two must have talked: many a call is transferred, or over, sooner."""

_SELDOM_S: Final = 60.0
"""It is looked at again after twice the time, up to this, where something else goes on."""

_SEEN_EVERY_S: Final = 300.0
"""So often it is seen that those who rest are there, and ours: another worker may have taken them,
and hears of them since; and no link ends with them."""


class Resting(Part):
    """Whether the session may rest; looked at a while after each join."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._timer: Timer | None = None

    def joined(self) -> None:
        """Two have been bridged."""
        if self._timer is not None:
            self._timer.cancel()
        self._look_after(REST_AFTER_S)

    def _look_after(self, seconds: float) -> None:
        self._timer = self.session.after(seconds, lambda: self._look(seconds))

    def _look(self, after_s: float) -> None:
        self._timer = None
        session = self.session
        if session.over:
            return
        if session.rests:
            self._look_after(_SEEN_EVERY_S)
            take_stock(session)
            return
        pair = {call for call in session.calls.values() if call.alive}
        rests = _is_at_rest(session, pair) and _rest(session, pair)
        self._look_after(_SEEN_EVERY_S if rests else min(2 * after_s, _SELDOM_S))


def _is_at_rest(session: Session, pair: set[Leg]) -> bool:
    calls, native = session.part(Calls), session.part(NativeCall)
    return (
        len(pair) == 2
        and all(leg.connected and leg.placed for leg in pair)
        and in_peace(session, pair)
        and not session.tell.may_act()
        and not calls.lends
        and not calls.executions
        and not calls.tone_calls
        and not any(dial.then or dial.interrupted for dial in calls.dials.values())
        and session.part(Referred).pair is None
        and not (native.transferor or native.bridged)
        and session.part(Native).running is None
    )


def _rest(session: Session, pair: set[Leg]) -> bool:
    """Have the switch tell of both by the kept link; false: there is none, or there is news."""
    common = session.board.share(session.origin, session.id)
    if common is None:
        return False
    marked = [UuidSetvar(leg.channel_uuid, Mark.RESTS, session.board.home) for leg in pair]
    common.on_event = session.hear  # as soon as they are marked: news may come once only
    for leg in pair:
        common.hear(leg.channel_uuid)
    try:
        there = all(reply.ok for reply in common.send_all(marked))
    except LinkError as error:
        log.info("%s: its link stays, for the kept one to its switch fails: %s", session.id, error)
        there = False
    if not there or not session.rest(common):
        common.close()
        return False
    for leg in pair:
        leg.held = False
    return True
