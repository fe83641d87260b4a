"""Events and replies: values over a frame's bytes, decoded when a header is asked for (pure).

An event has about 190 headers and a controller reads five of them: so nothing is decoded in
advance (bench/esl_events.py has the figures).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from fsctl.errors import CommandFailed
from fsctl.esl.frames import Frame, Headers, decode_value, decoded

_END = re.compile(b"\n\n")
"""Of the headers. A third of the time that `bytes.find` takes for it."""
_EARLY_BYTES = 1024
"""Before it FreeSWITCH writes the name of an event and its channel's uuid."""


class Event(Headers):
    """One FreeSWITCH event (``text/event-plain``), or a channel's snapshot of the same form.

    Values are percent-decoded UTF-8 (U+FFFD for what is not). See `frames.decode_value` for what
    the plain form blurs. Of many only the name is asked, and by what little else they are found to
    concern nobody: that is taken from where FreeSWITCH writes it, before the text is made.
    """

    __slots__ = ("_body",)

    def __init__(self, raw: bytes = b"") -> None:
        super().__init__(raw)
        self._body: bytes | None = None  # not parted from the headers yet

    @classmethod
    def from_headers(cls, headers: Headers) -> Event:
        """An event over headers that were read already, as those of the reply to ``connect``, of
        which so much is asked that a table of their lines is made."""
        event = cls()
        event._text = headers._unfolded()
        event._index()
        return event

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def variable(self, name: str) -> str | None:
        """The channel variable `name` as it was when the event was made."""
        return self.get("variable_" + name)

    @property
    def name(self) -> str:
        """``Event-Name``, such as ``CHANNEL_ANSWER``; ``CUSTOM`` events differ by `subclass`."""
        return self._early("Event-Name", b"Event-Name:") or ""

    @property
    def subclass(self) -> str | None:
        """``Event-Subclass`` of a CUSTOM event, such as ``sofia::transferor``."""
        return self.get("Event-Subclass")

    @property
    def channel_uuid(self) -> str | None:
        """``Unique-ID``: the channel that the event is about."""
        return self._early("Unique-ID", b"Unique-ID:")

    @property
    def application_uuid(self) -> str | None:
        """``Application-UUID`` of an end of an application, which has no body of its own: one of
        the last headers (switch_core_session.c)."""
        raw = self._raw
        at = raw.rfind(b"\nApplication-UUID:")
        if at < 0:
            return self.get("Application-UUID")
        return _value(raw, at + 18, raw.find(b"\n", at + 18))

    @property
    def body(self) -> bytes:
        """The event's own body, such as the result in a BACKGROUND_JOB."""
        return self._part() if self._body is None else self._body

    def to_dict(self) -> dict[str, str]:
        """All headers, decoded; of a repeated name the first."""
        found: dict[str, str] = {}
        for name, value in self.items():
            found.setdefault(name, value)
        return found

    def __repr__(self) -> str:
        subject = self.subclass or self.name or "snapshot"
        return f"<Event {subject} {self.channel_uuid or '-'}>"

    def _early(self, name: str, head: bytes) -> str | None:
        """One of the first headers; ``head`` is how its line begins."""
        if name in self._known or self._text:
            return self.get(name)
        raw, begin = self._raw, len(head)
        if not raw.startswith(head):
            at = raw.find(b"\n" + head, 0, _EARLY_BYTES)
            if at < 0 or raw.find(b"\n\n", 0, at + 1) >= 0:
                return self.get(name)
            begin += at + 1
        end = raw.find(b"\n", begin, _EARLY_BYTES)
        if end < 0:
            return self.get(name)
        value = self._known[name] = _value(raw, begin, end)
        return value

    def _unfolded(self) -> str:
        if self._body is None:
            self._part()
        return super()._unfolded()

    def _part(self) -> bytes:
        """Part the body from the headers."""
        self._body = b""
        end = _END.search(self._raw)
        rest = self._raw[end.end() :] if end else b""
        if end and rest:
            self._raw = self._raw[: end.start()]
            self._body = self._inner_body(rest)
        return self._body

    def _inner_body(self, rest: bytes) -> bytes:
        length = self.raw_value("Content-Length")
        if length is not None and length.isdigit() and len(length) < 10:
            return rest[: int(length)]
        return b""


def _value(raw: bytes, begin: int, end: int) -> str:
    text = raw[begin : end if end >= 0 else None].decode("latin-1")
    return decoded(text[1:] if text[:1] == " " else text)


def event_of(frame: Frame) -> Event | None:
    """The event that a frame carries; None for a frame of another kind."""
    return Event(frame.body) if frame.content_type == "text/event-plain" else None


class Reply(NamedTuple):
    """FreeSWITCH's answer to one command."""

    command: str
    """The command's name, for errors and logs."""
    text: str
    """The ``Reply-Text`` (``+OK …``), or the whole output of an ``api`` command."""
    frame: Frame
    """As it came."""

    @property
    def body(self) -> bytes:
        """The frame's."""
        return self.frame.body

    @property
    def headers(self) -> Event:
        """The frame's; in the reply to ``connect`` they are the channel's snapshot."""
        return Event.from_headers(self.frame.headers)

    @property
    def ok(self) -> bool:
        """False when FreeSWITCH answered ``-ERR`` or ``-USAGE``."""
        return not self.text.startswith(("-ERR", "-USAGE"))

    @property
    def no_channel(self) -> bool:
        """Whether FreeSWITCH knows no such channel: mostly, it has hung up meanwhile."""
        return self.text.startswith(("-ERR No such channel", "-ERR invalid session id"))

    def raise_for_error(self) -> Reply:
        """This reply; raises CommandFailed when it is an error."""
        if not self.ok:
            raise CommandFailed(f"{self.command}: {self.text.strip()}")
        return self

    @classmethod
    def from_frame(cls, command: str, frame: Frame) -> Reply:
        """The reply in a ``command/reply`` or ``api/response`` frame to `command` (its name)."""
        by_api = frame.content_type == "api/response"
        text = frame.body.decode("utf-8", "replace") if by_api else _reply_text(frame.reply_text)
        return cls(command, text, frame)


def _reply_text(raw: bytes) -> str:
    # Only the reply to `connect` is written by the event encoder (es.c, "connect"): its
    # "+OK\n" is percent-encoded, all others are literal and may hold a % of their own.
    return decode_value(raw) if raw.startswith(b"%2B") else raw.decode("utf-8", "replace")
