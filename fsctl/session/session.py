"""The running session: the calls under one scenario, one mailbox, one greenlet, one link at a time.

Everything that can happen arrives in the mailbox (events of the link, a leg that comes home on a
new link, the link's loss, the order to hand over) or is a timer; the session's greenlet takes one
after the other, so nothing here needs a lock. Verbs are called from handlers, which have greenlets
of their own and take turns with it (:mod:`fsctl.session.turns`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar, overload

from gevent.queue import Queue

from fsctl.errors import ChannelGone, LinkError, LinkLost
from fsctl.esl.commands import (
    Events,
    Filter,
    UuidGetvar,
    UuidSetvarMulti,
)
from fsctl.esl.connection import Connection
from fsctl.esl.events import Event
from fsctl.log import seldom
from fsctl.session import branches, calling, joining, leaving, media, modes, safety
from fsctl.session.call import Call, CallState
from fsctl.session.clock import Timer
from fsctl.session.dial import Dial
from fsctl.session.events import Disconnected, SessionEvent, Terminated, Terminating
from fsctl.session.handlers import Failed as Failure
from fsctl.session.handlers import Handlers
from fsctl.session.intake import Intake
from fsctl.session.legacy import LegacyTransfer
from fsctl.session.outgoing import Outgoing
from fsctl.session.registry import Transfers
from fsctl.session.routing import NoRoute
from fsctl.session.turns import verb
from fsctl.settings import Settings, TransferMode
from fsctl.sip.status import SipStatus, cause_of_status
from fsctl.sip.uri import Uri
from fsctl.switch.links import Links
from fsctl.switch.marks import Mark, Stage
from fsctl.switch.timers import disarm
from fsctl.switch.variables import value_of
from fsctl.transfer.transfer import Stimulus

if TYPE_CHECKING:
    from fsctl.session.scenarios import Scenario
    from fsctl.session.switchboard import Switchboard

log = logging.getLogger(__name__)

E = TypeVar("E", bound=SessionEvent)


class _SessionId(str):
    """The session's id; a log line that names it has the session's calls as fields."""

    session: Session

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        """A copy is just the text."""
        return str, (str(self),)

    @property
    def log_fields(self) -> dict[str, Any]:
        """Read by :mod:`fsctl.log` when such a line is written as JSON."""
        calls = [each.log_fields["calls"][0] for each in self.session.calls.values()]
        return {"session": str(self)} | ({"calls": calls} if calls else {})


class Session:
    """The calls that one scenario controls. Made by the switchboard; ends with its last call."""

    def __init__(self, board: Switchboard, session_id: str, link: Connection) -> None:
        self.id = _SessionId(session_id)
        self.id.session = self
        self.board = board
        self.settings: Settings = board.settings
        self.scenario: Scenario = board.scenarios.default
        """Whose handlers are called; the route of the dialled number may bring another."""
        self.domain = ""
        self.own_hosts: set[str] = set()
        """Hosts that name this switch, as the legs of our calls have it (lower case)."""
        self.own_context = ""
        """Where a transfer of our legs that is no REFER goes; set from the leg that came first."""
        self.calls: dict[str, Call] = {}
        self.callees: dict[str, Call] = {}
        """Those whom we have called, by the name that each of their channels carries."""
        self.dials: dict[str, Dial] = {}
        self.outgoing: dict[str, Outgoing] = {}
        """The scenario's own calls that have not been answered yet, by `Call.callee`."""
        self.lends = False
        """The scenario makes and joins calls by itself: whoever is left comes back to it."""
        self.executions: dict[str, Callable[[Event], None]] = {}
        """What follows the end of an application, by its Event-UUID."""
        self.tone_calls: set[Call] = set()
        self.deflected: dict[str, Call] = {}
        """Calls that were asked to go elsewhere and have not reported yet."""
        self.transfers = Transfers()
        self.legacy: LegacyTransfer | None = None
        """A native transfer of two of our calls that is under way."""
        self.referred: tuple[Call, Call] | None = None
        """Transferor and transferee of a REFER whose transferee is on its way home to us."""
        self.referred_channel = ""
        """The channel by which that transferee comes: one of its phones may still ring."""
        self.native_transferor = ""
        """In the session of a legacy transfer's transferee: the transferor's channel."""
        self.native_headers: dict[str, str] = {}
        """In such a session: the Referred-By for the target, where the settings send it."""
        self.native_bridged = ""
        """The same, when the transferee has been bridged."""
        self.parent_id = ""
        """In such a session: the one that the call had before, if its worker still runs it."""
        self.over = False
        self._terminating = False
        self._given_away = False
        """The link's leg is another session's now: the link ends when the leg does."""
        self._timers: list[Timer] = []
        self._links = Links(link)
        self._mailbox: Queue[Callable[[], None]] = Queue()
        self._handlers = Handlers(self)
        self._intake = Intake(self)

    def __repr__(self) -> str:
        return f"<Session {self.id}>"

    # -- the loop ---------------------------------------------------------------------------

    def run(self, begin: Callable[[], None]) -> None:
        """Run ``begin`` and then everything that happens, until the last call has ended."""
        try:
            self._do(begin)
            while not self._is_over():
                self._do(self._mailbox.get())
        finally:
            self._end()

    def post(self, work: Callable[[], None]) -> None:
        """Have ``work`` done by the session's greenlet; callable from any greenlet."""
        self._mailbox.put(work)

    def lose(self, why: object = "") -> None:
        """The link is lost: nothing can be done any more."""
        if not self.over:
            extra = seldom("sessions whose link was lost")  # strangers can open and close links
            log.info("%s: link lost%s", self.id, f": {why}" if why else "", extra=extra)
        self.over = True

    def _do(self, work: Callable[[], None]) -> None:
        """Do one thing; whatever it raises ends that thing only, and never the calls."""
        try:
            work()
        except LinkLost as error:
            self.lose(error)
        except (LinkError, ChannelGone) as error:
            log.info("%s: %s", self.id, error)  # the leg's hang-up is on its way to us
        except Exception:
            log.exception("%s: failed", self.id)
            for transfer in self.transfers:
                if transfer.undecided:
                    transfer.feed(Stimulus.FAILURE_REPORTED, SipStatus(500))
        self._handlers.turns.look()

    def _is_over(self) -> bool:
        return self.over or not any(call.alive for call in self.calls.values())

    def _end(self) -> None:
        self.over = True
        lost = self.link.closed
        for transfer in self.transfers.open:
            transfer.hand_over()
            transfer.feed(Stimulus.SWITCH_LOST)
        if self.legacy is not None:
            self.legacy.drop()
        self._say_terminating()
        self._handlers.turns.end(ChannelGone(f"session {self.id} has ended"))
        self._cancel_outgoing()
        for attended in [each for each in self.board.attended if each.session is self]:
            attended.drop()
        self.emit(Terminated(self))
        for timer in self._timers:
            timer.cancel()
        if self._given_away:
            self._links.give_up_current()
        self._links.end()
        if lost and any(call.alive for call in self.calls.values()):
            self.board.on_stranded(self.board.home)

    def _say_terminating(self) -> None:
        if not self._terminating:
            self._terminating = True
            self.emit(Terminating(self))

    def _cancel_outgoing(self) -> None:
        """Parties that still ring would come to nobody."""
        kills = [branches.kill(outgoing.call) for outgoing in self.outgoing.values()]
        if kills and not self.link.closed:
            try:
                self.link.send_all(kills)
            except LinkError as error:
                log.info("%s: %s", self.id, error)

    # -- links ------------------------------------------------------------------------------

    @property
    def link(self) -> Connection:
        """The link that commands go by."""
        return self._links.current

    @property
    def link_leg(self) -> str:
        """The channel that opened the link."""
        return self._links.leg

    def adopt(self, link: Connection, begin: Callable[[], None]) -> None:
        """Have ``begin`` take over ``link``, which a leg of ours has opened."""
        self._links.adopt(link)
        self.post(begin)

    def take_link(self, link: Connection, leg: str) -> None:
        """Make ``link``, opened by channel ``leg``, the one link: all our events come with it."""
        filters = [branches.heard(call) for call in self.calls.values() if call.alive]
        filters += [Filter("Job-UUID", callee) for callee in self.outgoing]
        filters += [Filter("UniqueID", uuid) for uuid in self.deflected]
        self._links.take(
            link,
            leg,
            filters,
            self.hear,
            lambda: self.post(lambda: self._lost(link)),
        )

    def hear(self, event: Event) -> None:
        """Take an event in our greenlet, after what is there already."""
        self.post(lambda: self._intake.take(event))

    def hold_link(self, link: Connection, leg: str) -> None:
        """Keep the link by which a leg is in our hands; it becomes the one link when ours ends."""
        self._links.hold(link, leg)
        if self.link.hung_up:
            self.change_link()

    def change_link(self) -> None:
        """Our link's leg has hung up: go on with the link of another leg, if there is one."""
        for uuid, call in self.calls.items():
            link = self._links.held(uuid)
            if call.alive and call.held and link is not None and link is not self.link:
                self.take_link(link, uuid)
                self._links.settle()
                return

    def want(self, event_name: str) -> None:
        """Hear these events of our calls from now on, on whatever link."""
        wanted = self._links.want(event_name)
        if wanted is not None:
            self.link.send(wanted)

    def want_custom(self, subclass: str) -> None:
        """As :meth:`want`, for a CUSTOM event's subclass."""
        self.link.send(Events((), (subclass,)))

    def hand_over(self) -> None:
        """Leave the calls to FreeSWITCH: nothing that is bridged or being bridged is cut."""
        self.over = True

    def settle_link(self) -> None:
        """The new link serves: the one before it is only kept open."""
        self._links.settle()

    def return_link(self) -> None:
        """The new link's leg has gone: the link before it is the one again."""
        self._links.go_back()

    def _lost(self, link: Connection) -> None:
        if link is self.link:
            self.lose()

    # -- the scenario -----------------------------------------------------------------------

    def choose_scenario(self, destination: str) -> None:
        """From now on: the scenario of the route that the dialled number takes."""
        try:
            route = self.board.router.route(destination, self.domain, own=self.own_hosts).route
        except NoRoute:
            return
        self.scenario = self.board.scenarios.of_route(route.name)

    @overload
    def on(self, event: type[E]) -> Callable[[Callable[[E], None]], Callable[[E], None]]: ...

    @overload
    def on(self, event: type[E], handler: Callable[[E], None]) -> Callable[[E], None]: ...

    def on(self, event: type[E], handler: Callable[[E], None] | None = None) -> Any:
        """Call ``handler`` for every ``event`` of the session or of any call in it."""
        return self._handlers.on(event, handler)

    def handled(self, event: SessionEvent) -> bool:
        """True when somebody has registered a handler for this event."""
        return bool(self._handlers.of(event))

    def emit(self, event: SessionEvent, failed: Failure | None = None) -> None:
        """Give an event to its handlers; see :class:`~fsctl.session.handlers.Handlers`."""
        self._handlers.emit(event, failed)

    def wait(self, met: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """In a handler: wait until ``met()``; False when ``timeout_s`` have passed before.

        ``met`` is asked whenever something has happened in the session: it only looks, and uses no
        verb. Raises what ``met`` raises, ChannelGone when the session ends, RuntimeError outside
        of a handler.
        """
        return self._handlers.turns.wait(met, timeout_s)

    def turn(self) -> AbstractContextManager[None]:
        """What a verb is done in; see :func:`fsctl.session.turns.verb`."""
        if self._handlers.turns.in_handler:
            self.board.verbs_used += 1
        return self._handlers.turns.verb()

    @property
    def waits(self) -> bool:
        """Whether a handler waits for something: it may be about to decide."""
        return bool(self._handlers.turns.waiting)

    # -- verbs ------------------------------------------------------------------------------

    @verb
    def connect(
        self,
        call: Call,
        destination: str | Uri,
        *,
        caller_id: str | None = None,
        display_name: str | None = None,
        headers: Mapping[str, str] | None = None,
        ring_timeout_s: int | None = None,
        codecs: str | None = None,
    ) -> Call:
        """Have FreeSWITCH call ``destination`` for ``call``, and join the two on answer.

        The sturdiest way: ringback, early media, the caller's CANCEL and the join itself go on when
        this process dies. ``destination`` is a user, a number or a SIP or tel URI; the routes
        decide where it is dialled. ``call`` is a leg that came to us: the caller of a new call, or
        the transferee of a requested transfer. Caller ID and name default to those of the settings.
        Returns the called party's call at once; ``Ringing``, ``Connected`` and ``Failed`` follow. A
        failed call is passed on to ``call`` (or ends the transfer) with the callee's own code and
        phrase, unless the scenario calls somebody else or uses ``call``, in a handler of ``Failed``
        or after ``wait_connected``. Source: application ``bridge``.

        Raises :class:`~fsctl.session.routing.NoRoute`, ChannelGone, ValueError.
        """
        return calling.connect(
            self, call, destination, caller_id, display_name, headers, ring_timeout_s, codecs
        )

    @verb
    def call_user(
        self,
        username: str,
        *,
        caller_id: str | None = None,
        display_name: str | None = None,
        headers: Mapping[str, str] | None = None,
        ring_timeout_s: int | None = None,
        codecs: str | None = None,
        scheme: str = "",
    ) -> Call:
        """Call a user, or whatever the routes make of this name; a call of the scenario's own.

        It is joined with nobody until :meth:`send_media_between`. Returns at once; ``Ringing``,
        ``Connected`` or ``Failed`` (also when no route admits it) follow. While a party waits to be
        transferred, it hears ringback, and the call is the transfer's target. ``caller_id`` and
        ``display_name`` may be a whole Referred-By, and default as those of :meth:`connect`;
        ``headers`` are sent as they are named; ``codecs`` lists FreeSWITCH's names, the preferred
        first, and nothing else is offered then. ``scheme``, that of another call, is offered first,
        before the profile's own, where neither ``codecs`` nor the settings say what is offered.
        Source: API ``originate``.

        Raises LinkError, ValueError (a header that cannot be sent).
        """
        return calling.call_out(
            self, username, None, caller_id, display_name, headers, ring_timeout_s, codecs, scheme
        )

    @verb
    def call_sip(
        self,
        to: str | Uri,
        *,
        caller_id: str | None = None,
        display_name: str | None = None,
        headers: Mapping[str, str] | None = None,
        ring_timeout_s: int | None = None,
        codecs: str | None = None,
        scheme: str = "",
    ) -> Call:
        """Call a SIP URI, or the one in a whole Refer-To or Referred-By, as :meth:`call_user`.

        The routes decide which hosts are dialled, for the URI may come from a phone. Raises
        ValueError for what is no SIP URI.
        """
        uri = calling.sip_uri_of(to)
        return calling.call_out(
            self, uri, None, caller_id, display_name, headers, ring_timeout_s, codecs, scheme
        )

    @verb
    def call_pstn(
        self,
        number: str,
        *,
        caller_id: str | None = None,
        display_name: str | None = None,
        headers: Mapping[str, str] | None = None,
        ring_timeout_s: int | None = None,
        codecs: str | None = None,
        scheme: str = "",
    ) -> Call:
        """Call a telephone number by a route of kind ``gateway``, as :meth:`call_user`."""
        return calling.call_out(
            self,
            number,
            "gateway",
            caller_id,
            display_name,
            headers,
            ring_timeout_s,
            codecs,
            scheme,
        )

    @verb
    def send_media_between(self, one: Call, other: Call) -> None:
        """Let two answered calls talk; a caller that still alerts is answered.

        Who talks with somebody else is taken from there. A transfer's target joined with its
        transferee completes the transfer. When one of them hangs up, so is the other, unless the
        scenario does something with it by then. Source: API ``uuid_bridge``.

        Raises ChannelGone, ValueError for a call that is not answered.
        """
        joining.send_media_between(self, one, other)

    @verb
    def send_media_to(self, one: Call, other: Call) -> None:
        """See ``Call.send_media_to``."""
        joining.send_media_to(self, one, other)

    @verb
    def stop_media_to(self, one: Call, other: Call) -> None:
        """See ``Call.stop_media_to``."""
        joining.stop_media_to(self, one, other)

    def set_timeout(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call ``callback`` in ``seconds``, as a handler; the timer can be cancelled."""
        return self.after(seconds, lambda: self._handlers.run(callback))

    def sleep(self, seconds: float) -> None:
        """In a handler: let ``seconds`` pass; other handlers run meanwhile."""
        self.wait(lambda: False, seconds)

    @verb
    def terminate(self) -> None:
        """Hang up every call of this session."""
        self._say_terminating()
        alive = [call for call in self.calls.values() if call.alive]
        self.link.send_all([branches.stopping(self, call) for call in alive])

    # -- calls ------------------------------------------------------------------------------

    def reject(self, call: Call, status: SipStatus) -> None:
        """Refuse ``call`` with ``status``; an answered one is hung up with the matching cause."""
        if self.reports_natively(call):
            self.leave_to_switch(call, status)
            return
        if call.connected:
            media.run(call, "hangup", cause_of_status(status.code))
            return
        if call.outgoing:
            self.hang_up(call)
            return
        if status.code < 400:
            status = SipStatus(480)  # a redirection that nobody follows; `respond 302` would wait
        phrase = status.reason.replace("$", "")
        media.run(call, "respond", f"{status.code} {phrase}")

    def hang_up(self, call: Call, cause: str = "NORMAL_CLEARING") -> None:
        """End ``call`` at once, on all phones that ring for it."""
        self.link.send(branches.stopping(self, call, cause))

    def leave_to_switch(self, call: Call, status: SipStatus) -> None:
        """Let FreeSWITCH end a native transfer: it reports failure and rejoins the first two."""
        uuid = call.channel_uuid
        variables = (("sip_invite_failure_status", str(status.code)), (Mark.STAGE, Stage.DONE))
        self.link.send_all([*disarm(uuid), UuidSetvarMulti(uuid, variables)])
        self.over = True

    def set_transfer_mode(self, call: Call, mode: TransferMode) -> None:
        """Choose what a REFER by ``call`` does, now and when it is joined with others."""
        modes.choose(self, call, mode)

    def after(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """As :meth:`set_timeout`; for the session's own deadlines."""
        self._timers = [timer for timer in self._timers if timer.is_pending]
        timer = Timer(self.board.clock, seconds, callback, self.post)
        self._timers.append(timer)
        return timer

    def is_waiting(self, call: Call) -> bool:
        """True while somebody is being called for ``call``, or talks with it by that call."""
        return any(dial.waiting is call for dial in self.dials.values())

    def gone(self, call: Call, status: SipStatus) -> None:
        """``call`` has hung up; told once."""
        if not call.advance(CallState.DISCONNECTED):
            return
        peer, was_joining = call.partner, call.joining is not None
        call.left_behind = peer or next(
            (dial.outgoing for dial in self.dials.values() if dial.waiting is call), None
        )
        for one in (call, peer):
            if one is not None:
                one.peer = one.joining = None
        uses = peer.uses if peer is not None else 0
        safety.ringing_for_nobody(self)
        self.emit(Disconnected(self, call, status.code, status.reason))
        if peer is not None and self.lends:
            transfer = self.transfers.moving(peer)
            # The news may be late: a transferee that has come back from its target is alone.
            if transfer is None or (transfer.has_joined and peer.held):
                safety.forsaken(self, peer, uses)
                if was_joining:
                    joining.fetch_left(self, peer)

    def came_back(self, call: Call) -> None:
        """A leg that was lent to a bridge, or called, is in our hands."""
        call.held = True
        self.lends = True  # perhaps it was our predecessor that did
        outgoing = self.outgoing.get(call.callee)
        if outgoing is not None:
            outgoing.came_home()
            return
        for asked in self.transfers.open:
            if asked.transferor is call:
                asked.transferor_is_back()
        transfer = self.transfers.moving(call)
        if transfer is not None and transfer.target_left():
            return
        sent_for, call.sent_for = call.sent_for, False
        if not sent_for and (call.partner is None or not call.partner.alive):
            known = None if transfer is not None else call.forsaken_at
            safety.forsaken(self, call, call.uses if known is None else known)
        elif not sent_for:
            leaving.came_back_alone(self, call)

    @property
    def native_is_ours(self) -> bool:
        """Nobody else looks after the transferor of the native transfer that we serve."""
        return bool(self.native_transferor) and self.parent_id not in self.board.sessions

    def reports_natively(self, call: Call) -> bool:
        """``call`` is the transferee of a native transfer whose target is still to be reached."""
        return bool(self.native_transferor) and call.channel_uuid == self.link_leg

    def rejoined(self, first: Call, second: Call) -> None:
        """FreeSWITCH has joined two of our calls again by itself."""
        first.peer, second.peer = second, first

    def handed_over(self, call: Call) -> None:
        """``call`` belongs to another session from now on."""
        self._given_away = call.channel_uuid == self.link_leg
        call.advance(CallState.DISCONNECTED)

    def give_away(self, call: Call) -> None:
        """``call`` lives on as another session's, and what joined it with ours is over."""
        self._given_away = self._given_away or call.channel_uuid == self.link_leg
        self.calls.pop(call.channel_uuid, None)
        self.callees.pop(call.callee, None)
        for execution, dial in list(self.dials.items()):
            if call in (dial.waiting, dial.outgoing):
                del self.dials[execution]

    def check_still_ours(self, call: Call) -> None:
        """``call`` talks with somebody whom we do not know: another worker may have taken it."""
        asked = self.link.send(UuidGetvar(call.channel_uuid, Mark.SESSION))
        if value_of(asked.text) not in (None, self.id):
            log.info("%s: %s is another session's now", self.id, call)
            self.give_away(call)
