"""Writes down what goes over FreeSWITCH's links, in both directions and in one order."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from dataclasses import dataclass, field

from tests.live.lab.ports import LOCALHOST


@dataclass(slots=True)
class Link:
    """One connection: ``dialled_by`` is ``switch`` or ``controller``.

    ``parts``: who has sent, what, and when, by `time.monotonic`.
    """

    dialled_by: str
    parts: list[tuple[float, str, bytes]] = field(default_factory=list)


class Tap:
    """Passes connections to ``port`` on to ``target``; ``links`` are those so far."""

    def __init__(self, dialled_by: str, target: int) -> None:
        self._dialled_by, self.target = dialled_by, target
        self._listener = socket.create_server((LOCALHOST, 0))
        self.port = int(self._listener.getsockname()[1])
        self.links: list[Link] = []
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        selector = selectors.DefaultSelector()
        selector.register(self._listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.data is None:
                    self._accept(selector)
                    continue
                link, sender, sink = key.data
                try:
                    part = key.fileobj.recv(1 << 20)  # type: ignore[union-attr]
                except OSError:
                    part = b""
                link.parts.append((time.monotonic(), sender, part))
                if not part:
                    selector.unregister(key.fileobj)
                with contextlib.suppress(OSError):  # the other side has closed before
                    sink.sendall(part) if part else sink.shutdown(socket.SHUT_WR)

    def _accept(self, selector: selectors.BaseSelector) -> None:
        near, _ = self._listener.accept()
        try:
            far = socket.create_connection((LOCALHOST, self.target))
        except OSError:
            near.close()
            return
        for one in (near, far):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = Link(self._dialled_by)
        self.links.append(link)
        other = "controller" if self._dialled_by == "switch" else "switch"
        selector.register(near, selectors.EVENT_READ, (link, self._dialled_by, far))
        selector.register(far, selectors.EVENT_READ, (link, other, near))
