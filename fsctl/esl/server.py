"""Accepts the links that a dialplan's ``socket`` application opens: one greenlet a link.

FreeSWITCH waits for us to speak first, and a leg whose socket is accepted and closed before
``connect`` parks for ever: so every accepted link is connected, if only to be let go.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import gevent
from gevent import socket
from gevent.pool import Pool
from gevent.server import StreamServer

from fsctl.errors import LinkError
from fsctl.esl.connection import DEFAULT_TIMEOUT_S, Connection
from fsctl.esl.events import Event
from fsctl.esl.farewell import let_go
from fsctl.esl.sockets import address_of, listen_on, tune

_log = logging.getLogger(__name__)
_MAX_REFUSALS = 256
_FAREWELL_S = 1.0


class EslServer:
    """Listens at `listen` (host, port; port 0: any) and runs `handle` for each link.

    `handle` gets the link and its channel's snapshot, in a greenlet of the link's own. The link
    outlives `handle`: it ends when somebody closes it or the peer does. An exception in `handle`
    is logged and lets the channel go on in its dialplan.
    Above `max_links` links are let go at once, so that the dialplan's next action runs; when too
    many wait even for that, they wait in the kernel's `backlog`.
    """

    def __init__(
        self,
        listen: tuple[str, int],
        handle: Callable[[Connection, Event], None],
        *,
        max_links: int = 4000,
        backlog: int = 1024,
        handshake_timeout_s: float = DEFAULT_TIMEOUT_S,
        reuse_port: bool = False,
    ) -> None:
        self._handle = handle
        self._max_links = max_links
        self._handshake_timeout_s = handshake_timeout_s
        self._links: set[Connection] = set()
        self._listener = listen_on(listen, backlog=backlog, reuse_port=reuse_port)
        self._address = address_of(self._listener)
        self._greenlets = Pool(max_links + _MAX_REFUSALS)
        self._server = StreamServer(self._listener, self._serve, spawn=self._greenlets)
        self._stopping = False

    @property
    def address(self) -> tuple[str, int]:
        """Where it really listens."""
        return self._address

    @property
    def link_count(self) -> int:
        """How many links are open, in their handshake or after it."""
        return len(self._links)

    def start(self) -> None:
        """Begin to accept."""
        self._server.start()

    def stop_accepting(self) -> None:
        """Close the listening socket; links that are open go on.

        What the kernel had accepted already is let go properly, not reset.
        """
        if self._stopping:
            return
        self._stopping = True
        self._server.stop_accepting()
        self._let_go_backlog()
        self._server.close()

    def stop(self, timeout_s: float = 0.0) -> None:
        """`stop_accepting`, give the links `timeout_s` to end, then let the rest go."""
        self.stop_accepting()
        if not self._greenlets.join(timeout=timeout_s or 0.001):
            farewells = [gevent.spawn(let_go, link, _FAREWELL_S) for link in self._links]
            gevent.joinall(farewells, timeout=2 * _FAREWELL_S)
            for link in list(self._links):
                link.close()
            self._greenlets.join(timeout=_FAREWELL_S)
            self._greenlets.kill(timeout=_FAREWELL_S)

    def _let_go_backlog(self) -> None:
        self._listener.settimeout(0.0)
        while True:
            try:
                sock, peer = self._listener.accept()
            except OSError:
                return
            gevent.spawn(self._refuse, sock, peer)

    def _serve(self, sock: socket.socket, peer: tuple[str, int]) -> None:
        if len(self._links) >= self._max_links:
            _log.warning("%d links are open: letting %s go", len(self._links), peer)
            self._refuse(sock, peer)
            return
        link = self._open(sock, peer)
        self._links.add(link)
        try:
            self._run(link)
            link.wait_closed()
        finally:
            link.close()
            self._links.discard(link)

    def _open(self, sock: socket.socket, peer: tuple[str, int]) -> Connection:
        tune(sock)
        link = Connection(sock, peer, log_id=f"{peer[0]}:{peer[1]}" if peer else "?")
        link.start()
        return link

    def _run(self, link: Connection) -> None:
        try:
            snapshot = link.connect(self._handshake_timeout_s)
        except LinkError as error:
            _log.warning("[%s] no handshake: %s", link.log_id, error)
            link.close()
            return
        try:
            self._handle(link, snapshot)
        except Exception:
            _log.exception("[%s] the call's handler failed", link.log_id)
            let_go(link, _FAREWELL_S)

    def _refuse(self, sock: socket.socket, peer: tuple[str, int]) -> None:
        let_go(self._open(sock, peer), self._handshake_timeout_s)
