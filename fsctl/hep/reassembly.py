"""Whole messages out of what was captured of streams.

sofia-sip 1.13.17 of before June 2026 has a copy made of each `recv`: what FreeSWITCH receives over
TCP, TLS or WebSockets comes in slices, several messages in one of them, too. What it sends, and
what it receives since, comes whole; nothing tells which is the case. Where each message ends its
Content-Length says (RFC 3261 section 18.3).
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Final

from fsctl.hep.message import UNKNOWN, Message, read, told_by_via
from fsctl.hep.packet import Packet

MESSAGE_BYTES: Final = 65_000
"""A longer message is truncated."""
STREAMS: Final = 2000
"""So many may be within a message at once; of one more the oldest is given up."""
WAITING_BYTES: Final = 8 << 20
"""So much of unfinished messages is kept; of more the oldest is given up."""
HEAD_BYTES: Final = 32_768
"""No headers of one message are longer."""
REQUESTS: Final = 2000
"""Of so many over IPv6 is remembered where they went, for the responses."""
BRANCH_BYTES: Final = 256
"""A longer one is not remembered."""
SLICE_S: Final = 32.0
"""What has not gone on for so long never will (64 times RFC 3261's T1)."""

_START: Final = re.compile(
    rb"(?:SIP/2\.0 [1-6][0-9]{2}[ \r\n]"
    rb"|[A-Za-z][A-Za-z0-9.!%*_+`'~-]{0,63} \S{1,4096} SIP/2\.0\r?\n)"
)
_NEW_LINE_START: Final = re.compile(rb"\n" + _START.pattern)
_VIA: Final = re.compile(rb"\n(?:via|v)[ \t]*:", re.IGNORECASE)
_END_OF_HEAD: Final = re.compile(rb"\r?\n\r?\n")
_ENDS_OF_HEAD: Final = (_END_OF_HEAD, _NEW_LINE_START)
_LENGTH: Final = re.compile(rb"\n(?:content-length|l)[ \t]*:[ \t]*([0-9]{1,9})", re.IGNORECASE)
_PREFIX: Final = re.compile(rb"[A-Za-z][A-Za-z0-9.!%*_+`'~/-]*(?: [^\r\n]*)?\r?")
"""What a start line may begin with, as long as its end has not come."""

Stream = tuple[str, int, str, int, str]


@dataclass(slots=True)
class _Rest:
    """What has come of a message that is not whole; the first of its slices came at ``time_s``,
    by the packets' clock, the last one at ``last_s``, by that of `Streams.expire`."""

    data: bytes
    time_s: float
    last_s: float
    gap: bool

    @property
    def may_be_cut(self) -> bool:
        """Whether another message may follow there: not within a line of the headers."""
        return self.data.endswith(b"\n") or _END_OF_HEAD.search(self.data) is not None

    def ends_with(self, line_ends: bytes) -> bool:
        """Whether these are its end, and no pause before another message."""
        size = _size(self.data + line_ends)
        return size is not None and size <= len(self.data) + len(line_ends)


class Streams:
    """All streams that are heard, each by its addresses and its direction."""

    def __init__(self) -> None:
        self._rests: OrderedDict[Stream, _Rest] = OrderedDict()
        self._requests: OrderedDict[str, tuple[tuple[str, int], tuple[str, int]]] = OrderedDict()
        """The ends of those that went over IPv6, by their branches."""
        self.waiting_bytes = 0
        """What is kept of messages that are not whole."""
        self.discarded = 0
        """Packets of which nothing could be used: empty, or begun within a message."""

    def take(self, packet: Packet, now_s: float | None = None) -> list[Message]:
        """Return the messages that are whole now, in their order.

        ``now_s`` by the clock by which `expire` is called; None: that is the packets' own.
        """
        return [self._with_ends(each) for each in self._taken(packet, now_s)]

    def expire(self, now_s: float) -> list[Message]:
        """Return what will not go on any more, truncated; ``now_s``: see `take`."""
        old = [key for key, rest in self._rests.items() if rest.last_s < now_s - SLICE_S]
        return [self._with_ends(m) for key in old for m in self._give_up(key)]

    def _taken(self, packet: Packet, now_s: float | None) -> list[Message]:
        if packet.transport == "udp":
            text = packet.payload[:MESSAGE_BYTES]
            if not text.strip(b"\r\n\0"):
                self.discarded += not text  # one that was too long came empty
                return []
            cut = packet.truncated or len(packet.payload) > MESSAGE_BYTES
            return [_message(packet, text, packet.time_s, cut)]
        return self._of_stream(packet, packet.time_s if now_s is None else now_s)

    def _with_ends(self, message: Message) -> Message:
        """Return it with the ends of its request, if it is a response over IPv6: its Via tells of
        one of them only."""
        if ":" not in message.source:
            return message
        reading = read(message.text)
        branch = reading.branch
        if not branch or len(branch) > BRANCH_BYTES:
            return message
        if not reading.status:
            self._requests[branch] = message.ends
            self._requests.move_to_end(branch)
            if len(self._requests) > REQUESTS:
                self._requests.popitem(last=False)
            return message
        asked = self._requests.get(branch)
        ports = message.destination_port, message.source_port
        if asked is None or (asked[0][1], asked[1][1]) != ports:
            return message
        if message.source == UNKNOWN:
            message = replace(message, source=asked[1][0])
        if message.destination == UNKNOWN:
            message = replace(message, destination=asked[0][0])
        return message

    def _of_stream(self, packet: Packet, now_s: float) -> list[Message]:
        key = (
            *(packet.source, packet.source_port, packet.destination, packet.destination_port),
            packet.transport,
        )
        found: list[Message] = []
        data, time_s, gap = packet.payload, packet.time_s, False
        rest = self._rests.get(key)
        if rest is not None and _lost_its_end(rest, data):
            found += self._give_up(key)
            gap = True
        elif rest is not None:
            self._take(key)
            data, time_s, gap = rest.data + data, rest.time_s, rest.gap
        while True:
            data = data.lstrip(b"\r\n\0")
            if not data:
                break
            if not _may_begin(data):
                start = _NEW_LINE_START.search(data)
                if start is None:
                    self.discarded += 1
                    break
                data, gap = data[start.start() + 1 :], True
                continue
            size = _size(data)
            if size is None or size > len(data):
                if len(data) > MESSAGE_BYTES or (size is None and len(data) > HEAD_BYTES):
                    found.append(_message(packet, data[:MESSAGE_BYTES], time_s, True, gap))
                elif packet.truncated:
                    found.append(_message(packet, data, time_s, True, gap))
                else:
                    self._keep(key, _Rest(data, time_s, now_s, gap), found)
                break
            text = data[: min(size, MESSAGE_BYTES)]
            found.append(_message(packet, text, time_s, size > MESSAGE_BYTES, gap))
            data, time_s, gap = data[size:], packet.time_s, False
        return found

    def _keep(self, key: Stream, rest: _Rest, found: list[Message]) -> None:
        self._rests[key] = rest
        self.waiting_bytes += len(rest.data)
        while len(self._rests) > STREAMS or self.waiting_bytes > WAITING_BYTES:
            found += self._give_up(next(iter(self._rests)))

    def _take(self, key: Stream) -> _Rest:
        rest = self._rests.pop(key)
        self.waiting_bytes -= len(rest.data)
        return rest

    def _give_up(self, key: Stream) -> list[Message]:
        """What has come of it is a message all the same, if it has a start line."""
        rest = self._take(key)
        if not _START.match(rest.data):
            return []
        return [told_by_via(Message(rest.time_s, *key, rest.data, True, rest.gap))]


def _size(data: bytes) -> int | None:
    """Of the message that begins there; None: its headers have not ended."""
    end = _END_OF_HEAD.search(data)
    if end is None:
        return None
    length = _LENGTH.search(data, 0, end.start())
    return end.end() + (int(length[1]) if length else 0)


def _lost_its_end(rest: _Rest, data: bytes) -> bool:
    """Whether the end of a message was not captured: another one begins with this slice. The body
    of a NOTIFY begins with a start line, too (``message/sipfrag``), but no Via follows before the
    next one."""
    text = data.lstrip(b"\r\n\0")
    if not rest.may_be_cut or not _START.match(text):
        return False
    if rest.ends_with(data[: len(data) - len(text)]):
        return False
    ends = [end.start() for end in (p.search(text) for p in _ENDS_OF_HEAD) if end]
    return _VIA.search(text, 0, min(ends, default=len(text))) is not None


def _may_begin(data: bytes) -> bool:
    line, ended, _ = data.partition(b"\n")
    if ended:
        return _START.match(data) is not None
    return len(line) <= HEAD_BYTES and _PREFIX.fullmatch(line) is not None


def _message(
    packet: Packet, text: bytes, time_s: float, truncated: bool, gap: bool = False
) -> Message:
    return told_by_via(
        Message(
            time_s,
            packet.source,
            packet.source_port,
            packet.destination,
            packet.destination_port,
            packet.transport,
            text,
            truncated,
            gap,
        )
    )
