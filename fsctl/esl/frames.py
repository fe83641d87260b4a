"""Frames of FreeSWITCH's event socket, sans-IO: bytes in, frames out.

A frame is a block of ``Name: value`` lines ended by an empty line, and a body of ``Content-Length``
bytes (mod_event_socket.c, ``read_packet`` and ``parse_command``). Lines are split at LF only, and
before anything is percent-decoded: a ``%0A`` in a value that a caller wrote can never become a
header of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, overload
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
    """A block of header lines; a line is looked up and decoded when it is asked for.

    Names are found as spelled, else in any spelling; of several lines with one name the first
    counts. Lines without a colon are ignored.
    """

    __slots__ = ("_folded", "_known", "_lines", "_names", "_raw", "_text")

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._text = ""  # made when it is first asked for
        self._folded = ""
        self._known: dict[str, str | None] = {}
        """What was asked for, decoded: most things are asked for by several."""
        self._lines: dict[str, str] | None = None
        """Of which so much is asked that a table was made, with the names in lower case."""
        self._names: frozenset[str] = frozenset()

    def raw_value(self, name: str) -> bytes | None:
        """The value of `name` as it was on the wire, or None."""
        found = self._find(name)
        return None if found is None else found.encode("latin-1")

    @overload
    def get(self, name: str) -> str | None: ...
    @overload
    def get(self, name: str, default: str) -> str: ...
    def get(self, name: str, default: str | None = None) -> str | None:
        """The decoded value of `name`, or `default`; FreeSWITCH's ``_undef_`` becomes ``""``."""
        known = self._known
        if name in known:
            value = known[name]
        else:
            value = self._find(name)
            if value is not None and ("%" in value or value == "_undef_" or not value.isascii()):
                value = decoded(value)
            known[name] = value
        return default if value is None else value

    def items(self) -> Iterator[tuple[str, str]]:
        """All lines in order, decoded; a repeated name comes repeatedly."""
        for line in self._unfolded().split("\n"):
            name, colon, value = line.partition(":")
            if colon:
                yield _decoded_name(name), decoded(value[1:] if value[:1] == " " else value)

    def names(self, prefix: str) -> list[str]:
        """The names that begin with this, as they are spelled, each once; those that are no UTF-8
        are left out, for nobody could ask for them."""
        behind = self._unfolded().split("\n" + _on_the_wire(prefix))[1:]
        heads = (text.partition("\n")[0].partition(":") for text in behind)
        names = dict.fromkeys(prefix + _decoded_name(rest) for rest, colon, _ in heads if colon)
        return [name for name in names if "\ufffd" not in name]

    def repeated(self, name: str) -> bool:
        """Whether more than one line has this name, in any spelling."""
        return self._fold().count(_needles(name)[1]) > 1

    def _unfolded(self) -> str:
        """One character for each byte, which costs nothing to search in: it is no text yet."""
        if not self._text:
            self._text = f"\n{self._raw.decode('latin-1')}\n"
            self._raw = b""
        return self._text

    def _index(self) -> None:
        """Make a table: it costs as much as a dozen searches for what is not there."""
        table: dict[str, str] = {}
        lines = self._unfolded().split("\n")
        lines.reverse()  # the first of a name counts
        for line in lines:
            name, colon, value = line.partition(":")
            if colon:
                table[name] = value
        self._lines = table
        self._names = frozenset(map(str.lower, table))

    def _fold(self) -> str:
        if not self._folded:
            self._folded = self._unfolded().lower()
        return self._folded

    def _find(self, name: str) -> str | None:
        if self._lines is not None:
            name_here = name if name.isascii() else _on_the_wire(name)
            value = self._lines.get(name_here)
            if value is not None:
                return value[1:] if value[:1] == " " else value
            if name_here.lower() not in self._names:
                return None
        text = self._text or self._unfolded()
        needle, folded = _NEEDLES.get(name) or _needles(name)
        at = -1 if self._folded else text.find(needle)
        if at < 0:
            # From the first miss on one search is enough: what is not there in any spelling is not
            # there as spelled either.
            at = (self._folded or self._fold()).find(folded)
            if at < 0:
                return None
            if not text.startswith(needle, at):
                as_spelled = text.find(needle, at)
                at = as_spelled if as_spelled >= 0 else at
        at += len(needle)
        if text[at] == " ":
            at += 1
        return text[at : text.index("\n", at)]


_NEEDLES: dict[str, tuple[str, str]] = {}
"""What is searched for a name, as spelled and folded; made once for each, within bounds: some come
from the network."""
_MANY_NEEDLES = 4096


def _needles(name: str) -> tuple[str, str]:
    needle = f"\n{_on_the_wire(name)}:"
    needles = needle, needle.lower()
    if len(_NEEDLES) < _MANY_NEEDLES and len(name) <= _NAME_CHARS:
        _NEEDLES[name] = needles
    return needles


def _on_the_wire(name: str) -> str:
    """A name in the form of `Headers._unfolded`."""
    return name if name.isascii() else name.encode("utf-8", "replace").decode("latin-1")


def _decoded_name(text: str) -> str:
    return text if text.isascii() else text.encode("latin-1").decode("utf-8", "replace")


def decoded(text: str) -> str:
    """A value in the form of `Headers._unfolded`, as `decode_value` has it."""
    if "%" not in text and text.isascii():
        return "" if text == "_undef_" else text
    return decode_value(text.encode("latin-1"))


class Frame(NamedTuple):
    """One frame: its header block, its body's bytes, and what it is (`content_type`)."""

    head: bytes
    body: bytes
    content_type: str

    @property
    def headers(self) -> Headers:
        """The header block's; nobody asks for those of most frames."""
        return Headers(self.head)

    @property
    def reply_text(self) -> bytes:
        """The ``Reply-Text`` as it was on the wire; empty where there is none."""
        head = self.head
        if head.startswith(_REPLY) and head.find(b"\n", len(_REPLY)) < 0:
            return head[len(_REPLY) :]
        return self.headers.raw_value("Reply-Text") or b""


_REPLY = b"Content-Type: command/reply\nReply-Text: "
_USUAL = re.compile(
    rb"Content-Length: ([0-9]{1,10})\nContent-Type: text/event-plain()\n\n"
    rb"|Content-Type: api/response\nContent-Length: ([0-9]{1,10})\n()\n"
    rb"|Content-Type: command/reply\nReply-Text: [^\n]*\n()\n"
)
"""The whole header block of nearly all frames (mod_event_socket.c writes them so)."""
_KINDS = {2: ("text/event-plain", 1), 4: ("api/response", 3), 5: ("command/reply", 0)}
"""Which of these it is, by the last group that matches, and the group of its length (0: none)."""


class FrameReader:
    """Turns a stream, however it is cut into pieces, into frames.

    An error in the stream is final. Frames that were complete before it are still returned; the
    error is kept in `error` and raised by the next call, or at once when there was no frame.
    """

    __slots__ = ("_head", "_kind", "_length", "_limits", "_rest", "_scanned", "error")

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.error: ProtocolError | None = None
        self._limits = limits
        self._rest = bytearray()  # what has come of a frame, or of its body, that is not complete
        self._scanned = 0  # up to here there is no end of a header block in it
        self._head: bytes | None = None  # a header block whose body is still to come
        self._kind, self._length = "", 0  # of that frame

    def feed(self, chunk: bytes) -> list[Frame]:
        """Take the next bytes; return the frames that they complete.

        Raises ProtocolError when the peer broke the protocol or a limit.
        """
        self._raise_error()
        frames: list[Frame] = []
        try:
            if self._rest:
                self._rest += chunk
                if not self._completes():
                    return frames
                chunk = bytes(self._rest)
                self._rest.clear()
            self._read(chunk, frames)
        except ProtocolError as error:
            self.error = error
            self._rest.clear()
            if not frames:
                raise
        return frames

    def feed_eof(self) -> None:
        """The stream has ended; raises ProtocolError when that was in the middle of a frame."""
        self._raise_error()
        if self._head is not None:
            raise ProtocolError("end of file inside a body")
        if self._rest.strip(b"\n"):
            raise ProtocolError("end of file inside headers")

    def _raise_error(self) -> None:
        if self.error is not None:
            raise self.error

    def _completes(self) -> bool:
        """Whether what is kept holds the whole body, or header block, that it begins with."""
        if self._head is not None:
            return len(self._rest) >= self._length
        end = self._rest.find(b"\n\n", self._scanned)
        if end < 0:
            self._check_size(len(self._rest))
            self._scanned = len(self._rest) - 1  # its last byte may be the first LF of the two
        return end >= 0

    def _read(self, chunk: bytes, frames: list[Frame]) -> None:
        """Add the frames that are complete in `chunk`, and keep what is behind them."""
        at = 0
        while at < len(chunk) or self._head is not None:
            if self._head is None:
                found = self._read_head(chunk, at)
                if found is None:
                    return
                at = found
            end = at + self._length
            if len(chunk) < end:
                self._rest += memoryview(chunk)[at:]
                return
            assert self._head is not None
            frames.append(Frame(self._head, chunk[at:end], self._kind))
            self._head = None
            at = end

    def _read_head(self, chunk: bytes, at: int) -> int | None:
        """Where the body begins; None when the header block is not complete, and kept."""
        while chunk.startswith(b"\n", at):
            at += 1
        usual = _USUAL.match(chunk, at)
        if usual is not None:
            end = usual.end()
            self._check_size(end - 2 - at)
            self._kind, length = _KINDS[usual.lastindex or 0]
            self._length = self._checked_length(usual[length]) if length else 0
            self._head = chunk[at : end - 2]
            return end
        end = chunk.find(b"\n\n", at)
        self._check_size((end if end >= 0 else len(chunk)) - at)
        if end < 0:
            self._rest += memoryview(chunk)[at:]
            self._scanned = max(0, len(self._rest) - 1)
            return None
        self._take_head(chunk[at:end])
        return end + 2

    def _check_size(self, size: int) -> None:
        if size > self._limits.header_bytes:
            raise ProtocolError(f"more than {self._limits.header_bytes} bytes of headers")

    def _take_head(self, block: bytes) -> None:
        if block.count(b"\n") >= self._limits.header_lines:
            raise ProtocolError(f"more than {self._limits.header_lines} header lines")
        headers = Headers(block)
        kind = headers.raw_value("Content-Type")
        if not kind:
            raise ProtocolError("a frame without Content-Type")
        length = headers.raw_value("Content-Length")
        if length is not None and headers.repeated("Content-Length"):
            raise ProtocolError(f"bad Content-Length {length[:_NAME_CHARS]!r}, and another")
        self._kind = kind.decode("ascii", "replace")
        self._length = 0 if length is None else self._checked_length(length)
        self._head = block

    def _checked_length(self, raw: bytes) -> int:
        if not raw.isdigit() or len(raw) > _LENGTH_DIGITS:
            raise ProtocolError(f"bad Content-Length {raw[:_NAME_CHARS]!r}")
        if int(raw) > self._limits.body_bytes:
            raise ProtocolError(f"a body of {int(raw)} bytes, more than {self._limits.body_bytes}")
        return int(raw)
