"""All the phones of a bench in one thread: callers, callees that transfer, and targets.

They speak SIP over UDP, each with a socket of its own, and send no media: a phone costs a few
tenths of a millisecond a call, which is counted (``cpu_ms`` of `Played`). Times are those at
which the kernel has taken a datagram in, so that what the phones themselves are late with is not
laid to FreeSWITCH.
"""

from __future__ import annotations

import heapq
import selectors
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count, product

from bench.switch.sip import Message, response, sdp, uri, user

CALLERS = 9000
"""So many numbers of callers, one for each call: by it a callee and a target know the call."""
USERS = 200
"""So many callees and targets: a party may not ask for more than 30 transfers a minute."""
PHONES = 100
"""So many phones there are of each role; one has two of the users, and ninety of the callers."""
T1_S = 0.5
_SO_TIMESTAMPNS = 35
_ABOUT_INVITE = (b"ACK", b"CANCEL")
_RECEIVE_BUFFER = 8 * 1024 * 1024
_CONTACT = b"Contact: <sip:%b@127.0.0.1:%d>\r\n"
_SDP_TYPE = b"Content-Type: application/sdp\r\n"


@dataclass(frozen=True, slots=True)
class Script:
    """What happens in each call, and when (seconds)."""

    transfer: bool = True
    answer_after_s: float = 0.05
    """Callee and target ring for so long."""
    talk_s: float = 0.4
    """From an answer, or from the report of a transfer, to whoever acts next."""
    give_up_s: float = 20.0
    """A call that is not over by then is counted as failed, and hung up."""


@dataclass(slots=True)
class Played:
    """What came of some calls.

    Latencies in ms, by name; ``failed`` counts calls by what went wrong first.
    """

    calls: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    latencies_ms: dict[str, list[float]] = field(default_factory=dict)
    resent: int = 0
    """Requests of the phones that FreeSWITCH has not answered within half a second."""
    cpu_ms: float = 0.0
    late_ms: float = 0.0
    """By how much the phones have begun a call late, at worst."""

    @property
    def failures(self) -> int:
        """How many calls have failed, whatever the reason."""
        return self.failed.total()


@dataclass(slots=True)
class _Call:
    number: str
    user: str
    phone: int
    """Which of the phones of each role."""
    legs: dict[str, _Leg] = field(default_factory=dict)
    at: dict[str, float] = field(default_factory=dict)
    problem: str = ""
    over: bool = False


@dataclass(slots=True)
class _Leg:
    """A phone's dialog. ``local`` and ``remote`` are the values of its From and To."""

    role: str
    call: _Call
    call_id: bytes
    local: bytes
    remote: bytes
    target: bytes
    cseq: int = 1
    branch: int = 0
    answered: bytes = b""
    """The final response to the INVITE, sent again until it is acknowledged."""
    acknowledged: bool = False
    over: bool = False
    last: tuple[bytes, bytes] = (b"", b"")
    """The CSeq of the last request that was received, and what it was answered with."""

    @property
    def phone(self) -> tuple[str, int]:
        """By which it is known whose socket is its."""
        return self.role, self.call.phone


class Phones:
    """The phones (``ports``: by role, one for each)."""

    ROLES = ("caller", "callee", "target")

    def __init__(self, host: str, port: int) -> None:
        """``host`` and ``port`` are FreeSWITCH's."""
        self._switch = (host, port)
        self._sockets: dict[tuple[str, int], socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        for role, phone in product(self.ROLES, range(PHONES)):
            one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            one.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            one.bind(("127.0.0.1", 0))
            one.setblocking(False)
            self._sockets[role, phone] = one
            self._selector.register(one, selectors.EVENT_READ, (role, phone))
        # nobody reads what is sent there
        self._media = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._media.bind(("127.0.0.1", 0))
        self._sdp = sdp(self._media.getsockname()[1])
        self.ports = {which: int(one.getsockname()[1]) for which, one in self._sockets.items()}
        self._legs: dict[bytes, _Leg] = {}
        self._calls: dict[str, _Call] = {}
        self._waiting: dict[tuple[bytes, bytes], None] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._counter = count(1)
        self._numbers = count()
        self._script = Script()
        self._played = Played()
        self._open = 0

    def close(self) -> None:
        """Close all sockets."""
        self._selector.close()
        for one in (*self._sockets.values(), self._media):
            one.close()

    def begin_at(self, index: int) -> None:
        """Which of the numbers the next call has: by default they follow each other from 0."""
        self._numbers = count(index)

    def play(self, calls: int, rate: float, script: Script) -> Played:
        """Begin so many calls, ``rate`` a second, and return when all are over."""
        self._script, self._played = script, Played(calls)
        self._legs.clear()
        self._calls.clear()
        self._waiting.clear()
        self._timers.clear()
        self._open = calls
        cpu_s, begin_s = time.thread_time(), time.time()
        for number in range(calls):
            self._at(begin_s + number / rate, partial(self._call, begin_s + number / rate))
        while self._open:
            self._turn()
        self._played.cpu_ms = (time.thread_time() - cpu_s) * 1000
        return self._played

    # -- the loop

    def _at(self, when_s: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (when_s, next(self._counter), what))

    def _after(self, delay_s: float, what: Callable[[], None]) -> None:
        self._at(time.time() + delay_s, what)

    def _turn(self) -> None:
        wait_s = max(self._timers[0][0] - time.time(), 0) if self._timers else 1.0
        for key, _ in self._selector.select(wait_s):
            self._receive(*key.data)
        now_s = time.time()
        while self._timers and self._timers[0][0] <= now_s:
            heapq.heappop(self._timers)[2]()

    def _receive(self, role: str, phone: int) -> None:
        one = self._sockets[role, phone]
        for _ in range(64):
            try:
                datagram, extra, _, _ = one.recvmsg(65535, 64)
            except BlockingIOError:
                return
            try:
                message = Message(datagram)
            except ValueError:
                continue
            at_s = _stamp(extra)
            if message.status:
                self._responded(message, at_s)
            else:
                self._requested((role, phone), message, at_s)

    def _send(self, phone: tuple[str, int], message: bytes) -> None:
        try:
            self._sockets[phone].sendto(message, self._switch)
        except BlockingIOError:
            self._played.resent += 1

    # -- what phones ask

    def _call(self, due_s: float) -> None:
        self._played.late_ms = max(self._played.late_ms, (time.time() - due_s) * 1000)
        index = next(self._numbers)
        number, which = str(100000 + index % CALLERS), f"{index % USERS:03}"
        host, port = self._switch
        to = f"<sip:2{which}@{host}:{port}>".encode()
        local = f"<sip:{number}@127.0.0.1>;tag=c{index}".encode()
        call = _Call(number, which, index % PHONES)
        call_id = f"{index}-{time.time_ns()}@bench".encode()
        leg = _Leg("caller", call, call_id, local, to, uri(to))
        call.legs["caller"] = self._legs[call_id] = leg
        self._calls[number] = call
        call.at["invite"] = time.time()
        self._request(leg, b"INVITE", _SDP_TYPE, self._sdp)
        self._after(self._script.give_up_s, partial(self._give_up, call))

    def _request(self, leg: _Leg, method: bytes, more: bytes = b"", body: bytes = b"") -> None:
        """One within the dialog."""
        if method not in _ABOUT_INVITE:
            leg.cseq += 1
        cseq = b"%d %b" % (leg.cseq, method)
        # a refusal's ACK, and a CANCEL, belong to the INVITE's own transaction
        same = method in _ABOUT_INVITE and not leg.answered
        leg.branch = leg.branch if same else next(self._counter)
        port = self.ports[leg.phone]
        contact = _CONTACT % (leg.call.number.encode(), port)
        message = (
            b"%b %b SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bK%d\r\n"
            b"Max-Forwards: 70\r\nFrom: %b\r\nTo: %b\r\nCall-ID: %b\r\nCSeq: %b\r\n%b%b"
            b"Content-Length: %d\r\n\r\n%b"
        ) % (
            method,
            leg.target,
            port,
            leg.branch,
            leg.local,
            leg.remote,
            leg.call_id,
            cseq,
            contact,
            more,
            len(body),
            body,
        )
        self._send(leg.phone, message)
        if method != b"ACK":
            self._waiting[leg.call_id, cseq] = None
            self._after(T1_S, partial(self._resend, leg, cseq, message, T1_S))

    def _resend(self, leg: _Leg, cseq: bytes, message: bytes, interval_s: float) -> None:
        if (leg.call_id, cseq) in self._waiting and (not leg.over or cseq.endswith(b"BYE")):
            self._played.resent += 1
            self._send(leg.phone, message)
            again = partial(self._resend, leg, cseq, message, interval_s * 2)
            self._after(interval_s * 2, again)

    def _refer(self, call: _Call) -> None:
        leg = call.legs["callee"]
        if leg.over or call.over:
            return
        host, port = self._switch
        to = f"Refer-To: <sip:3{call.user}@{host}:{port}>\r\n".encode()
        call.at["refer"] = time.time()
        self._request(leg, b"REFER", to)

    def _hang_up(self, leg: _Leg) -> None:
        if leg.over:
            return
        leg.over = True
        if leg.role == "caller" and not leg.answered:
            self._request(leg, b"CANCEL")
        else:
            self._request(leg, b"BYE")
        self._look(leg.call)

    def _responded(self, message: Message, at_s: float) -> None:
        leg = self._legs.get(message.header(b"Call-ID"))
        if leg is None:
            return
        self._waiting.pop((leg.call_id, message.header(b"CSeq")), None)
        if message.status < 200:
            return
        call = leg.call
        if message.method == b"INVITE":
            leg.remote = message.header(b"To")
            if message.status >= 300:
                self._request(leg, b"ACK")
                leg.over = True
                self._fail(call, f"INVITE {message.status}")
            else:
                leg.target = uri(message.header(b"Contact")) or leg.target
                leg.answered = b"200"
                self._request(leg, b"ACK")
                call.at.setdefault("answered", at_s)
        elif message.method == b"REFER" and message.status >= 300:
            self._fail(call, f"REFER {message.status}")

    # -- what phones are asked

    def _requested(self, phone: tuple[str, int], message: Message, at_s: float) -> None:
        leg = self._legs.get(message.header(b"Call-ID"))
        if message.method == b"ACK":
            if leg is not None and not leg.acknowledged and leg.role != "caller":
                leg.acknowledged = True
                self._talks(leg)
            return
        if leg is None:
            if message.method == b"INVITE":
                self._rings(phone, message, at_s)
            else:
                self._send(phone, response(message, b"481 Gone", b""))
            return
        cseq = message.header(b"CSeq")
        if cseq == leg.last[0]:
            self._send(phone, leg.last[1])
            return
        more, body = (_SDP_TYPE, self._sdp) if message.method == b"INVITE" else (b"", b"")
        contact = _CONTACT % (leg.call.number.encode(), self.ports[phone])
        reply = response(message, b"200 OK", b"", contact + more, body)
        leg.last = (cseq, reply)
        self._send(phone, reply)
        if message.method == b"NOTIFY":
            self._told(leg, message, at_s)
        elif message.method == b"BYE":
            self._released(leg)
        elif message.method == b"CANCEL":
            self._fail(leg.call, f"{leg.role} cancelled")
            leg.over = True
            self._look(leg.call)

    def _rings(self, phone: tuple[str, int], message: Message, at_s: float) -> None:
        role = phone[0]
        call = self._calls.get(user(message.header(b"From")))
        if call is None or role in call.legs:
            self._send(phone, response(message, b"486 Busy Here", b"x"))
            if call is not None:
                self._fail(call, f"{role} called twice")
            return
        tag = b"%b%d" % (role.encode(), next(self._counter))
        local = message.header(b"To") + b";tag=" + tag
        remote, target = message.header(b"From"), uri(message.header(b"Contact"))
        call_id = message.header(b"Call-ID")
        leg = _Leg(role, call, call_id, local, remote, target)
        call.legs[role] = self._legs[call_id] = leg
        call.at[role] = at_s
        since = "invite" if role == "callee" else "refer"
        self._measure(call, f"{since} to {role}", since, role)
        contact = _CONTACT % (call.number.encode(), self.ports[phone])
        ringing = response(message, b"180 Ringing", tag, contact)
        leg.last = (message.header(b"CSeq"), ringing)
        self._send(phone, ringing)
        final = response(message, b"200 OK", tag, contact + _SDP_TYPE, self._sdp)
        self._after(self._script.answer_after_s, partial(self._answer, leg, final))

    def _answer(self, leg: _Leg, final: bytes) -> None:
        if leg.over:
            return
        leg.answered = final
        leg.last = (leg.last[0], final)
        leg.call.at[f"{leg.role} answers"] = time.time()
        self._send(leg.phone, final)
        self._after(T1_S, partial(self._answer_again, leg, T1_S))

    def _answer_again(self, leg: _Leg, interval_s: float) -> None:
        if not leg.acknowledged and not leg.over:
            self._send(leg.phone, leg.answered)
            self._after(interval_s * 2, partial(self._answer_again, leg, interval_s * 2))

    def _talks(self, leg: _Leg) -> None:
        """FreeSWITCH has acknowledged its answer."""
        if leg.role != "callee":
            return
        if self._script.transfer:
            self._after(self._script.talk_s, partial(self._refer, leg.call))
        else:
            self._after(2 * self._script.talk_s, partial(self._end, leg.call))

    def _told(self, leg: _Leg, message: Message, at_s: float) -> None:
        """A NOTIFY: only the last one counts."""
        code = message.body[8:11].decode()
        if code.startswith("1") or "told" in leg.call.at:
            return
        leg.call.at["told"] = at_s
        if code != "200":
            self._fail(leg.call, f"NOTIFY {message.body[8:].decode().strip()}")
            return
        if "target answers" not in leg.call.at:
            self._fail(leg.call, "NOTIFY 200 before the target has answered")
            return
        self._measure(leg.call, "answer to NOTIFY", "target answers", "told")
        self._hang_up(leg)
        self._after(self._script.talk_s, partial(self._end, leg.call))

    def _released(self, leg: _Leg) -> None:
        leg.over = True
        call = leg.call
        expected = "ends" in call.at
        if leg.role == "callee" and "told" in call.at:
            expected = True
        if not expected:
            self._fail(call, f"{leg.role} was hung up")
        self._look(call)

    def _end(self, call: _Call) -> None:
        """The caller hangs up, and whoever talks with it is to be released by that."""
        if "ends" not in call.at and not call.over:
            call.at["ends"] = time.time()
            self._hang_up(call.legs["caller"])

    # -- what comes of a call

    def _measure(self, call: _Call, name: str, since: str, until: str) -> None:
        if since in call.at:
            figure = (call.at[until] - call.at[since]) * 1000
            self._played.latencies_ms.setdefault(name, []).append(figure)

    def _fail(self, call: _Call, problem: str) -> None:
        """Its first problem is what counts. All hang up a moment later."""
        if call.over or call.problem:
            return
        call.problem = problem
        self._after(self._script.talk_s, partial(self._hang_up_all, call))

    def _hang_up_all(self, call: _Call) -> None:
        call.at.setdefault("ends", time.time())
        for leg in list(call.legs.values()):
            self._hang_up(leg)
        self._look(call)

    def _give_up(self, call: _Call) -> None:
        if call.over:
            return
        if not call.problem:
            call.problem = f"after {self._script.give_up_s:g} s: {self._state(call)}"
        self._hang_up_all(call)
        self._finish(call)

    def _state(self, call: _Call) -> str:
        """What a call that goes on for ever waits for."""
        if "answered" not in call.at:
            return "callee not called" if "callee" not in call.at else "not answered"
        if "ends" in call.at:
            left = [role for role, leg in call.legs.items() if not leg.over]
            return f"{' and '.join(left)} not released"
        if "refer" in call.at:
            if "target" not in call.at:
                return "target not called"
            return "no NOTIFY" if "told" not in call.at else "not over"
        return "not over"

    def _look(self, call: _Call) -> None:
        if "ends" in call.at and all(leg.over for leg in call.legs.values()):
            self._finish(call)

    def _finish(self, call: _Call) -> None:
        if call.over:
            return
        call.over = True
        if not call.problem and self._script.transfer and "told" not in call.at:
            call.problem = "no NOTIFY"
        if call.problem:
            self._played.failed[call.problem] += 1
        self._open -= 1


def _stamp(extra: list[tuple[int, int, bytes]]) -> float:
    """When the kernel took it in, as `time.time` counts."""
    for level, kind, data in extra:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(data) >= 16:
            seconds, nanoseconds = struct.unpack("qq", data[:16])
            return float(seconds + nanoseconds / 1e9)
    return time.time()
