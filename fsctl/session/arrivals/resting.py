"""Two who talk need no link of their own: FreeSWITCH would look into it 50 times a second.

A session whose two legs talk, and in which nobody decides or waits for anything, rests: what may
still come of them is heard by the worker's kept link to the switch, by a mark on both channels, and
commands go by that. A REFER brings a leg home by a link of its own, as ever. Their links are let
go as when a worker dies, under legs that are bridged: the one that is left behind a bridge goes on
in its dialplan, which hangs it up. Where a scenario hears of two who talk, or of their end, it may
want such a leg back: there the links stay. The session outlasts a loss of the kept link.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

from fsctl.errors import LinkError
from fsctl.esl.commands import UuidSetvar
from fsctl.esl.common import CommonLink
from fsctl.esl.connection import Connection
from fsctl.session.arrivals.referred import Referred
from fsctl.session.arrivals.stock import take_stock
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


_BACK_AFTER_S: Final = 0.5
_BACK_WITHIN_S: Final = 300.0
"""So often, and so long, it is seen whether a kept link that was lost is back. Legs that come home
meanwhile are served by links of their own; whoever has hung up is seen then."""


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
        pair = _talking(session)
        rests = _is_at_rest(session, pair) and self._rest(pair)
        self._look_after(_SEEN_EVERY_S if rests else min(2 * after_s, _SELDOM_S))

    def _rest(self, pair: set[Leg]) -> bool:
        """Have the switch tell of both by the kept link; false: there is none, or there is news."""
        session = self.session
        common = session.board.share(session.origin, session.id)
        if common is None:
            return False
        marked = [UuidSetvar(leg.channel_uuid, Mark.RESTS, session.board.home) for leg in pair]
        _listen(session, common, pair)  # as soon as they are marked: news may come once only
        try:
            there = all(reply.ok for reply in common.send_all(marked))
        except LinkError as error:
            log.info("%s: its link stays, the kept one to its switch fails: %s", session.id, error)
            there = False
        if not there or not session.rest(common, self._lost):
            common.close()
            return False
        for leg in pair:
            leg.held = False
        return True

    def _lost(self) -> None:
        session = self.session
        waits = _is_at_rest(session, _talking(session)) and not session.board.draining
        if session.rests and not waits:
            session.lose()  # what goes on, and its end, depend on news that are lost with it
            return
        log.info("%s: the link to its switch is away: its calls talk on", session.id)
        self._wait_for_link(_BACK_WITHIN_S)

    def _wait_for_link(self, seconds: float) -> None:
        """Go on by the kept link as soon as it is back."""
        session = self.session
        if session.over or (session.rests and not session.away):
            return
        common = session.board.share(session.origin, session.id) if session.rests else None
        if common is not None:
            _listen(session, common, _talking(session))
            session.rest_again(common, self._lost)
            log.info("%s: the link to its switch is back", session.id)
            take_stock(session)
        elif seconds > 0:
            session.after(_BACK_AFTER_S, lambda: self._wait_for_link(seconds - _BACK_AFTER_S))
        elif session.rests:
            session.lose()


def serve_by(session: Session, link: Connection) -> None:
    """A request has come by ``link``: it serves while the kept one is away, until they rest."""
    if session.away:
        session.keep_link(link)  # it lingers now, and would keep its channel
        session.take_link(link, link.channel_uuid or "")
        session.settle_link()
        take_stock(session)
        session.part(Resting).joined()


def _talking(session: Session) -> set[Leg]:
    return {call for call in session.calls.values() if call.alive}


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


def _listen(session: Session, common: CommonLink, legs: Iterable[Leg]) -> None:
    common.on_event = session.hear
    for leg in legs:
        common.hear(leg.channel_uuid)
