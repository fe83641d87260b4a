"""The controller's address as a switch knows it: a relay that can go dead from one moment on."""

from __future__ import annotations

import contextlib
from functools import partial

import gevent
from gevent import socket
from gevent.event import Event as Flag
from gevent.server import StreamServer

LOCALHOST = "127.0.0.1"


class Relay:
    """Passes connections on to a controller in this process, until it is cut.

    Cutting it does to the switch what ``kill -9`` of a controller does: every connection ends and
    new ones are refused, with nothing said. The port stays ours meanwhile, so that the next
    controller can be reached there.
    """

    def __init__(self) -> None:
        self._guard = _bound(0)
        self.port = int(self._guard.getsockname()[1])
        self._server: StreamServer | None = None
        self._sockets: dict[socket.socket, None] = {}
        """In their order, in which `sever` ends them: a set has another one in each run."""
        self._passes = Flag()
        self._passes.set()
        self.passed = 0
        """How often something has been passed on, or a connection has begun or ended."""

    @property
    def address(self) -> str:
        """HOST:PORT that the switch dials."""
        return f"{LOCALHOST}:{self.port}"

    def open(self, target: tuple[str, int]) -> None:
        """Accept connections, and pass them on to ``target``, and to nobody else any more."""
        self.refuse()
        listener = _bound(self.port)
        listener.listen(64)
        self._server = StreamServer(listener, partial(self._relay, target))
        self._server.start()

    def stop(self) -> None:
        """Accept connections, and keep what they bring: the controller's process is stopped."""
        self._passes.clear()

    def go_on(self) -> None:
        """Pass on what has been kept."""
        self._passes.set()

    def refuse(self) -> None:
        """Accept no more connections; those there are go on."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def cut(self) -> None:
        """Refuse, and end every connection at once."""
        self.refuse()
        self.sever()

    def sever(self) -> None:
        """End every connection at once; new ones are accepted."""
        for each in list(self._sockets):
            _end(each)

    def close(self) -> None:
        """Cut, and give the port back."""
        self.cut()
        self._guard.close()

    def _relay(self, target: tuple[str, int], switch: socket.socket, _: object) -> None:
        controller = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            controller.connect(target)
        except OSError:  # it has just ended
            controller.close()
            return
        pair = (switch, controller)
        self._sockets |= dict.fromkeys(pair)
        for each in pair:
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = gevent.spawn(self._copy, controller, switch)
        self._copy(switch, controller)
        back.join()
        controller.close()
        for each in pair:
            del self._sockets[each]

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        """Copy until one side ends; both ends end then, as when one process closes its socket."""
        self.passed += 1
        with contextlib.suppress(OSError):
            while received := source.recv(65536):
                self._passes.wait()
                self.passed += 1
                sink.sendall(received)
        self.passed += 1
        _end(source)
        _end(sink)


def _bound(port: int) -> socket.socket:
    """A socket bound beside others of ours on the same port; one that does not listen refuses."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((LOCALHOST, port))
    return made


def _end(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
