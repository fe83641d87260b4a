"""The running sessions of one worker, and where a link that FreeSWITCH opens belongs."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from uuid import uuid4

from gevent.event import Event as Flag

from fsctl.errors import ChannelGone, LinkError
from fsctl.esl.commands import Execute
from fsctl.esl.connection import Connection
from fsctl.esl.events import Event
from fsctl.esl.farewell import let_go
from fsctl.log import seldom
from fsctl.session import entry, leaving
from fsctl.session.attended import arrival
from fsctl.session.attended.transfer import AttendedTransfer
from fsctl.session.call import Call
from fsctl.session.clock import Clock, RealClock
from fsctl.session.record import TransferRecord, write
from fsctl.session.routing import Router
from fsctl.session.scenarios import Scenarios
from fsctl.session.session import Session
from fsctl.settings import Settings
from fsctl.switch.marks import Context, Mark
from fsctl.switch.timers import claim

log = logging.getLogger(__name__)

_REMEMBERED = 64


class Switchboard:
    """Gives each link to the session that it belongs to; runs new sessions.

    ``home`` is the address that FreeSWITCH dials when a leg of one of our calls is transferred.
    """

    def __init__(
        self,
        settings: Settings,
        home: str,
        scenarios: Scenarios | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.settings = settings
        self.home = home
        self.clock: Clock = clock or RealClock()
        self.router = Router(settings)
        self.sessions: dict[str, Session] = {}
        self.attended: list[AttendedTransfer] = []
        """The attended transfers that are open, of all sessions."""
        self.idle = Flag()
        """Set while no session runs."""
        self.idle.set()
        self.scenarios = scenarios or Scenarios()
        """Those of new sessions; a session that runs keeps its own."""
        self.verbs_used = 0
        """How often handlers have used a verb: where none ever does, the settings decide."""
        self.gave_up: OrderedDict[str, Call] = OrderedDict()
        """The last callers that have left unanswered, by Call-ID: perhaps for a REFER of theirs."""
        self.alone = False
        """No other process runs calls of this switch: what we do not know of is not there."""
        self.draining = False
        self._closing = False
        """The time to drain is over: whoever comes is FreeSWITCH's."""
        self.owe_record: Callable[[TransferRecord], None] = write
        """Takes the record of a transfer that goes on without us; by itself it is written now."""
        self.on_stranded: Callable[[str], None] = lambda home: None
        """Called when legs that came home to this address live on, and no link leads to them."""

    def handle(self, link: Connection, snapshot: Event) -> None:
        """Serve one link until it is closed; called in a greenlet of its own."""
        if not claim(link, snapshot, self.home):
            log.warning("%s has been sent on before we claimed it", snapshot.channel_uuid)
            self._lose_request(snapshot)
            link.retire()  # its end would end what holds the leg now
            link.wait_closed()
            return
        context = snapshot.get("Caller-Context")
        if context == Context.RETURN:
            self._come_back(link, snapshot)
        elif context == Context.ATTENDED:
            arrival.arrive(self, link, snapshot)
        elif context in (Context.REFER, Context.RESCUE):
            self._come_home(link, snapshot)
        elif self._closing or (self.draining and context != Context.LEGACY):
            let_go(link)
        elif len(self.sessions) >= self.settings.server.max_calls:
            self._turn_away(link, snapshot)
        elif context == Context.LEGACY:
            # Also who drains: FreeSWITCH alone would join them, and leave the transferor parked.
            self.run(Session(self, _new_id(), link), entry.legacy_transfer, link, snapshot)
        else:
            self._taken_from(snapshot)
            self.run(Session(self, _new_id(), link), entry.new_call, link, snapshot)

    def keeps(self, call: Call) -> bool:
        """Whether an attended transfer that is open is about to move this party."""
        return any(attended.keeps(call) for attended in self.attended)

    def unheard(self, transferor: Call, transferee: Call, replaces: str) -> None:
        """See :func:`fsctl.session.attended.arrival.unheard`."""
        arrival.unheard(self, transferor, transferee, replaces)

    def note_given_up(self, call: Call) -> None:
        """A caller has left before anybody answered; its session may be over in a moment."""
        self.gave_up[call.sip_call_id] = call
        while len(self.gave_up) > _REMEMBERED:
            self.gave_up.popitem(last=False)

    def _taken_from(self, snapshot: Event) -> None:
        """A leg that is a session's comes as a new call: somebody has moved it (``transfer``)."""
        session = self.sessions.get(snapshot.variable(Mark.SESSION) or "")
        uuid = snapshot.channel_uuid or ""
        if session is not None:
            session.post(lambda: leaving.left(session, uuid))

    def give_way_to_blind(self, session: Session) -> None:
        """A blind REFER has moved a party of ``session``: attended requests of it are over."""
        for attended in [each for each in self.attended if each.session is session]:
            attended.give_way()

    def drain(self, timeout_s: float) -> None:
        """Take no new call; wait for the running ones; then leave the rest to FreeSWITCH."""
        self.draining = True
        self.idle.wait(timeout_s)
        self._closing = True
        for session in list(self.sessions.values()):
            session.post(session.hand_over)
        self.idle.wait(5.0)

    def _lose_request(self, snapshot: Event) -> None:
        """A transferee is somebody else's: the session that it came home to waits no more."""
        session = self.sessions.get(snapshot.variable(Mark.SESSION) or "")
        if session is not None and session.referred is not None:
            session.referred = None

    def _turn_away(self, link: Connection, snapshot: Event) -> None:
        """There are calls enough: FreeSWITCH connects this one, or it is refused at once."""
        refused = self.settings.server.overload == "refuse"
        what = "refused" if refused else "left to the switch"
        extra = seldom("calls that were too many")
        log.warning("a call is %s: %d sessions run", what, len(self.sessions), extra=extra)
        if refused and snapshot.get("Caller-Context") != Context.LEGACY:
            _refuse(link, answered=snapshot.get("Answer-State") == "answered")
        let_go(link)

    def _come_home(self, link: Connection, snapshot: Event) -> None:
        session_id = snapshot.variable(Mark.SESSION) or ""
        session = self.sessions.get(session_id)
        if session is None or session.over:
            if self.draining:
                # What begins now would not be handed over any more, and be cut in the middle.
                let_go(link)
                return
            log.info("%s: taking over a transfer request", session_id)
            made = Session(self, session_id or _new_id(), link)
            made.scenario = self.scenarios.named(snapshot.variable(Mark.SCENARIO) or "")
            self.run(made, entry.resume, link, snapshot)
            return
        session.adopt(link, lambda: entry.transfer_request(session, link, snapshot))
        link.wait_closed()

    def _come_back(self, link: Connection, snapshot: Event) -> None:
        """A leg that its session had lent to a bridge, or called. Without a session it ends."""
        session = self.sessions.get(snapshot.variable(Mark.SESSION) or "")
        if session is None or session.over:
            let_go(link)
            return
        session.adopt(link, lambda: entry.returned(session, link, snapshot))
        link.wait_closed()

    def run(
        self,
        session: Session,
        begin: Callable[[Session, Connection, Event], None],
        link: Connection,
        snapshot: Event,
    ) -> None:
        """Run a new session, in the greenlet of the link that began it, to its end."""
        self.sessions[session.id] = session
        self.idle.clear()
        try:
            session.run(lambda: begin(session, link, snapshot))
        finally:
            if self.sessions.get(session.id) is session:
                del self.sessions[session.id]
            if not self.sessions:
                self.idle.set()


def _refuse(link: Connection, *, answered: bool) -> None:
    refusal = Execute("respond", "503 Service Unavailable")
    try:
        link.send(Execute("hangup", "NORMAL_TEMPORARY_FAILURE") if answered else refusal)
    except (LinkError, ChannelGone) as error:
        log.info("[%s] not refused: %s", link.log_id, error)


def _new_id() -> str:
    return str(uuid4())
