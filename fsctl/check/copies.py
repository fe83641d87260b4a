"""The proof that FreeSWITCH sends copies of its SIP messages: an OPTIONS, and its HEP packet.

Nothing that FreeSWITCH says of its capturing can be believed: ``capture on`` without a server is
answered with "Enabled", and nothing shows what a profile does (mod_sofia.c, tport_logging.c).
"""

from __future__ import annotations

import errno
import uuid
from contextlib import suppress
from enum import Enum
from typing import Final

import gevent
from gevent import socket
from gevent.event import Event

from fsctl.errors import HepError
from fsctl.esl.waiting import Deadline
from fsctl.hep.packet import parse
from fsctl.hep.proof import USER, question, says

PROOF_S: Final = 2.0
_AGAIN_S: Final = 0.5
"""RFC 3261's T1. A first packet may be lost: after one that nobody took, sofia-sip drops one."""
_DATAGRAM: Final = 65535

Address = tuple[str, int]
"""An IP address, IPv6 without brackets, and a port."""


class Proof(Enum):
    """What came of an OPTIONS: its copy; an answer, but no copy; not even an answer."""

    SEEN = "seen"
    SILENT = "silent"
    MUTE = "mute"


class Copies:
    """Listens at ``[hep] listen`` from the first `open` until `close`, for every switch at once.

    Made and closed by `fsctl.check.examine`.
    """

    def __init__(self) -> None:
        """Nothing is bound yet."""
        self._sock: socket.socket | None = None
        self._reader: gevent.Greenlet | None = None
        self._awaited: dict[bytes, Event] = {}
        self._asked: Address | None = None
        """Where a controller of ours listens, so that we cannot."""

    def open(self, address: Address) -> None:
        """Bind it, once. Raises OSError."""
        if self._sock is None:
            self._sock = _udp(address)
            try:
                self._sock.bind(address)
            except OSError as error:
                if error.errno != errno.EADDRINUSE or not self._has_controller(address):
                    self.close()
                    raise
                self._asked = address
            self._reader = gevent.spawn(self._read, self._sock)

    def _has_controller(self, address: Address) -> bool:
        """Whether it is fsctl itself that listens there: then it is asked."""
        sock = self._sock
        assert sock is not None
        try:
            sock.connect(address)
            return says(self._answer(sock, "none"), "none") is not None
        except OSError:
            return False

    def _answer(self, sock: socket.socket, call_id: str) -> bytes:
        sock.settimeout(_AGAIN_S)
        sock.send(question(call_id))
        answer: bytes = sock.recv(_DATAGRAM)
        sock.settimeout(None)
        return answer

    def close(self) -> None:
        """Listen no more."""
        if self._reader is not None:
            self._reader.kill()
        if self._sock is not None:
            self._sock.close()
        self._sock = self._reader = None

    def prove(self, profile: Address) -> Proof:
        """Send that profile an OPTIONS, and wait for the copy; takes at most `PROOF_S`."""
        call_id = uuid.uuid4().hex
        copy = self._awaited[call_id.encode()] = Event()
        answered, deadline = False, Deadline(PROOF_S)
        with _udp(profile) as sock:
            try:
                sock.connect(profile)
                message = _options(profile, sock.getsockname()[:2], call_id)
            except OSError:
                return Proof.MUTE
            while deadline.left_s() and not copy.is_set():
                answered = _asked(sock, message, deadline) or answered
                self._ask(call_id)
                copy.wait(min(_AGAIN_S, deadline.left_s()))
        if copy.is_set():
            return Proof.SEEN
        return Proof.SILENT if answered else Proof.MUTE

    def _ask(self, call_id: str) -> None:
        if self._asked is not None and self._sock is not None:
            with suppress(OSError):
                self._sock.send(question(call_id))

    def _read(self, sock: socket.socket) -> None:
        while True:
            with suppress(HepError, ConnectionError):
                data = sock.recv(_DATAGRAM)
                if self._asked is not None:
                    for call_id, copy in self._awaited.items():
                        if says(data, call_id.decode()):
                            copy.set()
                    continue
                payload = parse(data).payload
                for call_id, copy in self._awaited.items():
                    if b"\r\nCall-ID: " + call_id + b"\r\n" in payload:
                        copy.set()
            gevent.sleep(0)  # a busy switch may have much to tell


def _udp(address: Address) -> socket.socket:
    return socket.socket(
        socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_DGRAM
    )


def _asked(sock: socket.socket, message: bytes, deadline: Deadline) -> bool:
    """Whether it is answered soon. Who refuses does not answer."""
    sock.settimeout(min(_AGAIN_S, deadline.left_s()))
    try:
        sock.send(message)
        return bool(sock.recv(_DATAGRAM))
    except OSError:
        return False


def _options(profile: Address, own: Address, call_id: str) -> bytes:
    there, here = _host_port(profile), _host_port(own)
    return (
        f"OPTIONS sip:{there} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {here};rport;branch=z9hG4bK{call_id}\r\n"
        "Max-Forwards: 70\r\n"
        f"From: <sip:{USER}@{here}>;tag={call_id[:8]}\r\n"
        f"To: <sip:{there}>\r\n"
        f"Call-ID: {call_id}\r\n"
        "CSeq: 1 OPTIONS\r\n"
        "User-Agent: fsctl check\r\n"
        "Content-Length: 0\r\n\r\n"
    ).encode()


def _host_port(address: Address) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
