"""What a controller says on FreeSWITCH's event socket, and what it is told there."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from functools import partial

from tests.live.lab.ports import LOCALHOST

_EVENT = b"Content-Type: text/event-"


class Tap:
    """Stands between controllers and the event socket at ``target``, and passes everything on.

    Attributes: ``port`` (where controllers connect), ``commands`` (every command so far, its first
    line), ``events`` (how many events FreeSWITCH has sent).
    """

    def __init__(self, target: int) -> None:
        """Listen on a free port; ``target`` is the event socket's."""
        self._target = target
        self._listener = socket.create_server((LOCALHOST, 0))
        self.port = int(self._listener.getsockname()[1])
        self.commands: list[str] = []
        self.events = 0
        self._lock = threading.Lock()
        run(self._accept)

    def close(self) -> None:
        """Accept no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                controller, _ = self._listener.accept()
                try:
                    switch = socket.create_connection((LOCALHOST, self._target))
                except OSError:
                    controller.close()
                    continue
                run(partial(_copy, controller, switch, self._commanded))
                run(partial(_copy, switch, controller, self._told))

    def _commanded(self, text: bytes) -> bytes:
        *commands, rest = text.split(b"\n\n")
        with self._lock:
            self.commands += [command.decode(errors="replace") for command in commands if command]
        return rest

    def _told(self, text: bytes) -> bytes:
        with self._lock:
            self.events += text.count(_EVENT)
        return text[-len(_EVENT) + 1 :]


def _copy(source: socket.socket, sink: socket.socket, read: Callable[[bytes], bytes]) -> None:
    """Pass on until either side ends; ``read`` returns what it wants to see again with the rest."""
    rest = b""
    with contextlib.suppress(OSError):
        while received := source.recv(65536):
            rest = read(rest + received)
            sink.sendall(received)
    for each in (source, sink):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def run(what: Callable[[], object]) -> None:
    """Run it in a thread of its own."""
    threading.Thread(target=what, daemon=True).start()
