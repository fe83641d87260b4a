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
from collections.abc import Callable, Iterable
from enum import Enum
from typing import TYPE_CHECKING
from uuid import uuid4

from fsctl.errors import ChannelGone, LinkError
from fsctl.esl.commands import (
    BgApi,
    Command,
    Events,
    Execute,
    Filter,
    Originate,
    SchedHangup,
    UuidBridge,
    UuidGetvar,
    UuidKill,
    UuidSetvar,
    UuidSetvarMulti,
    UuidTransfer,
)
from fsctl.esl.connection import Connection
from fsctl.esl.events import Event
from fsctl.esl.farewell import let_go
from fsctl.session.call import Call
from fsctl.session.dial import Dial, arming
from fsctl.session.dialstring import DialString, DialStringError
from fsctl.session.events import AttendedTransferRequested, TransferComplete, TransferFailed
from fsctl.session.identity import presented
from fsctl.session.request import value_of
from fsctl.session.routing import NoRoute
from fsctl.sip.refer import ReferTo, Replaces, parse_refer_to, parse_replaces
from fsctl.sip.status import SipStatus
from fsctl.sip.uri import UriError

if TYPE_CHECKING:
    from fsctl.session.clock import Timer
    from fsctl.session.session import Session
    from fsctl.session.switchboard import Switchboard

log = logging.getLogger(__name__)

ATTENDED_CONTEXT = "fsctl_attended"
JOIN_VARIABLE = "fsctl_join"
"""The target's channel, on a leg that is to be joined with it: should we die, its dialplan does."""

STEP_TIMEOUT_S = 5.0
"""How long FreeSWITCH may take for each step once the request has been accepted."""

PARK_TIMEOUT_S = 10
"""A target that was called anew waits so long to be joined, after we have died."""

FREESWITCH_WAITS_S = 60.0
"""So long it waits for the loopback to be answered (sofia.c, ``nightmare_xfer_thread_run``)."""

_FORBIDDEN = SipStatus(403)
_BROKEN = SipStatus(503)


class State(Enum):
    """How far an attended transfer has come."""

    REQUESTED = "requested"
    WAITING = "waiting for the target"
    CALLING = "calling the target anew"
    ANSWERED = "answered"
    COMING_HOME = "transferee comes home"
    JOINING = "joining"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


_OPEN = (State.REQUESTED, State.WAITING, State.CALLING)
_OVER = (State.SUCCEEDED, State.FAILED)


def arrive(board: Switchboard, link: Connection, snapshot: Event) -> None:
    """Serve a link from the context of attended transfers, in a greenlet of its own, to its end."""
    channel = snapshot.channel_uuid or ""
    transfer = next((t for t in board.attended if t.awaits_home(channel)), None)
    if transfer is not None:
        session = transfer.session
        session.adopt(link, lambda: transfer.came_home(link))
        link.wait_closed()
        return
    if snapshot.variable(JOIN_VARIABLE):
        let_go(link)  # its worker died on the way: the dialplan joins it
        return
    found = _parties(board, snapshot)
    if found is None:
        log.warning(
            "attended transfer refused: the transferor %s is in no session",
            snapshot.variable("sip_h_X-FS-Refer-From"),
        )
        _reject(link)
        return
    other_half = snapshot.variable("other_loopback_leg_uuid") or ""
    made = AttendedTransfer(*found, link, other_half)
    made.session.post(made.begin)
    link.wait_closed()


def _parties(board: Switchboard, snapshot: Event) -> tuple[Call, Call] | None:
    """Transferor and transferee of the request, in the session that runs them."""
    transferor = snapshot.variable("sip_h_X-FS-Refer-From") or ""
    transferee = snapshot.variable("sip_h_X-FS-Refer-For") or ""
    for session in board.sessions.values():
        pair = session.calls.get(transferor), session.calls.get(transferee)
        if pair[0] is not None and pair[1] is not None and not session.over:
            return pair[0], pair[1]
    return None


def _reject(link: Connection) -> bool:
    """Hang the loopback up: FreeSWITCH reports 403 (sofia.c), and everybody talks on."""
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
        self, transferor: Call, transferee: Call, link: Connection, other_half: str
    ) -> None:
        self.session: Session = transferor.session
        self.transferor = transferor
        self.transferee = transferee
        self.replaced: Call | None = None
        self.target: Call | None = None
        self.refer_to: ReferTo | None = None
        self.state = State.REQUESTED
        self._link = link
        self._other_half = other_half
        self._board = self.session.board
        self._set_aside: dict[str, Dial] = {}
        """What calls joined transferor and transferee: their end is not the end of a call now."""
        self._timer: Timer | None = None

    # -- the request --------------------------------------------------------------------------

    def begin(self) -> None:
        """Read the request, and ask the scenario; without a handler, accept what can be done."""
        self._board.attended.append(self)
        self._link.on_lost = lambda: self.session.post(self._loopback_gone)
        try:
            headers = self._read()
        except (LinkError, ChannelGone, UriError) as error:
            log.warning("%s: attended transfer refused: %s", self.session.id, error)
            self._fail()
            return
        assert self.refer_to is not None
        event = AttendedTransferRequested(
            self.session,
            self.transferor,
            self.transferee,
            self.replaced,
            self.target,
            self.refer_to,
            headers,
            self,
        )
        self._deadline(self.session.settings.transfer.decision_timeout_s, self._undecided)
        if self.session.handled(event):
            if not self.session.emit(event) and self.state is State.REQUESTED:
                self.refuse()
        elif self.target is not None:
            self.accept()
        else:
            log.warning(
                "attended transfer to an unknown dialog refused: transferor %s",
                self.transferor.channel_uuid,
            )
            self.refuse()

    def _read(self) -> dict[str, str]:
        """Take the request from the loopback's variables; returns its headers.

        Raises LinkError, ChannelGone, UriError.
        """
        channel = self._link.channel_uuid or ""
        names = ("sip_refer_to", "Referred-By", "_sofia_replaces_")
        replies = self._link.send_all([UuidGetvar(channel, name) for name in names])
        refer_to, referred_by, replaces = (value_of(reply.text) for reply in replies)
        self.refer_to = parse_refer_to(refer_to or "")
        named = self.refer_to.replaces or parse_replaces(replaces or "")
        self.replaced = self._find(named)
        self.target = _called_or_joined(self.replaced) if self.replaced else None
        if self.target in (self.transferee, self.transferor):
            self.replaced = self.target = None
        headers = {"Refer-To": refer_to or ""}
        return headers | ({"Referred-By": referred_by} if referred_by else {})

    def _find(self, named: Replaces) -> Call | None:
        """The leg of ours whose dialog it is (RFC 3891 section 3): Call-ID and both tags."""
        for session in self._board.sessions.values():
            for call in session.calls.values():
                if call.alive and call.sip_call_id == named.call_id and self._has_tags(call, named):
                    return call if call is not self.transferor else None
        return None

    def _has_tags(self, call: Call, named: Replaces) -> bool:
        """The tags are the phone's proof that it takes part in the dialog. FreeSWITCH asks none."""
        names = ("sip_from_tag", "sip_to_tag")
        asked = [UuidGetvar(call.channel_uuid, name) for name in names]
        known = {value_of(reply.text) for reply in self._link.send_all(asked)}
        return known - {None} <= {named.from_tag, named.to_tag} and known != {None}

    # -- what the scenario decides ------------------------------------------------------------

    def accept(self) -> None:
        """Join transferee and target; one that still rings as soon as it answers.

        Raises ValueError when the dialog to replace is not one of our calls, or all is decided.
        """
        self._check_undecided()
        if self.replaced is None or self.target is None:
            raise ValueError("the REFER replaces a dialog that is no call of ours")
        self._move(State.WAITING)
        self._deadline(FREESWITCH_WAITS_S, self._undecided)
        self._look()

    def refuse(self) -> None:
        """Refuse with 403, the only failure that FreeSWITCH reports here; everybody talks on.

        Raises ValueError when all is decided.
        """
        self._check_undecided()
        self._fail()

    def _check_undecided(self) -> None:
        if self.state is not State.REQUESTED:
            raise ValueError("this transfer is decided already")

    def _undecided(self) -> None:
        log.warning("%s: attended transfer: nothing came of %s", self.session.id, self.state.value)
        self._fail()

    # -- the target ---------------------------------------------------------------------------

    def note(self, event: Event) -> None:
        """An event of some session; called by its greenlet, for every transfer that is open."""
        if event.name == "CHANNEL_BRIDGE":
            pair = {event.get("Bridge-A-Unique-ID"), event.get("Bridge-B-Unique-ID")}
            self.session.post(lambda: self._bridged(pair))
        elif self._is_cancel(event):
            self.session.post(self._call_anew)
        self.session.post(self._look)

    def _is_cancel(self, event: Event) -> bool:
        """The transferor's phone takes back its own call to the target that rings."""
        return (
            self.replaced is not None
            and event.name == "CHANNEL_HANGUP"
            and event.channel_uuid == self.replaced.channel_uuid
            and event.get("Hangup-Cause") == "ORIGINATOR_CANCEL"
        )

    def _look(self) -> None:
        """See what the calls have come to, in all sessions that they belong to."""
        target, there = self.target, self.transferee.alive
        match self.state:
            case State.COMING_HOME | State.JOINING if not there or not (target and target.alive):
                self._broken()
            case State.ANSWERED if not there:
                self._fail()
            case State.REQUESTED | State.CALLING if not there or not self.transferor.alive:
                self._fail()
            case State.WAITING if target is not None:
                if not there or not self.transferor.alive or not target.alive:
                    self._fail()
                elif target.connected and target.peer is self.replaced:
                    self._answer()

    def _call_anew(self) -> None:
        """Call the target for the transferee, as a blind transfer would."""
        if self.state is not State.WAITING or self.refer_to is None:
            return
        self._move(State.CALLING)
        try:
            originate = self._originate(self.refer_to)
        except (NoRoute, DialStringError) as error:
            log.info("%s: attended transfer: %s", self.session.id, error)
            self._fail()
            return
        job = str(uuid4())
        self._link.on_event = self._note_result
        self._command(Filter("Job-UUID", job), Events(("BACKGROUND_JOB",)), BgApi(originate, job))

    def _originate(self, refer_to: ReferTo) -> Originate:
        """What calls the target. Raises NoRoute, DialStringError.

        Not the loopback's own ``bridge``: its callee would inherit the loopback's codec, L16.
        """
        session, transferee, settings = self.session, self.transferee, self.session.settings
        routed = self._board.router.route(refer_to.target, session.domain)
        number, name = presented(settings, routed.route, transferee, self.transferor)
        mode = routed.route.transfer_mode or settings.transfer.mode
        target = Call(
            session, str(uuid4()), number=routed.number, display_name="", transfer_mode=mode
        )
        ring_s = routed.route.ring_timeout_s or settings.transfer.ring_timeout_s
        variables = arming(target, transferee, self._board.home, settings) | {
            "origination_uuid": target.channel_uuid,
            "origination_caller_id_number": number,
            "origination_caller_id_name": name or "_undef_",
            "originate_timeout": str(ring_s),
            "outbound_redirect_fatal": "true",
            "ignore_early_media": "true",
            # Should we die: nobody fetches it then.
            "park_timeout": str(PARK_TIMEOUT_S),
        }
        if settings.call.codecs:
            variables["absolute_codec_string"] = settings.call.codecs
        originate = Originate(DialString(routed.endpoint, variables).format())
        session.calls[target.channel_uuid] = self.target = target
        session.link.send(Filter("Unique-ID", target.channel_uuid))
        return originate

    def _note_result(self, event: Event) -> None:
        """The target has answered, or will not (called by the link: it may not wait)."""
        if event.name == "BACKGROUND_JOB":
            answered = event.body.startswith(b"+OK")
            self.session.post(lambda: self._called(answered))

    def _called(self, answered: bool) -> None:
        if self.state is not State.CALLING:
            return
        if answered:
            self._answer()
            return
        assert self.target is not None
        self.session.gone(self.target, _FORBIDDEN)
        if self.state is State.CALLING:
            self._fail()

    def _answer(self) -> None:
        """Have FreeSWITCH bridge the transferee with the loopback, report 200 and free the other.

        The target's uuid goes first: from now on our death must not leave the transferee alone.
        """
        assert self.target is not None
        self._set_dials_aside()
        self._move(State.ANSWERED)
        self._deadline(STEP_TIMEOUT_S, self._unbridged)
        loopback = self._link.channel_uuid or ""
        self._command(
            UuidSetvar(loopback, JOIN_VARIABLE, self.target.channel_uuid), Execute("answer")
        )

    def _unbridged(self) -> None:
        """FreeSWITCH has not told that it bridged them: has it?"""
        transferee = self.transferee.channel_uuid
        asked = self.session.link.send(UuidGetvar(transferee, "last_bridge_to"))
        if value_of(asked.text) == self._other_half:
            self._bridged({transferee, self._other_half})
        else:
            self._fail()

    def _bridged(self, pair: set[str | None]) -> None:
        transferee = self.transferee.channel_uuid
        if self.state is State.ANSWERED and pair == {transferee, self._other_half}:
            if self.session.link_leg == transferee:
                self._join()
            else:
                self._fetch()
        elif self.target is not None and pair == {transferee, self.target.channel_uuid}:
            self._joined()

    def _fetch(self) -> None:
        """The session's link is the transferor's, which leaves: the transferee opens one itself."""
        assert self.target is not None
        self._move(State.COMING_HOME)
        self._deadline(STEP_TIMEOUT_S, self._broken)
        transferee = self.transferee.channel_uuid
        self._command(
            UuidSetvar(transferee, JOIN_VARIABLE, self.target.channel_uuid),
            UuidTransfer(transferee, "attended", ATTENDED_CONTEXT),
        )

    def awaits_home(self, channel: str) -> bool:
        """Whether this channel is the transferee that has been sent for."""
        return self.state is State.COMING_HOME and channel == self.transferee.channel_uuid

    def came_home(self, link: Connection) -> None:
        """The transferee has opened ``link``: it is the session's from now on."""
        self.session.take_link(link, self.transferee.channel_uuid)
        self.session.settle_link()
        if self.state is State.COMING_HOME:
            self._join()

    def _join(self) -> None:
        """Join transferee and target, as calls of one session that may both transfer on."""
        assert self.target is not None
        self._move(State.JOINING)
        self._deadline(STEP_TIMEOUT_S, self._broken)
        session, transferee, target = self.session, self.transferee, self.target
        self._take_over(target)
        commands: list[Command] = [Filter("Unique-ID", target.channel_uuid)]
        for call, peer in ((transferee, target), (target, transferee)):
            armed = arming(call, peer, self._board.home, session.settings)
            armed |= {"fsctl_stage": "joined", JOIN_VARIABLE: ""}
            commands.append(UuidSetvarMulti(call.channel_uuid, tuple(armed.items())))
        commands += [
            UuidSetvar(self._link.channel_uuid or "", JOIN_VARIABLE),
            UuidBridge(transferee.channel_uuid, target.channel_uuid),
        ]
        if not session.link.send_all(commands)[-1].ok:
            self._broken()

    def _take_over(self, call: Call) -> None:
        """Make ``call`` one of our session's, with its handlers and all."""
        old, new = call.session, self.session
        if old is not new:
            call.session = new
            new.calls[call.channel_uuid] = call
            old.post(lambda: old.give_away(call))

    def _joined(self) -> None:
        """They talk: both legs of the transferor have served."""
        if self.state is not State.JOINING:
            return
        self._end(State.SUCCEEDED)
        session, seconds = self.session, self.session.settings.transfer.release_transferor_after_s
        released: list[Command] = [
            SchedHangup(seconds, self.transferor.channel_uuid, "ATTENDED_TRANSFER")
        ]
        if self.replaced is not None:
            released.append(UuidKill(self.replaced.channel_uuid, "ATTENDED_TRANSFER"))
        session.link.send_all(released)
        session.emit(TransferComplete(session, self.transferor))

    # -- the end ------------------------------------------------------------------------------

    def drop(self) -> None:
        """The session ends: FreeSWITCH refuses what has not been answered, and joins the rest."""
        if self.state in _OPEN:
            self._end(State.FAILED)
            _reject(self._link)
        elif self.state not in _OVER:
            self._end(State.FAILED)
            let_go(self._link)

    def _loopback_gone(self) -> None:
        """FreeSWITCH has ended it: it waited long enough, or the transferor hung up."""
        if self.state in (*_OPEN, State.ANSWERED):
            self._fail()

    def _fail(self) -> None:
        """Refuse; whatever was said, nobody has been moved yet."""
        calling = self.state is State.CALLING
        self._end(State.FAILED)
        _reject(self._link)
        session = self.session
        if calling and self.target is not None and self.target.alive:
            session.link.send(UuidKill(self.target.channel_uuid, "ORIGINATOR_CANCEL"))
        session.dials.update(self._set_aside)
        if self._set_aside and self.transferee.alive and not self.transferor.alive:
            session.link.send(UuidKill(self.transferee.channel_uuid))  # their call is over
        session.emit(TransferFailed(session, self.transferor, _FORBIDDEN.code, _FORBIDDEN.reason))

    def _broken(self) -> None:
        """Success has been reported, and the target is not there any more: the call is over."""
        session, transferee = self.session, self.transferee.channel_uuid
        asked = session.link.send(UuidGetvar(transferee, "last_bridge_to"))
        if self.target is not None and value_of(asked.text) == self.target.channel_uuid:
            self._joined()
            return
        self._end(State.FAILED)
        leg = [transferee, self._link.channel_uuid or ""]
        session.link.send_all([UuidKill(uuid, "NORMAL_CLEARING") for uuid in leg])
        session.emit(TransferFailed(session, self.transferor, _BROKEN.code, _BROKEN.reason))

    def _end(self, state: State) -> None:
        self._move(state)
        self._cancel_deadline()
        self._link.on_lost = None
        if self in self._board.attended:
            self._board.attended.remove(self)

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
        try:
            self._link.send_all(commands)
        except (LinkError, ChannelGone) as error:
            log.info("%s: attended transfer: %s", self.session.id, error)

    def _set_dials_aside(self) -> None:
        pair = (self.transferor, self.transferee)
        dials = self.session.dials
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


def _called_or_joined(call: Call) -> Call | None:
    """Whom ``call`` talks with, or who rings for it."""
    if call.peer is not None and call.peer.alive:
        return call.peer
    dials: Iterable[Dial] = call.session.dials.values()
    return next((dial.outgoing for dial in dials if dial.waiting is call), None)
