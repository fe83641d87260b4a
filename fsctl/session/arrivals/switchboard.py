"""The running sessions of one worker, and where a link that FreeSWITCH opens belongs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar
from uuid import uuid4

from gevent.event import Event as Flag

from fsctl import journal
from fsctl.errors import ChannelGone, LinkError
from fsctl.esl.commands import Execute
from fsctl.esl.common import CommonLink
from fsctl.esl.connection import Connection
from fsctl.esl.events import Event
from fsctl.esl.farewell import let_go
from fsctl.log import seldom
from fsctl.session.arrivals import attended_requests, command_requests, keys, legs
from fsctl.session.arrivals.admission import Admission
from fsctl.session.arrivals.events import LinkEvents
from fsctl.session.arrivals.referred import Referred
from fsctl.session.core.board import Board
from fsctl.session.core.clock import Clock, RealClock
from fsctl.session.core.directory import Directory
from fsctl.session.core.session import Session
from fsctl.session.core.siblings import Siblings
from fsctl.session.transfers import taken_away
from fsctl.session.transfers.attended_acts import reject
from fsctl.session.transfers.attended_registry import AttendedTransfers
from fsctl.session.transfers.blind_registry import BlindTransfers
from fsctl.session.transfers.kept_registry import KeptTransfers
from fsctl.session.transfers.native import Native
from fsctl.settings import Settings
from fsctl.switch.ahead import Ahead
from fsctl.switch.global_variables import late
from fsctl.switch.marks import Context, Mark
from fsctl.switch.origin import Origin, origin_of
from fsctl.switch.posting import post_if_there
from fsctl.switch.timers import claim, has_been_sent_on

log = logging.getLogger(__name__)

T = TypeVar("T")
_OF_RUNNING_CALLS = {Context.REFER, Context.RESCUE, Context.RETURN, Context.LEGACY} | {
    Context.ATTENDED,
    Context.KEYS,
    Context.COMMAND,
}
"""From these comes who belongs to a call that runs, or asks about one; from any other, and from the
switch's own, a new call."""
MakeSession = Callable[[Board, str, Connection, Origin], Session]
Begin = Callable[[Session, Connection, Event], None]
Work = Callable[[], None]


class Switchboard:
    """Gives each link to the session that it belongs to; runs new sessions.

    ``home`` is the address that FreeSWITCH dials when a leg of one of our calls is transferred;
    ``make_session`` makes a session with the application that decides in it.
    """

    def __init__(
        self,
        settings: Settings,
        home: str,
        make_session: MakeSession,
        clock: Clock | None = None,
    ) -> None:
        self.settings = settings
        self.home = home
        self.clock: Clock = clock or RealClock()
        self.sessions: dict[str, Session] = {}
        """All that run here, by their ids. Kept by `run`."""
        self.idle = Flag()
        """Set while no session runs."""
        self.idle.set()
        self.alone = False
        self.siblings: Siblings | None = None
        self.draining = False
        """No new call is taken; legs of running ones are. Set by :meth:`drain`, for good."""
        self._closing = False
        """No leg is taken any more: the time to drain is over. Set by :meth:`drain`, for good."""
        self.on_stranded: Callable[[str, str], None] = lambda home, switch: None
        self.name_switch: Callable[[Origin], str] = lambda origin: origin.switchname
        self.share: Callable[[Origin, object], CommonLink | None] = lambda origin, name: None
        self._make_session = make_session
        server = settings.server
        self._admission = Admission(server.max_calls, server.max_delay_ms / 1000)
        self._parts: dict[object, object] = {}
        self.public = home
        """Where FreeSWITCH dials with a new call. Set by the worker; of several they share it."""

    def part(self, kind: Callable[[Board], T]) -> T:
        """See `Board.part`."""
        if kind not in self._parts:
            self._parts[kind] = kind(self)
        found: T = self._parts[kind]  # type: ignore[assignment]  # made by this very kind
        return found

    def sessions_on(self, origin: Origin) -> list[Session]:
        """See `Board.sessions_on`."""
        core_uuid = origin.core_uuid
        return [each for each in self.sessions.values() if each.origin.core_uuid == core_uuid]

    def new_session(self, link: Connection, snapshot: Event, session_id: str = "") -> Session:
        """Make a session, with the parts that every one has, in the order in which they end."""
        named = session_id or str(uuid4())
        made = self._make_session(self, named, link, origin_of(snapshot))
        made.part(BlindTransfers)
        made.part(KeptTransfers)
        made.part(Native)
        events = LinkEvents(made)
        made.take_events(events.take, events.concerns)
        return made

    def session_ends(self, session: Session) -> None:
        """See `Board.session_ends`."""
        self.part(AttendedTransfers).session_ends(session)

    def handle(self, link: Connection, snapshot: Event) -> Work | None:
        """Serve a link; called in a greenlet of its own, which does what is returned afterwards: it
        runs the session that the link begins. Without one the link is left to those that it has
        been given to."""
        context = snapshot.get("Caller-Context")
        is_new = context not in _OF_RUNNING_CALLS
        if is_new:
            self._admission.wait()
        ahead = Ahead(link, snapshot)
        claimed = ahead.claim() if is_new else self._claim(ahead, context, snapshot)
        if not is_new:
            self._admission.came_home(origin_of(snapshot).core_uuid, link.age_s)
        if not claimed:
            log.warning("%s has been sent on before we claimed it: let go", snapshot.channel_uuid)
            self._lose_request(snapshot)
            link.retire()  # its end would end what holds the leg now
            return None
        if context == Context.RETURN:
            self._come_back(link, snapshot)
        elif context == Context.ATTENDED:
            if attended_requests.arrive(self, link, snapshot):
                return None
            if not self.draining:
                return self._new(link, snapshot, attended_requests.resume)
            reject(link)
        elif context == Context.KEYS:
            if not keys.arrive(self, link, snapshot):
                # Also who drains: it is asked only where nobody else has been found.
                return self._new(link, snapshot, keys.pressed)
        elif context == Context.COMMAND:
            if command_requests.arrive(self, link, snapshot):
                return None
            if not self.draining:
                return self._new(link, snapshot, command_requests.resume)
            let_go(link)
        elif context in (Context.REFER, Context.RESCUE):
            return self._come_home(ahead, snapshot)
        elif self._closing or (self.draining and context != Context.LEGACY):
            let_go(link)
        elif refusal := self._refusal(link, snapshot, is_new):
            self._turn_away(link, snapshot, refusal)
        elif context == Context.LEGACY:
            # Also who drains: FreeSWITCH alone would join them, and leave the transferor parked.
            return self._new(link, snapshot, legs.native_transfer)
        else:
            self._taken_from(snapshot)
            new = self.new_session(link, snapshot)
            return self._running(new, lambda: legs.new_call(new, ahead, snapshot))
        return None

    def _taken_from(self, snapshot: Event) -> None:
        """A leg that is a session's comes as a new call: somebody has moved it (``transfer``)."""
        session = self._session_of(snapshot)
        uuid = snapshot.channel_uuid or ""
        if session is not None:
            session.post(lambda: taken_away.left(session, uuid))

    def drain(self, timeout_s: float) -> None:
        """Take no new call; wait for the running ones; then leave the rest to FreeSWITCH."""
        self.draining = True
        for session in [each for each in self.sessions.values() if each.away]:
            session.post(session.hand_over)  # nobody would tell it that its calls have ended
        self.idle.wait(timeout_s)
        self._closing = True
        for session in list(self.sessions.values()):
            session.post(session.hand_over)
        self.idle.wait(5.0)

    def _lose_request(self, snapshot: Event) -> None:
        """A transferee is somebody else's: the session that it came home to waits no more."""
        session = self._session_of(snapshot)
        if session is not None:
            session.part(Referred).pair = None

    def _refusal(self, link: Connection, snapshot: Event, is_new: bool) -> str:
        """Why there are calls enough, empty when there are not. A native transfer is never late:
        its transferor waits."""
        running = len(self.sessions)
        why = self._admission.too_many(running)
        if why or not is_new:
            return why
        switch = origin_of(snapshot).core_uuid
        why = self._admission.too_late(switch, link.age_s)
        if why and self.settings.server.overload == "switch" and self._admission.turns_away(switch):
            self._say_late(link)
        return why

    def _say_late(self, link: Connection) -> None:
        undone = f"[{link.log_id}] FreeSWITCH is not told that we are late"
        post_if_there(link, late(self.public), undone)

    def _turn_away(self, link: Connection, snapshot: Event, why: str) -> None:
        """There are calls enough: FreeSWITCH connects this one, or it is refused at once."""
        refused = self.settings.server.overload == "refuse"
        what = "refused" if refused else "left to the switch"
        extra = seldom("calls that were too many")
        log.warning("a call is %s: %s", what, why, extra=extra)
        journal.note("happened", event="turned away")
        if refused and snapshot.get("Caller-Context") != Context.LEGACY:
            _refuse(link, answered=snapshot.get("Answer-State") == "answered")
        let_go(link)

    def _session_of(self, snapshot: Event) -> Session | None:
        """The session that the leg's channel names, if it runs here and on the same FreeSWITCH."""
        session = self.sessions.get(snapshot.variable(Mark.SESSION) or "")
        here = session is not None and session.origin.core_uuid == origin_of(snapshot).core_uuid
        return session if here else None

    def _claim(self, ahead: Ahead, context: str | None, snapshot: Event) -> bool:
        """Claim a leg of a running call; of one that comes with a transfer, ask about that, too."""
        link = ahead.link
        if context in (Context.REFER, Context.RESCUE):
            sent_on = has_been_sent_on(link, snapshot, self.home)
            return not sent_on and ahead.claim(self._session_of(snapshot) is None)
        return claim(link, snapshot, self.home)

    def _come_home(self, ahead: Ahead, snapshot: Event) -> Work | None:
        link = ahead.link
        session_id = snapshot.variable(Mark.SESSION) or ""
        session = self._session_of(snapshot)
        if session is None or session.over:
            if self.draining:
                # What begins now would not be handed over any more, and be cut in the middle.
                let_go(link)
                return None
            if session_id:
                log.info("%s: its worker is gone: taking over a transfer request", session_id)
            else:
                log.info("a session begins with a transfer request, in a call that nobody runs")
            taken = session is None and session_id in self.sessions
            made = self.new_session(link, snapshot, "" if taken else session_id)
            made.resume_scenario(snapshot.variable(Mark.SCENARIO) or "")
            return self._running(made, lambda: legs.resume(made, ahead, snapshot))
        session.adopt(link, lambda: legs.transfer_request(session, ahead, snapshot))
        return None

    def _come_back(self, link: Connection, snapshot: Event) -> None:
        """A leg that its session had lent to a bridge, or called. Without a session it ends."""
        session = self._session_of(snapshot)
        if session is None or session.over:
            let_go(link)
            return
        session.adopt(link, lambda: legs.returned(session, link, snapshot))

    def _new(self, link: Connection, snapshot: Event, begin: Begin) -> Work:
        new = self.new_session(link, snapshot)
        return self._running(new, lambda: begin(new, link, snapshot))

    def _running(self, session: Session, begin: Work) -> Work:
        """A new session is there from now on; return what runs it to its end."""
        self.sessions[session.id] = session
        self.idle.clear()
        session.post(begin)
        return lambda: self._run(session)

    def _run(self, session: Session) -> None:
        try:
            session.run()
        finally:
            if self.sessions.get(session.id) is session:
                del self.sessions[session.id]
            self.part(Directory).session_ends(session)
            if not self.sessions:
                self.idle.set()


def _refuse(link: Connection, *, answered: bool) -> None:
    refusal = Execute("respond", "503 Service Unavailable")
    try:
        link.send(Execute("hangup", "NORMAL_TEMPORARY_FAILURE") if answered else refusal)
    except (LinkError, ChannelGone) as error:
        log.info("[%s] the call left before it was refused: %s", link.log_id, error)
