"""Where a link from the context of attended transfers belongs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

from fsctl.esl.commands import UuidGetvar
from fsctl.esl.connection import Connection
from fsctl.esl.events import Event
from fsctl.esl.farewell import let_go
from fsctl.session import branches
from fsctl.session.attended.elsewhere import guest, is_ours
from fsctl.session.attended.transfer import AttendedTransfer, reject
from fsctl.session.call import Call
from fsctl.session.events import Resumed
from fsctl.session.record import conclude
from fsctl.session.session import Session
from fsctl.sip.status import SipStatus
from fsctl.switch.marks import Mark
from fsctl.switch.variables import value_of

if TYPE_CHECKING:
    from fsctl.session.switchboard import Switchboard

log = logging.getLogger(__name__)


def arrive(board: Switchboard, link: Connection, snapshot: Event) -> None:
    """Serve a link from the context of attended transfers, in a greenlet of its own, to its end."""
    channel = snapshot.channel_uuid or ""
    transfer = next((t for t in board.attended if t.awaits_home(channel)), None)
    if transfer is not None:
        session = transfer.session
        session.adopt(link, lambda: transfer.came_home(link))
        link.wait_closed()
        return
    if not snapshot.variable("sip_h_X-FS-Refer-From"):
        let_go(link)  # a transferee whose worker died on the way: the dialplan joins it
        return
    found = _parties(board, link, snapshot)
    if found is not None and any(
        t.transferor in found or t.transferee in found for t in board.attended
    ):
        log.info("%s: these two are in an attended transfer already: refused", found[0].session.id)
        heard = not any(t.is_unheard and t.transferor in found for t in board.attended)
        if reject(link) and heard:
            transferor, transferee = found
            refused = SipStatus(403)
            transferor.session.post(
                lambda: conclude("attended", transferor, transferee, None, "failed", refused)
            )
        link.wait_closed()
    elif found is not None:
        found[0].session.post(_transfer(board, *found, link, snapshot).begin)
        link.wait_closed()
    elif board.draining:
        reject(link)
    else:
        board.run(Session(board, str(uuid4()), link), _resume, link, snapshot)


def unheard(board: Switchboard, transferor: Call, transferee: Call, replaces: str) -> None:
    """The transferor of a REFER with Replaces left before FreeSWITCH could ask us about it.

    Called in the greenlet of their session, a moment after its leg has hung up.
    """
    if board.keeps(transferee) or not transferee.alive or transferee.partner is not None:
        return
    log.info("%s: a REFER by %s was not asked about", transferee.session.id, transferor)
    made = AttendedTransfer(transferor, transferee, None, "", replaces)
    board.attended.append(made)
    made.begin()


def _resume(session: Session, link: Connection, snapshot: Event) -> None:
    """Go on with a call whose worker is gone: its channels say what is needed.

    The loopback's link is the session's until the transferee has opened one; refused, the first two
    talk on as they did, in nobody's session.
    """
    named = [snapshot.variable(f"sip_h_X-FS-Refer-{who}") or "" for who in ("From", "For")]
    session.take_link(link, link.channel_uuid or "")
    ours = is_ours(link, named[0]) and is_ours(link, named[1])
    if not ours:
        log.warning("attended transfer refused: %s is no call of ours", named[0])
        reject(link)
        session.hand_over()
        return
    transferor, transferee = (guest(session, link, channel) for channel in named)
    transferor.peer, transferee.peer = transferee, transferor
    log.info("%s: taking over an attended transfer by %s", session.id, transferor)
    session.emit(Resumed(session, transferor, transferee))
    transfer = _transfer(session.board, transferor, transferee, link, snapshot)
    transfer.when_refused = session.hand_over
    transfer.begin()


def _transfer(
    board: Switchboard, transferor: Call, transferee: Call, link: Connection, snapshot: Event
) -> AttendedTransfer:
    other_half = snapshot.variable("other_loopback_leg_uuid") or ""
    made = AttendedTransfer(transferor, transferee, link, other_half)
    board.attended.append(made)
    return made


def _parties(board: Switchboard, link: Connection, snapshot: Event) -> tuple[Call, Call] | None:
    """Transferor and transferee of the request, in the session that runs them.

    A party may be quicker than the news of its answer: its channel says then whose it is.
    Raises LinkError.
    """
    named = [snapshot.variable(f"sip_h_X-FS-Refer-{who}") or "" for who in ("From", "For")]
    found = _pair(board, named, (None, None))
    if found is None:
        replies = link.send_all([UuidGetvar(channel, Mark.CALLEE) for channel in named])
        found = _pair(board, named, [value_of(reply.text) for reply in replies])
    return found


def _pair(
    board: Switchboard, channels: Sequence[str], callees: Sequence[str | None]
) -> tuple[Call, Call] | None:
    for session in board.sessions.values():
        transferor, transferee = (
            branches.find(session, channel, callee)
            for channel, callee in zip(channels, callees, strict=True)
        )
        if transferor is not None and transferee is not None and not session.over:
            for call, channel in zip((transferor, transferee), channels, strict=True):
                branches.settle(session, call, channel)
            return transferor, transferee
    return None
