"""The transfer mode of a party, from a scenario's word to the variables of the channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsctl.session.dial import rearming
from fsctl.settings import TransferMode

if TYPE_CHECKING:
    from fsctl.session.call import Call
    from fsctl.session.session import Session


def choose(session: Session, call: Call, mode: TransferMode) -> None:
    """Choose what a REFER by ``call`` does, now and when it is joined with others."""
    call.transfer_mode, call.mode_chosen = mode, True
    rearm(session, call)


def rearm(session: Session, call: Call) -> None:
    """Put ``call``'s mode on the channels: at once where they exist, and again at the join."""
    call.armed = call.peer is not None
    peer = call.partner or _being_bridged_with(session, call)
    if peer is not None:
        session.link.send_all(rearming(call, peer, session.settings))


def _being_bridged_with(session: Session, call: Call) -> Call | None:
    for dial in session.dials.values():
        if call in (dial.waiting, dial.outgoing):
            return dial.outgoing if call is dial.waiting else dial.waiting
    return None
