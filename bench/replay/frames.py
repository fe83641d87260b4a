"""Frames and commands of the event socket, as the replay needs them."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

_LENGTH = re.compile(rb"^Content-Length: *(\d+)", re.IGNORECASE | re.MULTILINE)


def split(buffer: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """All whole blocks with their bodies that a stream begins with, and the rest.

    A block is what stands in front of an empty line: a frame of FreeSWITCH's, or a command.
    """
    found, start = [], 0
    while True:
        while buffer[start : start + 1] == b"\n":
            start += 1
        end = buffer.find(b"\n\n", start)
        if end < 0:
            break
        head = buffer[start:end]
        length = _LENGTH.search(head)
        stop = end + 2 + (int(length[1]) if length else 0)
        if len(buffer) < stop:
            break
        found.append((head, buffer[end + 2 : stop]))
        start = stop
    return found, buffer[start:]


def value(block: bytes, name: bytes) -> bytes:
    """The decoded value of a header; empty: it is not there."""
    start = (b"\n" + block).find(b"\n" + name + b": ")
    if start < 0:
        return b""
    start += len(name) + 2
    end = block.find(b"\n", start)
    return unquote_to_bytes(block[start : end if end >= 0 else None])
