"""The server: gevent's own, so that many streams cost no threads."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from socket import SHUT_RD

from gevent import socket
from gevent.pywsgi import LoggingLogAdapter, WSGIHandler, WSGIServer

from fsctl.log import say, seldom
from fsctl.settings import Http
from fsctl.web.app import Desk, make

log = logging.getLogger(__name__)

_MOST_CONNECTIONS = 256
_SPARE = 8
"""When no more than these are free, one that asks nothing makes room for the next."""
_CLOSES_S = 1.0
_IDLE_S = 75.0
"""Who asks nothing, or takes nothing of what it is told, for so long has its connection closed: it
is one of few."""


class _Server(WSGIServer):  # type: ignore[misc]
    """Knows which of its connections are not being answered."""

    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **named)
        self.unanswered: dict[_Handler, socket.socket] = {}
        """Whose request has not come yet, or not its end; who has waited longest is the first."""

    def make_room(self) -> None:
        """Have the connection end that has said nothing whole for the longest time, where hardly
        any is free: half a request, or one byte a minute, would hold it for ever."""
        if self.pool.free_count() < _SPARE and self.unanswered:
            handler = next(iter(self.unanswered))
            with suppress(OSError):
                # It reads an end, and answers what it has.
                self.unanswered.pop(handler).shutdown(SHUT_RD)


class _Handler(WSGIHandler):  # type: ignore[misc]
    """One connection."""

    ignored_socket_errors = (*WSGIHandler.ignored_socket_errors, "timed out")

    def __init__(self, sock: socket.socket, *others: object) -> None:
        sock.settimeout(_IDLE_S)
        super().__init__(sock, *others)

    def handle(self) -> None:
        self.server.make_room()
        try:
            super().handle()
        finally:
            self.server.unanswered.pop(self, None)

    def read_requestline(self) -> str:
        self.server.unanswered.pop(self, None)
        self.server.unanswered[self] = self.socket
        return str(super().read_requestline())

    def run_application(self) -> None:
        self.server.unanswered.pop(self, None)
        try:
            super().run_application()
        finally:
            # The rest of what it has sent is read now, whoever it was.
            self.server.unanswered[self] = self.socket


def serve(desk: Desk, settings: Http) -> Callable[[], None]:
    """Serve at ``[http] listen``; returns what ends it. Raises OSError."""
    app, streams = make(desk, settings)
    host, _, port = settings.listen.rpartition(":")
    server = _Server(
        (host.strip("[]"), int(port)),
        app,
        spawn=_MOST_CONNECTIONS,
        handler_class=_Handler,
        log=None,
        # Strangers can send what is no HTTP as often as they like.
        error_log=LoggingLogAdapter(logging.LoggerAdapter(log, seldom("http")), logging.ERROR),
    )
    try:
        server.start()
    except OSError:
        desk.live.listeners.remove(streams)
        raise
    say(f"what goes on is shown at http://{host}:{server.server_port}/")

    def end() -> None:
        streams.close()
        server.stop(_CLOSES_S)

    return end
