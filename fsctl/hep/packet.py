"""One HEP 3 packet, parsed: chunks 2 to 12 and 15; others are skipped.

The format is that of HOMER's draft ("HEP3/EEP"): ``HEP3``, the length of all as two bytes, then
chunks of vendor, type and length (two bytes each, the length with these six) and a value.
FreeSWITCH's are written by sofia-sip's ``tport_capt_msg_hepv3``.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass
from typing import Final

from fsctl.errors import HepError

TRANSPORTS: Final = {6: "tcp", 17: "udp", 22: "tls", 132: "sctp"}
"""By the number of chunk 2; sofia-sip has 6 for WebSockets too, and 22 for TLS (IPPROTO_IDP)."""

_MAGIC: Final = b"HEP3"
_HEAD: Final = struct.Struct("!4sH")
_CHUNK: Final = struct.Struct("!HHH")
_TRANSPORT: Final = 2
_SOURCE_4, _DESTINATION_4, _SOURCE_6, _DESTINATION_6 = 3, 4, 5, 6
_SOURCE_PORT, _DESTINATION_PORT, _SECONDS, _MICROSECONDS, _KIND, _CAPTURE_ID = 7, 8, 9, 10, 11, 12
_PAYLOAD: Final = 15
_SIZES: Final = {
    **{_TRANSPORT: 1, _SOURCE_4: 4, _DESTINATION_4: 4, _SOURCE_6: 16},
    **{_DESTINATION_6: 16, _SOURCE_PORT: 2, _DESTINATION_PORT: 2, _SECONDS: 4},
    **{_MICROSECONDS: 4, _KIND: 1, _CAPTURE_ID: 4},
}
"""The size of each chunk's value; only the payload's differs."""
_SIP: Final = 1


@dataclass(frozen=True, slots=True)
class Packet:
    """A copy of what was sent or received once; made by `parse`.

    ``source`` and ``destination`` are IP addresses (from FreeSWITCH a wrong one for IPv6, and its
    own is the one that it listens at). ``transport`` is one of `TRANSPORTS`. ``time_s`` is the
    sender's clock, in seconds since 1970. ``capture_id`` is what the sender calls itself, 0 if it
    says nothing. ``payload`` is a whole SIP message of UDP; of a stream it may be any part.
    ``truncated``: less of it is here than was said to be, or nothing.
    """

    source: str
    source_port: int
    destination: str
    destination_port: int
    transport: str
    time_s: float
    capture_id: int
    payload: bytes
    truncated: bool


def parse(data: bytes) -> Packet:
    """Return what a datagram holds; the payload has less than 64 KiB, whatever the size of it.

    Raises HepError for what is not HEP 3, not about SIP, or not to be understood.
    """
    if len(data) < _HEAD.size or not data.startswith(_MAGIC):
        raise HepError("not HEP 3")
    total = _HEAD.unpack_from(data)[1]
    chunks, whole = _chunks(data[:total])
    if _number(chunks, _KIND) != _SIP:
        raise HepError("not about SIP")
    payload = _value(chunks, _PAYLOAD)
    return Packet(
        source=_address(chunks, _SOURCE_4, _SOURCE_6),
        source_port=_number(chunks, _SOURCE_PORT),
        destination=_address(chunks, _DESTINATION_4, _DESTINATION_6),
        destination_port=_number(chunks, _DESTINATION_PORT),
        transport=_transport(chunks),
        time_s=_number(chunks, _SECONDS) + _number(chunks, _MICROSECONDS) / 1e6,
        capture_id=_number(chunks, _CAPTURE_ID) if _CAPTURE_ID in chunks else 0,
        payload=payload,
        truncated=not whole or total > len(data) or not payload,
    )


def _chunks(data: bytes) -> tuple[dict[int, bytes], bool]:
    """The values of the chunks that we know, and whether each of them is whole."""
    found: dict[int, bytes] = {}
    whole, at = True, _HEAD.size
    while at + _CHUNK.size <= len(data):
        vendor, kind, length = _CHUNK.unpack_from(data, at)
        if length < _CHUNK.size:
            raise HepError(f"chunk {kind} is said to have {length} bytes")
        value = data[at + _CHUNK.size : at + length]
        at += length
        if vendor == 0 and (kind in _SIZES or kind == _PAYLOAD):
            if len(value) != _SIZES.get(kind, len(value)):
                raise HepError(f"chunk {kind} has a value of {len(value)} bytes")
            found[kind] = value
            whole = whole and at <= len(data)
    return found, whole


def _value(chunks: dict[int, bytes], kind: int) -> bytes:
    if kind not in chunks:
        raise HepError(f"chunk {kind} is missing")
    return chunks[kind]


def _number(chunks: dict[int, bytes], kind: int) -> int:
    return int.from_bytes(_value(chunks, kind), "big")


def _address(chunks: dict[int, bytes], four: int, six: int) -> str:
    """Chunk 1 is not needed for it: the two kinds differ in size."""
    value = chunks[six] if six in chunks else _value(chunks, four)
    return str(ipaddress.ip_address(value))


def _transport(chunks: dict[int, bytes]) -> str:
    number = _number(chunks, _TRANSPORT)
    if number not in TRANSPORTS:
        raise HepError(f"transport protocol {number} is none of SIP's")
    return TRANSPORTS[number]
