"""Events and their encoding, as ``switch_event_serialize``.

This is the simulator's own encoder on purpose: it shares nothing with fsctl's parser, so that an
error in one cannot be cancelled by the same error in the other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import lru_cache
from time import gmtime, strftime

_ENCODED = re.compile(rb"%(?![0-9A-F]{2})|[^!$'()*,\-./0-9A-Z_a-z~%]")

_KEPT_LINES = 32768

Value = str | list[str]
"""A header's value; a list is one of FreeSWITCH's array variables (``ARRAY::a|:b``)."""


class _Lines(dict[tuple[str, str], str]):
    """Headers as the lines that are sent; an empty value (``switch_event_add_header_string``
    keeps none) has no line. From event to event of a channel, few of 150 change."""

    def __missing__(self, header: tuple[str, str]) -> str:
        if len(self) >= _KEPT_LINES:
            self.clear()
        name, value = header
        line = self[header] = f"{name}: {url_encode(value)}\n" if value else ""
        return line


class _Lower(dict[str, str]):
    """Names of headers in lower case."""

    def __missing__(self, name: str) -> str:
        if len(self) >= _KEPT_LINES:
            self.clear()
        lower = self[name] = name.lower()
        return lower


_line, _lower = _Lines().__getitem__, _Lower().__getitem__


@lru_cache(maxsize=8192)
def url_encode(text: str) -> str:
    """Encode a header's value as ``switch_url_encode`` does.

    A ``%`` followed by two upper-case hex digits is left alone: FreeSWITCH never encodes twice,
    which is why a plain event cannot tell ``%0D`` from a carriage return.
    """
    raw = text.encode("utf-8", "surrogateescape")
    return _ENCODED.sub(lambda found: b"%%%02X" % found[0][0], raw).decode("ascii")


@lru_cache(maxsize=64)
def dates(moment_s: int) -> tuple[str, str]:
    """A moment as Event-Date-Local (here: UTC) and Event-Date-GMT."""
    local = strftime("%Y-%m-%d %H:%M:%S", gmtime(moment_s))
    return local, formatdate(moment_s, usegmt=True)


def joined(value: Value) -> str:
    """The one-string form of a value."""
    if isinstance(value, str):
        return value
    return "ARRAY::" + "|:".join(value) if len(value) > 1 else "".join(value)


@dataclass(slots=True)
class SimEvent:
    """One event: ordered headers and an optional body."""

    name: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: str | None = None
    subclass: str = ""

    def add(self, name: str, value: Value | int) -> SimEvent:
        """Append a header; returns the event itself."""
        self.headers.append((name, str(value) if isinstance(value, int) else joined(value)))
        return self

    def get(self, name: str) -> str | None:
        """The first header called ``name`` (any case), in one-string form."""
        wanted = name.lower()
        for key, value in self.headers:
            if _lower(key) == wanted:
                return value
        return None

    def to_plain(self) -> bytes:
        """The text of a ``text/event-plain`` frame's body."""
        lines = "".join(map(_line, self.headers))
        if self.body is None:
            return (lines + "\n").encode("ascii")
        body = self.body.encode("utf-8", "surrogateescape")
        return f"{lines}Content-Length: {len(body)}\n\n".encode("ascii") + body


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
