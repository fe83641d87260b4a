"""fsctl.hep.packet: what FreeSWITCH 1.10.12 sends, and anything else that may come."""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsctl.errors import HepError
from fsctl.hep.packet import Packet, parse

DATA = Path(__file__).parents[2] / "data" / "hep"
RECEIVED = (DATA / "udp-received.bin").read_bytes()
SENT = (DATA / "tcp-sent.bin").read_bytes()
PAYLOAD_AT = RECEIVED.index(b"OPTIONS ")


def chunk(kind: int, value: bytes, *, vendor: int = 0, length: int | None = None) -> bytes:
    return struct.pack("!HHH", vendor, kind, length or len(value) + 6) + value


def whole(*chunks: bytes, length: int | None = None) -> bytes:
    body = b"".join(chunks)
    return b"HEP3" + struct.pack("!H", length or len(body) + 6) + body


BASE = {
    **{1: b"\x02", 2: b"\x11", 3: b"\x7f\0\0\1", 4: b"\x0a\0\0\2", 7: b"\x13\xc4", 8: b"\x13\xc5"},
    **{9: struct.pack("!I", 100), 10: struct.pack("!I", 500_000), 11: b"\x01", 12: b"\0\0\0\x07"},
    15: b"BYE sip:a SIP/2.0\r\n\r\n",
}


def made(changed: dict[int, bytes | None] | None = None, **more: int) -> bytes:
    chunks = {**BASE, **(changed or {})}
    return whole(*(chunk(kind, v) for kind, v in chunks.items() if v is not None), **more)


def test_what_freeswitch_has_received_and_sent() -> None:
    received, sent = parse(RECEIVED), parse(SENT)
    assert received == Packet(
        "127.0.0.1",
        59777,
        "127.0.0.1",
        29504,
        "udp",
        pytest.approx(1795915111.275810, abs=1e-6),
        77,
        RECEIVED[PAYLOAD_AT:],
        False,
    )
    assert received.payload.endswith(b"\r\n\r\n") and b"Call-ID: abcdef\r\n" in received.payload
    assert (sent.source_port, sent.destination_port, sent.transport) == (29504, 60886, "tcp")
    assert sent.payload.startswith(b"SIP/2.0 200 OK\r\n") and not sent.truncated


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (made({2: b"\x16"}), {"transport": "tls"}),
        (made({12: None}), {"capture_id": 0}),
        (made({1: None}), {"source": "127.0.0.1", "destination": "10.0.0.2"}),
        (
            made({3: None, 4: None, 5: bytes(15) + b"\1", 6: b"\xfe\x80" + bytes(14)}),
            {"source": "::1", "destination": "fe80::"},
        ),
        (made({14: b"key", 17: b"correlation", 300: b""}), {"truncated": False}),
        (made() + b"more", {"payload": BASE[15], "truncated": False}),
        (whole(chunk(2, b"\xff", vendor=9), made()[6:]), {"transport": "udp"}),
        (made({15: b""}), {"payload": b"", "truncated": True}),
        (RECEIVED[:-30], {"payload": RECEIVED[PAYLOAD_AT:-30], "truncated": True}),
        (RECEIVED[:PAYLOAD_AT], {"payload": b"", "truncated": True}),
        (made(length=65535), {"payload": BASE[15], "truncated": True}),
        (
            whole(made({15: None})[6:], chunk(15, b"abc", length=900)),
            {"payload": b"abc", "truncated": True},
        ),
    ],
)
def test_what_is_unusual_is_understood(data: bytes, expected: dict[str, object]) -> None:
    packet = parse(data)
    assert {name: getattr(packet, name) for name in expected} == expected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HEP3",
        b"HEP3\0\6",
        b"\x02\x10\x02\x11" + bytes(40),  # HEP 2
        b"OPTIONS sip:a SIP/2.0\r\n\r\n",
        made(length=5),
        made({2: b"\x01"}),
        made({11: b"\x05"}),  # RTCP
        made({3: b"\x7f\0\0"}),
        made({3: None}),
        made({7: None}),
        made({8: b"\0\0\0"}),
        made({9: b""}),
        made({15: None}),
        RECEIVED[: PAYLOAD_AT - 1],
        whole(chunk(99, b"", length=5), made()[6:]),
        whole(chunk(99, b"", length=65535), made()[6:]),
    ],
)
def test_what_is_wrong_is_a_hep_error(data: bytes) -> None:
    with pytest.raises(HepError):
        parse(data)


@pytest.mark.parametrize("genuine", [RECEIVED, SENT], ids=["udp", "tcp"])
def test_cut_anywhere_it_is_marked_or_refused(genuine: bytes) -> None:
    for at in range(len(genuine)):
        with suppress(HepError):
            packet = parse(genuine[:at])
            assert packet.truncated and genuine[:at].endswith(packet.payload)


@given(
    st.binary(max_size=300)
    | st.binary(max_size=300).map(lambda rest: b"HEP3" + rest)
    | st.lists(st.tuples(st.integers(0, 20), st.binary(max_size=20))).map(
        lambda found: whole(*(chunk(kind, value) for kind, value in found))
    )
    | st.tuples(st.integers(0, len(RECEIVED) - 1), st.binary(min_size=1, max_size=4)).map(
        lambda edit: RECEIVED[: edit[0]] + edit[1] + RECEIVED[edit[0] + len(edit[1]) :]
    )
)
def test_whatever_comes_nothing_else_is_raised(data: bytes) -> None:
    with suppress(HepError):
        packet = parse(data)
        assert packet.payload in data
        assert 0 <= packet.source_port <= 65535 and packet.transport
