"""REGISTER (RFC 3261 10) with digest authentication (RFC 2617), from the port of the phone."""

from __future__ import annotations

import hashlib
import re
import socket
from dataclasses import dataclass, field
from itertools import count

from tests.live.lab.messages import SipMessage, parse_message
from tests.live.lab.ports import LOCALHOST

TIMEOUT_S = 5.0
_serial = count(1)


@dataclass(frozen=True, slots=True)
class Registration:
    """A phone at ``port`` that is known to a registrar as ``number``.

    ``registrar_host`` and ``registrar_port`` are where it sends its REGISTER: it may be a proxy.
    """

    number: str
    password: str
    domain: str
    port: int
    registrar_port: int
    registrar_host: str = LOCALHOST
    # a port comes round again while the registrar still remembers what it told the one before
    _serial: int = field(default_factory=lambda: next(_serial))

    def add(self) -> None:
        """Register. The port must be free: the phone itself is not running yet, or no more.

        Raises AssertionError when it is refused, TimeoutError when nobody responds.
        """
        self._register(cseq=1, expires_s=3600)

    def remove(self) -> None:
        """Say that the phone is gone."""
        self._register(cseq=3, expires_s=0)

    def _register(self, cseq: int, expires_s: int) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.bind((LOCALHOST, self.port))
            client.settimeout(TIMEOUT_S)
            client.connect((self.registrar_host, self.registrar_port))
            response = self._ask(client, cseq, expires_s)
            if response.status == 401:
                challenge = response.header("WWW-Authenticate")
                response = self._ask(client, cseq + 1, expires_s, self._credentials(challenge))
        assert response.status == 200, f"REGISTER of {self.number}: {response.start_line}"

    def _ask(
        self, client: socket.socket, cseq: int, expires_s: int, credentials: str = ""
    ) -> SipMessage:
        client.send(self._request(cseq, expires_s, credentials).encode())
        while True:
            # a NOTIFY of the mailbox may come in between; it is sent again until the phone runs
            message = parse_message(client.recv(65535).decode(), "in", 0.0)
            if message.status >= 200 and message.header("CSeq") == f"{cseq} REGISTER":
                return message

    def _request(self, cseq: int, expires_s: int, credentials: str) -> str:
        user = f"<sip:{self.number}@{self.domain}>"
        lines = (
            f"REGISTER sip:{self.domain}:{self.registrar_port} SIP/2.0",
            f"Via: SIP/2.0/UDP {LOCALHOST}:{self.port};branch=z9hG4bK-{self._serial}-{cseq}",
            f"From: {user};tag={self._serial}",
            f"To: {user}",
            f"Call-ID: registration-{self._serial}-{self.port}@{LOCALHOST}",
            f"CSeq: {cseq} REGISTER",
            f"Contact: <sip:{self.number}@{LOCALHOST}:{self.port}>",
            f"Expires: {expires_s}",
            "Max-Forwards: 70",
            *([f"Authorization: {credentials}"] if credentials else []),
            "Content-Length: 0",
        )
        return "\r\n".join((*lines, "", ""))

    def _credentials(self, challenge: str) -> str:
        realm, nonce = (_quoted(name, challenge) for name in ("realm", "nonce"))
        uri = f"sip:{self.domain}:{self.registrar_port}"
        user = _md5(f"{self.number}:{realm}:{self.password}")
        proof = _md5(f"{user}:{nonce}:00000001:lab:auth:{_md5(f'REGISTER:{uri}')}")
        return (
            f'Digest username="{self.number}", realm="{realm}", nonce="{nonce}", uri="{uri}", '
            f'response="{proof}", algorithm=MD5, qop=auth, nc=00000001, cnonce="lab"'
        )


def _quoted(name: str, challenge: str) -> str:
    found = re.search(rf'{name}="([^"]*)"', challenge)
    assert found, f"no {name} in the challenge: {challenge}"
    return found[1]


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
