"""The least a gevent controller can do: fsctl's own commands, frames split, and nothing else.

``python -m bench.replay.bare PORT SCOPE FOLDER``: the recording's commands, each when what it has
waited for has come. It is the yardstick for what fsctl adds to that.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from socket import IPPROTO_TCP, TCP_NODELAY

from gevent.server import StreamServer
from gevent.socket import socket

from bench.replay import recording as recordings
from bench.replay.frames import split, value


class Bare:
    """One link: batches of commands, each with the event that it waits for (empty: the replies)."""

    def __init__(self, recording: recordings.Recording) -> None:
        self._names = recording.names
        last = recording.commands[-1]
        self._links = [_batches(link, link is last) for link in recording.commands]

    def serve(self, connection: socket, _: object) -> None:
        """One link, from ``connect`` to its end."""
        connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        connection.sendall(b"connect\n\n")
        link = _Link()
        while link.received(connection.recv(65536)):
            for text in self._next(link):
                connection.sendall(text)
        connection.close()

    def _next(self, link: _Link) -> Iterator[bytes]:
        """What is to be sent now."""
        if link.batches is None and link.names[0]:
            link.batches = self._links[-1 if link.is_again else 0][1:]
        while link.batches and link.owed <= 0:
            cause, number, text = link.batches[0]
            if cause and cause not in link.seen:
                return
            link.batches = link.batches[1:]
            link.owed += number
            for old, new in zip(self._names, link.names, strict=False):
                text = text.replace(old, new)
            yield text


class _Link:
    """What is known of a link; ``owed``: replies that have not come."""

    __slots__ = ("batches", "buffer", "is_again", "names", "owed", "seen")

    def __init__(self) -> None:
        self.buffer, self.owed, self.is_again = b"", 1, False
        self.names = (b"", b"", b"")
        self.seen: set[bytes] = set()
        self.batches: list[tuple[bytes, int, bytes]] | None = None

    def received(self, data: bytes) -> bool:
        """Take it in; False: the link has ended."""
        frames, self.buffer = split(self.buffer + data)
        for head, body in frames:
            if b"text/event-plain" in head:
                self.seen.add(value(body, b"Event-Name"))
            elif b"disconnect-notice" in head:
                self.seen.add(b"disconnect")
            else:
                self.owed -= 1
                if not self.names[0]:
                    self.names = _names(head)
                    self.is_again = b"\nvariable_blind_transfer_uuid: " in head
        return bool(data)


def _names(snapshot: bytes) -> tuple[bytes, bytes, bytes]:
    """The three legs' uuids: in a replay they differ by one digit."""
    start = snapshot.find(b"\nUnique-ID: ") + 12
    own = snapshot[start : start + 36]
    return own, own[:9] + b"b" + own[10:], own[:9] + b"c" + own[10:]


def _batches(link: list[tuple[str, bool]], is_last: bool) -> list[tuple[bytes, int, bytes]]:
    """What goes in one write: the event that it waits for, how many commands, their bytes."""
    found: list[tuple[bytes, int, bytes]] = []
    has_dialled = False
    for text, together in link:
        block = text.encode() + (b"" if "\n\n" in text else b"\n\n")
        cause = b""
        if has_dialled and text.startswith("filter Unique-ID"):
            cause = b"CHANNEL_ANSWER" if is_last else b"CUSTOM"
        elif text == "exit":
            cause = b"disconnect"
        has_dialled = has_dialled or "execute-app-name: bridge" in text
        if together and found and not cause:
            event, count, before = found[-1]
            found[-1] = (event, count + 1, before + block)
        else:
            found.append((cause, 1, block))
    return found


def main() -> None:
    """Serve until killed."""
    port, scope, repository = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    bare = Bare(recordings.load(scope, f"127.0.0.1:{port}", repository))
    StreamServer(("127.0.0.1", port), bare.serve, backlog=4096).serve_forever()


if __name__ == "__main__":
    main()
