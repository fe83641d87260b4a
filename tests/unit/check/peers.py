"""Whoever may listen where FreeSWITCH's event socket is expected."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import gevent
from gevent import socket
from gevent.server import StreamServer

from fsctl.settings import Settings, Switch

PASSWORD = "right"
GREETING = b"Content-Type: auth/request\n\n"


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[Settings]:
    """Settings for somebody who does that with a connection."""
    server = StreamServer(("127.0.0.1", 0), lambda sock, _: serve(sock))
    server.start()
    try:
        yield settings(server.server_port)
    finally:
        server.stop(timeout=0)


def settings(port: int) -> Settings:
    """Settings that name that port and the right password."""
    return Settings(switches=(Switch("freeswitch", "127.0.0.1", port, PASSWORD, enabled=True),))


def freeswitch(answers: Mapping[str, str]) -> Callable[[socket.socket], None]:
    """FreeSWITCH, which answers what is listed, by the API command's line; nothing else is said."""

    def serve(sock: socket.socket) -> None:
        sock.sendall(GREETING)
        stream = sock.makefile("rb")
        while line := stream.readline().decode().strip():
            stream.readline()
            if line.startswith("auth "):
                good = line == f"auth {PASSWORD}"
                text = "+OK accepted" if good else "-ERR invalid"
                sock.sendall(f"Content-Type: command/reply\nReply-Text: {text}\n\n".encode())
            elif (answer := answers.get(line.removeprefix("api "))) is not None:
                body = answer.encode()
                head = f"Content-Type: api/response\nContent-Length: {len(body)}\n\n"
                sock.sendall(head.encode() + body)

    return serve


def saying(data: bytes, *, endless: bool = False) -> Callable[[socket.socket], None]:
    """Somebody who says that, once or for ever, and listens to nobody."""

    def serve(sock: socket.socket) -> None:
        sock.sendall(data)
        while endless:
            sock.sendall(data)
            gevent.sleep(0.001)
        sock.recv(1)
        gevent.sleep(30)

    return serve
