"""A call: one leg as an application sees it (RFC 5589 calls the person behind it a party)."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar, overload

from fsctl.errors import CallFailed, ChannelGone, WaitExpired
from fsctl.session import media
from fsctl.session.events import CallEvent, Disconnected, Failed, ToneReceived
from fsctl.session.turns import verb
from fsctl.settings import TransferMode
from fsctl.sip.status import SipStatus
from fsctl.switch.codecs import Codecs

if TYPE_CHECKING:
    from fsctl.session.branches import Branches
    from fsctl.session.session import Session

E = TypeVar("E", bound=CallEvent)
Handler = Callable[[Any], None]

_ANSWER_TIMEOUT_S = 5.0


class CallState(Enum):
    """The life of a call; it only moves downwards."""

    ALERTING = 0
    RINGING = 1
    CONNECTED = 2
    DISCONNECTED = 3


class Call:
    """One leg. Every verb raises :class:`fsctl.errors.ChannelGone` when the leg has hung up."""

    def __init__(
        self,
        session: Session,
        channel_uuid: str,
        *,
        number: str,
        display_name: str,
        transfer_mode: TransferMode,
        state: CallState = CallState.ALERTING,
        outgoing: bool = False,
    ) -> None:
        self.session = session
        self.channel_uuid = channel_uuid
        """The leg's channel; of a called party that has not answered, the name of its branches."""
        self.branches: Branches | None = None
        """The channels that are made for a party that we call; the one that answers is the leg."""
        self.number = number
        self.display_name = display_name
        self.caller_id = number
        """The number that parties called for this leg see; a legacy transfer changes it."""
        self.caller_name = display_name
        self.caller_privacy = ""
        """What of these the party wants hidden: nothing, its ``name``, or both (``full``)."""
        self.transfer_mode: TransferMode = transfer_mode
        self.mode_chosen = False
        """The scenario chose the mode: a route's own does not replace it."""
        self.armed = True
        """The channels know the mode; else they learn it when the call is joined."""
        self.state = state
        self.outgoing = outgoing
        """We have called the party; else it has called us."""
        self.held = False
        """The leg is in our hands: its dialplan waits in ``socket``, or FreeSWITCH bridges it there
        by our word (``bridge``), and it is back when that ends."""
        self.peer: Call | None = None
        """Who this party talks with."""
        self.sent_for = False
        """It comes back because the scenario wants it to."""
        self.joining: Call | None = None
        """Who it is being joined with at this moment."""
        self.muted = False
        """Nobody hears what this party says."""
        self.ending = False
        """The scenario has hung it up: an answer that crosses that is not told."""
        self.failure: SipStatus | None = None
        """Why the called party did not answer."""
        self.guarded = False
        """A timer in FreeSWITCH sends the leg on, should we die before the scenario uses it."""
        self.custom_data: object = None
        """Whatever the scenario wants to keep with the call."""
        self.uses = 0
        """How often the scenario has used a verb: one that is forgotten is hung up."""
        self.forsaken_at: int | None = None
        """`uses` when its peer left, or its application ended."""
        self.being_told = False
        """A NOTIFY is on its way to the party, which its BYE must not overtake."""
        self.sip_call_id = ""
        """Of the leg's SIP dialog, by which a Replaces names it (RFC 3891)."""
        self.codecs = Codecs()
        self.invite_headers: tuple[str, ...] = ()
        """Names of the headers that FreeSWITCH has kept of the leg's own INVITE (``sip_h_*``)."""
        self.sip_tags: frozenset[str] = frozenset()
        """Those of its dialog; known when it has hung up, for then nobody can be asked."""
        self.address: tuple[str, str] | None = None
        """Where its SIP comes from (IP address, port), as its events say."""
        self.was_connected = state is CallState.CONNECTED
        """The leg was answered, whatever has become of it."""
        self.application: tuple[str, str] | None = None
        """What the scenario has left the party to (``execute``), until that ends: with argument."""
        self.left_behind: Call | None = None
        """Whom it talked with, or called, when it hung up: a REFER of its may still be coming."""
        self._handlers: dict[type[CallEvent], list[Handler]] = {}

    def __repr__(self) -> str:
        return f"<Call {self.channel_uuid} {self.state.name.lower()} {self.number or '-'}>"

    @property
    def log_fields(self) -> dict[str, list[dict[str, str]]]:
        """By what the call is known in a log line that speaks of it."""
        known = {
            "channel": self.channel_uuid,
            "number": self.number,
            "call_id": self.sip_call_id,
            "state": self.state.name.lower(),
        }
        return {"calls": [{name: text for name, text in known.items() if text}]}

    @property
    def alive(self) -> bool:
        """Whether the leg has not hung up."""
        return self.state is not CallState.DISCONNECTED

    @property
    def placed(self) -> bool:
        """Whether the leg has its channel: a party that is being called may get several."""
        return self.branches is None or bool(self.branches.chosen)

    @property
    def callee(self) -> str:
        """By which its channels are known while it is being called; see `branches`."""
        return self.channel_uuid if self.branches is None else self.branches.name

    @property
    def connected(self) -> bool:
        """Whether the leg is answered and has not hung up."""
        return self.state is CallState.CONNECTED

    @property
    def unanswered(self) -> bool:
        """Whether the party has called us and waits for an answer."""
        return not self.outgoing and self.state in (CallState.ALERTING, CallState.RINGING)

    @property
    def scheme(self) -> str:
        """The codecs that the party has offered, and once it is answered the one that it uses.

        FreeSWITCH's names, separated by commas; for ``answer`` and ``call_user`` of another call.
        Empty when FreeSWITCH has not told them.
        """
        return self.codecs.scheme(answered=self.connected)

    @property
    def partner(self) -> Call | None:
        """Who this party talks with, now or in a moment."""
        return self.joining or self.peer

    # -- handlers ---------------------------------------------------------------------------

    @overload
    def on(self, event: type[E]) -> Callable[[Callable[[E], None]], Callable[[E], None]]: ...

    @overload
    def on(self, event: type[E], handler: Callable[[E], None]) -> Callable[[E], None]: ...

    def on(self, event: type[E], handler: Callable[[E], None] | None = None) -> Any:
        """Call ``handler`` for every ``event`` of this call; without a handler, a decorator."""
        if handler is None:
            return lambda function: self.on(event, function)
        self._handlers.setdefault(event, []).append(handler)
        return handler

    def off(self, event: type[CallEvent], handler: Handler) -> None:
        """Take a handler back. Raises ValueError when it is not one."""
        self._handlers.get(event, []).remove(handler)

    def handlers(self, event: type[CallEvent]) -> tuple[Handler, ...]:
        """The handlers of ``event`` in the order of their registration."""
        return tuple(self._handlers.get(event, ()))

    def advance(self, state: CallState) -> bool:
        """Move to ``state``; False when the call is there or beyond (events may be repeated)."""
        if state.value <= self.state.value:
            return False
        self.state = state
        self.was_connected = self.was_connected or state is CallState.CONNECTED
        return True

    # -- waiting ----------------------------------------------------------------------------

    def wait_connected(self, timeout_s: float | None = None) -> None:
        """Wait until the party has answered; other handlers of the session run meanwhile.

        ``timeout_s`` None waits as long as the call rings. Raises CallFailed with the party's own
        code and reason, WaitExpired, ChannelGone when an answered call has ended.
        """
        self._wait(lambda: self.connected or not self.alive, timeout_s, "an answer")
        if self.connected:
            return
        if self.failure is not None:
            raise CallFailed(self.failure.code, self.failure.reason)
        raise ChannelGone(f"call {self.channel_uuid} has ended")

    def wait_for(self, event: type[E], timeout_s: float | None = None) -> E:
        """Wait for the next ``event`` of this call and return it.

        Raises WaitExpired, and ChannelGone when the call ends before.
        """
        seen: list[E] = []
        self.on(event, seen.append)
        ends = event in (Disconnected, Failed)
        try:
            self._wait(lambda: bool(seen) or not (self.alive or ends), timeout_s, event.__name__)
        finally:
            self.off(event, seen.append)
        if not seen:
            raise ChannelGone(f"call {self.channel_uuid} has ended")
        return seen[0]

    def wait_tones(self, count: int, timeout_s: float, terminator: str = "#") -> str:
        """Wait for so many keys, or for the ``terminator`` (which is not returned).

        ``timeout_s`` is for each key. Returns what was pressed by then, if only a part, and raises
        ChannelGone when the call ends.
        """
        self.handle_tones(True)
        pressed = ""
        while len(pressed) < count:
            try:
                tone = self.wait_for(ToneReceived, timeout_s).tone
            except WaitExpired:
                break
            if tone == terminator:
                break
            pressed += tone
        return pressed

    def _wait(self, met: Callable[[], bool], timeout_s: float | None, what: str) -> None:
        if not self.session.wait(met, timeout_s):
            raise WaitExpired(f"{self}: no {what} within {timeout_s:g} s")

    # -- a call that alerts -----------------------------------------------------------------

    @verb
    def ring(self) -> None:
        """Tell the caller that it rings (180). Source: application ``ring_ready``."""
        media.run(self._used(), "ring_ready")

    @verb
    def start_early_media(self) -> None:
        """Open the caller's ears before the answer (183). Source: application ``pre_answer``."""
        media.run(self._used(), "pre_answer")

    @verb
    def answer(self, *, scheme: str = "") -> None:
        """Answer the caller (200), and wait until that has happened; an answered call stays so.

        ``scheme`` is that of another call, with which this one is to talk: of the codecs that the
        caller has offered those are agreed on, so that FreeSWITCH need not transcode. Without one
        in common, or where the profile has negotiated already, it changes nothing. Source:
        application ``answer``, ``absolute_codec_string``. Raises ChannelGone, WaitExpired (5 s).
        """
        media.answer(self._used(), scheme)
        self._wait(lambda: self.connected or not self.alive, _ANSWER_TIMEOUT_S, "answer")
        self._living()

    @verb
    def reject(self, code: int = 603, reason: str = "") -> None:
        """Refuse an alerting call with this SIP code and phrase; hang up an answered one.

        Source: FreeSWITCH application ``respond``. Raises ChannelGone, ValueError (code).
        """
        self.session.reject(self._used(), SipStatus(code, reason))

    @verb
    def hangup(self) -> None:
        """End the call, or stop calling its party (``uuid_kill``). Raises ChannelGone.

        A party that answers at that moment is told as ``Failed``, never as ``Connected``.
        """
        self.ending = True
        self.session.hang_up(self._used())

    # -- media ------------------------------------------------------------------------------

    @verb
    def send_media_to(self, other: Call) -> None:
        """Let ``other`` hear this party. Both must be answered.

        The second of ``a.send_media_to(b)`` and ``b.send_media_to(a)`` makes them talk; see also
        ``session.send_media_between``. Source: ``uuid_bridge``, ``uuid_audio``.
        """
        self.session.send_media_to(self._used(), other._used())

    @verb
    def stop_media_to(self, other: Call) -> None:
        """Let ``other`` no longer hear this party; who hears nobody is back in our hands."""
        self.session.stop_media_to(self._used(), other._used())

    @verb
    def play(self, path: str, *, loop: bool = False) -> None:
        """Play a file or a stream (``tone_stream://…``) to the party, in place of what it hears.

        Whom it talks with hears nothing meanwhile, and the keys that one presses come afterwards.
        ``PlaybackFinished`` follows. Source: application ``playback``. Raises ValueError for a path
        that cannot be carried.
        """
        media.play(self._used(), path, loop=loop)

    @verb
    def stop_playback(self) -> None:
        """Stop what is played to the party (``uuid_break``)."""
        media.stop_playback(self._used())

    @verb
    def send_digits(self, digits: str) -> None:
        """Press keys for the party: DTMF, ``w`` waits half a second (``uuid_send_dtmf``)."""
        media.send_digits(self._used(), digits)

    @verb
    def handle_tones(self, enabled: bool) -> None:
        """Whether the party's keys become ``ToneReceived``."""
        media.handle_tones(self._used(), enabled)

    @verb
    def record(self, path: str, *, limit_s: int | None = None) -> None:
        """Record what the party hears and says into a file of the switch (``uuid_record``).

        ``RecordStopped`` follows when it is complete.
        """
        media.record(self._used(), path, limit_s)

    @verb
    def stop_recording(self, path: str) -> None:
        """Stop the recording into ``path``."""
        media.stop_recording(self._used(), path)

    @verb
    def execute(self, application: str, argument: str = "") -> None:
        """Leave the party to an application of FreeSWITCH: ``conference``, ``fifo``, ``voicemail``.

        The party must not be talking with another call of the session. It is hung up when the
        application ends, unless the scenario has used it by then.
        """
        media.execute(self._used(), application, argument)

    # -- transfers --------------------------------------------------------------------------

    @verb
    def transfer_to(self, target: str, *, timeout_s: float = 60.0) -> None:
        """Ask the party's phone to call ``target`` by itself (we send REFER, RFC 3515).

        ``TransferComplete`` or ``TransferFailed`` (with ``role`` "transferee") tells what the phone
        reported; a phone that is gone elsewhere and does not hang up is released. A ``target``
        without a scheme is a user at the phone's own domain. Source: application ``deflect``.
        """
        media.transfer_to(self._used(), target, timeout_s)

    @verb
    def handle_blind_transfer(self, in_session: bool) -> None:
        """Choose what a REFER by this party does from now on.

        True: it becomes :class:`~fsctl.session.events.BlindTransferRequested` in this session.
        False: FreeSWITCH transfers natively and a new session runs (legacy). Raises ChannelGone.
        """
        self.session.set_transfer_mode(self._used(), "in-session" if in_session else "legacy")

    @verb
    def notify_blind_transfer_success(self) -> None:
        """Report success to this party, the transferor, before FreeSWITCH would by itself.

        With a target that waits to be joined, the report goes out with the join that follows, or a
        second later. Without any target, or when all have failed, the transferee is the scenario's:
        for an application, as a queue or voicemail. Source: RFC 3515 section 2.4.5. Raises
        ValueError when no transfer of this party is open.
        """
        self.session.transfers.by(self).report_success()

    @verb
    def notify_blind_transfer_failed(self, code: int, reason: str = "") -> None:
        """Report failure with this SIP code and phrase; the first two talk on.

        Source: RFC 3515 section 2.4.5. Raises ValueError when no transfer of this party is open
        or the code is not a failure (300 to 699).
        """
        self.session.transfers.by(self).report_failure(SipStatus(code, reason))

    def _living(self) -> Call:
        if not self.alive:
            raise ChannelGone(f"call {self.channel_uuid} has ended")
        return self

    def _used(self) -> Call:
        self.uses += 1
        return self._living()
