"""Calls that the application makes by itself, to be joined later: ``originate`` to our own context.

A party that answers enters the dialplan of ``fsctl_return``, whose ``socket`` brings the leg to us:
so it is in our hands before anybody is told, and should we be gone by then it is hung up at once.
Until then the switch rings it, and its own ``originate_timeout`` ends that.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from fsctl.errors import ChannelGone, LinkError
from fsctl.esl.commands import BgApi, Command, Filter, Originate
from fsctl.esl.events import Event
from fsctl.session.calling import cdr, media, purposes
from fsctl.session.calling.applications import run
from fsctl.session.calling.arming import arming, in_dialplan
from fsctl.session.calling.calls import Calls
from fsctl.session.calling.course import Course, Place, Pursued, next_places, outcome
from fsctl.session.calling.diverted import told
from fsctl.session.calling.headers import merged
from fsctl.session.calling.identity import Shown
from fsctl.session.calling.invite import invite
from fsctl.session.calling.plan import (
    NO_OPTIONS,
    Asker,
    CallOptions,
    attempts,
    called_party,
    caller_of,
    name_of,
    plan,
    ring_timeout_s,
)
from fsctl.session.calling.routing import NoRoute
from fsctl.session.core import branches
from fsctl.session.core.leg import Leg, LegState
from fsctl.session.core.purpose import Purpose
from fsctl.session.core.session import Session
from fsctl.settings import RouteKind
from fsctl.sip.status import SipStatus, status_of_cause
from fsctl.sip.uri import Uri
from fsctl.switch.codecs import preferred
from fsctl.switch.dialstring import DialString, carried_value
from fsctl.switch.end_status import hangup_status
from fsctl.switch.marks import Context, Extension, Mark, Stage
from fsctl.switch.variables import read, read_all

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Outgoing(Pursued):
    """One party being called; kept until it has come to us, or failed."""

    session: Session
    call: Leg
    scheme: str
    """Codecs that are offered first, where `attempts` names none (`switch.codecs`)."""
    waiting: Leg | None = None
    """The party for whom the call is made; headers of its own INVITE may go with it."""

    def start(self, places: tuple[Place, ...]) -> None:
        """Call the party where the routes say. Raises DialStringError, LinkError."""
        session, call = self.session, self.call
        self.places = places
        branches.name_anew(session, call)
        callee, called = call.callee, []
        for place in places:
            call.number = place.routed.number
            self.attempts.note(place.routed)
            called.append(DialString(place.routed.endpoint, self._variables(place)))
        if len(places) > 1 and self.course is not None:
            call.number = self.course.number or call.number
        dial_string = DialString.together_for_originate(called)
        commands: list[Command] = [
            *self.purpose.timers(self.ring_timeout_s),
            branches.begin(session, call),
            Filter("Job-UUID", callee),
            BgApi(Originate(dial_string, Extension.RETURNING, Context.RETURN), callee),
        ]
        session.want("BACKGROUND_JOB")
        session.part(Calls).outgoing[callee] = self
        session.link.send_all(commands)[-1].raise_for_error()
        session.after(self.ring_timeout_s + purposes.GRACE_S, lambda: self._ring_deadline(callee))

    def _variables(self, place: Place) -> dict[str, str]:
        route, settings = place.routed.route, self.session.settings
        diverted = told(self.purpose.diversion, route, place.routed.number, settings)
        called = invite(
            self.call,
            self.waiting,
            route,
            place.shown,
            moves=self.purpose.moves,
            ring_timeout_s=place.ring_timeout_s,
            headers=merged(diverted, self.headers),
            codecs=self.attempts.codecs,
        )
        if not self.attempts.codecs:
            called |= preferred(self.scheme)
        if self.purpose.moves:
            called |= cdr.of_target(self.call, self.waiting, place.routed.number)
        if self.session.own_context:
            called[Mark.OWN_CONTEXT] = carried_value(self.session.own_context)
        if route.in_dialplan:
            called |= self._in_dialplan(called)
        return called | {
            # originate returns at 183 otherwise, and the party would be taken for one that answered
            "ignore_early_media": "true",
            Mark.HOME: self.session.board.home,
            Mark.SESSION: self.session.id,
            Mark.STAGE: Stage.CALLED,
            **self._carried(place),
        }

    def _carried(self, place: Place) -> dict[str, str]:
        """What the purpose has on it; where a number is called a route that says so knows best."""
        said = place.routed.endpoint.variables().get(Mark.TARGET_CONTEXT)
        carried = dict(self.purpose.carried)
        if said != "":
            carried.pop(Mark.TARGET_CONTEXT, None)
        return carried

    def _in_dialplan(self, called: Mapping[str, str]) -> dict[str, str]:
        """The loopback stays: its half is the leg that the application has in its hands."""
        session, waiting, armed = self.session, self.waiting, dict[str, str]()
        if waiting is not None:
            armed = arming(self.call, waiting, session.board.home, session.settings)
        armed |= in_dialplan({**armed, **called}, waiting)
        return armed | {"loopback_bowout": "false"}

    # -- what becomes of it

    def rings(self, early_media: bool) -> None:
        """180 or 183. A caller that waits for it hears that, unless the scenario does something."""
        session = self.session
        if not self.call.advance(LegState.RINGING):
            return
        self.purpose.rings(self.call)
        if session.tell.ringing(self.call, early_media=early_media):
            return
        for call in session.calls.values():
            if call.state is LegState.ALERTING and not call.outgoing:
                call.advance(LegState.RINGING)
                run(call, "ring_ready")

    def came_home(self) -> None:
        """The party has answered, and its leg is in our hands."""
        session, call = self.session, self.call
        if call.ending:
            branches.hang_up(session, call)  # of its phones this is one that was called later
            return
        session.part(Calls).outgoing.pop(call.callee, None)
        if not call.advance(LegState.CONNECTED):
            return
        if self.purpose.awaits_call:
            self.purpose.hold(call)
        session.tell.connected(call, self._handler_failed)

    def hung_up(self, event: Event) -> None:
        """A channel of the party has ended: the one that has answered, before it came to us.

        Others may still ring, or be dialled next: ``originate`` returns when all have failed.
        """
        if self.call.placed:
            self.failed(hangup_status(event))

    def job_ended(self, event: Event) -> None:
        """The ``originate`` has returned; when no channel was ever made, this is all we hear."""
        output, known = event.body.decode("utf-8", "replace"), self.call.branches
        if output.startswith("-ERR"):
            status = status_of_cause(output.removeprefix("-ERR").strip())
            self.failed(known.status(status) if known is not None else status)
        elif output.startswith("+OK"):
            channel = output.removeprefix("+OK").strip()
            ended = known.refusal_of(channel) if known is not None else None
            branches.settle(self.session, self.call, channel)
            if ended is not None:
                self.failed(ended)

    def failed(self, status: SipStatus) -> None:
        """Nobody has answered: see `_goes_on`; else tell."""
        session, call = self.session, self.call
        if session.part(Calls).outgoing.pop(call.callee, None) is not self:
            return
        if self._goes_on(status):
            return
        status = outcome(self, status)
        call.failure = status
        if not call.advance(LegState.DISCONNECTED):
            return
        handled = session.tell.failed(call, status)
        session.post(lambda: self.purpose.failed(call, status, handled=handled))

    def _goes_on(self, status: SipStatus) -> bool:
        if self.call.ending or not self.purpose.awaits_call:
            return False
        session = self.session
        places = next_places(session, self, self.call, self.waiting, status)
        if not places:
            return False
        try:
            self.start(tuple(replace(each, shown=_named(each.shown)) for each in places))
        except (LinkError, ChannelGone, ValueError) as error:
            log.warning("%s: %s has failed, its next place too: %s", session.id, self.call, error)
            session.part(Calls).outgoing.pop(self.call.callee, None)
            return False
        self.purpose.ring_anew(self.call, self.ring_timeout_s)
        return True

    def _handler_failed(self, error: Exception) -> None:
        self.purpose.target_handler_failed(self.call)

    def _ring_deadline(self, callee: str) -> None:
        session, known = self.session, self.call.branches
        if session.part(Calls).outgoing.get(callee) is not self:
            return
        # The news of an answer may still be on its way, if we or the switch were held up; or the
        # dialplan has joined it with who waits.
        channels = known.channels if known is not None else []
        asked = [(channel, "endpoint_disposition") for channel in channels]
        if "ANSWER" in read_all(session.link, asked):
            return
        if self.waiting is not None:
            partner = read(session.link, self.waiting.channel_uuid, "bridge_to")
            if branches.is_channel_of(session, self.call, partner):
                return
        branches.hang_up(session, self.call, "NO_ANSWER")
        session.after(purposes.GRACE_S, lambda: self._give_up(callee))

    def _give_up(self, callee: str) -> None:
        """The news of its end is lost: the session does not wait for it for ever."""
        if self.session.part(Calls).outgoing.get(callee) is self:
            log.warning("%s: %s: nothing is heard of it", self.session.id, self.call)
            self.failed(SipStatus(480))


def call_out(
    session: Session,
    destination: str | Uri,
    options: CallOptions = NO_OPTIONS,
    kind: RouteKind | None = None,
    wanted: tuple[Purpose, Leg] | None = None,
) -> Leg:
    """Call somebody for the application; what stands in the way becomes ``Failed``, a bit later.

    ``wanted``: for what, and who waits (a number may be a group's then); None: for what the
    application does now.
    """
    if wanted is None:
        session.part(Calls).lends = True
    purpose, waiting = wanted or purposes.of_application(session)
    asker = Asker(waiting, purpose)
    chosen = _as_named(options)
    course, refusal = None, SipStatus(404)
    places: tuple[Place, ...] = ()
    try:
        if wanted is not None:
            course = Course(session, asker, chosen)
            places = course.begin(destination)
        else:
            planned = plan(session, destination, asker, chosen, kind)
            places = (Place(planned.routed, planned.shown, planned.ring_timeout_s),)
    except NoRoute as error:
        log.info("%s: nobody is called, %d: %s", session.id, error.status.code, error)
        refusal = error.status
    places = tuple(replace(place, shown=_named(place.shown)) for place in places)
    call = called_party(session, places[0].routed if places else None)
    outgoing = Outgoing(
        session,
        call,
        headers=dict(options.headers or {}),
        scheme=options.scheme,
        attempts=attempts(session, options),
        purpose=purpose,
        waiting=waiting,
        course=course,
    )
    if places:
        outgoing.start(places)
    else:
        session.part(Calls).outgoing[call.channel_uuid] = outgoing
        session.calls[call.channel_uuid] = call
        session.post(lambda: outgoing.failed(refusal))
    purpose.call_target(call, outgoing.ring_timeout_s if places else ring_timeout_s(asker, options))
    transfer = session.movers.wanting(call)
    if transfer is not None:
        media.entertain(transfer)
    return call


def _named(shown: Shown) -> Shown:
    return shown._replace(name=shown.name or shown.number)


def _as_named(options: CallOptions) -> CallOptions:
    """A whole Referred-By stands for the number, and the name, that are in it."""
    number = None if options.caller_id is None else caller_of(options.caller_id)
    name = number if options.display_name is None else name_of(options.display_name)
    return replace(options, caller_id=number, display_name=name)
