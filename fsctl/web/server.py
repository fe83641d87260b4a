"""The server: gevent's own, so that many streams cost no threads."""

from __future__ import annotations

import logging
from collections.abc import Callable

from gevent import socket
from gevent.pywsgi import LoggingLogAdapter, WSGIHandler, WSGIServer

from fsctl.log import say, seldom
from fsctl.settings import Http
from fsctl.web.app import Desk, make

log = logging.getLogger(__name__)

_MOST_CONNECTIONS = 256
_CLOSES_S = 1.0
_IDLE_S = 75.0
"""Who asks nothing, or takes nothing of what it is told, for so long has its connection closed: it
is one of few."""


class _Handler(WSGIHandler):  # type: ignore[misc]
    """One connection."""

    ignored_socket_errors = (*WSGIHandler.ignored_socket_errors, "timed out")

    def __init__(self, sock: socket.socket, *others: object) -> None:
        sock.settimeout(_IDLE_S)
        super().__init__(sock, *others)


def serve(desk: Desk, settings: Http) -> Callable[[], None]:
    """Serve at ``[http] listen``; returns what ends it. Raises OSError."""
    app, streams = make(desk, settings)
    host, _, port = settings.listen.rpartition(":")
    server = WSGIServer(
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
