"""A ``bridge`` has returned: nobody was reached, the talk is over, or somebody has the leg."""

from __future__ import annotations

from fsctl.esl.commands import UuidKill
from fsctl.esl.events import Event
from fsctl.session.arrivals.legs import came_back
from fsctl.session.arrivals.referred import Referred
from fsctl.session.calling import bridged, course, loopbacks, safe_answers
from fsctl.session.calling.applications import send
from fsctl.session.calling.calls import Calls
from fsctl.session.calling.dial import Dial
from fsctl.session.calling.native_call import NativeCall, leave_to_switch
from fsctl.session.calling.partings import gone
from fsctl.session.core import branches
from fsctl.session.core.leg import LegState
from fsctl.session.core.session import Session
from fsctl.session.transfers import native, taken_away
from fsctl.session.transfers.attended_registry import AttendedTransfers
from fsctl.session.transfers.blind_registry import BlindTransfers
from fsctl.sip.status import SipStatus
from fsctl.switch.end_status import returned_by_itself, was_taken
from fsctl.switch.grace import REPLACES
from fsctl.switch.refer_variables import bridge_began, refer_event
from fsctl.switch.timers import release

_REQUEST_S = 2.0
"""How long after the end of a call a REFER of its may still be on its way to us."""


def returned(session: Session, event: Event) -> None:
    """An application has ended: whoever waits for its end is told, and it may be a dial's."""
    calls, execution = session.part(Calls), event.get("Application-UUID", "")
    follows = calls.executions.pop(execution, None)
    if follows is not None:
        follows(event)
    dial = calls.dials.pop(execution, None)
    if dial is None:
        return
    if dial.is_back and dial.waiting.alive:
        _has_come_back(session, dial, event)
        return
    if was_taken(event) and not dial.answered and _refers_early(session, dial, event):
        return
    if was_taken(event) and _is_taken(session, dial):
        taken_away.taken(session, dial)
    elif not dial.answered:
        _not_reached(session, dial, event)
    elif returned_by_itself(event):
        _talk_over(session, dial, event)


def _has_come_back(session: Session, dial: Dial, event: Event) -> None:
    """The waiting leg has, before we heard of that: nobody else has taken it."""
    if dial.answered:
        came_back(session, dial.waiting, dial)
    else:
        _not_reached(session, dial, event)


def _refers_early(session: Session, dial: Dial, event: Event) -> bool:
    """A REFER has ended the attempt before anybody has answered.

    By the waiting party: its call is made anew, unless it is a transferee. By the one that
    rings: FreeSWITCH stops calling it, and moves the waiting leg, which comes to us.
    """
    waiting, called = dial.waiting, dial.outgoing
    _, _, moved = (event.variable("transfer_to") or "").partition(":")
    if not waiting.alive:
        return False
    if branches.is_channel_of(session, called, moved):
        if not dial.purpose.moves:
            bridged.interrupt(session, dial)
        return not dial.purpose.moves
    sender = event.variable("blind_transfer_uuid") or ""
    if dial.purpose.told_by_switch or not branches.is_channel_of(session, called, sender):
        return False
    refused = called.branches.refusal_of(sender) if called.branches else None
    branches.settle(session, called, sender)
    waiting.held = False
    if called.transfer_mode == "in-session":
        session.part(Referred).pair = (called, waiting)
    if refused is not None:
        gone(session, called, refused)
    return True


def _is_taken(session: Session, dial: Dial) -> bool:
    """It was not its own REFER that has taken the leg out of its ``bridge``."""
    waiting = dial.waiting
    if dial.answered or not waiting.alive:
        return waiting.alive
    event = refer_event(session.link, waiting.channel_uuid)
    return event is None or session.part(BlindTransfers).knows(waiting, event)


def _talk_over(session: Session, dial: Dial, event: Event) -> None:
    """The called party has hung up and the waiting leg is back in our hands."""
    if loopbacks.is_over(session, dial, event):
        dial.part()
        return  # they talk on with others, and it ends
    if event.variable(REPLACES) and not dial.asked:
        # A REFER with Replaces is about to be told to us: it may be what moves this leg.
        dial.asked = True
        session.after(_REQUEST_S, lambda: _talk_over(session, dial, event))
        return
    if dial.asked and dial.waiting.partner is not None:
        return  # it has
    if dial.outgoing.advance(LegState.DISCONNECTED):
        session.tell.disconnected(dial.outgoing, SipStatus(200))
    for transfer in session.part(BlindTransfers).open:
        if transfer.target is dial.outgoing and transfer.target_left():
            return
    if dial.purpose.told_by_switch and dial.waiting.alive and _given_up(session, dial):
        transferor = session.part(NativeCall).bridged
        if transferor:
            rescue_s = session.settings.transfer.rescue_after_s
            session.link.send_all(release(transferor, rescue_s))
        leave_to_switch(dial.waiting, SipStatus(487))
        return
    if dial.purpose.told_by_switch and dial.waiting.alive:
        native.joined(session)  # the news of their bridge may be late
    if session.board.part(AttendedTransfers).keeps(dial.waiting):
        return  # an attended transfer moves it
    if dial.then is not None and dial.waiting.alive:
        dial.then()
    elif dial.waiting.alive and not session.part(Calls).is_waiting(dial.waiting):
        send(dial.waiting, UuidKill(dial.waiting.channel_uuid))


def _given_up(session: Session, dial: Dial) -> bool:
    """It left before FreeSWITCH had reported the join that was told of."""
    waiting, called = dial.waiting.channel_uuid, dial.outgoing.channel_uuid
    return not bridge_began(session.link, waiting, called)


def _not_reached(session: Session, dial: Dial, event: Event) -> None:
    status = dial.status(event)
    if bridged.goes_on(session, dial, status):
        return
    status = course.outcome(dial, status)
    uses = dial.waiting.uses
    dial.part()
    dial.outgoing.failure = status
    dial.outgoing.advance(LegState.DISCONNECTED)
    session.tell.failed(dial.outgoing, status)
    # Posted: whoever waits for this call goes on before that.
    session.post(lambda: safe_answers.not_reached(session, dial, status, uses))
