"""The calls that a session is making, and what is being done with its legs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from fsctl.errors import LinkError
from fsctl.esl.commands import Filter
from fsctl.esl.events import Event
from fsctl.session.calling.attempts import Attempts
from fsctl.session.calling.dial import Dial
from fsctl.session.calling.routing import Routed
from fsctl.session.core import branches
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Part, Session
from fsctl.switch.marks import Mark
from fsctl.switch.variables import Asked, read

log = logging.getLogger(__name__)


class Originated(Protocol):
    """A party that the application calls by itself, for whoever hears of it
    (`fsctl.session.calling.originated`)."""

    @property
    def call(self) -> Leg: ...
    @property
    def attempts(self) -> Attempts: ...

    def rings(self, early_media: bool) -> None:
        """It does: 180 or 183."""

    def came_home(self) -> None:
        """It has answered, and its leg is in our hands."""

    def hung_up(self, event: Event) -> None:
        """A channel of it has ended."""

    def job_ended(self, event: Event) -> None:
        """The ``originate`` has returned."""


class Calls(Part):
    """Who is being called, and by which way; what applications run on the legs."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.dials: dict[str, Dial] = {}
        """Calls by ``bridge``, by its Event-UUID: from their start until it has returned. One that
        a REFER has interrupted stays until its leg is back."""
        self.outgoing: dict[str, Originated] = {}
        """Calls by ``originate``, by `Leg.callee`: until the party's leg has come to us, or nobody
        else is tried for it."""
        self.lends = False
        """The scenario makes and joins calls by itself: whoever is left comes back to it. Set, for
        good, by the first such verb, or when a leg comes back that a worker before us had lent."""
        self.executions: dict[str, Callable[[Event], None]] = {}
        """Called with the event of an application's end, by its Event-UUID, once. Set by whoever
        starts the application."""
        self.tone_calls: set[Leg] = set()
        """Legs whose keys the scenario is told of. Added and taken out by ``handle_tones``."""
        self.deflected: dict[str, Leg] = {}
        """Legs that were asked to go elsewhere (``deflect``), by channel, until they report, or
        their time is up."""

    def is_waiting(self, leg: Leg) -> bool:
        """Whether somebody is being called for ``leg``, or talks with it by that call."""
        return any(dial.waiting is leg for dial in self.dials.values())

    def dial_of(self, outgoing: Leg) -> Dial | None:
        """That by which this party is called."""
        return next((dial for dial in self.dials.values() if dial.outgoing is outgoing), None)

    def places_of(self, called: Leg) -> list[Routed]:
        """By which routes this party is called, in the latest attempt; none: it is not, by us."""
        outgoing = self.outgoing.get(called.callee)
        if outgoing is not None:
            return [outgoing.attempts.latest] if outgoing.attempts.latest else []
        dials = (dial for dial in self.dials.values() if dial.outgoing is called)
        return [place.routed for dial in dials for place in dial.places]

    def put_return_off(self, leg: Leg) -> bool:
        """``leg`` has come to us out of its bridge: where we have not heard of an answer, what
        follows from that waits until the bridge's return is told (`Dial.is_back`). Returns whether.

        FreeSWITCH looks at the events of a link every 20 ms (mod_event_socket.c, ``read_packet``),
        and the leg comes by another.
        """
        unheard = [
            dial for dial in self.dials.values() if dial.waiting is leg and not dial.answered
        ]
        for dial in unheard:
            dial.is_back = True
        return bool(unheard)

    def end_bridge(self, leg: Leg) -> Dial | None:
        """``leg`` has come to us out of its bridge, whose return may never be told: forget that.

        Returns the dial by which it talked.
        """
        for execution, dial in self.dials.items():
            if dial.waiting is leg and dial.answered:
                return self.dials.pop(execution)
        return None

    def settle_bridged(self, channel: str, other: str, link: Asked | None = None) -> None:
        """``channel`` has been bridged with ``other``: it may be a branch of a called party.

        Perhaps one that we have never heard of: FreeSWITCH is asked by ``link``, else by the
        session's own. Raises LinkError.
        """
        session = self.session
        if channel in session.calls:
            return
        call = branches.find(session, channel, None)
        if call is None and any(
            dial.waiting.channel_uuid == other and not dial.outgoing.placed
            for dial in self.dials.values()
        ):
            call = session.callees.get(read(link or session.link, channel, Mark.CALLEE) or "")
        if call is not None:
            branches.settle(session, call, channel)

    def heard(self) -> list[Filter]:
        """The ``originate`` of each party, and the reports of those who were sent elsewhere."""
        jobs = [Filter("Job-UUID", callee) for callee in self.outgoing]
        return jobs + [Filter("UniqueID", uuid) for uuid in self.deflected]

    def given_away(self, leg: Leg) -> None:
        """Nobody is being called for it any more, nor is it a called party, as far as we know."""
        for execution, dial in list(self.dials.items()):
            if leg in (dial.waiting, dial.outgoing):
                del self.dials[execution]

    def end(self) -> None:
        """Parties that still ring would come to nobody."""
        kills = [branches.kill(outgoing.call) for outgoing in self.outgoing.values()]
        if kills and not self.session.link.closed:
            try:
                self.session.link.send_all(kills)
            except LinkError as error:
                log.info("%s: some ring on till their time is up: %s", self.session.id, error)
