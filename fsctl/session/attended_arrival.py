"""Where a link from the context of attended transfers belongs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from fsctl.esl.connection import Connection
from fsctl.esl.events import Event
from fsctl.esl.farewell import let_go
from fsctl.session.attended import JOIN_VARIABLE, AttendedTransfer, reject
from fsctl.session.call import Call

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
    if snapshot.variable(JOIN_VARIABLE) and not snapshot.variable("sip_h_X-FS-Refer-From"):
        let_go(link)  # a transferee whose worker died on the way: the dialplan joins it
        return
    found = _parties(board, snapshot)
    if found is None:
        log.warning(
            "attended transfer refused: the transferor %s is in no session",
            snapshot.variable("sip_h_X-FS-Refer-From"),
        )
        reject(link)
        return
    other_half = snapshot.variable("other_loopback_leg_uuid") or ""
    made = AttendedTransfer(*found, link, other_half)
    board.attended.append(made)
    made.session.post(made.begin)
    link.wait_closed()


def _parties(board: Switchboard, snapshot: Event) -> tuple[Call, Call] | None:
    """Transferor and transferee of the request, in the session that runs them."""
    transferor = snapshot.variable("sip_h_X-FS-Refer-From") or ""
    transferee = snapshot.variable("sip_h_X-FS-Refer-For") or ""
    for session in board.sessions.values():
        pair = session.calls.get(transferor), session.calls.get(transferee)
        if pair[0] is not None and pair[1] is not None and not session.over:
            return pair[0], pair[1]
    return None
