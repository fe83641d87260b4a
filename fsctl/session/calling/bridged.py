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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import uuid4

from fsctl.errors import ChannelGone, LinkError
from fsctl.esl.commands import Command, Execute, UuidSetvarMulti, UuidTransfer
from fsctl.esl.events import Event
from fsctl.session.calling import cdr, purposes, recording, sounds
from fsctl.session.calling.applications import reject
from fsctl.session.calling.arming import (
    LASTING,
    WAITING,
    WITHOUT_PARTNER,
    arming,
    called_variables,
    can_be_noted,
    changed,
    in_dialplan,
    noted_on_others,
)
from fsctl.session.calling.attempts import Attempts
from fsctl.session.calling.calls import Calls
from fsctl.session.calling.course import Course, Place, Several, next_places
from fsctl.session.calling.diverted import told
from fsctl.session.calling.headers import merged, passed_on
from fsctl.session.calling.identity import asserted_by, origination
from fsctl.session.calling.native_call import NOBODY, NativeCall
from fsctl.session.calling.plan import (
    NO_OPTIONS,
    Asker,
    CallOptions,
    attempts,
    called_party,
)
from fsctl.session.core import branches
from fsctl.session.core.leg import Leg, LegState
from fsctl.session.core.purpose import Purpose
from fsctl.session.core.session import Session
from fsctl.settings import Settings
from fsctl.sip.status import SipStatus
from fsctl.sip.uri import Uri
from fsctl.switch import timers
from fsctl.switch.codecs import preferred
from fsctl.switch.dialstring import DialString, carried_caller_number
from fsctl.switch.end_status import bridge_status
from fsctl.switch.marks import Context, Extension, Mark
from fsctl.switch.refer_variables import STALE
from fsctl.switch.variables import read, read_all

log = logging.getLogger(__name__)

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FETCH_S = 1.0
"""A leg whose REFER came too early is back by then, if its dialplan sends it."""


@dataclass(slots=True)
class Dial:
    """One destination being reached for ``waiting``; ``outgoing`` is the callee's call."""

    waiting: Leg
    outgoing: Leg
    headers: Mapping[str, str]
    """SIP headers of the settings and of the scenario."""
    purpose: Purpose
    """Why the party is called, and who hears what becomes of it."""
    attempts: Attempts
    course: Course | None = None
    """Who is called after these. Set by `connect`; None: nobody."""
    answered: bool = False
    """The called party has answered. Set by the news of that; from then on the end of the
    ``bridge`` is the end of a talk, and no failure."""
    places: tuple[Place, ...] = ()
    """Those who ring in the latest attempt. Set by `start`; empty: none has begun."""
    execution: str = ""
    """Event-UUID of the ``bridge`` that runs for the latest attempt. Set by `commands`."""
    then: Callable[[], None] | None = None
    """Called when the ``bridge`` has returned: begins the call of somebody else. Set by `connect`
    for a leg whose last called party has failed, and whose ``bridge`` still runs."""
    interrupted: bool = False
    """A REFER of the waiting leg has ended the attempt (`interrupt`). Cleared by `again`, when the
    leg is back and another attempt begins."""
    asked: bool = False
    """The party that left may have asked for an attended transfer: once, its request is waited for
    before the waiting leg is hung up."""

    @property
    def ring_timeout_s(self) -> int:
        """Of the latest attempt."""
        return max(place.ring_timeout_s for place in self.places)

    def commands(self, home: str, settings: Settings) -> list[Command]:
        """Return what starts the next attempt, which calls `places`."""
        self.execution = str(uuid4())
        called, waiting = [], self.waiting.channel_uuid
        number = self.places[-1].routed.number
        commands: list[Command] = []
        if len(self.places) > 1:
            number = (self.course and self.course.number) or number
            if self.waiting.unanswered:  # FreeSWITCH would say nothing before an answer
                commands.append(Execute("ring_ready", channel_uuid=waiting))
        self.outgoing.number = number
        before, noted = self._of_waiting(home, settings)
        for place in self.places:
            self.outgoing.number = place.routed.number  # which each of them carries
            variables = self._leg_variables(home, settings, place) | noted
            called.append(DialString(place.routed.endpoint, variables))
        self.outgoing.number = number
        dial_string = DialString.together(called)
        return [
            *([UuidSetvarMulti(waiting, tuple(before.items()))] if before else []),
            *commands,
            Execute("bridge", dial_string, event_uuid=self.execution, channel_uuid=waiting),
        ]

    def _of_waiting(self, home: str, settings: Settings) -> tuple[dict[str, str], dict[str, str]]:
        """Return what must be set on the waiting leg before anybody is called, and what the called
        channel sets on it, and on the transferor of a transfer, when it is there."""
        before = self._waiting_variables() | self._at_join()
        armed = arming(self.waiting, self.outgoing, home, settings)
        fresh, self.waiting.fresh = self.waiting.fresh, None
        if fresh is not None:
            before, armed = changed(before, fresh), changed(armed, fresh)
        if not self.purpose.moves:
            return before | armed, {}
        later = {
            name: armed[name] for name in armed if name in LASTING and can_be_noted(armed[name])
        }
        before |= {name: value for name, value in armed.items() if name not in later}
        noted = {self.waiting.channel_uuid: later | WITHOUT_PARTNER}
        for leg in self._moved():
            channel = leg.reached or leg.channel_uuid
            noted[channel] = noted.get(channel, {}) | cdr.carry(leg)
        return before, noted_on_others(noted)

    def _moved(self) -> list[Leg]:
        """The parties of the transfer for which somebody is called."""
        transferor = self.purpose.transferor if self.purpose.moves else None
        return [self.waiting, transferor] if transferor and transferor.alive else [self.waiting]

    def reached(self, event: Event) -> None:
        """The party has answered; of several it is known now who talks with the waiting leg."""
        for leg in self._moved():
            cdr.is_carried(leg)
        number = event.variable(Mark.NUMBER)
        if len(self.places) < 2 or not number or number == self.outgoing.number:
            return
        self.outgoing.number = self.outgoing.caller_id = number
        of_waiting = {Mark.TRANSFEROR_NUMBER: carried_caller_number(number)}
        uuid = self.waiting.channel_uuid
        self.waiting.session.link.post(UuidSetvarMulti(uuid, tuple(of_waiting.items())))

    def status(self, complete: Event) -> SipStatus:
        """Return why the attempt failed, once ``bridge`` has returned."""
        otherwise, branches = bridge_status(complete), self.outgoing.branches
        return branches.status(otherwise) if branches is not None else otherwise

    def part(self) -> None:
        """The two are bridged no more: for the sake of early media they may have been."""
        if self.waiting.peer is self.outgoing:
            self.waiting.peer = self.outgoing.peer = None

    def _at_join(self) -> dict[str, str]:
        """What becomes of a recording, when this moves a transferee."""
        if not self.purpose.moves:
            return {}
        by, native = self.purpose.transferor, self.waiting.session.part(NativeCall).transferor
        channel = by.channel_uuid if by is not None and by.alive else native.replace(NOBODY, "")
        number = by.number if by is not None else self.waiting.caller_id
        return recording.at_join(self.waiting, channel, number, self.outgoing.number)

    def _waiting_variables(self) -> dict[str, str]:
        variables = WAITING | {
            "transfer_ringback": sounds.known(self.waiting, self.purpose.defaults.ringback),
            # FreeSWITCH copies the callee's answer here; an older one must not be taken for it.
            "sip_invite_failure_status": "",
            "sip_invite_failure_phrase": "",
            # FreeSWITCH adds to these at each attempt (switch_ivr_originate.c).
            "originated_legs": "",
            "originate_causes": "",
        }
        return variables | dict.fromkeys(STALE, "") | {Mark.STAGE: self.purpose.stage}

    def _leg_variables(self, home: str, settings: Settings, place: Place) -> dict[str, str]:
        route = place.routed.route
        passed = merged(
            passed_on(self.waiting, route, settings),
            told(self.purpose.diversion, route, place.routed.number, settings),
        )
        variables = arming(self.outgoing, self.waiting, home, settings) | called_variables(
            self.outgoing,
            shown=origination(
                place.shown, route.kind, asserted_by(settings, route, moves=self.purpose.moves)
            ),
            ring_timeout_s=place.ring_timeout_s,
            headers=merged(passed, self.headers),
            codecs=self.attempts.codecs,
        )
        if len(self.places) > 1 and not self.attempts.codecs:
            variables |= preferred(self.waiting.scheme)  # FreeSWITCH does not see the waiting leg
        if self.purpose.moves:
            # bridge returns at 183 otherwise, and FreeSWITCH would report success.
            variables |= {"ignore_early_media": "true", "instant_ringback": "true"}
            variables |= cdr.of_target(self.outgoing, self.waiting, place.routed.number)
        if route.in_dialplan:
            variables |= in_dialplan(variables, self.waiting)
        return variables


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
