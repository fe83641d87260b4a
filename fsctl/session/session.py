"""The running session: the calls under one scenario, one mailbox, one greenlet, one link at a time.

Everything that can happen arrives in the mailbox (events of the link, a leg that comes home on a
new link, the link's loss, the order to hand over) or is a timer; the session's greenlet takes one
after the other, so nothing here needs a lock. Verbs are called from handlers, in that greenlet.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from gevent.queue import Queue

from fsctl.errors import ChannelGone, LinkError, LinkLost
from fsctl.esl.commands import (
    Execute,
    UuidGetvar,
    UuidKill,
    UuidSetvarMulti,
)
from fsctl.esl.connection import Connection
from fsctl.session.call import Call, CallState
from fsctl.session.clock import Timer
from fsctl.session.dial import Dial, rearming
from fsctl.session.events import CallEvent, Disconnected, SessionEvent, Terminated
from fsctl.session.identity import presented
from fsctl.session.intake import Intake
from fsctl.session.legacy import LegacyTransfer
from fsctl.session.links import Links
from fsctl.session.request import value_of
from fsctl.session.routing import Routed
from fsctl.session.transfers import BlindTransfer
from fsctl.settings import Settings, TransferMode
from fsctl.sip.status import SipStatus, cause_of_status
from fsctl.sip.uri import Uri
from fsctl.transfer.transfer import Stimulus

if TYPE_CHECKING:
    from fsctl.session.switchboard import Switchboard

log = logging.getLogger(__name__)

E = TypeVar("E", bound=SessionEvent)


class Session:
    """The calls that one scenario controls. Made by the switchboard; ends with its last call."""

    def __init__(self, board: Switchboard, session_id: str, link: Connection) -> None:
        self.id = session_id
        self.board = board
        self.settings: Settings = board.settings
        self.domain = ""
        self.calls: dict[str, Call] = {}
        self.dials: dict[str, Dial] = {}
        self.transfers: list[BlindTransfer] = []
        self.legacy: LegacyTransfer | None = None
        """A native transfer of two of our calls that is under way."""
        self.referred: tuple[Call, Call] | None = None
        """Transferor and transferee of a REFER whose transferee is on its way home to us."""
        self.native_transferor = ""
        """In the session of a legacy transfer's transferee: the transferor's channel."""
        self.parent_id = ""
        """In such a session: the one that the call had before, if its worker still runs it."""
        self.over = False
        self._given_away = False
        """The link's leg is another session's now: the link ends when the leg does."""
        self._timers: list[Timer] = []
        self._links = Links(link)
        self._mailbox: Queue[Callable[[], None]] = Queue()
        self._handlers: dict[type[SessionEvent], list[Callable[[Any], None]]] = {}
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

    def _do(self, work: Callable[[], None]) -> None:
        """Do one thing; whatever it raises ends that thing only, and never the calls."""
        try:
            work()
        except LinkLost as error:
            log.info("%s: %s", self.id, error)
            self.over = True
        except (LinkError, ChannelGone) as error:
            log.info("%s: %s", self.id, error)  # the leg's hang-up is on its way to us
        except Exception:
            log.exception("%s: failed", self.id)
            for transfer in self.transfers:
                if transfer.undecided:
                    transfer.feed(Stimulus.FAILURE_REPORTED, SipStatus(500))

    def _is_over(self) -> bool:
        return self.over or not any(call.alive for call in self.calls.values())

    def _end(self) -> None:
        self.over = True
        for transfer in self.transfers:
            if transfer.is_open:
                transfer.feed(Stimulus.SWITCH_LOST)
        for attended in [each for each in self.board.attended if each.session is self]:
            attended.drop()
        self.emit(Terminated(self))
        for timer in self._timers:
            timer.cancel()
        if self._given_away:
            self._links.give_up_current()
        self._links.end()

    # -- links ------------------------------------------------------------------------------

    @property
    def link(self) -> Connection:
        """The link that commands go by."""
        return self._links.current

    @property
    def link_leg(self) -> str:
        """The channel that opened the link: the only one that can execute applications."""
        return self._links.leg

    def adopt(self, link: Connection, begin: Callable[[], None]) -> None:
        """Have ``begin`` take over ``link``, which a leg of ours has opened."""
        self._links.adopt(link)
        self.post(begin)

    def take_link(self, link: Connection, leg: str) -> None:
        """Make ``link``, opened by channel ``leg``, the one link: all our events come with it."""
        self._links.take(
            link,
            leg,
            [uuid for uuid, call in self.calls.items() if call.alive],
            lambda event: self.post(lambda: self._intake.take(event)),
            lambda: self.post(lambda: self._lost(link)),
        )

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
            log.info("%s: link lost", self.id)
            self.over = True

    # -- events to the scenario -------------------------------------------------------------

    def on(self, event: type[E], handler: Callable[[E], None] | None = None) -> Any:
        """Call ``handler`` for every ``event`` of the session or of any call in it."""
        if handler is None:
            return lambda function: self.on(event, function)
        self._handlers.setdefault(event, []).append(handler)
        return handler

    def handled(self, event: SessionEvent) -> bool:
        """True when somebody has registered a handler for this event."""
        return bool(self._handlers_of(event))

    def emit(self, event: SessionEvent) -> bool:
        """Give an event to its handlers; True when all of them came through.

        A handler's exception is logged with the session's id and never reaches the call; a lost
        link or channel is not the handler's fault and passes.
        """
        for handler in self._handlers_of(event):
            try:
                handler(event)
            except LinkLost:
                raise
            except ChannelGone as error:
                log.info("%s: handler of %s: %s", self.id, type(event).__name__, error)
                return False
            except Exception:
                log.exception("%s: handler of %s failed", self.id, type(event).__name__)
                return False
        return True

    def _handlers_of(self, event: SessionEvent) -> tuple[Callable[[Any], None], ...]:
        kind = type(event)
        of_call = event.call.handlers(type(event)) if isinstance(event, CallEvent) else ()
        return (*of_call, *self._handlers.get(kind, ()), *self.board.handlers(kind))

    # -- verbs ------------------------------------------------------------------------------

    def connect(
        self,
        call: Call,
        destination: str | Uri,
        *,
        caller_id: str | None = None,
        display_name: str | None = None,
        headers: Mapping[str, str] | None = None,
        ring_timeout_s: int | None = None,
    ) -> Call:
        """Call ``destination`` for ``call`` and have FreeSWITCH join the two on answer.

        ``destination`` is a user, a number or a SIP or tel URI; the routes decide where it is
        dialled. ``call`` is the leg that came to us: the caller of a new call, or the transferee of
        a requested transfer. Caller ID and name default to those of the settings. Returns the
        called party's call at once; ``Ringing``, ``Connected`` and ``Failed`` follow. A failed
        call is passed on to ``call`` (or ends the transfer) with the callee's own code and phrase,
        unless a handler of ``Failed`` calls somebody else.

        Raises :class:`~fsctl.session.routing.NoRoute`, ChannelGone, ValueError.
        """
        self._check_controlled(call)
        running = next((dial for dial in self.dials.values() if dial.waiting is call), None)
        if running is not None and running.outgoing.alive:
            raise ValueError("somebody is being called for this leg already")
        transfer = self.open_transfer_of_transferee(call)
        if transfer is None and call.peer is not None and call.peer.alive:
            raise ValueError("this leg talks with somebody")
        routed = self.board.router.route(destination, self.domain)
        section = self.settings.transfer if transfer else self.settings.call
        transferor = transfer.transferor if transfer else None
        number, name = presented(self.settings, routed.route, call, transferor)
        dial = Dial(
            waiting=call,
            outgoing=self._outgoing(call, routed),
            ring_timeout_s=ring_timeout_s or routed.route.ring_timeout_s or section.ring_timeout_s,
            caller_id=number if caller_id is None else caller_id,
            display_name=name if display_name is None else display_name,
            headers=dict(headers or {}),
            for_transfer=transfer is not None,
            redirects_left=self.settings.call.follow_redirects,
        )
        if running is None:
            self.start(dial, routed)
        else:
            # Its bridge has not returned, and nested bridges have been seen to crash FreeSWITCH.
            running.then = lambda: self.start(dial, routed)
        if transfer is not None:
            transfer.call_target(dial.outgoing, dial.ring_timeout_s)
        return dial.outgoing

    def start(self, dial: Dial, routed: Routed) -> None:
        """Begin an attempt of ``dial``: the first, or the next after a redirection.

        Raises DialStringError, ChannelGone, LinkError; then nobody is called.
        """
        self.calls.pop(dial.outgoing.channel_uuid, None)
        dial.outgoing.channel_uuid = str(uuid4())
        commands = dial.commands(routed, self.board.home, self.settings)
        self.calls[dial.outgoing.channel_uuid] = dial.outgoing
        self.dials[dial.execution] = dial
        try:
            self.link.send_all(commands)[-1].raise_for_error()
        except (LinkError, ChannelGone):
            self.forget(dial)
            raise
        transfer = self.open_transfer_of_transferee(dial.waiting)
        if transfer is not None and transfer.target is dial.outgoing:
            transfer.ring_anew()
        self.after(dial.ring_timeout_s + 2.0, lambda: self._ring_deadline(dial, dial.execution))

    def forget(self, dial: Dial) -> None:
        """Nobody is being called by ``dial`` any more, and its called party never was."""
        self.dials.pop(dial.execution, None)
        dial.outgoing.advance(CallState.DISCONNECTED)

    def reject(self, call: Call, status: SipStatus) -> None:
        """Refuse ``call`` with ``status``; an answered one is hung up with the matching cause."""
        self._check_controlled(call)
        if self.native_transferor:
            self.leave_to_switch(call, status)
            return
        if call.connected:
            self.link.send(Execute("hangup", cause_of_status(status.code)))
            return
        if status.code < 400:
            status = SipStatus(480)  # a redirection that nobody follows; `respond 302` would wait
        phrase = status.reason.replace("$", "")
        self.link.send(Execute("respond", f"{status.code} {phrase}"))

    def hang_up(self, call: Call) -> None:
        """End ``call`` at once."""
        self.link.send(UuidKill(call.channel_uuid, "NORMAL_CLEARING"))

    def leave_to_switch(self, call: Call, status: SipStatus) -> None:
        """Let FreeSWITCH end a native transfer: it reports failure and rejoins the first two."""
        uuid = call.channel_uuid
        variables = (("sip_invite_failure_status", str(status.code)), ("fsctl_stage", "done"))
        self.link.send(UuidSetvarMulti(uuid, variables))
        self.over = True

    def set_transfer_mode(self, call: Call, mode: TransferMode) -> None:
        """Choose what a REFER by ``call`` does, now and when it is joined with others."""
        call.transfer_mode, call.mode_chosen = mode, True
        self.rearm(call)

    def rearm(self, call: Call) -> None:
        """Put ``call``'s mode on the channels: at once where they exist, and again at the join."""
        call.armed = call.peer is not None
        peer = call.peer or self._being_joined_with(call)
        if peer is not None:
            self.link.send_all(rearming(call, peer, self.settings))

    def _being_joined_with(self, call: Call) -> Call | None:
        for dial in self.dials.values():
            if call in (dial.waiting, dial.outgoing):
                return dial.outgoing if call is dial.waiting else dial.waiting
        return None

    def set_timeout(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call ``callback`` in ``seconds``, in the session's greenlet; it can be cancelled."""
        return self.after(seconds, callback)

    def after(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """As :meth:`set_timeout`; for the session's own deadlines."""
        self._timers = [timer for timer in self._timers if timer.is_pending]
        timer = Timer(self.board.clock, seconds, callback, self.post)
        self._timers.append(timer)
        return timer

    def terminate(self) -> None:
        """Hang up every call of this session."""
        alive = [call.channel_uuid for call in self.calls.values() if call.alive]
        self.link.send_all([UuidKill(uuid, "NORMAL_CLEARING") for uuid in alive])

    # -- transfers --------------------------------------------------------------------------

    def transfer_of(self, transferor: Call) -> BlindTransfer:
        """The transfer that ``transferor`` asked for last. Raises ValueError when there is none."""
        for transfer in reversed(self.transfers):
            if transfer.transferor is transferor:
                return transfer
        raise ValueError(f"{transferor} has asked for no transfer")

    def open_transfer_of(self, transferee_uuid: str | None) -> BlindTransfer | None:
        """The transfer in which the leg with this channel waits for a target."""
        call = self.calls.get(transferee_uuid or "")
        return self.open_transfer_of_transferee(call) if call is not None else None

    def open_transfer_of_transferee(self, transferee: Call) -> BlindTransfer | None:
        """The transfer in which ``transferee`` waits for a target."""
        for transfer in self.transfers:
            if transfer.transferee is transferee and transfer.awaits_target:
                return transfer
        return None

    def is_waiting(self, call: Call) -> bool:
        """True while somebody is being called for ``call``, or talks with it by that call."""
        return any(dial.waiting is call for dial in self.dials.values())

    def gone(self, call: Call, status: SipStatus) -> None:
        """``call`` has hung up; told once."""
        if call.advance(CallState.DISCONNECTED):
            self.emit(Disconnected(self, call, status.code, status.reason))

    def knows_refer(self, transferor: Call, event: str | None) -> bool:
        """True when this very REFER (``Event: refer;id=N``) has its transfer already."""
        return any(
            transfer.transferor is transferor and transfer.request.event == event
            for transfer in self.transfers
        )

    @property
    def native_is_ours(self) -> bool:
        """Nobody else looks after the transferor of the native transfer that we serve."""
        return bool(self.native_transferor) and self.parent_id not in self.board.sessions

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
        for execution, dial in list(self.dials.items()):
            if call in (dial.waiting, dial.outgoing):
                del self.dials[execution]

    # -- inner ------------------------------------------------------------------------------

    def _outgoing(self, waiting: Call, routed: Routed) -> Call:
        mode = routed.route.transfer_mode
        if mode is not None and not waiting.mode_chosen:
            waiting.transfer_mode = mode
        return Call(
            self,
            str(uuid4()),
            number=routed.number,
            display_name="",
            transfer_mode=mode or self.settings.transfer.mode,
        )

    def _check_controlled(self, call: Call) -> None:
        if not call.alive:
            raise ChannelGone(f"call {call.channel_uuid} has ended")
        if call.channel_uuid != self.link_leg:
            raise ValueError("only the leg that came to us can wait for a called party")

    def _ring_deadline(self, dial: Dial, execution: str) -> None:
        """FreeSWITCH's own timeout ends with early media (originate returns then)."""
        if dial.execution != execution or execution not in self.dials or dial.answered:
            return
        called = dial.outgoing.channel_uuid
        # The news of an answer may still be on its way, if we or the switch were held up.
        asked = self.link.send(UuidGetvar(called, "endpoint_disposition"))
        if value_of(asked.text) != "ANSWER":
            self.link.send(UuidKill(called, "NO_ANSWER"))
