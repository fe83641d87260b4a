"""FreeSWITCH's end of a link, played by a test: it expects commands and answers them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent
from gevent import socket

from fsctl.esl.connection import Connection

PATIENCE_S = 30.0
_LENGTH = re.compile(rb"^content-length: (\d+)$", re.MULTILINE)


def _line(name: str, value: str) -> str:
    return f"{name if name.startswith('variable_') else name.replace('_', '-')}: {value}"


def frame(content_type: str, body: bytes = b"", **headers: str) -> bytes:
    """One frame as mod_event_socket writes it."""
    lines = [f"Content-Length: {len(body)}"] if body else []
    lines += [f"Content-Type: {content_type}"]
    lines += [_line(name, value) for name, value in headers.items()]
    return "\n".join(lines).encode() + b"\n\n" + body


def event(name: str, body: bytes = b"", **headers: str) -> bytes:
    """An event in its frame; header names have ``_`` for ``-``, but for variables."""
    lines = [f"Event-Name: {name}"]
    lines += [_line(header, value) for header, value in headers.items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    text = "\n".join(lines).encode() + b"\n\n" + body
    return frame("text/event-plain", text)


def reply(text: str = "+OK", **headers: str) -> bytes:
    """The reply to a command."""
    return frame("command/reply", Reply_Text=text, **headers)


def api(output: str) -> bytes:
    """The reply to an ``api`` command."""
    return frame("api/response", output.encode())


def snapshot(channel_uuid: str = "u1", **headers: str) -> bytes:
    """The reply to ``connect``."""
    return frame("command/reply", Unique_ID=channel_uuid, **headers, Reply_Text="%2BOK%0A")


class Peer:
    """The scripted end of a connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        if sock.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unread = b""

    def command(self) -> str:
        """The next command, head and body; raises EOFError at the end of the stream."""
        with gevent.Timeout(PATIENCE_S, TimeoutError("no command")):
            while b"\n\n" not in self._unread:
                self._read()
            head, _, rest = self._unread.partition(b"\n\n")
            found = _LENGTH.search(head)
            length = int(found[1]) if found else 0
            while len(rest) < length:
                self._read()
                rest = self._unread.partition(b"\n\n")[2]
        self._unread = rest[length:]
        return (head + (b"\n\n" + rest[:length] if length else b"")).decode()

    def _read(self) -> None:
        chunk = self.sock.recv(65536)
        if not chunk:
            raise EOFError
        self._unread += chunk

    def expect(self, command: str, *answers: bytes) -> None:
        """The next command must start with this; then send the answers."""
        got = self.command()
        assert got.startswith(command), f"{got!r} does not start with {command!r}"
        self.send(*answers)

    def send(self, *frames: bytes) -> None:
        """Send bytes."""
        self.sock.sendall(b"".join(frames))

    def eof(self) -> bool:
        """Whether the other side has closed, within our patience."""
        try:
            while True:
                self.command()
        except (EOFError, OSError):
            return True
        except TimeoutError:
            return False

    def close(self) -> None:
        """Close this end."""
        self.sock.close()


@contextmanager
def linked(*, start: bool = True, log_id: str = "test") -> Iterator[tuple[Connection, Peer]]:
    """A link and its scripted peer; the link must be able to end whatever happened."""
    ours, theirs = socket.socketpair()
    link, peer = Connection(ours, "peer", log_id=log_id), Peer(theirs)
    if start:
        link.start()
    try:
        yield link, peer
    finally:
        link.close()
        peer.close()
        assert link._reading is None or not link._reading.active


def wait_until(condition: Callable[[], object], what: str = "condition") -> None:
    """Wait for a condition; fails after our patience."""
    with gevent.Timeout(PATIENCE_S, AssertionError(f"never: {what}")):
        while not condition():
            gevent.sleep(0.002)
