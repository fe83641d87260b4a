"""A call: one leg as an application sees it (RFC 5589 calls the person behind it a party)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from fsctl.errors import CallFailed, ChannelGone, WaitExpired
from fsctl.scenario.events import CallEvent, Disconnected, Failed, ToneReceived
from fsctl.scenario.turns import verb
from fsctl.session.calling import applications, media, modes
from fsctl.session.core import branches
from fsctl.session.core.leg import Leg, LegState
from fsctl.session.transfers import deflect
from fsctl.session.transfers.blind_registry import BlindTransfers
from fsctl.settings import TransferMode
from fsctl.sip.status import SipStatus

if TYPE_CHECKING:
    from fsctl.scenario.session import Session

E = TypeVar("E", bound=CallEvent)
Handler = Callable[[Any], None]

_ANSWER_TIMEOUT_S = 5.0


class Call(Leg):
    """One leg. Every verb raises :class:`fsctl.errors.ChannelGone` when the leg has hung up."""

    session: Session
    peer: Call | None
    pending_peer: Call | None
    custom_data: object = None
    """Whatever the scenario wants to keep with the call; fsctl never looks at it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._handlers: dict[type[CallEvent], list[Handler]] = {}

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
        applications.run(self._used(), "ring_ready")

    @verb
    def start_early_media(self) -> None:
        """Open the caller's ears before the answer (183). Source: application ``pre_answer``."""
        applications.run(self._used(), "pre_answer")

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
        applications.reject(self._used(), SipStatus(code, reason))

    @verb
    def hangup(self) -> None:
        """End the call, or stop calling its party (``uuid_kill``). Raises ChannelGone.

        A party that answers at that moment is told as ``Failed``, never as ``Connected``.
        """
        self.ending = True
        branches.hang_up(self.session, self._used())

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
        without a scheme is a user at the phone's own domain. Raises ValueError for a call that is
        not answered, or talks with another one. Source: application ``deflect``.
        """
        deflect.transfer_to(self._used(), target, timeout_s)

    @verb
    def handle_blind_transfer(self, in_session: bool) -> None:
        """Choose what a REFER by this party does from now on.

        True: it becomes :class:`~fsctl.scenario.events.BlindTransferRequested` in this session.
        False: FreeSWITCH transfers natively and a new session runs (legacy). Raises ChannelGone.
        """
        mode: TransferMode = "in-session" if in_session else "legacy"
        modes.choose(self.session, self._used(), mode)

    @verb
    def notify_blind_transfer_success(self) -> None:
        """Report success to this party, the transferor, before FreeSWITCH would by itself.

        With a target that waits to be joined, the report goes out with the join that follows, or a
        second later. Without any target, or when all have failed, the transferee is the scenario's:
        for an application, as a queue or voicemail. Source: RFC 3515 section 2.4.5. Raises
        ValueError when no transfer of this party is open.
        """
        self.session.part(BlindTransfers).by(self).report_success()

    @verb
    def notify_blind_transfer_failed(self, code: int, reason: str = "") -> None:
        """Report failure with this SIP code and phrase; the first two talk on.

        Source: RFC 3515 section 2.4.5. Raises ValueError when no transfer of this party is open
        or the code is not a failure (300 to 699).
        """
        self.session.part(BlindTransfers).by(self).report_failure(SipStatus(code, reason))

    def _living(self) -> Call:
        if not self.alive:
            raise ChannelGone(f"call {self.channel_uuid} has ended")
        return self

    def _used(self) -> Call:
        self.uses += 1
        return self._living()


CallState = LegState
"""The public name of the states."""


def as_call(leg: Leg) -> Call:
    """A leg of a session that has a scenario is a call."""
    assert isinstance(leg, Call)
    return leg
