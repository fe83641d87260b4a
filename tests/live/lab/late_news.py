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
from tests.live.lab.tap import Relay, copy, run

_LENGTH = re.compile(rb"Content-Length: *(\d+)")
_LATE = (b"text/event-", b"text/disconnect-notice")

_Held = SimpleQueue[tuple[float, bytes]]


class LateNews(Relay):
    """Stands between a switch and the controller that listens at ``target``.

    Replies pass at once, as they do on a link whose events wait; events are ``late_s`` seconds
    late, in their order. Attribute: ``address`` (what the switch dials).
    """

    def __init__(self, target: int, late_s: float) -> None:
        """Listen on a free port, until `close`."""
        self._late_s = late_s
        super().__init__(target)
        self.address = f"{LOCALHOST}:{self.port}"

    def _serve(self, caller: socket.socket, called: socket.socket) -> None:
        held: _Held = SimpleQueue()
        run(partial(copy, called, caller, lambda received: b""))
        run(partial(self._read, caller, called, held))
        run(partial(_tell, called, held))

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
