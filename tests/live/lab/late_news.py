"""A link on which the news are late: FreeSWITCH looks for them every 20 ms, under load later."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from functools import partial
from queue import SimpleQueue
from typing import IO

from tests.live.lab.ports import LOCALHOST
from tests.live.lab.tap import run

_LENGTH = re.compile(rb"Content-Length: *(\d+)")
_LATE = (b"text/event-", b"text/disconnect-notice")

_Held = SimpleQueue[tuple[float, bytes]]


class LateNews:
    """Stands between a switch and the controller that listens at ``target``.

    Replies pass at once, as they do on a link whose events wait; events are ``late_s`` seconds
    late, in their order. Attribute: ``address`` (what the switch dials).
    """

    def __init__(self, target: int, late_s: float) -> None:
        """Listen on a free port, until `close`."""
        self._target, self._late_s = target, late_s
        self._listener = socket.create_server((LOCALHOST, 0))
        self.address = f"{LOCALHOST}:{self._listener.getsockname()[1]}"
        run(self._accept)

    def close(self) -> None:
        """Accept no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                switch, _ = self._listener.accept()
                controller = socket.create_connection((LOCALHOST, self._target))
                held: _Held = SimpleQueue()
                run(partial(_copy, controller, switch))
                run(partial(self._read, switch, controller, held))
                run(partial(_tell, controller, held))

    def _read(self, switch: socket.socket, controller: socket.socket, held: _Held) -> None:
        with contextlib.suppress(OSError), switch.makefile("rb") as frames:
            while head := _head(frames):
                found = _LENGTH.search(head)
                frame = head + (frames.read(int(found.group(1))) if found else b"")
                if any(kind in head for kind in _LATE):
                    held.put((time.monotonic() + self._late_s, frame))
                else:
                    controller.sendall(frame)
        held.put((0.0, b""))


def _head(frames: IO[bytes]) -> bytes:
    """Up to and with the empty line; empty: that was the last frame."""
    head = b""
    while line := frames.readline():
        head += line
        if line == b"\n":
            return head
    return b""


def _tell(controller: socket.socket, held: _Held) -> None:
    """Pass on what was held back, and end the connection behind it."""
    with contextlib.suppress(OSError):
        due, frame = held.get()
        while frame:
            time.sleep(max(0.0, due - time.monotonic()))
            controller.sendall(frame)
            due, frame = held.get()
        controller.shutdown(socket.SHUT_RDWR)


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while received := source.recv(65536):
            sink.sendall(received)
    for each in (source, sink):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
