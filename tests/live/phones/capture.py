"""Every SIP message that FreeSWITCH receives or sends, as FreeSWITCH itself reports it (HEP 3).

So what a phone sends and gets is read in one way, whatever phone it is. The switch's configuration
names this port (`PhonesSwitch`).
"""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass

from fsctl.errors import HepError
from fsctl.hep.packet import parse
from fsctl.simulator import SipMessage
from tests.live.lab.messages import parse_message
from tests.live.lab.ports import LOCALHOST


@dataclass(frozen=True, slots=True)
class Captured:
    """A message: the ports of its sender and its receiver, the epoch time, its text."""

    source: int
    target: int
    time_s: float
    text: str


def unpack(data: bytes) -> Captured:
    """What a HEP 3 packet holds. Raises HepError."""
    packet = parse(data)
    text = packet.payload.decode(errors="replace")
    return Captured(packet.source_port, packet.destination_port, packet.time_s, text)


class Capture:
    """Listens for what the switch reports; ``port`` is where."""

    def __init__(self, port: int) -> None:
        """Bind it: the switch may run already."""
        self.port = port
        self._captured: list[Captured] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind((LOCALHOST, port))
        self._socket.settimeout(0.2)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listen no more."""
        self._closed.set()
        self._thread.join(2.0)
        self._socket.close()

    def messages(self, port: int, since_s: float = 0.0) -> list[SipMessage]:
        """What the phone at that port has sent and received since that epoch time, in order."""
        rows = [row for row in list(self._captured) if row.time_s >= since_s]
        return [
            parse_message(row.text, "out" if row.source == port else "in", row.time_s)
            for row in rows
            if port in (row.source, row.target) and row.text.strip()
        ]

    def port_of(self, uri: str, since_s: float) -> int:
        """The port from which ``<URI>`` has registered since that epoch time; 0: it has not."""
        registers = (
            row.source
            for row in reversed(self._captured)
            if row.time_s >= since_s and row.text.startswith("REGISTER ") and uri in row.text
        )
        return next(registers, 0)

    def _run(self) -> None:
        while not self._closed.is_set():
            with contextlib.suppress(OSError, HepError):
                self._captured.append(unpack(self._socket.recv(65535)))
