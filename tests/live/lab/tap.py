"""What a controller says on FreeSWITCH's event socket, and what it is told there."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from functools import partial

from tests.live.lab.ports import LOCALHOST

_EVENT = b"Content-Type: text/event-"


class Relay:
    """Stands between whoever connects to ``port`` and who listens at ``target``."""

    def __init__(self, target: int) -> None:
        """Listen on a free port, until `close`."""
        self._target = target
        self._listener = socket.create_server((LOCALHOST, 0))
        self.port = int(self._listener.getsockname()[1])
        run(self._accept)

    def close(self) -> None:
        """Accept no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                try:
                    called = socket.create_connection((LOCALHOST, self._target))
                except OSError:
                    caller.close()
                    continue
                self._serve(caller, called)

    def _serve(self, caller: socket.socket, called: socket.socket) -> None:
        raise NotImplementedError


class Tap(Relay):
    """Stands between controllers and the event socket at ``target``, and passes everything on.

    Attributes: ``port`` (where controllers connect), ``commands`` (every command so far, its first
    line), ``events`` (how many events FreeSWITCH has sent).
    """

    def __init__(self, target: int) -> None:
        """Listen on a free port; ``target`` is the event socket's."""
        self.commands: list[str] = []
        self.events = 0
        self._lock = threading.Lock()
        super().__init__(target)

    def _serve(self, caller: socket.socket, called: socket.socket) -> None:
        run(partial(copy, caller, called, self._commanded))
        run(partial(copy, called, caller, self._told))

    def _commanded(self, text: bytes) -> bytes:
        *commands, rest = text.split(b"\n\n")
        with self._lock:
            self.commands += [command.decode(errors="replace") for command in commands if command]
        return rest

    def _told(self, text: bytes) -> bytes:
        with self._lock:
            self.events += text.count(_EVENT)
        return text[-len(_EVENT) + 1 :]


def copy(source: socket.socket, sink: socket.socket, read: Callable[[bytes], bytes]) -> None:
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
