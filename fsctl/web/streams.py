"""Server-sent events: whoever listens hears each change, or that it has missed some.

A stream that is not read is bounded, and ends: whoever comes back says what it has heard last, and
asks anew for what there is when that is too long ago.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator

from gevent.queue import Empty, Full, Queue

from fsctl.desk.live import Live, Shown

HEARTBEAT_S = 10.0
MOST_STREAMS = 64
WAITING = 2000
"""So many changes may wait for whoever reads one stream."""
REMEMBERED = 2000
"""So many changes are told to who comes back."""

Change = tuple[int, str, Shown]
"""Its number, its kind, and the thing: as it is when it is told."""


class Streams:
    """All that listen."""

    def __init__(self, live: Live, first: int = 0) -> None:
        """``first``: changes have higher numbers than that; higher than any of a desk before this
        one, lest who comes back to this one takes its changes for those that it has missed."""
        self._number = first
        self._latest: deque[Change] = deque(maxlen=REMEMBERED)
        self._queues: set[Queue[Change | None]] = set()
        live.listeners.append(self)

    @property
    def full(self) -> bool:
        """No more can listen."""
        return len(self._queues) >= MOST_STREAMS

    @property
    def number(self) -> int:
        """Of the latest change."""
        return self._number

    def changed(self, kind: str, thing: Shown) -> None:
        """Tell everybody."""
        self._number += 1
        change = (self._number, kind, thing)
        self._latest.append(change)
        for queue in list(self._queues):
            try:
                queue.put_nowait(change)
            except Full:
                self._queues.discard(queue)  # its stream ends when it gets there

    def listen(self, heard: int | None) -> Iterator[bytes]:
        """Yield events from after number ``heard`` on, without an end; None: from now on."""
        queue: Queue[Change | None] = Queue(WAITING)
        missed = [] if heard is None else [each for each in self._latest if each[0] > heard]
        known = heard is None or heard == self._number or (missed and missed[0][0] == heard + 1)
        self._queues.add(queue)
        try:
            # At once, so that a proxy, or the browser, knows that it has begun.
            yield b"retry: 2000\n\n" if known else b"retry: 2000\nevent: reset\ndata: {}\n\n"
            for change in missed if known else []:
                yield _told(change)
            while queue in self._queues or not queue.empty():
                try:
                    waited = queue.get(timeout=HEARTBEAT_S)
                except Empty:
                    yield b": \n\n"  # a reader that has gone is noticed by this only
                    continue
                if waited is None:
                    return
                yield _told(waited)
        finally:
            self._queues.discard(queue)

    def close(self) -> None:
        """End all of them."""
        for queue in list(self._queues):
            self._queues.discard(queue)
            try:
                queue.put_nowait(None)
            except Full:
                continue


def _told(change: Change) -> bytes:
    number, kind, thing = change
    return f"id: {number}\nevent: {kind}\ndata: {json.dumps(thing)}\n\n".encode()
