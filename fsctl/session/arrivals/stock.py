"""Who is really still there: asked where no event may have told of an end."""

from __future__ import annotations

import logging

from fsctl.esl.commands import UuidExists
from fsctl.session.calling.partings import gone
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session
from fsctl.session.transfers.blind_registry import BlindTransfers
from fsctl.session.transfers.kept_registry import KeptTransfers
from fsctl.session.transfers.reporter import of_last_refer
from fsctl.sip.status import SipStatus
from fsctl.switch.marks import Mark
from fsctl.switch.variables import read_several

log = logging.getLogger(__name__)

STOCK_AFTER_S = 1.0
"""How long after its leg a link asks which of the other legs are still there, and how often."""


def take_stock(session: Session) -> None:
    """The link outlives its leg for a while only, or is none of a leg's: who else is really still
    there?

    Of two who rest another worker may have taken one so far: the other one is looked at again soon.
    """
    taken = False
    for call in [call for call in session.calls.values() if call.alive and call.placed]:
        if not is_there(session, call):
            log.info("%s: %s has ended, and no event has told so", session.id, call)
            gone(session, call, SipStatus(487))
            if session.rests:
                _refer_unheard(session, call)
            for transfer in session.part(BlindTransfers).open:
                if call is transfer.transferor:
                    transfer.hung_up(call)
            for kept in session.part(KeptTransfers).open:
                kept.hung_up(call)
        elif session.rests and _is_anothers(session, call):
            log.info("%s: %s is another's now: let go", session.id, call)
            session.give_away(call)
            taken = True
    leg = session.calls.get(session.link_leg)
    if (not session.rests and (leg is None or not leg.alive)) or (taken and not session.over):
        session.after(STOCK_AFTER_S, lambda: take_stock(session))


def is_there(session: Session, call: Leg) -> bool:
    """Whether its channel lives. Raises LinkError."""
    return session.link.send(UuidExists(call.channel_uuid)).text.strip() == "true"


def _refer_unheard(session: Session, transferee: Leg) -> None:
    """The partner of who has left may have sent a REFER, of which nothing has told either: it waits
    for its report."""
    left = transferee.left_behind
    if left is None or not left.alive or left.transfer_mode != "in-session":
        return
    if of_last_refer(session.link, left.channel_uuid).event is not None:
        session.part(BlindTransfers).abandon(left, transferee)


def _is_anothers(session: Session, call: Leg) -> bool:
    """Whether another worker, or session, has taken the leg, and hears of it in our place."""
    uuid, home = call.channel_uuid, session.board.home
    named, hears, other = read_several(session.link, uuid, Mark.HOME, Mark.RESTS, Mark.SESSION)
    running = session.board.sessions.get(other or "", session)
    has_it = running is not session and uuid in running.calls and running.calls[uuid].alive
    return has_it or not {named, hears} <= {None, home}
