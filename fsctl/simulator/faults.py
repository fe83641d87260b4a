"""Faults that a story puts on a link: what a network or a sick switch does to the bytes.

Give them to ``SimulatedSwitch.faults`` before the link is made, or to ``Link.faults`` later. Each
is asked, in order, about every frame that the link is about to send.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame on its way to the controller: its bytes and what it is.

    ``kind`` is ``reply``, ``api``, ``event`` or ``notice``; ``about`` is the command's first line
    for a reply, the event's name for an event.
    """

    raw: bytes
    kind: str
    about: str


@dataclass(frozen=True, slots=True)
class Sending:
    """What becomes of a frame: pieces with the seconds to wait before each."""

    pieces: tuple[tuple[float, bytes], ...]


Fault = Callable[[Frame], "Sending | None"]
"""Returns None to leave a frame alone, or what is to be sent in its place."""


@dataclass(slots=True)
class Nth:
    """Apply a fault to the ``number``-th frame of a kind (and name), counted from 1, only."""

    fault: Fault
    kind: str = "event"
    about: str = ""
    number: int = 1
    seen: int = field(default=0, init=False)

    def __call__(self, frame: Frame) -> Sending | None:
        """Count, and apply when it is this frame's turn."""
        if frame.kind != self.kind or not frame.about.startswith(self.about):
            return None
        self.seen += 1
        return self.fault(frame) if self.seen == self.number else None


def split(sizes: Iterable[int] = (1,)) -> Fault:
    """Send in pieces of these sizes, the last one repeated, each in a segment of its own."""
    wanted = list(sizes)

    def apply(frame: Frame) -> Sending:
        pieces, start, index = [], 0, 0
        while start < len(frame.raw):
            size = max(1, wanted[min(index, len(wanted) - 1)])
            pieces.append((0.0, frame.raw[start : start + size]))
            start, index = start + size, index + 1
        return Sending(tuple(pieces))

    return apply


def late(delay_s: float) -> Fault:
    """Hold the frame, and everything behind it, for so many seconds of the switch's clock."""
    return lambda frame: Sending(((delay_s, frame.raw),))


def missing() -> Fault:
    """Never send it."""
    return lambda frame: Sending(())


def refused(text: str = "-ERR no can do") -> Fault:
    """Say ``-ERR`` where another answer stood (the command was obeyed all the same)."""

    def apply(frame: Frame) -> Sending:
        if frame.kind == "api":
            body = f"{text}\n".encode()
            head = b"Content-Type: api/response\nContent-Length: %d\n\n" % len(body)
            return Sending(((0.0, head + body),))
        return Sending(((0.0, f"Content-Type: command/reply\nReply-Text: {text}\n\n".encode()),))

    return apply


def duplicated() -> Fault:
    """Send it twice."""
    return lambda frame: Sending(((0.0, frame.raw), (0.0, frame.raw)))
