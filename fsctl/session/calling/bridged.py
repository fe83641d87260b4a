"""Calling somebody for a leg that waits: FreeSWITCH's ``bridge`` application, executed on that leg.

FreeSWITCH itself passes ringing and early media on, makes ringback for an answered leg, cancels
the callee when the waiting leg leaves, and joins the two on answer: all of that goes on when this
process dies. The callee may have several phones (`fsctl.session.core.branches`): their events are
subscribed before they exist, and we learn the outcome from ``CHANNEL_EXECUTE_COMPLETE``
(matched by its Application-UUID).
"""

from __future__ import annotations

import logging
import re

from fsctl.errors import ChannelGone, LinkError
from fsctl.esl.commands import Command, UuidTransfer
from fsctl.session.calling import purposes
from fsctl.session.calling.applications import reject
from fsctl.session.calling.calls import Calls
from fsctl.session.calling.course import Course, Place, Several, next_places
from fsctl.session.calling.dial import Dial
from fsctl.session.calling.plan import NO_OPTIONS, Asker, CallOptions, attempts, called_party
from fsctl.session.core import branches
from fsctl.session.core.leg import Leg, LegState
from fsctl.session.core.session import Session
from fsctl.sip.status import SipStatus
from fsctl.sip.uri import Uri
from fsctl.switch import timers
from fsctl.switch.marks import Context, Extension
from fsctl.switch.variables import read, read_all

log = logging.getLogger(__name__)

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FETCH_S = 1.0
"""A leg whose REFER came too early is back by then, if its dialplan sends it."""


def connect(
    session: Session,
    call: Leg,
    destination: str | Uri | Several,
    options: CallOptions = NO_OPTIONS,
) -> Leg:
    """See ``Session.connect``; a number may be a group's, and several may be called."""
    check_held(call)
    dials, purpose = session.part(Calls).dials, purposes.of_waiting(session, call)
    running = next((dial for dial in dials.values() if dial.waiting is call), None)
    if running is not None and running.outgoing.alive:
        raise ValueError("somebody is being called for this leg already")
    if purpose.transferor is None and call.peer is not None and call.peer.alive:
        raise ValueError("this leg talks with somebody")
    course = Course(session, Asker(call, purpose), options)
    places = course.begin(destination)
    dial = Dial(
        waiting=call,
        outgoing=called_party(session, places[0].routed, waiting=call),
        headers=dict(options.headers or {}),
        purpose=purpose,
        attempts=attempts(session, options),
        course=course,
        places=places,
    )
    if running is None:
        start(session, dial, places)
    else:
        # Its bridge has not returned, and nested bridges have been seen to crash FreeSWITCH.
        running.then = lambda: start(session, dial, places)
    purpose.call_target(dial.outgoing, dial.ring_timeout_s)
    return dial.outgoing


def check_held(call: Leg) -> None:
    """Raises ChannelGone for a leg that has ended, ValueError for one that is not in our hands."""
    if not call.alive:
        raise ChannelGone(f"call {call.channel_uuid} has ended")
    if not call.held:
        raise ValueError("only a leg that has come to us can wait for a called party")


def start(session: Session, dial: Dial, places: tuple[Place, ...]) -> None:
    """Begin an attempt of ``dial``: the first, or the next one.

    Raises DialStringError, ChannelGone, LinkError; then nobody is called.
    """
    branches.name_anew(session, dial.outgoing)
    dial.places = places
    for place in places:
        dial.attempts.note(place.routed)
    commands = [*_timers(dial), *dial.commands(session.board.home, session.settings)]
    subscribed = branches.begin(session, dial.outgoing)
    session.part(Calls).dials[dial.execution] = dial
    try:
        session.link.send_all([subscribed, *commands])[-1].raise_for_error()
    except (LinkError, ChannelGone):
        forget(session, dial)
        raise
    dial.purpose.ring_anew(dial.outgoing, dial.ring_timeout_s)
    execution = dial.execution
    deadline_s = dial.ring_timeout_s + purposes.GRACE_S
    session.after(deadline_s, lambda: _ring_deadline(session, dial, execution))


def interrupt(session: Session, dial: Dial) -> None:
    """The waiting leg has sent a REFER before anybody has answered, and has been moved away.

    There is nobody to be transferred yet. The dialplan refuses the REFER (RFC 3261 section 14.2,
    491) and sends the leg to us again; it does not where the leg that rang has ended at that very
    moment.
    """
    dial.interrupted = True
    session.part(Calls).dials[dial.execution] = dial
    dial.part()
    log.info(
        "%s: %s sends a REFER before anybody has answered: it is refused, and the call made anew",
        session.id,
        dial.waiting,
    )

    def fetch() -> None:
        if dial.interrupted and dial.waiting.alive:
            waiting = dial.waiting.channel_uuid
            session.link.send(UuidTransfer(waiting, Extension.AGAIN, Context.RETURN))

    session.after(_FETCH_S, fetch)


def again(session: Session, call: Leg) -> None:
    """That leg is back: the call that it waited for is made anew."""
    dials = session.part(Calls).dials.values()
    dial = next((each for each in dials if each.waiting is call and not each.answered), None)
    if dial is None or not dial.places:
        reject(call, SipStatus(480))
        return
    dial.interrupted = False
    del session.part(Calls).dials[dial.execution]
    start(session, dial, dial.places)


def goes_on(session: Session, dial: Dial, status: SipStatus) -> bool:
    """Whether another attempt of ``dial`` begins after one that has ended with ``status``.

    Nobody is called for whom nobody waits any more. Raises DialStringError, ChannelGone, LinkError.
    """
    if not dial.purpose.awaits_target or not dial.waiting.alive or dial.outgoing.ending:
        return False
    places = next_places(session, dial, dial.outgoing, dial.waiting, status)
    if places:
        start(session, dial, places)
    return bool(places)


def _timers(dial: Dial) -> list[Command]:
    """What the timers in FreeSWITCH must know of an attempt: its own one bounds that."""
    commands: list[Command] = []
    if dial.waiting.guarded:
        dial.waiting.guarded = False
        commands += timers.disarm(dial.waiting.channel_uuid)
    return commands + dial.purpose.timers(dial.ring_timeout_s)


def forget(session: Session, dial: Dial) -> None:
    """Nobody is being called by ``dial`` any more, and its called party never was."""
    session.part(Calls).dials.pop(dial.execution, None)
    dial.outgoing.advance(LegState.DISCONNECTED)


def _ring_deadline(session: Session, dial: Dial, execution: str) -> None:
    """FreeSWITCH's own timeout ends with early media (originate returns then)."""
    if dial.execution != execution or execution not in session.part(Calls).dials or dial.answered:
        return
    # The news of an answer may still be on its way, if we or the switch were held up.
    waiting, known = dial.waiting.channel_uuid, dial.outgoing.branches
    made = read(session.link, waiting, "originated_legs") or ""
    channels = {*_UUID.findall(made), *(known.channels if known is not None else ())}
    dispositions = read_all(session.link, [(each, "endpoint_disposition") for each in channels])
    if "ANSWER" not in dispositions:
        branches.hang_up(session, dial.outgoing, "NO_ANSWER")
