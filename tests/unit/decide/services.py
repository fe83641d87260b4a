"""Web services for tests: one that answers as it is told, on sockets, in threads of its own."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Behaviour = Callable[["Asked"], None]


class Asked:
    """One connection; whoever behaves may say whatever it likes."""

    def __init__(self, sock: socket.socket, stopped: threading.Event) -> None:
        self.sock, self.stopped = sock, stopped

    def hear(self) -> tuple[dict[str, str], bytes]:
        """Read a request: its headers, in lower case, and its body."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, _, body = data.partition(b"\r\n\r\n")
        lines = [line.partition(": ") for line in head.decode().split("\r\n")[1:]]
        headers = {name.lower(): value for name, _, value in lines}
        while len(body) < int(headers["content-length"]):
            body += self._more()
        return headers, body

    def _more(self) -> bytes:
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError("the client has gone")
        return data

    def say(self, status: str, body: bytes = b"", *headers: str) -> None:
        """Send a whole answer."""
        length = [] if any("content-length" in each.lower() for each in headers) else [
            f"Content-Length: {len(body)}"
        ]  # fmt: skip
        head = "\r\n".join([f"HTTP/1.1 {status}", *length, *headers, "", ""])
        self.sock.sendall(head.encode() + body)

    def say_without_end(self, block: bytes) -> None:
        """Say this again and again, until the client has gone."""
        while not self.stopped.is_set():
            self.sock.sendall(block)


class Service:
    """It listens; each connection is served by the next behaviour, the last one for good."""

    def __init__(self, *behaviours: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[tuple[dict[str, str], bytes]] = []
        """The questions. Added by :meth:`hear` of whoever behaves."""
        self.connections = 0
        self._behaviours = list(behaviours)
        self._tls = tls
        self._stopped = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self.port}/decide?x=1"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._socket.accept()
                self.connections += 1
                behave = self._behaviours[min(self.connections, len(self._behaviours)) - 1]
                threading.Thread(target=self._serve, args=(sock, behave), daemon=True).start()

    def _serve(self, sock: socket.socket, behave: Behaviour) -> None:
        with suppress(OSError), sock:
            sock.settimeout(20)
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
            behave(Asked(sock, self._stopped))

    def answers(self, body: bytes, status: str = "200 OK") -> Behaviour:
        """Return what hears a question, keeps it, and answers."""

        def behave(asked: Asked) -> None:
            self.asked.append(asked.hear())
            asked.say(status, body)

        return behave

    def then(self, *behaviours: Behaviour) -> Service:
        """Behave so from the next connection on."""
        self._behaviours += behaviours
        return self

    def stop(self) -> None:
        """Nobody is there any more."""
        self._stopped.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@contextmanager
def serving(*behaviours: Behaviour, tls: ssl.SSLContext | None = None) -> Iterator[Service]:
    """A service, and its end."""
    service = Service(*behaviours, tls=tls)
    try:
        yield service
    finally:
        service.stop()
