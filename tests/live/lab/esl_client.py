"""A tiny blocking client of the switch's event socket.

Written for the laboratory alone, on the standard library, and deliberately not the wire code under
test: an error there must not be able to hide itself here.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType


class EslClient:
    """One authenticated inbound connection; thread-safe, one command at a time."""

    def __init__(self, host: str, port: int, password: str, timeout_s: float = 5.0) -> None:
        """Connect and log in. Raises OSError or ConnectionError when that fails."""
        self._lock = threading.Lock()
        self._socket = socket.create_connection((host, port), timeout_s)
        self._stream = self._socket.makefile("rb")
        try:
            self._read()
            reply, _ = self._command(f"auth {password}")
            if not reply.startswith("+OK"):
                raise ConnectionError(f"event socket refused us: {reply}")
        except BaseException:
            self.close()
            raise

    def api(self, command: str) -> str:
        """Run ``api COMMAND`` and return the whole body, stripped of its last newline."""
        with self._lock:
            return self._command(f"api {command}")[1].rstrip("\n")

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()
        self._socket.close()

    def __enter__(self) -> EslClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _command(self, line: str) -> tuple[str, str]:
        if "\n" in line:
            raise ValueError("an event-socket command is one line")
        self._socket.sendall(f"{line}\n\n".encode())
        headers, body = self._read()
        return headers.get("Reply-Text", ""), body

    def _read(self) -> tuple[dict[str, str], str]:
        headers: dict[str, str] = {}
        while True:
            line = self._stream.readline()
            if not line:
                raise ConnectionError("the switch closed the event socket")
            text = line.decode().rstrip("\n")
            if not text:
                break
            name, _, value = text.partition(": ")
            headers[name] = value
        body = self._stream.read(int(headers.get("Content-Length", "0")))
        return headers, body.decode(errors="replace")


class Events(EslClient):
    """A connection that keeps every event of one name, as its headers (still percent-encoded)."""

    def __init__(self, host: str, port: int, password: str, name: str) -> None:
        super().__init__(host, port, password)
        reply, _ = self._command(f"event plain {name}")
        assert reply.startswith("+OK"), reply
        self.heard: list[dict[str, str]] = []
        self._socket.settimeout(None)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with suppress(ConnectionError, OSError, ValueError):
            while True:
                _, body = self._read()
                lines = (line.partition(": ") for line in body.splitlines())
                self.heard.append({name: value for name, _, value in lines})

    def close(self) -> None:
        """As of any: the thread that reads ends, too."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        super().close()
