"""A SIP phone: one SIPp process, its message trace, and marked RTP."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import quote, unquote

from fsctl.simulator import SipMessage
from fsctl.story import Headers, Party
from tests.live.lab import scenario
from tests.live.lab.media import Media, transcoded
from tests.live.lab.messages import CallProgress, TraceReader, in_words
from tests.live.lab.ports import free_port
from tests.live.lab.sipp import Sipp
from tests.live.lab.sipp_script import PAYLOADS
from tests.live.lab.steps import (
    REFUSALS,
    Answer,
    Early,
    Pause,
    PhoneIdentity,
    Refuse,
    Require,
    Ring,
    Step,
)
from tests.live.lab.switch_conf import PICKUP
from tests.live.lab.waiting import NotInTime, wait_for

if TYPE_CHECKING:
    from tests.live.lab.phones import Phones

EARLY_MS = 200
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


class Phone(Party):
    """A party with a phone on 127.0.0.1.

    Its SIPp process starts when it is said how it takes a call, or when it calls. What stands here
    and not in `Party` is for tests of the wire itself: single steps and commands, marked RTP, keys.

    Attributes: ``number``, ``name`` (display name), ``port`` (SIP over UDP), ``media`` (RTP).
    """

    media: Media

    def __init__(
        self,
        phones: Phones,
        number: str,
        name: str = "",
        joined_by: str = "",
        port: int = 0,
        transport: str = "udp",
    ) -> None:
        """Made by `Phones`; ``joined_by`` as in `Switch.add_user`.

        The switch knows a given ``port`` by itself: the phone is no user of its directory.
        """
        super().__init__(phones, number, name or f"phone{number}")
        self._phones = phones
        self._joined_by = joined_by
        self._is_caller = False
        self._is_user = not port
        self._transport = transport
        self.port = port or free_port()
        self._sipp: Sipp | None = None
        self._trace: TraceReader | None = None
        self._lock = threading.Lock()
        self._messages: list[SipMessage] = []
        self._calls: dict[str, CallProgress] = {}
        self._leaving: tuple[str, Sequence[Party]] = ("", ())

    # -- life

    def takes(self, *steps: Step) -> Self:
        """Wait for calls and do these steps with each; returns when it listens."""
        codec = next((step.codec for step in steps if isinstance(step, Require)), "PCMU")
        identity = PhoneIdentity(
            self.number, self.name, free_port(), codec=codec, transport=self._transport
        )
        if self._is_user:
            self._phones.switch.add_user(self.number, self.port, self._joined_by, self._transport)
        return self._start(identity, scenario.callee(identity, steps))

    def _start(self, identity: PhoneIdentity, script: str) -> Self:
        assert self._sipp is None, f"{self.name} has a phone already"
        self._is_caller = bool(identity.dial)
        remote = identity.dial.rpartition("@")[2]
        self._sipp = Sipp(self.name, script, self.port, remote, identity.transport)
        self._trace = TraceReader(self._sipp.trace)
        self.media = Media(identity.rtp_port, self._read_trace, PAYLOADS[identity.codec])
        self._sipp.start()
        self.media.start()
        wait_for(self._is_ready, START_DEADLINE_S, f"{self.name} is ready")
        return self

    def _is_ready(self) -> bool:
        return self.sipp.listens() and (not self._is_caller or bool(self.sent("INVITE")))

    @property
    def sipp(self) -> Sipp:
        """Its process, which must have been started."""
        assert self._sipp is not None, f"nobody has said what {self.name} does"
        return self._sipp

    def finish(self) -> str:
        """End the process and its RTP; what went wrong on this phone (see `problems`)."""
        if self._sipp is None:
            return ""
        self._sipp.stop()
        self.media.stop()
        problems = self.problems()
        self._read_trace()
        self._sipp.remove_files()
        return problems

    def problems(self) -> str:
        """Messages that no step expected, transactions that timed out; empty when all is well."""
        return self._sipp.problems() if self._sipp else ""

    # -- how it takes a call

    def rings(self) -> Self:
        return self.takes(Ring())

    def answers(self) -> Self:
        return self.takes(Ring(), Answer())

    def refuses(self, status: int, phrase: str) -> Self:
        return self.takes(Ring(), Refuse(status, phrase))

    def sends_early_media(self) -> Self:
        return self.takes(Early())

    def sends_early_media_and_refuses(self, status: int, phrase: str) -> Self:
        return self.takes(Early(), Pause(EARLY_MS), Refuse(status, phrase))

    def redirects(self, contact: str) -> Self:
        header = ("Contact", contact if "<" in contact else f"<{contact}>")
        return self.takes(Refuse(302, "Moved Temporarily", (header,)))

    def answers_in(self, codec: str) -> Self:
        return self.takes(Require(codec), Ring(), Answer())

    def unreachable(self) -> Self:
        self._phones.switch.add_user(self.number, free_port(), self._joined_by)
        return self

    # -- what went over the wire

    @property
    def messages(self) -> list[SipMessage]:
        """Everything sent and received so far, in order."""
        self._read_trace()
        return list(self._messages)

    def open_calls(self) -> list[str]:
        """Call-IDs of the calls that were begun and have not ended."""
        self._read_trace()
        return [call_id for call_id, call in self._calls.items() if not call.over]

    @property
    def in_call(self) -> bool:
        return bool(self.open_calls())

    @property
    def in_answered_call(self) -> bool:
        return any(self._calls[call_id].acknowledged for call_id in self.open_calls())

    @property
    def contact(self) -> str:
        return f"sip:{self.number}@127.0.0.1:{self.port}"

    @property
    def replaces(self) -> str:
        return quote(self.dialog().replaces, safe="")

    def ladder(self) -> str:
        """The message flow as text."""
        lines = [f"{self.name} ({self.number}, port {self.port})"]
        return "\n".join([*lines, *(f"  {in_words(message)}" for message in self.messages)])

    def dialog(self, call_id: str = "") -> Dialog:
        """The dialog of that call (default: the last one), for a Replaces header.

        It begins with the first response that has a tag: it may still ring (RFC 3261 12.1). A
        challenge begins none.
        """
        wanted = call_id or self.call_id()
        responses = (m for m in self.messages if m.call_id == wanted and m.status > 100)
        answer = next(m for m in responses if m.status != 407)
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

    # -- what it does now

    def calls(self, number: str, headers: Headers = (), uri_parameters: str = "") -> None:
        """As for every party; ``number`` may be a whole SIP URI.

        A user with a password calls once more when it is challenged.
        """
        uri = number if number.startswith("sip:") else self.world.uri(number)
        uri = ";".join(filter(None, (uri, uri_parameters)))
        password = self._phones.switch.password_of(self.number)
        identity = PhoneIdentity(
            self.number, self.name, free_port(), uri, tuple(headers), password=password
        )
        self._start(identity, scenario.caller(identity))

    def answers_now(self) -> None:
        self.wait_received("INVITE")
        self.command("answer")
        self.wait_talking()

    def refuses_now(self, status: int, phrase: str, headers: Headers = ()) -> None:
        """As for every party, with these headers; ``status`` is one of `steps.REFUSALS`."""
        assert status in REFUSALS, f"no phone can be commanded to send {status}"
        self.wait_received("INVITE")
        self.command(str(status), lines=[phrase, *(f"{key}: {text}" for key, text in headers)])
        self.wait_sent(status)

    def gives_up(self) -> None:
        self.command("cancel")
        self.wait_sent("CANCEL")

    def hangs_up(self) -> None:
        self.wait_talking()
        before = len(self.sent("BYE"))
        self.command("bye")
        self.wait_sent("BYE", before + 1)

    def hangs_up_all(self) -> None:
        """End whatever call is still open, as a user would: BYE, CANCEL or a refusal."""
        for call_id in self.open_calls():
            if self._calls[call_id].acknowledged:
                self.command("bye", call_id)
            elif self._is_caller:
                self.command("cancel", call_id)
            else:
                self.command("480", call_id, ["Temporarily Unavailable"])
        self.wait_over()

    def holds(self) -> None:
        self._reinvite("hold")

    def resumes(self) -> None:
        self._reinvite("resume")

    def refers(
        self, refer_to: str | None, referred_by: str | None = None, headers: Headers = ()
    ) -> None:
        """As for every party, with these headers (``refer_to`` None: no Refer-To at all)."""
        self.wait_talking()
        self._refer(refer_to, referred_by, headers)
        self._leave()

    def refers_early(self, refer_to: str) -> None:
        what = self.received if self._is_caller else self.sent
        self.world.wait(lambda: what(180) or what(183), f"{self.name} has an early dialog")
        self._refer(refer_to)

    def _refer(
        self, refer_to: str | None, referred_by: str | None = None, headers: Headers = ()
    ) -> None:
        lines = [("Refer-To", refer_to), ("Referred-By", referred_by), *headers]
        texts = [f"{name}: {value}" for name, value in lines if value is not None]
        response = self._transaction("refer", "REFER", texts or ["X-Lab: no Refer-To"])
        assert response.status == 202, f"{self.name} refers: {response.start_line}"

    def leaves_after_refer(self, after: str, *ended: Party) -> None:
        self._leaving = (after, ended)

    def _leave(self) -> None:
        after, ended = self._leaving
        self._leaving = ("", ())
        if after == "NOTIFY":
            self.wait_notify()
        for party in ended:
            if party.in_call:
                party.hangs_up()

    def picks_up(self, other: Party) -> None:
        self.calls(f"{PICKUP}{self._phones.leg(other)}")

    def replaces_call(self, other: Party) -> None:
        self.calls("pickup", (("Replaces", unquote(other.replaces)),))

    def reports(self, status_line: str) -> None:
        """NOTIFY the peer of the REFER that it has sent: ``SIP/2.0 200 OK``."""
        before = len(self.sent("NOTIFY"))
        self.command("notify", lines=[status_line])
        self.wait_sent("NOTIFY", before + 1)

    def refuses_refers(self) -> None:
        """Answer 603 to every REFER from now on."""
        self.wait_talking()
        self.command("refuse_refer")

    def forgets_refers(self) -> None:
        """Answer 481 to every NOTIFY from now on, as if it had sent no REFER."""
        self.wait_talking()
        self.command("forget_refer")

    def presses(self, keys: str) -> None:
        self.wait_talking()
        self.media.press(keys)

    def _reinvite(self, command: Literal["hold", "resume"]) -> None:
        self.wait_talking()
        response = self._transaction(command, "INVITE", [])
        assert response.status == 200, f"{self.name}, {command}: {response.start_line}"

    def _transaction(self, command: str, method: str, lines: Sequence[str]) -> SipMessage:
        """Send a command that makes SIPp send ``method``; its final response."""
        before = len(self._finals(method))
        self.command(command, lines=lines)
        text = f"{self.name}: {method} is responded to"
        self.world.wait(lambda: len(self._finals(method)) > before, text)
        return self._finals(method)[before]

    def _finals(self, method: str) -> list[SipMessage]:
        received = (m for m in self.messages if m.direction == "in" and m.status >= 200)
        return [message for message in received if message.method == method]

    def command(self, name: str, call_id: str = "", lines: Sequence[str] = ()) -> None:
        """Give SIPp a command of `scenario` and wait for nothing."""
        wanted = call_id or self.call_id()
        sent = (m for m in self.messages if m.direction == "out" and m.call_id == wanted)
        cseq = max((int(m.header("CSeq").split()[0]) for m in sent if not m.status), default=0)
        self.sipp.command(name, wanted, cseq, lines)

    # -- what it hears

    def hears(self, other: Party, limit_s: float | None = None) -> bool:
        """As for every party: from now on."""
        assert isinstance(other, Phone)
        spoken, heard = other.media.payload_type, self.media.payload_type
        mark = transcoded(other.media.mark, spoken, heard)
        return self.media.hears_mark(mark, self._phones.limit_s if limit_s is None else limit_s)

    def hears_ringback(self) -> bool:
        """As for every party; an announcement or music is a tone, too."""
        return self.media.hears_sound(self._phones.limit_s)

    @property
    def heard_keys(self) -> str:
        return self.media.digits

    def hears_nobody(self, duration_s: float = 0.4) -> bool:
        """Whether no phone is heard in an observation of that length."""
        return not self.media.marks_within(duration_s)

    def hears_digits(self, digits: str) -> bool:
        """Whether these keys have been heard, or are soon (RFC 4733)."""
        try:
            return wait_for(lambda: digits in self.media.digits, self._phones.limit_s)
        except NotInTime:
            return False

    # -- following the trace

    def _read_trace(self) -> None:
        with self._lock:
            for message in self._trace.read() if self._trace else ():
                self._messages.append(message)
                if message.matches("INVITE"):
                    self._calls.setdefault(message.call_id, CallProgress())
                if call := self._calls.get(message.call_id):
                    call.follow(message)
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
