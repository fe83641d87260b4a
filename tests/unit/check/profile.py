"""A sofia profile as far as the proof of its copies goes: it answers OPTIONS, and copies them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import gevent
from gevent import socket


@dataclass
class Profile:
    """``capture`` is the port that gets the copies (0: none do); ``lost``: so many before."""

    capture: int = 0
    lost: int = 0
    answers: bool = True
    version: bytes = b"HEP3"
    asked: list[bytes] = field(default_factory=list)
    sock: socket.socket = field(default_factory=lambda: _bound())

    @property
    def port(self) -> int:
        """Where it takes UDP."""
        return int(self.sock.getsockname()[1])

    def _run(self) -> None:
        while True:
            message, peer = self.sock.recvfrom(65535)
            self.asked.append(message)
            if self.capture and len(self.asked) > self.lost:
                self.sock.sendto(self._copy(message, peer[1]), ("127.0.0.1", self.capture))
            if self.answers:
                self.sock.sendto(message.replace(b"OPTIONS sip", b"SIP/2.0 200 OK\r\nX", 1), peer)

    def _copy(self, message: bytes, source: int) -> bytes:
        local = b"\x7f\0\0\1"
        ports = {7: struct.pack("!H", source), 8: struct.pack("!H", self.port)}
        when = {9: struct.pack("!I", 1), 10: bytes(4)}
        values = {2: b"\x11", 3: local, 4: local, **ports, **when, 11: b"\1", 15: message}
        chunks = b"".join(
            struct.pack("!HHH", 0, kind, len(value) + 6) + value for kind, value in values.items()
        )
        return self.version + struct.pack("!H", len(chunks) + 6) + chunks


@contextmanager
def running(*profiles: Profile) -> Iterator[None]:
    """They run."""
    greenlets = [gevent.spawn(each._run) for each in profiles]
    try:
        yield
    finally:
        gevent.killall(greenlets)
        for each in profiles:
            each.sock.close()


def free_port() -> int:
    """One of UDP that nobody listens at."""
    with _bound() as sock:
        return int(sock.getsockname()[1])


def _bound() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    return sock
