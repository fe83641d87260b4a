"""Accepts the links that a dialplan's ``socket`` application opens.

FreeSWITCH waits for us to speak first, and a leg whose socket is accepted and closed before
``connect`` parks for ever: so every accepted link is connected, if only to be let go.
"""

from __future__ import annotations

import errno
import logging
import socket as system_socket
from collections.abc import Callable
from contextlib import suppress

import gevent
from gevent import socket
from gevent.event import Event as Flag
from gevent.pool import Pool
from gevent.server import StreamServer

from fsctl.errors import LinkError
from fsctl.esl.connection import DEFAULT_TIMEOUT_S, Connection
from fsctl.esl.events import Event
from fsctl.esl.farewell import let_go
from fsctl.esl.sockets import address_of, listen_on, tune, waited_s
from fsctl.esl.waiting import Deadline
from fsctl.log import Field, seldom

_log = logging.getLogger(__name__)
_MAX_REFUSALS = 256
_FAREWELL_S = 1.0
_OTHERS_FIRST_S = 0.0005


class EslServer:
    """Listens at `listen` (host, port; port 0: any) and runs `handle` for each link.

    `listen` may also be a socket that listens already, and that other processes accept from, too.

    `handle` gets the link and its channel's snapshot, in a greenlet of the link's own, and may
    return what that greenlet is to do next, without the snapshot: it is large. The link outlives
    both: it ends when somebody closes it or the peer does, and no greenlet waits for that. An
    exception in them is logged and lets the channel go on in its dialplan.
    Who `alternates` leaves the next link to those others, if one of them takes it at once.
    Above `max_links` links are let go at once, so that the dialplan's next action runs; when too
    many wait even for that, they wait in the kernel's `backlog`.
    """

    def __init__(
        self,
        listen: tuple[str, int] | socket.socket,
        handle: Callable[[Connection, Event], Callable[[], None] | None],
        *,
        max_links: int = 4000,
        alternates: bool = False,
        backlog: int = 1024,
        handshake_timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        self._handle = handle
        self._max_links = max_links
        self._handshake_timeout_s = handshake_timeout_s
        self._links: dict[Connection, None] = {}
        """In the order in which they came, and are let go."""
        self._without_links = Flag()
        self._without_links.set()
        shared = not isinstance(listen, tuple)
        self._listener = listen_on(listen, backlog=backlog) if isinstance(listen, tuple) else listen
        self._address = address_of(self._listener)
        tune(self._listener)  # what is accepted has its options from there
        self._greenlets = Pool(max_links + _MAX_REFUSALS)
        self._server = _Accepting(self._listener, self._serve, spawn=self._greenlets)
        self._server.alternates = alternates
        if shared:
            # Others wait for links as well, and a link is lost with the one who accepted it.
            self._server.max_accept = 1
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

    @property
    def channels(self) -> set[str]:
        """The channels whose links are open."""
        return {link.channel_uuid for link in self._links if link.channel_uuid}

    def stop_accepting(self, others_accept: bool = False) -> None:
        """Close the listening socket; links that are open go on.

        What the kernel had accepted already is let go properly, not reset, and whoever dials from
        then on is refused at once, even where other processes hold the socket as well: unless
        `others_accept` says that they serve it.
        """
        if self._stopping:
            return
        self._stopping = True
        self._server.stop_accepting()
        if not others_accept:
            self._let_go_backlog()
            with suppress(OSError):  # it has been shut down already
                self._listener.shutdown(system_socket.SHUT_RDWR)
        self._server.close()

    def stop(self, timeout_s: float = 0.0) -> None:
        """`stop_accepting`, give the links `timeout_s` to end, then let the rest go."""
        self.stop_accepting()
        deadline = Deadline(timeout_s)
        if not (
            self._greenlets.join(timeout=deadline.left_s())
            and self._without_links.wait(deadline.left_s())
        ):
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
            _log.warning(
                "%d links are open, as many as may be: letting %s go",
                len(self._links),
                peer,
                extra=seldom("links that were too many"),
            )
            self._refuse(sock, peer)
            return
        link = self._open(sock, peer)
        self._links[link] = None
        self._without_links.clear()
        link.on_closed = self._forget
        try:
            self._run(link)
        except BaseException:
            link.close()
            raise

    def _forget(self, link: Connection) -> None:
        self._links.pop(link, None)
        if not self._links:
            self._without_links.set()

    def _open(self, sock: socket.socket, peer: tuple[str, int]) -> Connection:
        link = Connection(sock, peer, log_id=Field("peer", f"{peer[0]}:{peer[1]}" if peer else "?"))
        link.since -= waited_s(sock)
        link.start()
        return link

    def _run(self, link: Connection) -> None:
        try:
            snapshot = link.connect(self._handshake_timeout_s)
        except LinkError as error:
            extra = seldom("links without a handshake, that no switch has opened")
            _log.warning("[%s] closed, no handshake: %s", link.log_id, error, extra=extra)
            link.close()
            return
        try:
            then = self._handle(link, snapshot)
            del snapshot
            if then is not None:
                then()
        except Exception:
            extra = seldom("handlers of calls that have failed")
            _log.exception("[%s] the handler failed, letting the call go", link.log_id, extra=extra)
            let_go(link, _FAREWELL_S)

    def _refuse(self, sock: socket.socket, peer: tuple[str, int]) -> None:
        let_go(self._open(sock, peer), self._handshake_timeout_s)


class _Accepting(StreamServer):  # type: ignore[misc]
    """Stops without a word when another process has shut the listening socket down.

    Of several processes with nothing to do the kernel may always have the same one run first, those
    in real time above all: who took the last link waits a moment before it takes another one.
    """

    alternates = False
    _took_last = False

    def do_close(self, sock: socket.socket, *_: object) -> None:
        """Not by the greenlet that has served it: the socket is its link's."""

    def do_read(self) -> object:
        if self.alternates and self._took_last:
            self._took_last = False
            self.stop_accepting()
            self._timer = self.loop.timer(_OTHERS_FIRST_S)
            self._timer.start(self._start_accepting_if_started)
            return None
        try:
            taken = super().do_read()
            self._took_last = taken is not None
            return taken
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            self.stop_accepting()
            return None
