"""fsctl.hep.reassembly: messages come out whole, however a stream was cut."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsctl.hep import reassembly
from fsctl.hep.masking import mask
from fsctl.hep.message import read
from fsctl.hep.packet import TRANSPORTS, Packet, parse
from fsctl.hep.reassembly import MESSAGE_BYTES, STREAMS, Streams
from tests.unit.hep.messages import packet, sip

DATA = Path(__file__).parents[2] / "data" / "hep"
FRAG = "SIP/2.0 200 OK\r\nVia-like: no\r\n"
NOTIFY = sip("NOTIFY sip:1001@h", FRAG, more=("Content-Type: message/sipfrag",))
ALL = [
    sip("INVITE sip:1002@h", "v=0\r\n" * 900, tags=("a", "")),
    sip("SIP/2.0 200 OK", cseq="1 INVITE"),
    sip("ACK sip:1002@h"),
    NOTIFY,
    sip("REFER sip:1002@h", more=("Refer-To: <sip:1003@h>",)),
]


def fed(*packets: object) -> list[bytes]:
    streams = Streams()
    return [m.text for each in packets for m in streams.take(each)]  # type: ignore[arg-type]


def test_what_was_recorded_comes_out_as_it_is() -> None:
    for name in ("udp-received.bin", "tcp-sent.bin"):
        captured = parse((DATA / name).read_bytes())
        (message,) = Streams().take(captured)
        assert message.text == captured.payload and not message.truncated and not message.gap


def recorded(name: str) -> Iterator[Packet]:
    """The packets of a file, one after the other."""
    data = (DATA / name).read_bytes()
    while data:
        length = int.from_bytes(data[4:6], "big")
        yield parse(data[:length])
        data = data[length:]


def test_slices_as_they_were_recorded() -> None:
    streams, sizes = Streams(), []
    for each in recorded("tcp-slices.bin"):
        found = streams.take(each)
        sizes.append([(read(m.text).call_id, len(m.text)) for m in found])
    assert sizes == [[], [], [("sliced", 201)], [("two-a", 199), ("two-b", 199)]]
    assert streams.waiting_bytes == 0


def test_ipv6_a_websocket_and_tls_as_they_were_recorded() -> None:
    """Each request, and its response, which goes the same way back: whole, without secrets."""
    streams, found = Streams(), []
    for each in recorded("ipv6-ws-tls.bin"):
        found += streams.take(each)
    told = [(m.transport, m.ends, read(m.text).status) for m in found]
    ways = [
        ("udp", ("::1", 46807), ("::1", 28014)),
        ("ws", ("127.0.0.1", 55926), ("127.0.0.1", 28008)),
        ("tls", ("127.0.0.1", 44290), ("127.0.0.1", 28012)),
    ]
    assert told == [
        each
        for transport, phone, switch in ways
        for each in ((transport, (phone, switch), 0), (transport, (switch, phone), 100))
    ]
    assert not any(m.truncated or m.gap for m in found) and streams.waiting_bytes == 0
    secrets = [(b"5ecre7" in m.text, b"5ecre7" in mask(m.text)) for m in found]
    assert secrets == [(True, False), (False, False)] * 3


@given(
    st.lists(st.sampled_from(ALL), min_size=1, max_size=5),
    st.lists(st.integers(0, 6000), max_size=12),
    st.sampled_from([b"", b"\r\n\r\n", b"\r\n"]),
)
def test_slices_and_pipelined_messages(texts: list[bytes], cuts: list[int], pause: bytes) -> None:
    """A body that looks like a message (message/sipfrag) begins none, wherever it is cut."""
    stream = pause.join([b"", *texts, b""])
    ends = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    slices = [stream[a:b] for a, b in pairwise(ends) if a < b]
    assert fed(*(packet(each) for each in slices)) == texts


@pytest.mark.parametrize("pause", [b"", b"\r\n\r\n", b"\r\n"])
def test_two_slices_cut_anywhere(pause: bytes) -> None:
    """Where the last line end of a message comes with the next message, too."""
    texts = [text for text in ALL if len(text) < 1000] * 2
    stream = pause.join(texts)
    for cut in range(1, len(stream)):
        assert fed(packet(stream[:cut]), packet(stream[cut:])) == texts, cut


def test_a_body_that_is_a_slice_of_its_own() -> None:
    at = NOTIFY.index(FRAG.encode())
    assert fed(packet(NOTIFY[:at]), packet(NOTIFY[at:])) == [NOTIFY]


def test_each_direction_and_each_connection_is_a_stream() -> None:
    whole, half = ALL[1], ALL[4]
    streams = Streams()
    assert streams.take(packet(half[:50], time_s=1.0)) == []
    assert streams.take(packet(half[:60], source_port=9)) == []
    assert [m.text for m in streams.take(packet(whole, sent=True))] == [whole]
    (message,) = streams.take(packet(half[50:], time_s=2.0))
    assert (message.text, message.time_s) == (half, 1.0)
    assert streams.waiting_bytes == 60


def test_who_joins_within_a_message_begins_with_the_next() -> None:
    streams = Streams()
    assert streams.take(packet(b"v=0\r\no=x\r\n")) == [] and streams.discarded == 1
    (message,) = streams.take(packet(b"a=sendrecv\r\n" + ALL[2]))
    assert message.text == ALL[2] and message.gap


def test_what_was_cut_is_marked() -> None:
    """A message whose end was lost does not swallow the next one."""
    first, second = ALL[0], ALL[1]
    streams = Streams()
    at = first.index(b"v=0") + 30
    assert streams.take(packet(first[:at])) == []
    cut, whole = streams.take(packet(second))
    assert (cut.text, cut.truncated) == (first[:at], True)
    assert (whole.text, whole.truncated, whole.gap) == (second, False, True)
    (cut,) = streams.take(packet(first[:300], truncated=True))
    assert cut.truncated and streams.waiting_bytes == 0
    (cut,) = streams.take(packet(first[:300], "udp", truncated=True))
    assert cut.truncated
    streams.take(packet(first[:70], time_s=10.0))
    assert streams.expire(41.0) == []
    (cut,) = streams.expire(43.0)
    assert cut.truncated and streams.waiting_bytes == 0


def test_nothing_of_any_size_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = sip("INVITE sip:1002@h").replace(b"Length: 0", b"Length: 999999999")
    streams = Streams()
    assert streams.take(packet(endless)) == []
    cut = [m for _ in range(30) for m in streams.take(packet(b"x" * 4000))]
    assert [len(m.text) for m in cut] == [MESSAGE_BYTES] and cut[0].truncated
    (cut_head,) = Streams().take(packet(b"INVITE sip:a SIP/2.0\r\nA: " + b"b" * 40_000))
    assert cut_head.truncated
    for port in range(STREAMS + 5):
        streams.take(packet(endless, source_port=port))
    assert streams.waiting_bytes <= STREAMS * len(endless)
    monkeypatch.setattr(reassembly, "WAITING_BYTES", 100)
    streams.take(packet(endless, source_port=9999))
    assert streams.waiting_bytes == 0


@pytest.mark.parametrize("payload", [b"", b"\r\n\r\n", b"\0\0\0\0"])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_keep_alives_are_no_messages(payload: bytes, transport: str) -> None:
    assert fed(packet(payload, transport)) == []


@pytest.mark.parametrize(
    ("via", "protocol", "named"),
    [
        ("SIP/2.0/WSS df7jal23ls0d.invalid;branch=z", "tcp", "wss"),
        ("SIP/2.0/WS 1.2.3.4:80", "tcp", "ws"),
        ("SIP / 2.0 / tls 1.2.3.4", "tcp", "tls"),
        ("SIP/2.0/TCP 1.2.3.4", "tcp", "tcp"),
        ("SIP/2.0/UDP 1.2.3.4", "tls", "tls"),
    ],
)
def test_the_transport_is_what_the_via_says(via: str, protocol: str, named: str) -> None:
    (message,) = Streams().take(
        packet(f"BYE sip:a SIP/2.0\r\nVia: {via}\r\n\r\n".encode(), protocol)
    )
    assert message.transport == named


@pytest.mark.parametrize(
    ("start", "via", "ends"),
    [
        ("BYE sip:a@[2001:db8::5]:5060", "[2001:db8::7]:5066", ("2001:db8::7", "2001:db8::5")),
        ("BYE sip:a@h", "[fe80::1];received=2001:db8::8", ("2001:db8::8", "::")),
        ("SIP/2.0 200 OK", "[2001:db8::7]:5066", ("::", "2001:db8::7")),
        ("SIP/2.0 200 OK", "phone.invalid", ("::", "::")),
    ],
)
def test_an_ipv6_address_is_what_the_via_says(start: str, via: str, ends: tuple[str, str]) -> None:
    """sofia-sip writes four bytes, which are another field."""
    line = start if start.startswith("SIP") else f"{start} SIP/2.0"
    text = f"{line}\r\nv: SIP/2.0/UDP {via};branch=z\r\n\r\n".encode()
    wrong = {"source": "1:2::", "destination": "::"}
    (message,) = Streams().take(packet(text, "udp", **wrong))
    assert (message.source, message.destination) == ends
    honest = {"source": "2001:db8::1", "destination": "2001:db8::2"}
    (message,) = Streams().take(packet(text, "udp", **honest))
    assert (message.source, message.destination) == ("2001:db8::1", "2001:db8::2")


def test_a_response_goes_back_the_way_of_its_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the same ports, and as long as the request is remembered."""
    monkeypatch.setattr(reassembly, "REQUESTS", 2)
    streams, wrong = Streams(), {"source": "::", "destination": "::"}

    def ends(start: str, branch: str, **more: object) -> tuple[str, str]:
        via = f"SIP/2.0/WS [2001:db8::7];branch={branch}"
        text = f"{start}\r\nVia: {via}\r\nCSeq: 1 BYE\r\n\r\n".encode()
        (message,) = streams.take(packet(text, **{**wrong, **more}))
        return message.source, message.destination

    for branch in ("z1", "z2", "z3", "z" * 300):
        ends("BYE sip:a@[2001:db8::5] SIP/2.0", branch)
    ok = "SIP/2.0 200 OK"
    assert ends(ok, "z3", sent=True) == ("2001:db8::5", "2001:db8::7")
    assert ends(ok, "z3", sent=True, source_port=9) == ("::", "2001:db8::7")
    assert ends(ok, "z1", sent=True) == ends(ok, "z" * 300, sent=True) == ("::", "2001:db8::7")


@given(st.lists(st.tuples(st.binary(max_size=200), st.sampled_from(list(TRANSPORTS.values())))))
def test_whatever_comes_nothing_is_raised(slices: list[tuple[bytes, str]]) -> None:
    streams = Streams()
    for payload, transport in slices:
        for message in streams.take(packet(payload, transport)):
            read(message.text)
    assert streams.waiting_bytes <= sum(len(payload) for payload, _ in slices)


@given(st.integers(0, 4), st.integers(0, 5000), st.binary(min_size=1, max_size=6))
def test_a_damaged_message_is_read_as_far_as_it_goes(which: int, at: int, noise: bytes) -> None:
    text = ALL[which]
    reading = read(text[:at] + noise + text[at + len(noise) :])
    assert reading.status in range(1000) and isinstance(reading.method + reading.sipfrag, str)
