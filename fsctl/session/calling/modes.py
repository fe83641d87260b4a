"""The transfer mode of a party, from a scenario's word to the variables of the channels."""

from __future__ import annotations

from fsctl.session.calling.arming import rearming
from fsctl.session.calling.calls import Calls
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session
from fsctl.settings import TransferMode


def choose(session: Session, call: Leg, mode: TransferMode) -> None:
    """Choose what a REFER by ``call`` does, now and when it is joined with others."""
    call.transfer_mode, call.mode_chosen = session.settings.mode(mode), True
    rearm(session, call)


def rearm(session: Session, call: Leg) -> None:
    """Put ``call``'s mode on the channels: at once where they exist, and again at the join."""
    call.armed = call.peer is not None
    peer = call.partner or _being_bridged_with(session, call)
    if peer is not None:
        session.link.send_all(rearming(call, peer, session.settings))


def _being_bridged_with(session: Session, call: Leg) -> Leg | None:
    for dial in session.part(Calls).dials.values():
        if call in (dial.waiting, dial.outgoing):
            return dial.outgoing if call is dial.waiting else dial.waiting
    return None
