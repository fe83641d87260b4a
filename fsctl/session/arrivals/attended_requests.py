"""Where a link from the context of attended transfers belongs."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from fsctl.errors import ChannelGone, LinkError
from fsctl.esl.connection import Connection
from fsctl.esl.events import Event
from fsctl.esl.farewell import let_go
from fsctl.session.arrivals.resting import serve_by
from fsctl.session.core import branches
from fsctl.session.core.board import Board
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session
from fsctl.session.transfers.attended import AttendedTransfer
from fsctl.session.transfers.attended_acts import reject
from fsctl.session.transfers.attended_registry import AttendedTransfers
from fsctl.session.transfers.kept_registry import KeptTransfers
from fsctl.session.transfers.other_workers import guest, is_ours, talked
from fsctl.session.transfers.record import conclude
from fsctl.sip.status import SipStatus
from fsctl.switch.marks import Mark
from fsctl.switch.origin import origin_of
from fsctl.switch.variables import read_all

log = logging.getLogger(__name__)


def arrive(board: Board, link: Connection, snapshot: Event) -> bool:
    """Give a link from the context of attended transfers to the session that it speaks of.

    False: no session here runs the call that it speaks of, and nothing has been done (`resume`).
    """
    channel, transfers = snapshot.channel_uuid or "", board.part(AttendedTransfers)
    transfer = next((t for t in transfers if t.awaits_home(channel)), None)
    if transfer is not None:
        session = transfer.session
        session.adopt(link, lambda: transfer.came_home(link))
        return True
    if not snapshot.variable("sip_h_X-FS-Refer-From"):
        let_go(link)  # a transferee whose worker died on the way: the dialplan joins it
        return True
    try:
        found = _parties(board, link, snapshot)
    except (LinkError, ChannelGone) as error:
        log.info("[%s] an attended transfer is left to FreeSWITCH: %s", link.log_id, error)
        return True
    if found is None:
        return False
    kept = found[0].session.part(KeptTransfers)
    if transfers.concern(found) or any(kept.keeps(leg) for leg in found):
        _refuse_second(transfers, *found, link)
    else:
        session = found[0].session
        session.post(lambda: serve_by(session, link))  # before what the transfer itself posts
        session.post(_transfer(board, *found, link, snapshot).begin)
    return True


def _refuse_second(
    transfers: AttendedTransfers, transferor: Leg, transferee: Leg, link: Connection
) -> None:
    """One of the two is in an attended transfer already, or in one in which they talk on."""
    session, pair, refused = transferor.session, (transferor, transferee), SipStatus(403)
    log.info(
        "%s: attended transfer by %s refused: one of the two is in another one",
        session.id,
        transferor,
    )
    heard = not any(t.is_unheard and t.transferor in pair for t in transfers)
    if reject(link) and heard:
        refer = link.channel_uuid
        session.post(lambda: conclude("attended", *pair, None, "failed", refused, refer=refer))


def unheard(board: Board, transferor: Leg, transferee: Leg, replaces: str) -> None:
    """The transferor of a REFER with Replaces left before FreeSWITCH could ask us about it.

    Called in the greenlet of their session, a moment after its leg has hung up.
    """
    kept = board.part(AttendedTransfers).keeps(transferee)
    if kept or not transferee.alive or transferee.partner is not None:
        return
    log.info(
        "%s: %s has left before FreeSWITCH asked about its REFER: served all the same, untold",
        transferee.session.id,
        transferor,
    )
    made = AttendedTransfer(transferor, transferee, None, "", replaces)
    board.part(AttendedTransfers).add(made)
    made.begin()


def resume(session: Session, link: Connection, snapshot: Event) -> None:
    """Go on with a call whose worker is gone: its channels say what is needed.

    The loopback's link is the session's until the transferee has opened one; refused, the first two
    talk on as they did, in nobody's session.
    """
    named = [snapshot.variable(f"sip_h_X-FS-Refer-{who}") or "" for who in ("From", "For")]
    session.take_link(link, link.channel_uuid or "")
    marked = [is_ours(link, channel) for channel in named]
    transferor, transferee = (guest(session, link, channel) for channel in named)
    ours = marked[1] and (marked[0] or not transferor.alive)  # one who has left says nothing
    talked(transferor, transferee)
    transfer = _transfer(session.board, transferor, transferee, link, snapshot)
    if ours or session.settings.dialplan.scope == "transfers":
        log.info("%s: taking over a transfer by %s", session.id, transferor)
        session.tell.resumed(transferor, transferee)
    else:
        log.info("%s: %s is no call of ours: served as FreeSWITCH would", session.id, transferor)
        transfer.asks = False
    transfer.when_refused = session.hand_over
    transfer.begin()


def _transfer(
    board: Board, transferor: Leg, transferee: Leg, link: Connection, snapshot: Event
) -> AttendedTransfer:
    other_half = snapshot.variable("other_loopback_leg_uuid") or ""
    made = AttendedTransfer(transferor, transferee, link, other_half)
    board.part(AttendedTransfers).add(made)
    return made


def _parties(board: Board, link: Connection, snapshot: Event) -> tuple[Leg, Leg] | None:
    """Transferor and transferee of the request, in the session that runs them.

    A party may be quicker than the news of its answer: its channel says then whose it is.
    Raises LinkError.
    """
    named = [snapshot.variable(f"sip_h_X-FS-Refer-{who}") or "" for who in ("From", "For")]
    sessions = board.sessions_on(origin_of(snapshot))
    found = _pair(sessions, named, (None, None))
    if found is None:
        callees = read_all(link, [(channel, Mark.CALLEE) for channel in named])
        found = _pair(sessions, named, callees)
    return found


def _pair(
    sessions: Sequence[Session], channels: Sequence[str], callees: Sequence[str | None]
) -> tuple[Leg, Leg] | None:
    for session in _first_with_both(sessions, channels):
        transferor, transferee = (
            branches.find(session, channel, callee)
            for channel, callee in zip(channels, callees, strict=True)
        )
        if transferor is not None and transferee is not None and not session.over:
            for call, channel in zip((transferor, transferee), channels, strict=True):
                branches.settle(session, call, channel)
            return transferor, transferee
    return None


def _first_with_both(sessions: Sequence[Session], channels: Sequence[str]) -> Iterator[Session]:
    """All of them, those first that know both channels as their calls: hardly ever another has to
    be asked."""
    one, other = channels
    yield from (each for each in sessions if one in each.calls and other in each.calls)
    yield from sessions
