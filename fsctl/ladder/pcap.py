"""Messages as a capture file that Wireshark and sngrep read: each one a datagram.

Whatever the transport was, a synthetic IP and UDP header stands before the message: a stream's own
segments nobody has, and of TLS nobody could read them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from fsctl.hep.message import Message

_MAGIC: Final = 0xA1B2C3D4
"""Times in microseconds."""
_LINKTYPE_RAW: Final = 101
_SNAP: Final = 65535
_UDP: Final = 17
_MOST: Final = 65535 - 20 - 8
"""Bytes in one datagram of IPv4; IPv6 takes a few more."""
_LAST_S: Final = 2**32 - 1


def write(messages: Iterable[Message]) -> bytes:
    """Return the file."""
    head = struct.pack("<IHHiIII", _MAGIC, 2, 4, 0, 0, _SNAP, _LINKTYPE_RAW)
    return head + b"".join(_record(message) for message in messages)


def _record(message: Message) -> bytes:
    packet = _packet(message)
    microseconds = round(message.time_s * 1_000_000)
    seconds, rest = divmod(max(0, microseconds), 1_000_000)
    return struct.pack("<IIII", min(seconds, _LAST_S), rest, len(packet), len(packet)) + packet


def _packet(message: Message) -> bytes:
    source, destination = ip_address(message.source), ip_address(message.destination)
    text = message.text[:_MOST]
    length = 8 + len(text)
    ports = struct.pack("!HH", message.source_port, message.destination_port)
    if isinstance(source, IPv4Address) and isinstance(destination, IPv4Address):
        addresses = source.packed + destination.packed
        pseudo = addresses + struct.pack("!BBH", 0, _UDP, length)
        start = struct.pack("!BBHHHBB", 0x45, 0, 20 + length, 0, 0x4000, 64, _UDP)
        checksum = struct.pack("!H", _checksum(start + b"\0\0" + addresses))
        head = start + checksum + addresses
    else:
        addresses = _six(source) + _six(destination)
        pseudo = addresses + struct.pack("!II", length, _UDP)
        head = struct.pack("!IHBB", 6 << 28, length, _UDP, 64) + addresses
    # What adds up to none is sent as its complement: zero would say that there is none (RFC 768).
    checksum = struct.pack(
        "!H", _checksum(pseudo + ports + struct.pack("!HH", length, 0) + text) or 0xFFFF
    )
    return head + ports + struct.pack("!H", length) + checksum + text


def _six(address: IPv4Address | IPv6Address) -> bytes:
    if isinstance(address, IPv6Address):
        return address.packed
    return bytes(10) + b"\xff\xff" + address.packed


def _checksum(data: bytes) -> int:
    """RFC 1071."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
