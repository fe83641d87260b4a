"""The server: gevent's own, so that many streams cost no threads."""

from __future__ import annotations

import logging
from collections.abc import Callable

from gevent.pywsgi import LoggingLogAdapter, WSGIServer

from fsctl.log import say
from fsctl.settings import Http
from fsctl.web.app import Desk, make

log = logging.getLogger(__name__)

_MOST_CONNECTIONS = 256
_CLOSES_S = 1.0


def serve(desk: Desk, settings: Http) -> Callable[[], None]:
    """Serve at ``[http] listen``; returns what ends it. Raises OSError."""
    app, streams = make(desk, settings)
    host, _, port = settings.listen.rpartition(":")
    server = WSGIServer(
        (host.strip("[]"), int(port)),
        app,
        spawn=_MOST_CONNECTIONS,
        log=None,
        error_log=LoggingLogAdapter(log, logging.ERROR),
    )
    server.start()
    say(f"what goes on is shown at http://{host}:{server.server_port}/")

    def end() -> None:
        streams.close()
        server.stop(_CLOSES_S)

    return end
