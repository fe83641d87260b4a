"""A SIP phone: one SIPp process, its message trace, and marked RTP."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from tests.live.lab import scenario
from tests.live.lab.media import Media, transcoded
from tests.live.lab.messages import CallProgress, Direction, SipMessage, TraceReader
from tests.live.lab.ports import free_port
from tests.live.lab.sipp import Sipp
from tests.live.lab.sipp_script import PAYLOADS
from tests.live.lab.steps import REFUSALS, RING_AND_ANSWER, Headers, PhoneIdentity, Require, Step
from tests.live.lab.waiting import NotInTime, wait_for

TIMEOUT_S = 5.0
START_DEADLINE_S = 10.0


@dataclass(frozen=True, slots=True)
class Dialog:
    """What another phone needs for a Replaces header (RFC 3891), seen from this phone."""

    call_id: str
    local_tag: str
    remote_tag: str

    @property
    def replaces(self) -> str:
        """Replaces value for the peer's side of this dialog: its tag is the to-tag there."""
        return f"{self.call_id};to-tag={self.remote_tag};from-tag={self.local_tag}"


class Phone:
    """One phone on 127.0.0.1. Made by `Phone.callee` or `Phone.caller`, run by `start`.

    Attributes: ``number``, ``name`` (display name), ``port`` (SIP over UDP), ``media`` (RTP).
    """

    def __init__(self, identity: PhoneIdentity, script: Callable[[PhoneIdentity], str]) -> None:
        """Prepare the phone; `callee` and `caller` are the ways to make one."""
        self.number, self.name = identity.number, identity.name
        self._is_caller = bool(identity.dial)
        self.port = free_port()
        remote = identity.dial.rpartition("@")[2]
        self._sipp = Sipp(self.name, script(identity), self.port, remote)
        self._trace = TraceReader(self._sipp.trace)
        self._lock = threading.Lock()
        self._messages: list[SipMessage] = []
        self._calls: dict[str, CallProgress] = {}
        self.media = Media(identity.rtp_port, self._read_trace, PAYLOADS[identity.codec])

    @classmethod
    def callee(cls, number: str, steps: Sequence[Step] = RING_AND_ANSWER, name: str = "") -> Phone:
        """A phone that waits for calls and does ``steps`` with each."""
        codec = next((step.codec for step in steps if isinstance(step, Require)), "PCMU")
        identity = PhoneIdentity(number, name or f"phone{number}", free_port(), codec=codec)
        return cls(identity, lambda phone: scenario.callee(phone, steps))

    @classmethod
    def caller(cls, number: str, to: str, headers: Headers = (), name: str = "") -> Phone:
        """A phone that calls the SIP URI ``to`` when it is started."""
        identity = PhoneIdentity(number, name or f"phone{number}", free_port(), to, headers)
        return cls(identity, scenario.caller)

    # -- life

    def start(self) -> Phone:
        """Start it; returns when it listens (callee) or has sent its INVITE (caller)."""
        self._sipp.start()
        self.media.start()
        wait_for(
            lambda: self._sipp.listens() and (not self._is_caller or self.sent("INVITE")),
            START_DEADLINE_S,
            f"{self.name} is ready",
        )
        return self

    def stop(self) -> None:
        """End the process and its RTP."""
        self._sipp.stop()
        self.media.stop()

    def finish(self) -> str:
        """Stop, remove the files, and return what went wrong on this phone (see `problems`)."""
        self.stop()
        problems = self.problems()
        self._read_trace()
        self._sipp.remove_files()
        return problems

    def problems(self) -> str:
        """Messages that no step expected, transactions that timed out; empty when all is well."""
        return self._sipp.problems()

    # -- what went over the wire

    @property
    def messages(self) -> list[SipMessage]:
        """Everything sent and received so far, in order."""
        self._read_trace()
        return list(self._messages)

    def received(self, what: str | int) -> list[SipMessage]:
        """Requests of that method, or responses of that status, that came in."""
        return self._select("in", what)

    def sent(self, what: str | int) -> list[SipMessage]:
        """Requests of that method, or responses of that status, that went out."""
        return self._select("out", what)

    def notifies(self) -> list[str]:
        """The status line in each NOTIFY received, in order."""
        return [message.sipfrag for message in self.received("NOTIFY")]

    def wait(
        self,
        until: Callable[[list[SipMessage]], object],
        timeout_s: float = TIMEOUT_S,
        what: str = "condition",
    ) -> None:
        """Wait until the messages fulfil ``until``; NotInTime shows the ladder."""
        wait_for(
            lambda: until(self.messages),
            timeout_s,
            lambda: f"{self.name}: {what}\n{self.ladder()}\n{self.problems()}",
        )

    def wait_received(
        self, what: str | int, times: int = 1, timeout_s: float = TIMEOUT_S
    ) -> SipMessage:
        """Wait for the ``times``-th request or response of that kind, and return it."""
        self.wait(lambda _: len(self.received(what)) >= times, timeout_s, f"received {what}")
        return self.received(what)[times - 1]

    def wait_sent(
        self, what: str | int, times: int = 1, timeout_s: float = TIMEOUT_S
    ) -> SipMessage:
        """Wait until the ``times``-th request or response of that kind is sent; return it."""
        self.wait(lambda _: len(self.sent(what)) >= times, timeout_s, f"sent {what}")
        return self.sent(what)[times - 1]

    def wait_talking(self, timeout_s: float = TIMEOUT_S) -> None:
        """Wait until a call of this phone is answered and acknowledged."""
        self.wait(lambda _: bool(self._talking()), timeout_s, "a call is answered")

    def wait_over(self, timeout_s: float = TIMEOUT_S) -> None:
        """Wait until every call of this phone has ended."""
        self.wait(lambda _: not self.open_calls(), timeout_s, "every call has ended")

    def wait_notify(self, times: int = 1, timeout_s: float = TIMEOUT_S) -> str:
        """Wait for the ``times``-th NOTIFY; its status line, such as ``SIP/2.0 200 OK``."""
        return self.wait_received("NOTIFY", times, timeout_s).sipfrag

    def open_calls(self) -> list[str]:
        """Call-IDs of the calls that were begun and have not ended."""
        self._read_trace()
        return [call_id for call_id, call in self._calls.items() if not call.over]

    def _talking(self) -> list[str]:
        return [call_id for call_id in self.open_calls() if self._calls[call_id].acknowledged]

    def ladder(self) -> str:
        """The message flow as text."""
        lines = [f"{self.name} ({self.number}, port {self.port})"]
        return "\n".join([*lines, *(f"  {message}" for message in self.messages)])

    def dialog(self, call_id: str = "") -> Dialog:
        """The dialog of that call (default: the last one), for a Replaces header.

        It begins with the first response that has a tag: it may still ring (RFC 3261 12.1).
        """
        wanted = call_id or self.call_id()
        answer = next(m for m in self.messages if m.status > 100 and m.call_id == wanted)
        caller_tag, callee_tag = (
            answer.header(name).partition(";tag=")[2] for name in ("From", "To")
        )
        if self._is_caller:
            return Dialog(wanted, caller_tag, callee_tag)
        return Dialog(wanted, callee_tag, caller_tag)

    def call_id(self) -> str:
        """Call-ID of the last call that began. Raises AssertionError when there was none."""
        self._read_trace()
        assert self._calls, f"{self.name} has had no call"
        return list(self._calls)[-1]

    def _select(self, direction: Direction, what: str | int) -> list[SipMessage]:
        def matches(message: SipMessage) -> bool:
            return message.status == what if isinstance(what, int) else message.is_request(what)

        return [m for m in self.messages if m.direction == direction and matches(m)]

    # -- commands: the phone does them now

    def ring(self) -> None:
        """Send 180."""
        self.command("ring", self.wait_received("INVITE").call_id)

    def early(self) -> None:
        """Send 183 with SDP."""
        self.command("early", self.wait_received("INVITE").call_id)

    def answer(self) -> None:
        """Answer the call that came last."""
        self.wait_received("INVITE")
        self.command("answer")
        self.wait_talking()

    def refuse(self, status: int = 486, phrase: str = "Busy Here", headers: Headers = ()) -> None:
        """Refuse the call that came last; ``status`` is one of `steps.REFUSALS`."""
        assert status in REFUSALS, f"no phone can be commanded to send {status}"
        self.wait_received("INVITE")
        self.command(str(status), lines=[phrase, *(f"{key}: {text}" for key, text in headers)])
        self.wait_sent(status)

    def cancel(self) -> None:
        """A caller gives up: send CANCEL."""
        self.command("cancel")
        self.wait_sent("CANCEL")

    def bye(self) -> None:
        """Hang up the call that was answered last."""
        self.wait_talking()
        before = len(self.sent("BYE"))
        self.command("bye")
        self.wait_sent("BYE", before + 1)

    def hang_up(self) -> None:
        """End whatever call is still open, as a user would: BYE, CANCEL or a refusal."""
        for call_id in self.open_calls():
            if self._calls[call_id].acknowledged:
                self.command("bye", call_id)
            elif self._is_caller:
                self.command("cancel", call_id)
            else:
                self.command("480", call_id, ["Temporarily Unavailable"])
        self.wait_over()

    def hold(self) -> SipMessage:
        """Re-INVITE with sendonly; returns the final response."""
        return self._reinvite("hold")

    def resume(self) -> SipMessage:
        """Re-INVITE with sendrecv; returns the final response."""
        return self._reinvite("resume")

    def refer(
        self,
        refer_to: str | None,
        referred_by: str | None = None,
        headers: Headers = (),
        timeout_s: float = TIMEOUT_S,
        *,
        early: bool = False,
    ) -> SipMessage:
        """Send a REFER in the dialog of the last call; returns the response to it.

        ``refer_to`` is the header's whole value, sent as it is (None: no Refer-To at all).
        ``early``: in the dialog that a 180 or 183 has made.
        """
        if early:
            what = self.received if self._is_caller else self.sent
            self.wait(lambda _: what(180) or what(183), what="it rings")
        else:
            self.wait_talking()
        lines = [("Refer-To", refer_to), ("Referred-By", referred_by), *headers]
        texts = [f"{name}: {value}" for name, value in lines if value is not None]
        return self._transaction("refer", "REFER", texts or ["X-Lab: no Refer-To"], timeout_s)

    def reports(self, status_line: str) -> None:
        """NOTIFY the peer of the REFER that it has sent: ``SIP/2.0 200 OK``."""
        before = len(self.sent("NOTIFY"))
        self.command("notify", lines=[status_line])
        self.wait_sent("NOTIFY", before + 1)

    def refuses_refers(self) -> None:
        """Answer 603 to every REFER from now on."""
        self.wait_talking()
        self.command("refuse_refer")

    def press(self, digits: str) -> None:
        """Press keys: RTP telephone events (RFC 4733)."""
        self.wait_talking()
        self.media.press(digits)

    def _reinvite(self, command: Literal["hold", "resume"]) -> SipMessage:
        self.wait_talking()
        return self._transaction(command, "INVITE", [], TIMEOUT_S)

    def _transaction(
        self, command: str, method: str, lines: Sequence[str], timeout_s: float
    ) -> SipMessage:
        """Send a command that makes SIPp send ``method``; wait for its final response."""
        before = len(self._finals(method))
        self.command(command, lines=lines)
        self.wait(
            lambda _: len(self._finals(method)) > before, timeout_s, f"{method} is responded to"
        )
        return self._finals(method)[before]

    def _finals(self, method: str) -> list[SipMessage]:
        received = (m for m in self.messages if m.direction == "in" and m.status >= 200)
        return [message for message in received if message.method == method]

    def command(self, name: str, call_id: str = "", lines: Sequence[str] = ()) -> None:
        """Give SIPp a command of `scenario`; the methods above are the ways to do it."""
        wanted = call_id or self.call_id()
        sent = (m for m in self.messages if m.direction == "out" and m.call_id == wanted)
        cseq = max((int(m.header("CSeq").split()[0]) for m in sent if not m.status), default=0)
        self._sipp.command(name, wanted, cseq, lines)

    # -- who hears whom

    def hears(self, other: Phone, timeout_s: float = TIMEOUT_S) -> bool:
        """Whether this phone hears the other one, from now on and before the deadline."""
        spoken, heard = other.media.payload_type, self.media.payload_type
        return self.media.hears_mark(transcoded(other.media.mark, spoken, heard), timeout_s)

    def hears_nobody(self, duration_s: float = 0.4) -> bool:
        """Whether no phone is heard in an observation of that length."""
        return not self.media.marks_within(duration_s)

    def hears_tone(self, timeout_s: float = TIMEOUT_S) -> bool:
        """Whether the switch plays something (ringback, music) to this phone."""
        return self.media.hears_sound(timeout_s)

    def hears_digits(self, digits: str, timeout_s: float = TIMEOUT_S) -> bool:
        """Whether these keys have been heard, or are before the deadline (RFC 4733)."""
        try:
            return wait_for(lambda: digits in self.media.digits, timeout_s)
        except NotInTime:
            return False

    # -- following the trace

    def _read_trace(self) -> None:
        with self._lock:
            for message in self._trace.read():
                call = self._calls.setdefault(message.call_id, CallProgress())
                call.follow(message)
                self._messages.append(message)
                self._point_media(message, call)

    def _point_media(self, message: SipMessage, call: CallProgress) -> None:
        """RTP goes where the peer's last SDP says, unless it holds us, until the call ends."""
        if call.over:
            self.media.remotes.pop(message.call_id, None)
        elif message.direction == "in" and "m=audio" in message.body:
            self.media.remotes.pop(message.call_id, None)
            if not re.search(r"^a=(sendonly|inactive)", message.body, re.MULTILINE):
                self.media.remotes[message.call_id] = _rtp_address(message.body)


def _rtp_address(sdp: str) -> tuple[str, int]:
    host = re.search(r"^c=IN IP4 (\S+)", sdp, re.MULTILINE)
    port = re.search(r"^m=audio (\d+)", sdp, re.MULTILINE)
    assert host and port, f"SDP without an address: {sdp}"
    return host[1], int(port[1])
