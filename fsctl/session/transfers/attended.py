"""An attended transfer under the application's control: a REFER with Replaces (RFC 3891, RFC 5589).

With ``make-every-transfer-a-nightmare`` FreeSWITCH asks for each one by a loopback: it dials
``loopback/attended/fsctl_attended`` while everybody talks on, and the loopback's b-leg dials us
(sofia.c, ``nightmare_xfer_thread_run``). Answered, FreeSWITCH bridges the transferee with the
loopback, reports 200 and lets the transferor go; hung up, it reports 403. Which two legs talk in
the end is ours: ``uuid_bridge`` of the transferee and the target. Between the answer and that join
the b-leg carries the target's uuid: when we die, its dialplan joins the two (``intercept``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import Enum
from uuid import uuid4

from fsctl.errors import ChannelGone, LinkError
from fsctl.esl.commands import (
    BgApi,
    Command,
    Events,
    Execute,
    Filter,
    SchedHangup,
    UuidGetvar,
    UuidKill,
    UuidSetvar,
    UuidSetvarMulti,
    UuidTransfer,
)
from fsctl.esl.connection import Connection
from fsctl.esl.events import Event
from fsctl.esl.farewell import let_go
from fsctl.session.calling import media
from fsctl.session.calling.arming import arming
from fsctl.session.calling.attempts import Attempts
from fsctl.session.calling.bridged import Dial
from fsctl.session.calling.bridging import bridge_commands
from fsctl.session.calling.calls import Calls
from fsctl.session.calling.headers import REFERRED_BY
from fsctl.session.calling.partings import gone
from fsctl.session.calling.plan import attempts, next_place, route
from fsctl.session.calling.routing import NoRoute, Routed
from fsctl.session.core import branches
from fsctl.session.core.clock import Timer
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session
from fsctl.session.transfers.attended_registry import AttendedTransfers
from fsctl.session.transfers.attended_request import (
    AttendedRequest,
    calling_anew,
    read_attended,
    read_unheard,
    refuse_moved,
)
from fsctl.session.transfers.record import Outcome, conclude
from fsctl.sip.refer import ReferTo
from fsctl.sip.status import SipStatus
from fsctl.sip.uri import UriError
from fsctl.switch.dialstring import DialStringError
from fsctl.switch.end_status import hangup_status
from fsctl.switch.grace import relax, secure
from fsctl.switch.marks import Context, Extension, Mark, Stage
from fsctl.switch.variables import read, value_of

log = logging.getLogger(__name__)


STEP_TIMEOUT_S = 5.0
"""How long FreeSWITCH may take for each step once the request has been accepted."""

FREESWITCH_WAITS_S = 60.0
"""So long it waits for the loopback to be answered (sofia.c, ``nightmare_xfer_thread_run``)."""

_FORBIDDEN = SipStatus(403)
_BROKEN = SipStatus(503)
_CANCELLED = 487
_PARTNER = "signal_bond"
"""Variable: whom FreeSWITCH moves when the leg sends a blind REFER."""


class State(Enum):
    """How far an attended transfer has come."""

    REQUESTED = "requested"
    WAITING = "waiting for the target"
    CALLING = "calling the target anew"
    ANSWERED = "answered"
    BRIDGED = "success is reported"
    COMING_HOME = "transferee comes home"
    JOINING = "joining"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


_OPEN = (State.REQUESTED, State.WAITING, State.CALLING)
_BEFORE_JOIN = (*_OPEN, State.ANSWERED, State.BRIDGED, State.COMING_HOME)

SEEK_S = 1.5
SEEK_PAUSES_S = (0.05, 0.25)
"""How long the dialog to replace is looked for, after which pause first, and then."""

NEWS_S = 0.5
"""How much later than FreeSWITCH we may hear that the transferor has left."""

_ROUNDS = 15
"""So many rings, for FreeSWITCH's own sake: it goes on with them when we die."""


def reject(link: Connection | None) -> bool:
    """Hang the loopback up: FreeSWITCH reports 403 (sofia.c), and everybody talks on."""
    if link is None:
        return False
    try:
        link.send(Execute("hangup", "CALL_REJECTED"))
    except (LinkError, ChannelGone) as error:
        log.info("refusing an attended transfer: %s", error)
        return False
    return True


class AttendedTransfer:
    """One REFER with Replaces, from its arrival over a loopback until two legs talk.

    All of it happens in the greenlet of the transferor's session. ``link`` is the loopback
    b-leg's; with ``other_half`` FreeSWITCH bridges the transferee.
    """

    def __init__(
        self,
        transferor: Leg,
        transferee: Leg,
        link: Connection | None,
        other_half: str,
        replaces: str = "",
    ) -> None:
        self.session: Session = transferor.session
        self.transferor = transferor
        self.transferee = transferee
        self.replaced: Leg | None = None
        self.target: Leg | None = None
        self.state = State.REQUESTED
        self._link = link
        self._loopback = (link.channel_uuid or "") if link is not None else ""
        self._replaces = replaces
        """What is known of a REFER that FreeSWITCH does not ask us about (`is_unheard`)."""
        self._other_half = other_half
        self._refer_to: ReferTo | None = None
        self._attempts = Attempts(0, "")
        """To call the target, if it has to be called anew."""
        self._referred_by: str | None = None
        self._board = self.session.board
        self._set_aside: dict[str, Dial] = {}
        """What calls joined transferor and transferee: their end is not the end of a call now."""
        self._put_off: list[Event] = []
        """The ends of those, which count only if nobody is moved after all."""
        self._guests: tuple[Leg, ...] = ()
        self.when_refused: Callable[[], None] = lambda: None
        """What follows when everybody talks on."""
        self._timer: Timer | None = None
        self._application: tuple[str, str] | None = None
        """What the transferor's second leg is in, instead of talking with a party."""
        self._target_status: SipStatus | None = None
        """Why the target did not answer, or has left."""
        self._given_up = False
        """The transferor had taken its call to the target back before we heard of its REFER."""
        self._waits_for_news = False
        self._sent_for = False
        """The transferor has left the transferee behind, which comes to us by a link of its own."""
        self._home = False
        """It has come."""
        self._target_kept = False
        """The transferor has left the target behind, which waits in the dialplan."""

    # -- the request --------------------------------------------------------------------------

    def begin(self) -> None:
        """Read the request, and ask the scenario; without a handler, accept what can be done."""
        if self.state is not State.REQUESTED:
            return  # a blind REFER has overtaken it
        if self._link is not None:
            self._link.on_lost = lambda: self.session.post(self._loopback_gone)
        self.session.link.post(secure(self.transferee.channel_uuid))
        self._seek(0.0)

    def _seek(self, waited_s: float) -> None:
        """Find the dialog to replace; FreeSWITCH's list of channels lags behind, and so do events.

        A dialog that ends at this moment has no tags any more, but those in its last event.
        """
        if self.state is not State.REQUESTED:
            return
        try:
            request = self._read()
        except (LinkError, ChannelGone, UriError) as error:
            log.warning("%s: attended transfer refused: %s", self.session.id, error)
            self._fail()
            return
        if request.is_known or request.is_own or waited_s >= SEEK_S:
            self._ask(request)
        else:
            pause_s = SEEK_PAUSES_S[waited_s > 0]
            self.session.after(pause_s, lambda: self._seek(waited_s + pause_s))
        self._look()

    def _read(self) -> AttendedRequest:
        if self._link is None:
            pair = (self.transferor, self.transferee)
            return read_unheard(self._board, self.session.link, *pair, self._replaces)
        return read_attended(self._board, self._link, self.transferor, self.transferee)

    @property
    def is_unheard(self) -> bool:
        """The transferor was gone before FreeSWITCH could ask us: only the transferee knows."""
        return self._link is None

    def _ask(self, request: AttendedRequest) -> None:
        """Ask the scenario; without a handler, accept what can be done."""
        self.replaced, self.target = request.replaced, request.target
        self._guests = request.guests
        self._refer_to = request.refer_to
        self._referred_by = request.headers.get(REFERRED_BY)
        self._given_up = request.is_given_up
        if self.replaced is not None and self.target is None:
            self._application = self.replaced.application
        if self.target is not None:
            self._secure(self.target)
        self._deadline(self.session.settings.transfer.decision_timeout_s, self._undecided)
        asked = self.session.tell.attended_transfer_requested(
            self.transferor,
            self.transferee,
            (self.replaced, self.target),
            request.refer_to,
            request.headers,
            self,
            lambda _: self._handler_failed(),
        )
        if asked:
            return
        if self.target is not None or self._given_up or self._application:
            self.accept()
        else:
            log.warning(
                "attended transfer to an unknown dialog refused: transferor %s",
                self.transferor.channel_uuid,
            )
            self._fail()

    def _secure(self, target: Leg) -> None:
        if self._loopback:
            noted = UuidSetvar(self._loopback, Mark.SECURED, target.channel_uuid)
            self.session.link.post(noted)
        self.session.link.post(secure(target.channel_uuid))

    def _handler_failed(self) -> None:
        if self.state is State.REQUESTED:
            self._fail()

    # -- what the scenario decides ------------------------------------------------------------

    def accept(self) -> None:
        """Join transferee and target; one that still rings as soon as it answers.

        Raises ValueError when the dialog to replace is not one of our calls, or all is decided.
        """
        self._check_undecided()
        joinable = self.target is not None or self._given_up or self._application
        if self.replaced is None or not joinable:
            raise ValueError("the REFER replaces a dialog that is no call of ours")
        self._move(State.WAITING)
        self._deadline(FREESWITCH_WAITS_S, self._undecided)
        if self._given_up:
            self._call_anew()
        elif self._application:
            self._answer()
        else:
            self._look()

    def refuse(self) -> None:
        """Refuse with 403, the only failure that FreeSWITCH reports here; everybody talks on.

        Raises ValueError when all is decided.
        """
        self._check_undecided()
        self._fail()

    def give_way(self) -> None:
        """A blind REFER of the same two has come meanwhile: it counts, for it has moved them."""
        if self.state in _OPEN:
            self._fail()

    def _check_undecided(self) -> None:
        if self.state is not State.REQUESTED:
            raise ValueError("this transfer is decided already")

    def _undecided(self) -> None:
        log.warning(
            "%s: attended transfer by %s: still %r after its time: it is refused, and all talk on",
            self.session.id,
            self.transferor.channel_uuid,
            self.state.value,
        )
        self._fail()

    # -- the target ---------------------------------------------------------------------------

    def note(self, event: Event) -> None:
        """An event of some session; called by its greenlet, for every transfer that is open."""
        target = self.target
        if event.name == "CHANNEL_HANGUP" and target and branches.has(target, event.channel_uuid):
            status = hangup_status(event)
            rang = target.branches if not target.placed else None
            self._target_status = rang.status(status) if rang is not None else status
        if event.name == "CHANNEL_BRIDGE":
            pair = {event.get("Bridge-A-Unique-ID"), event.get("Bridge-B-Unique-ID")}
            self.session.post(lambda: self._bridged(pair))
        elif self._is_cancel(event):
            self.session.post(self._call_anew)
        elif event.get("Application-UUID") in self._set_aside:
            self._put_off.append(event)
        self.session.post(self._look)

    def _is_cancel(self, event: Event) -> bool:
        """The transferor's phone takes back its own call to the target that rings."""
        calls = [call for call in (self.replaced, self.target) if call is not None]
        return (
            event.name == "CHANNEL_HANGUP"
            and any(branches.has(call, event.channel_uuid) for call in calls)
            and event.get("Hangup-Cause") == "ORIGINATOR_CANCEL"
        )

    def _look(self) -> None:
        """See what the calls have come to, in all sessions that they belong to."""
        target, there = self.target, self.transferee.alive
        self._keep()
        match self.state:
            case State.BRIDGED | State.COMING_HOME | State.JOINING:
                if not there or (target is not None and not target.alive):
                    self._broken()
            case State.ANSWERED if not there:
                self._fail()
            case State.REQUESTED | State.CALLING if not there:
                self._fail()
            case State.WAITING if not there:
                self._fail()
            case State.WAITING if target is not None and not target.alive:
                self._target_gone(target)
            case State.WAITING if target is not None and self._talks_with_replaced(target):
                self._answer()

    def _target_gone(self, target: Leg) -> None:
        """It has refused, or left; or its caller has given up, of which we may hear later."""
        replaced, status = self.replaced, self._target_status
        if target.was_connected:
            self._fail(status)
        elif replaced is not None and not replaced.alive and not replaced.was_connected:
            self._call_anew()
        elif status is not None and status.code != _CANCELLED:
            self._fail(status)
        elif not self._waits_for_news:
            self._waits_for_news = True
            self._deadline(NEWS_S, lambda: self._fail(self._target_status))

    def _talks_with_replaced(self, target: Leg) -> bool:
        replaced = self.replaced
        left = replaced is not None and replaced.left_behind is target
        return target.connected and replaced is not None and (target.peer is replaced or left)

    def keeps(self, call: Leg) -> bool:
        """Whether ``call`` is about to be moved: that its old call ends is not its end."""
        return call is self.transferee or call is self.target

    def _keep(self) -> None:
        """See to those whom the transferor has left: their bridges are over (fsctl.switch.grace).

        The transferee comes to us, if it has to wait; the target waits in the dialplan.
        """
        left = not self.transferor.alive and self.transferee.alive
        if left and self.state in _OPEN and not self._sent_for:
            self._send_for()
        replaced, target = self.replaced, self.target
        if replaced is None or replaced.alive or target is None or not target.connected:
            return
        left = replaced.left_behind is target  # else it has been called anew
        if left and self.state in _BEFORE_JOIN and not self._target_kept:
            self._target_kept = True
            self.session.link.send(
                UuidTransfer(target.channel_uuid, Extension.KEPT, Context.RESCUE)
            )

    def _send_for(self) -> None:
        self._sent_for = True
        log.info(
            "%s: %s has left its transferee behind: it comes to us",
            self.session.id,
            self.transferor,
        )
        self._set_dials_aside()
        uuid = self.transferee.channel_uuid
        self.session.link.send_all(
            [
                UuidSetvarMulti(uuid, ((Mark.HOME, self._board.home), (Mark.JOIN, ""))),
                UuidTransfer(uuid, Extension.ATTENDED, Context.ATTENDED),
            ]
        )

    def _call_anew(self) -> None:
        """Call the target for the transferee, as a blind transfer would."""
        if self.state is not State.WAITING or self._refer_to is None:
            return
        if self._link is None:
            self._fail()
            return
        self._move(State.CALLING)
        self._deadline(FREESWITCH_WAITS_S, self._undecided)
        session = self.session
        self._attempts = attempts(session)
        try:
            self._call(route(session, self._refer_to.target))
        except (NoRoute, DialStringError) as error:
            log.info("%s: attended transfer: %s", session.id, error)
            self._fail()

    def _call(self, routed: Routed) -> None:
        """Call the target there: the first attempt, or the next. Raises DialStringError."""
        assert self._refer_to is not None and self._link is not None
        self._target_status, self._waits_for_news = None, False
        self._attempts.note(routed)
        session = self.session
        target, originate = calling_anew(
            self.transferor,
            self.transferee,
            routed,
            self._refer_to,
            self._referred_by,
            self._attempts.codecs,
        )
        self.target = target
        session.link.send(branches.begin(session, target))
        job = str(uuid4())
        self._link.on_event = self._note_result
        self._command(Filter("Job-UUID", job), Events(("BACKGROUND_JOB",)), BgApi(originate, job))

    def _goes_on(self, target: Leg, status: SipStatus) -> bool:
        """Whether another attempt begins after one that has ended with ``status``."""
        if self.state is not State.CALLING:
            return False
        session = self.session
        routed = next_place(session, self._attempts, target, status)
        if routed is None:
            return False
        try:
            self._call(routed)
        except (DialStringError, LinkError, ChannelGone) as error:
            log.info("%s: attended transfer: not called anew: %s", session.id, error)
            return False
        return True

    def _note_result(self, event: Event) -> None:
        """The target has answered, or will not (called by the link: it may not wait)."""
        if event.name == "BACKGROUND_JOB":
            said, _, rest = event.body.decode("utf-8", "replace").strip().partition(" ")
            self.session.post(lambda: self._called(said == "+OK", rest))

    def _called(self, answered: bool, result: str) -> None:
        """``result`` is the channel that has answered, of all that rang for the target."""
        target = self.target
        if target is None or not target.alive:
            return
        if answered:
            branches.settle(self.session, target, result)
            if self.state is State.CALLING:
                self._answer()
            else:
                branches.hang_up(self.session, target)
            return
        log.info("%s: %s has not answered: %s", self.session.id, target, result)
        status = self._target_status or _FORBIDDEN
        if target.branches is not None:
            status = target.branches.status(status)
        gone(self.session, target, status)
        if self._goes_on(target, status):
            return
        if self.state is State.CALLING:
            self._fail(self._attempts.outcome(status))

    def _answer(self) -> None:
        """Have FreeSWITCH bridge the transferee with the loopback, report 200 and free the other.

        The target's uuid goes first: from now on our death must not leave the transferee alone.
        """
        self._set_dials_aside()
        if not self.transferor.alive:
            self._join_alone()
            return
        if self._is_overtaken():
            self._fail()
            return
        self._move(State.ANSWERED)
        self._deadline(STEP_TIMEOUT_S, self._unbridged)
        loopback = self._loopback
        commands: list[Command] = [secure(self.transferee.channel_uuid)]
        if self.target is not None:
            target = self.target.channel_uuid
            commands += [secure(target), UuidSetvar(loopback, Mark.JOIN, target)]
        self._command(*commands, Execute("answer"))

    def _is_overtaken(self) -> bool:
        """Whether a blind REFER of one of the two has come meanwhile; from now on none can.

        The transferee's bridge with the loopback would be told to its sender as its success.
        Without a partner a leg's REFER is refused: 403 (sofia.c).
        """
        uuids = [call.channel_uuid for call in (self.transferor, self.transferee)]
        commands: list[Command] = [UuidSetvar(uuid, _PARTNER, None) for uuid in uuids]
        for uuid in uuids:
            commands += [UuidGetvar(uuid, "sip_blind_transfer_event"), UuidGetvar(uuid, Mark.TOLD)]
        try:
            replies = self.session.link.send_all(commands)
        except (LinkError, ChannelGone) as error:
            log.info("%s: attended transfer: %s", self.session.id, error)
            return False
        values = [value_of(reply.text) for reply in replies[2:]]
        sent, told = values[::2], values[1::2]
        return any(event is not None and event != by for event, by in zip(sent, told, strict=True))

    def _join_alone(self) -> None:
        """The transferor has left: nobody is to be told, and FreeSWITCH would join nobody."""
        reject(self._link)
        if self._home:
            self._join()
        elif self._sent_for:
            self._move(State.COMING_HOME)
            self._deadline(STEP_TIMEOUT_S, self._broken)
        else:
            self._fetch()

    def _unbridged(self) -> None:
        """FreeSWITCH has not told that it bridged them: has it?

        It does not when the transferor is gone by then; of which we may hear later.
        """
        transferee = self.transferee.channel_uuid
        if read(self.session.link, transferee, "last_bridge_to") == self._other_half:
            self._bridged({transferee, self._other_half})
        elif not self.transferor.alive and self.transferee.alive:
            self._join_alone()
        elif (self._link is None or self._link.closed) and not self._waits_for_news:
            self._waits_for_news = True
            self._deadline(NEWS_S, self._unbridged)
        else:
            self._fail()

    def _bridged(self, pair: set[str | None]) -> None:
        transferee = self.transferee.channel_uuid
        if self.state is State.ANSWERED and pair == {transferee, self._other_half}:
            self._move(State.BRIDGED)
            self._deadline(STEP_TIMEOUT_S, self._broken)
            if self.session.link_leg == transferee and not self._application:
                self._join()
            else:
                self._fetch()
        elif self.target is not None and pair == {transferee, self.target.channel_uuid}:
            self._joined()

    def _fetch(self) -> None:
        """The session's link is the transferor's, which leaves: the transferee opens one itself."""
        self._move(State.COMING_HOME)
        self._deadline(STEP_TIMEOUT_S, self._broken)
        transferee, target = self.transferee.channel_uuid, self.target
        joined = (Mark.JOIN, target.channel_uuid if target is not None else "")
        self._command(
            UuidSetvarMulti(transferee, ((Mark.HOME, self._board.home), joined)),
            UuidTransfer(transferee, Extension.ATTENDED, Context.ATTENDED),
        )

    def awaits_home(self, channel: str) -> bool:
        """Whether this channel is the transferee that has been sent for."""
        comes = self.state is State.COMING_HOME or (self._sent_for and not self._home)
        return comes and channel == self.transferee.channel_uuid

    def came_home(self, link: Connection) -> None:
        """The transferee has opened ``link``: it is the session's from now on."""
        self.session.take_link(link, self.transferee.channel_uuid)
        self.session.settle_link()
        self.transferee.held = self._home = True
        if self.state is State.COMING_HOME:
            self._join()
        elif self.state in (State.WAITING, State.CALLING):
            self._ringback()
        self._look()

    def _ringback(self) -> None:
        """The transferee hears that the target rings, as long as FreeSWITCH lets it."""
        sound = self.session.settings.transfer.ringback
        if sound.startswith("%"):
            rounds = f"tone_stream://{sound};loops={_ROUNDS}"
            self.session.link.send(
                Execute("playback", rounds, channel_uuid=self.transferee.channel_uuid)
            )

    def _join(self) -> None:
        """Join transferee and target, as calls of one session that may both transfer on."""
        if self.target is None:
            self._hand_to_application()
            return
        self._move(State.JOINING)
        self._deadline(STEP_TIMEOUT_S, self._broken)
        session, transferee, target = self.session, self.transferee, self.target
        self._take_over(target)
        self.transferor.peer = None
        if self.replaced is not None:
            self.replaced.peer = None
        commands: list[Command] = [Filter("Unique-ID", target.channel_uuid)]
        for call, peer in ((transferee, target), (target, transferee)):
            armed = arming(call, peer, self._board.home, session.settings)
            armed |= {Mark.STAGE: Stage.JOINED, Mark.JOIN: ""}
            commands.append(UuidSetvarMulti(call.channel_uuid, tuple(armed.items())))
        commands += [
            *([UuidSetvar(self._loopback, Mark.JOIN)] if self._loopback else []),
            *bridge_commands(transferee, target, {}),
        ]
        if not session.link.send_all(commands)[-1].ok:
            self._broken()

    def _hand_to_application(self) -> None:
        """The transferee takes the transferor's place in a conference, a queue, a parking place."""
        assert self.replaced is not None and self._application is not None
        replaced, session = self.replaced, self.session
        self._end(State.SUCCEEDED)
        application, argument = self._application
        self.transferor.peer = self.transferee.peer = None
        session.link.send_all(
            [
                self._release(),
                *relax(self.transferee.channel_uuid),
                *([UuidKill(self._loopback)] if self._loopback else []),
                # A parking place is free, and a queue shorter, when it has left.
                UuidKill(replaced.channel_uuid, "ATTENDED_TRANSFER"),
            ]
        )
        self.transferee.uses += 1  # as if the scenario had done it
        media.execute(self.transferee, application, argument)
        self._conclude("succeeded", SipStatus(200))

    def _take_over(self, call: Leg) -> None:
        """Make ``call`` one of our session's, with its handlers and all."""
        old, new = call.session, self.session
        if old is not new:
            call.session = new
            new.calls[call.channel_uuid] = call
            old.post(lambda: old.give_away(call))

    def _joined(self) -> None:
        """They talk: both legs of the transferor have served."""
        if self.state not in (State.COMING_HOME, State.JOINING):
            return
        self._end(State.SUCCEEDED)
        session = self.session
        released: list[Command] = [
            self._release(),
            *refuse_moved(session.link, self.transferee.channel_uuid, self._other_half),
            *([UuidKill(self._loopback)] if self._loopback else []),
        ]
        if self.replaced is not None:
            released.append(UuidKill(self.replaced.channel_uuid, "ATTENDED_TRANSFER"))
        session.link.send_all(released)
        self._conclude("succeeded", SipStatus(200))

    def _release(self) -> Command:
        """The transferor has been told of success: it hangs up by itself, or is hung up."""
        seconds = self.session.settings.transfer.release_transferor_after_s
        return SchedHangup(seconds, self.transferor.channel_uuid, "ATTENDED_TRANSFER")

    # -- the end ------------------------------------------------------------------------------

    def drop(self) -> None:
        """The session ends: what has not been answered is refused, the rest joined by FreeSWITCH.

        Nothing is left to be joined when it ends because the transferee has.
        """
        refused = self.state in _OPEN
        self._end(State.FAILED)
        if refused:
            reject(self._link)
            self._relax()
        elif self.transferee.alive:
            if self._link is not None:
                let_go(self._link)
        else:
            self._hang_up_all()
        self._conclude("failed" if refused else "abandoned", _FORBIDDEN if refused else _BROKEN)

    def _relax(self) -> None:
        """Nobody is moved by us any more: their bridges end as ever."""
        calls = (self.transferee, self.target)
        try:
            for call in calls:
                if call is not None and call.alive:
                    self.session.link.send_all(relax(call.channel_uuid))
        except (LinkError, ChannelGone) as error:
            log.info("%s: attended transfer: %s", self.session.id, error)

    def _loopback_gone(self) -> None:
        """FreeSWITCH has ended it: it waited long enough, or the transferor hung up.

        Or a REFER of the transferee's has moved it, after their bridge and before we heard of that.
        """
        if self.state is State.ANSWERED:
            self._unbridged()
        elif self.state in _OPEN and self.transferor.alive:
            self._fail()

    def _fail(self, status: SipStatus | None = None) -> None:
        """Refuse; whatever was said, nobody has been moved yet."""
        calling, answered = self.state is State.CALLING, self.state is State.ANSWERED
        self._end(State.FAILED)
        reject(self._link)
        session = self.session
        if answered and self.transferor.alive and self.transferee.alive:
            pair = self.transferor.channel_uuid, self.transferee.channel_uuid
            session.link.post(UuidSetvar(pair[0], _PARTNER, pair[1]))
            session.link.post(UuidSetvar(pair[1], _PARTNER, pair[0]))
        if calling and self.target is not None and self.target.alive:
            branches.hang_up(session, self.target, "ORIGINATOR_CANCEL")
        session.part(Calls).dials.update(self._set_aside)
        for event in self._put_off:
            session.hear(event)
        self._let_be()
        self._conclude("failed", status or _FORBIDDEN)
        self.when_refused()

    def _let_be(self) -> None:
        """Who still has its partner talks on; whom the transferor has left is hung up."""
        commands: list[Command] = []
        target = self.target if self.target is not None and self.target.connected else None
        for call, partner in ((self.transferee, self.transferor), (target, self.replaced)):
            if call is None or not call.alive:
                continue
            if partner is not None and partner.alive:
                commands += relax(call.channel_uuid)
            else:
                commands.append(UuidKill(call.channel_uuid, "NORMAL_CLEARING"))
        try:
            self.session.link.send_all(commands)
        except (LinkError, ChannelGone) as error:
            log.info("%s: attended transfer: %s", self.session.id, error)

    def _broken(self) -> None:
        """Success has been reported, and one of the two is not there any more: the call is over."""
        session, transferee = self.session, self.transferee.channel_uuid
        partner = read(session.link, transferee, "last_bridge_to")
        if self.target is not None and partner == self.target.channel_uuid:
            self._joined()
            return
        self._end(State.FAILED)
        self._hang_up_all()
        self._conclude("failed", _BROKEN)

    def _hang_up_all(self) -> None:
        """The transferor has been told of success: whoever is left has nobody to talk with."""
        calls = (self.transferee, self.replaced, self.target)
        legs = [call.channel_uuid for call in calls if call is not None and call.alive]
        legs += [self._loopback] if self._loopback else []
        commands: list[Command] = [UuidKill(uuid, "NORMAL_CLEARING") for uuid in legs]
        if self.transferor.alive:
            commands.append(self._release())
        try:
            self.session.link.send_all(commands)
        except LinkError as error:
            log.info("%s: attended transfer: %s", self.session.id, error)

    def _conclude(self, outcome: Outcome, status: SipStatus) -> None:
        conclude("attended", self.transferor, self.transferee, self.target, outcome, status)

    def _end(self, state: State) -> None:
        self._move(state)
        self._cancel_deadline()
        if self._link is not None:
            self._link.on_lost = None
        self._board.part(AttendedTransfers).remove(self)
        for guest in self._guests:
            if state is not State.SUCCEEDED or guest is not self.target:
                self.session.calls.pop(guest.channel_uuid, None)

    # -- inner --------------------------------------------------------------------------------

    def _move(self, state: State) -> None:
        log.info(
            "%s attended transfer by %s: %s -> %s",
            self.session.id,
            self.transferor.channel_uuid,
            self.state.value,
            state.value,
        )
        self.state = state

    def _command(self, *commands: Command) -> None:
        """Send by the loopback's link; when that is lost, `_loopback_gone` follows by itself."""
        link = self._link
        if link is None or link.closed:
            link = self.session.link
        try:
            link.send_all(commands)
        except (LinkError, ChannelGone) as error:
            log.info("%s: attended transfer: %s", self.session.id, error)

    def _set_dials_aside(self) -> None:
        pair = (self.transferor, self.transferee)
        dials = self.session.part(Calls).dials
        for execution, dial in list(dials.items()):
            if dial.waiting in pair and dial.outgoing in pair:
                self._set_aside[execution] = dials.pop(execution)

    def _deadline(self, seconds: float, then: Callable[[], None]) -> None:
        self._cancel_deadline()
        self._timer = self.session.after(seconds, then)

    def _cancel_deadline(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
