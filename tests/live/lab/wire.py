"""A phone that is one connection to the switch, over a transport that SIPp does not speak well
(IPv6, TLS, a WebSocket), or that says what SIPp cannot. It sends no RTP."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import socket
import ssl
import struct
import threading
import time
from io import BufferedReader
from itertools import count
from urllib.parse import quote

from fsctl.simulator import SipMessage
from tests.live.lab.messages import Direction, parse_message
from tests.live.lab.waiting import wait_for

LIMIT_S = 5.0
SECRET = "5ecre75ecre75ecre75ecre75ecre7aa"
"""What its INVITE answers a challenge with that nobody has sent."""
_REFLECTED = re.compile(r"^(?:Via|From|To|Call-ID|CSeq):.*$", re.MULTILINE)
_branch = count(1)


class WirePhone:
    """The phone of ``number``, connected to the switch at that host and port.

    ``transport``: udp, tls or ws. ``says``: its answer to every call. ``address``: its own end, for
    a URI. ``messages``: as a phone of the laboratory has them. ``name``: what stands before its URI
    in From; a byte that is not UTF-8 is a surrogate there, as anywhere (PEP 383). ``mark``: the end
    of its tags, and of the Call-ID of its calls.
    """

    def __init__(
        self,
        number: str,
        transport: str,
        host: str,
        port: int,
        says: str,
        name: str = "",
        mark: str = "",
    ) -> None:
        self.number, self.transport, self.says = number, transport, says
        self._name, self._mark = name, mark
        self.messages: list[SipMessage] = []
        self._six = ":" in host
        self._remote = f"[{host}]:{port}" if self._six else f"{host}:{port}"
        if transport == "udp":
            kind = socket.AF_INET6 if self._six else socket.AF_INET
            self._socket = socket.socket(kind, socket.SOCK_DGRAM)
            self._socket.connect((host, port))
        else:
            self._socket = socket.create_connection((host, port), LIMIT_S)
        if transport == "tls":
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self._socket = context.wrap_socket(self._socket)
        self._socket.settimeout(None)
        self._host, own_port = self._socket.getsockname()[:2]
        self.address = f"[{self._host}]:{own_port}" if self._six else f"{self._host}:{own_port}"
        # a browser does not know its own (RFC 7118 section 5)
        self._named = "df7jal23ls0d.invalid" if transport == "ws" else self.address
        self._reader = self._socket.makefile("rb") if transport != "udp" else None
        if self._reader and transport == "ws":
            self._upgrade(self._reader)
        self._call_id = self._tag = self._from = self._to = self._target = ""
        self._cseq = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """It is gone."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(LIMIT_S)
        self._socket.close()

    @property
    def ends(self) -> tuple[str, str, str]:
        """Its transport, and both ends of it."""
        own, switch = self._socket.getsockname(), self._socket.getpeername()
        one, other = sorted(f"{end[0]} {end[1]}" for end in (own, switch))
        return self.transport, one, other

    # -- what it does

    def calls(self, number: str) -> None:
        """Call, and be answered."""
        uri = f"sip:{number}@{self._remote}"
        self._call_id, self._tag = f"wire-{os.urandom(6).hex()}{self._mark}", self._new_tag()
        self._from = f"{self._name}<sip:{self.number}@{self._remote}>;tag={self._tag}"
        self._to, self._target = f"<{uri}>", uri
        answer = f'Digest username="{self.number}", realm="h", nonce="n", uri="{uri}"'
        credentials = f'Authorization: {answer}, response="{SECRET}"'
        self._request("INVITE", self._sdp(), "Content-Type: application/sdp", credentials)
        response = self._final("INVITE")
        assert response.status == 200, response.start_line
        self._to = response.header("To")
        self._target = _uri(response.header("Contact"))
        self._request("ACK")

    def refers(self, to: str, *headers: str) -> None:
        """Have the one it talks with transferred to a number, or as a whole Refer-To says."""
        wait_for(lambda: any(m.method == "ACK" for m in self.messages), LIMIT_S, "an ACK")
        refer_to = to if "<" in to else f"<sip:{to}@{self._remote}>"
        self._request("REFER", "", f"Refer-To: {refer_to}", *headers)
        assert self._final("REFER").status == 202

    @property
    def replaces(self) -> str:
        """Of its dialog, for a Refer-To."""
        local, remote = (each.partition(";tag=")[2] for each in (self._from, self._to))
        return quote(f"{self._call_id};to-tag={remote};from-tag={local}", safe="")

    def hangs_up(self) -> None:
        """End its call."""
        self._request("BYE")
        self._final("BYE")

    @property
    def notifies(self) -> list[str]:
        """The sipfrag of each NOTIFY."""
        return [m.sipfrag for m in self.messages if m.method == "NOTIFY" and not m.status]

    def wait_notify(self, count: int = 1) -> str:
        """That of the last one of so many, which is final."""

        def told() -> bool:
            return len(self.notifies) >= count and " 100 " not in self.notifies[-1]

        wait_for(told, LIMIT_S, "a NOTIFY")
        return self.notifies[-1]

    def _final(self, method: str) -> SipMessage:
        def look() -> SipMessage | None:
            found = (m for m in self.messages if m.direction == "in" and m.status >= 200)
            return next((m for m in found if m.header("CSeq") == f"{self._cseq} {method}"), None)

        response = wait_for(look, LIMIT_S, f"{method} is responded to")
        assert response
        return response

    # -- its messages

    def _new_tag(self) -> str:
        return os.urandom(4).hex() + self._mark

    def _sdp(self) -> str:
        address = f"IN {'IP6' if self._six else 'IP4'} {self._host}"
        lines = (f"o=- 1 1 {address}", "s=-", f"c={address}", "t=0 0", "m=audio 9 RTP/AVP 0")
        return "\r\n".join(("v=0", *lines, ""))

    def _request(self, method: str, body: str = "", *headers: str) -> None:
        self._cseq += method != "ACK"
        via = f"SIP/2.0/{self.transport.upper()} {self._named}"
        lines = (
            f"{method} {self._target} SIP/2.0",
            f"Via: {via};branch=z9hG4bK-{self._tag}-{next(_branch)};rport",
            "Max-Forwards: 70",
            f"From: {self._from}",
            f"To: {self._to}",
            f"Call-ID: {self._call_id}",
            f"CSeq: {self._cseq} {method}",
            self._contact,
            *headers,
            f"Content-Length: {len(body)}",
        )
        self._send("\r\n".join((*lines, "", body)))

    @property
    def _contact(self) -> str:
        return f"Contact: <sip:{self.number}@{self._named};transport={self.transport}>"

    def _responds(self, request: SipMessage, text: str) -> None:
        """To whatever comes; it talks with whom it has answered."""
        if request.status or request.method == "ACK":
            return
        lines = [line.strip() for line in _REFLECTED.findall(text)]
        status, body = "200 OK", ""
        if request.method == "INVITE":
            status, tag = self.says, self._new_tag()
            lines = [f"{each};tag={tag}" if each.startswith("To:") else each for each in lines]
            lines.append(self._contact)
            if status.startswith("200"):
                self._call_id, self._to = request.call_id, request.header("From")
                self._tag, self._from = tag, request.header("To") + f";tag={tag}"
                self._target = _uri(request.header("Contact"))
                body = self._sdp()
                lines.append("Content-Type: application/sdp")
        head = "\r\n".join(lines)
        self._send(f"SIP/2.0 {status}\r\n{head}\r\nContent-Length: {len(body)}\r\n\r\n{body}")

    def _run(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            while True:
                text = self._receive().decode(errors="surrogateescape")
                if text.strip():
                    self._responds(self._note(text, "in"), text)

    def _note(self, text: str, direction: Direction) -> SipMessage:
        self.messages.append(parse_message(text, direction, time.time()))
        return self.messages[-1]

    # -- its transport

    def _upgrade(self, reader: BufferedReader) -> None:
        """RFC 7118 section 4."""
        lines = (
            "GET / HTTP/1.1",
            f"Host: {self._remote}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
            "Sec-WebSocket-Protocol: sip",
            "Sec-WebSocket-Version: 13",
        )
        self._socket.sendall("\r\n".join((*lines, "", "")).encode())
        assert b" 101 " in reader.readline()
        while reader.readline().strip():
            pass

    def _send(self, text: str) -> None:
        data = text.encode(errors="surrogateescape")
        self._note(text, "out")
        if self.transport == "ws":  # one masked frame of text (RFC 6455 section 5.2)
            mask = os.urandom(4)
            masked = bytes(each ^ mask[at % 4] for at, each in enumerate(data))
            data = struct.pack("!BBH", 0x81, 0xFE, len(data)) + mask + masked
        self._socket.sendall(data)

    def _receive(self) -> bytes:
        if self._reader is None:
            if data := self._socket.recv(65535):
                return data
            raise EOFError
        if self.transport == "ws":
            _, size = self._exactly(2)
            if size == 126:
                (size,) = struct.unpack("!H", self._exactly(2))
            return self._exactly(size)
        lines = [self._reader.readline()]
        while lines[-1].strip():
            lines.append(self._reader.readline())
        if lines == [b""]:
            raise EOFError
        found = re.search(rb"(?im)^content-length: *(\d+)", b"".join(lines))
        return b"".join(lines) + self._exactly(int(found[1]) if found else 0)

    def _exactly(self, size: int) -> bytes:
        assert self._reader
        data = self._reader.read(size)
        if len(data) < size:
            raise EOFError
        return data


def _uri(address: str) -> str:
    return address.partition("<")[2].partition(">")[0]
