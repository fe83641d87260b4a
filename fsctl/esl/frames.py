"""Frames of FreeSWITCH's event socket, sans-IO: bytes in, frames out.

A frame is a block of ``Name: value`` lines ended by an empty line, and a body of ``Content-Length``
bytes (mod_event_socket.c, ``read_packet`` and ``parse_command``). Lines are split at LF only, and
before anything is percent-decoded: a ``%0A`` in a value that a caller wrote can never become a
header of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from fsctl.errors import ProtocolError

_NAME_CHARS = 128
_LENGTH_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Limits:
    """What one peer may make us hold for one frame.

    The reply to ``connect`` carries a whole channel in its headers, percent-encoded, and a SIP
    request of 64 KiB may stand there more than once: hence the generous header block.
    """

    header_bytes: int = 1 << 20
    header_lines: int = 8192
    body_bytes: int = 4 << 20


DEFAULT_LIMITS = Limits()


def decode_value(raw: bytes) -> str:
    """Percent-decode one header's value; bytes that are not UTF-8 become U+FFFD.

    FreeSWITCH does not encode a ``%`` that two hex digits follow (switch_utils.c,
    ``switch_url_encode_opt``): a literal ``%41`` and an encoded ``A`` look alike here. Where the
    difference matters read the variable by ``api uuid_getvar``.
    """
    if b"%" in raw:
        raw = unquote_to_bytes(raw)
    return raw.decode("utf-8", "replace")


class Headers:
    """A block of header lines, kept as bytes; a line is looked up and decoded when it is asked for.

    Names are found as spelled, else in any spelling; of several lines with one name the first
    counts. Lines without a colon are ignored.
    """

    __slots__ = ("_folded", "_raw")

    def __init__(self, raw: bytes) -> None:
        self._raw = b"\n" + raw + b"\n"
        self._folded: bytes | None = None

    def raw_value(self, name: str) -> bytes | None:
        """The value of `name` as it was on the wire, or None."""
        needle = b"\n" + name.encode("utf-8", "replace") + b":"
        at = self._raw.find(needle)
        if at < 0:
            at = self._find_folded(needle.lower())
        return None if at < 0 else self._value_at(at + len(needle))

    def get(self, name: str) -> str | None:
        """The decoded value of `name`, or None; FreeSWITCH's ``_undef_`` becomes ``""``."""
        raw = self.raw_value(name)
        if raw is None:
            return None
        return "" if raw == b"_undef_" else decode_value(raw)

    def items(self) -> Iterator[tuple[str, str]]:
        """All lines in order, decoded; a repeated name comes repeatedly."""
        for line in self._raw.split(b"\n"):
            name, colon, value = line.partition(b":")
            if colon:
                value = value[1:] if value.startswith(b" ") else value
                decoded = "" if value == b"_undef_" else decode_value(value)
                yield name.decode("utf-8", "replace"), decoded

    def repeated(self, name: str) -> bool:
        """Whether more than one line has this name, in any spelling."""
        return self._fold().count(b"\n" + name.lower().encode() + b":") > 1

    def _fold(self) -> bytes:
        if self._folded is None:
            self._folded = self._raw.lower()
        return self._folded

    def _find_folded(self, needle: bytes) -> int:
        return self._fold().find(needle)

    def _value_at(self, start: int) -> bytes:
        if self._raw[start : start + 1] == b" ":
            start += 1
        return self._raw[start : self._raw.index(b"\n", start)]


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: what it is (`content_type`), its headers, and its body's bytes."""

    headers: Headers
    body: bytes
    content_type: str


class FrameReader:
    """Turns a stream, however it is cut into pieces, into frames.

    An error in the stream is final. Frames that were complete before it are still returned; the
    error is kept in `error` and raised by the next call, or at once when there was no frame.
    """

    __slots__ = ("_buffer", "_head", "_length", "_limits", "_scanned", "_start", "error")

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.error: ProtocolError | None = None
        self._limits = limits
        self._buffer = bytearray()
        self._start = 0  # where the unread part of the buffer begins
        self._scanned = 0  # up to here there is no end of a header block
        self._head: Headers | None = None  # headers whose body is still to come
        self._length = 0

    def feed(self, chunk: bytes) -> list[Frame]:
        """Take the next bytes; return the frames that they complete.

        Raises ProtocolError when the peer broke the protocol or a limit.
        """
        self._raise_error()
        self._buffer += chunk
        frames: list[Frame] = []
        try:
            while (frame := self._next_frame()) is not None:
                frames.append(frame)
        except ProtocolError as error:
            self._fail(error)
            if not frames:
                raise
        self._drop_read()
        return frames

    def feed_eof(self) -> None:
        """The stream has ended; raises ProtocolError when that was in the middle of a frame."""
        self._raise_error()
        if self._head is not None:
            raise ProtocolError("end of file inside a body")
        if self._buffer.strip(b"\n"):
            raise ProtocolError("end of file inside headers")

    def _raise_error(self) -> None:
        if self.error is not None:
            raise self.error

    def _fail(self, error: ProtocolError) -> None:
        self.error = error
        self._buffer.clear()
        self._start = self._scanned = 0

    def _drop_read(self) -> None:
        del self._buffer[: self._start]
        self._scanned = max(0, self._scanned - self._start)
        self._start = 0

    def _next_frame(self) -> Frame | None:
        if self._head is None and not self._read_head():
            return None
        assert self._head is not None
        end = self._start + self._length
        if len(self._buffer) < end:
            return None
        frame = _frame(self._head, bytes(self._buffer[self._start : end]))
        self._start = self._scanned = end
        self._head = None
        return frame

    def _read_head(self) -> bool:
        self._skip_blank_lines()
        end = self._buffer.find(b"\n\n", max(self._start, self._scanned))
        size = (end if end >= 0 else len(self._buffer)) - self._start
        if size > self._limits.header_bytes:
            raise ProtocolError(f"more than {self._limits.header_bytes} bytes of headers")
        if end < 0:
            # The last byte may be the first LF of the two.
            self._scanned = max(self._start, len(self._buffer) - 1)
            return False
        self._head = self._checked_head(bytes(self._buffer[self._start : end]))
        self._start = self._scanned = end + 2
        return True

    def _skip_blank_lines(self) -> None:
        while self._buffer[self._start : self._start + 1] == b"\n":
            self._start += 1

    def _checked_head(self, block: bytes) -> Headers:
        if block.count(b"\n") >= self._limits.header_lines:
            raise ProtocolError(f"more than {self._limits.header_lines} header lines")
        headers = Headers(block)
        if not headers.raw_value("Content-Type"):
            raise ProtocolError("a frame without Content-Type")
        self._length = self._content_length(headers)
        return headers

    def _content_length(self, headers: Headers) -> int:
        raw = headers.raw_value("Content-Length")
        if raw is None:
            return 0
        if not raw.isdigit() or len(raw) > _LENGTH_DIGITS or headers.repeated("Content-Length"):
            raise ProtocolError(f"bad Content-Length {raw[:_NAME_CHARS]!r}")
        if int(raw) > self._limits.body_bytes:
            raise ProtocolError(f"a body of {int(raw)} bytes, more than {self._limits.body_bytes}")
        return int(raw)


def _frame(headers: Headers, body: bytes) -> Frame:
    raw = headers.raw_value("Content-Type") or b""
    return Frame(headers, body, raw.decode("ascii", "replace"))
