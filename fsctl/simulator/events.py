"""Events and their encoding, as ``switch_event_serialize``.

This is the simulator's own encoder on purpose: it shares nothing with fsctl's parser, so that an
error in one cannot be cancelled by the same error in the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

_ENCODED = re.compile(rb"%(?![0-9A-F]{2})|[^!$'()*,\-./0-9A-Z_a-z~%]")

Value = str | list[str]
"""A header's value; a list is one of FreeSWITCH's array variables (``ARRAY::a|:b``)."""


@lru_cache(maxsize=8192)
def url_encode(text: str) -> str:
    """Encode a header's value as ``switch_url_encode`` does.

    A ``%`` followed by two upper-case hex digits is left alone: FreeSWITCH never encodes twice,
    which is why a plain event cannot tell ``%0D`` from a carriage return.
    """
    raw = text.encode("utf-8", "surrogateescape")
    return _ENCODED.sub(lambda found: b"%%%02X" % found[0][0], raw).decode("ascii")


def joined(value: Value) -> str:
    """The one-string form of a value."""
    if isinstance(value, str):
        return value
    return "ARRAY::" + "|:".join(value) if len(value) > 1 else value[0]


@dataclass(slots=True)
class SimEvent:
    """One event: ordered headers and an optional body."""

    name: str
    headers: list[tuple[str, Value]] = field(default_factory=list)
    body: str | None = None
    subclass: str = ""

    def add(self, name: str, value: Value | int) -> SimEvent:
        """Append a header; returns the event itself."""
        self.headers.append((name, str(value) if isinstance(value, int) else value))
        return self

    def get(self, name: str) -> str | None:
        """The first header called ``name`` (any case), in one-string form."""
        lower = name.lower()
        for key, value in self.headers:
            if key.lower() == lower:
                return joined(value)
        return None

    def to_plain(self) -> bytes:
        """The text of a ``text/event-plain`` frame's body."""
        lines = [f"{name}: {url_encode(joined(value))}\n" for name, value in self._sendable()]
        if self.body is None:
            return ("".join(lines) + "\n").encode("ascii")
        body = self.body.encode("utf-8", "surrogateescape")
        lines.append(f"Content-Length: {len(body)}\n\n")
        return "".join(lines).encode("ascii") + body

    def _sendable(self) -> Iterator[tuple[str, Value]]:
        """Headers without empty values: ``switch_event_add_header_string`` keeps none."""
        return ((name, value) for name, value in self.headers if value not in ("", []))


def event_frame(event: SimEvent) -> bytes:
    """A whole frame with an event (``text/event-plain``)."""
    text = event.to_plain()
    head = f"Content-Length: {len(text)}\nContent-Type: text/event-plain\n\n"
    return head.encode("ascii") + text


def reply_frame(text: str, extra: str = "") -> bytes:
    """A ``command/reply`` frame; ``extra`` is further header lines, each ending in a newline."""
    return f"Content-Type: command/reply\nReply-Text: {text}\n{extra}\n".encode(
        "utf-8", "surrogateescape"
    )


def api_frame(text: str) -> bytes:
    """An ``api/response`` frame; an empty answer becomes ``-ERR no reply`` as on the switch."""
    body = (text or "-ERR no reply\n").encode("utf-8", "surrogateescape")
    return b"Content-Type: api/response\nContent-Length: %d\n\n" % len(body) + body
