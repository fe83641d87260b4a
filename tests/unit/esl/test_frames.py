"""fsctl.esl.frames: the same frames however the stream is cut, and limits on everything."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsctl.errors import ProtocolError
from fsctl.esl.frames import FrameReader, Headers, Limits, decode_value

STREAM = (
    b"Content-Type: auth/request\n\n"
    b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n"
    b"Content-Type: api/response\nContent-Length: 7\n\nUP 1\n\nx"
    b"Content-Length: 41\nContent-Type: text/event-plain\n\n"
    b"Event-Name: CHANNEL_HANGUP\nUnique-ID: a\n\n"
    b"Content-Type: api/response\nContent-Length: 0\n\n"
    b"\n\n"
    b"Channel-Name: loopback%2Fx\nContent-Type: command/reply\nReply-Text: %2BOK%0A\n\n"
    b"Content-Type: text/disconnect-notice\nContent-Disposition: disconnect\n"
    b"Content-Length: 4\n\nbye\n"
)
KINDS = [
    "auth/request",
    "command/reply",
    "api/response",
    "text/event-plain",
    "api/response",
    "command/reply",
    "text/disconnect-notice",
]


def read(*chunks: bytes, limits: Limits | None = None) -> list[tuple[str, dict[str, str], bytes]]:
    """What a reader makes of these chunks, as plain values."""
    reader = FrameReader(limits) if limits else FrameReader()
    frames = [frame for chunk in chunks for frame in reader.feed(chunk)]
    reader.feed_eof()
    return [(frame.content_type, dict(frame.headers.items()), frame.body) for frame in frames]


def test_a_stream_is_read_frame_by_frame() -> None:
    frames = read(STREAM)
    assert [kind for kind, _, _ in frames] == KINDS
    assert frames[2][2] == b"UP 1\n\nx"
    assert frames[3][2].endswith(b"Unique-ID: a\n\n")
    assert frames[4][2] == b""
    assert frames[5][1]["Channel-Name"] == "loopback/x"
    assert frames[6][2] == b"bye\n"


def test_every_split_gives_the_same_frames() -> None:
    whole = read(STREAM)
    for at in range(len(STREAM) + 1):
        assert read(STREAM[:at], STREAM[at:]) == whole, f"split at {at}"


def test_byte_by_byte_gives_the_same_frames() -> None:
    assert read(*(STREAM[i : i + 1] for i in range(len(STREAM)))) == read(STREAM)


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_any_cuts_give_the_same_frames(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    chunks = [STREAM[a:b] for a, b in pairwise(edges)]
    assert read(*chunks) == read(STREAM)


@given(st.lists(st.tuples(st.binary(max_size=200), st.integers(1, 9)), max_size=6))
def test_any_bodies_survive(bodies: list[tuple[bytes, int]]) -> None:
    stream = b"".join(
        b"Content-Type: api/response\nContent-Length: %d\n\n%s" % (len(body), body)
        for body, _ in bodies
    )
    size = bodies[0][1] if bodies else 1
    chunks = [stream[i : i + size] for i in range(0, len(stream), size)]
    assert [body for _, _, body in read(*chunks)] == [body for body, _ in bodies]


@given(st.binary(max_size=400), st.integers(1, 50))
def test_noise_is_frames_or_a_protocol_error(noise: bytes, size: int) -> None:
    reader = FrameReader(Limits(header_bytes=100, header_lines=5, body_bytes=50))
    try:
        for i in range(0, len(noise), size):
            reader.feed(noise[i : i + size])
        reader.feed_eof()
    except ProtocolError:
        pass


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (b"X: y\n\n", "without Content-Type"),
        (b"Content-Type:\n\n", "without Content-Type"),
        (b"Content-Type: a\nContent-Length: -1\n\n", "bad Content-Length"),
        (b"Content-Type: a\nContent-Length: 1x\n\n", "bad Content-Length"),
        (b"Content-Type: a\nContent-Length: \n\n", "bad Content-Length"),
        (b"Content-Type: a\nContent-Length: \xc2\xb2\n\n", "bad Content-Length"),
        (b"Content-Type: a\nContent-Length: 99999999999999999999\n\n", "bad Content-Length"),
        (b"Content-Type: a\nContent-Length: 1\ncontent-length: 2\n\n", "bad Content-Length"),
        (b"Content-Type: a\nContent-Length: 101\n\n", "a body of 101 bytes"),
        (b"Content-Type: a\nX: " + b"x" * 500, "more than 200 bytes of headers"),
        (b"Content-Type: a\nX: " + b"x" * 500 + b"\n\n", "more than 200 bytes of headers"),
        (b"Content-Type: a\n" + b"X:y\n" * 9 + b"\n", "more than 8 header lines"),
    ],
)
def test_a_broken_stream_is_the_peers_fault(stream: bytes, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        read(stream, limits=Limits(header_bytes=200, header_lines=8, body_bytes=100))


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (b"Content-Type: a\nContent-Length: 5\n\n1234", "inside a body"),
        (b"Content-Type: a\nContent-Length: 5\n\n", "inside a body"),
        (b"Content-Type: a\n", "inside headers"),
        (b"C", "inside headers"),
    ],
)
def test_end_of_file_in_a_frame_is_an_error(stream: bytes, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        read(stream)


def test_good_frames_before_an_error_are_not_lost() -> None:
    reader = FrameReader()
    frames = reader.feed(b"Content-Type: auth/request\n\nX: y\n\n")
    assert [frame.content_type for frame in frames] == ["auth/request"]
    assert reader.error is not None
    with pytest.raises(ProtocolError):
        reader.feed(b"Content-Type: auth/request\n\n")
    with pytest.raises(ProtocolError):
        reader.feed_eof()


def test_a_long_body_byte_by_byte_takes_linear_time() -> None:
    def seconds(size: int) -> float:
        reader = FrameReader()
        reader.feed(b"Content-Type: a\nContent-Length: %d\n\n" % size)
        began = time.process_time()
        for _ in range(size):
            reader.feed(b"x")
        return time.process_time() - began

    seconds(1000)
    assert seconds(160_000) < 3 * 16 * max(seconds(10_000), 0.002)  # 16 times the bytes


def test_a_long_header_block_byte_by_byte_takes_linear_time() -> None:
    def seconds(size: int) -> float:
        reader = FrameReader()
        reader.feed(b"Content-Type: a\nX: ")
        began = time.process_time()
        for _ in range(size):
            reader.feed(b"x")
        return time.process_time() - began

    seconds(1000)
    assert seconds(160_000) < 3 * 16 * max(seconds(10_000), 0.002)  # 16 times the bytes


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain", "plain"),
        (b"%2BOK%0A", "+OK\n"),
        (b"a+b", "a+b"),
        (b"100%", "100%"),
        (b"%zz", "%zz"),
        (b"\xc3\xbc %C3%BC", "\u00fc \u00fc"),
        (b"%FF\xfe", "\ufffd\ufffd"),
        (b"%00", "\x00"),
    ],
)
def test_values_are_percent_decoded_utf8(raw: bytes, text: str) -> None:
    assert decode_value(raw) == text


def test_headers_are_split_before_they_are_decoded() -> None:
    headers = Headers(b"A: x%0AContent-Type: forged%0A%0A\nB: y\xc2\x85z\xe2\x80\xa8w")
    assert headers.get("A") == "x\nContent-Type: forged\n\n"
    assert headers.get("Content-Type") is None
    assert headers.get("B") == "y\x85z\u2028w"


def test_headers_are_found_in_any_spelling_and_the_first_counts() -> None:
    headers = Headers(b"X-Foo: 1\nx-foo: 2\nEmpty:\nLast: _undef_")
    assert headers.get("X-Foo") == "1"
    assert headers.get("x-foo") == "2"
    assert headers.get("X-FOO") == "1"
    assert headers.get("Empty") == headers.get("Last") == ""
    assert headers.get("Foo") is headers.get("1") is None
    assert headers.get("X-Foo") == "1" and headers.get("x-foo") == "2", "also after a miss"
    assert headers.repeated("X-fOO") and not headers.repeated("Last")
    assert list(headers.items())[:2] == [("X-Foo", "1"), ("x-foo", "2")]


def test_lines_without_a_colon_are_ignored() -> None:
    assert list(Headers(b"nonsense\nA: 1\n\tmore").items()) == [("A", "1")]


def test_names_are_listed_as_they_are_spelled() -> None:
    headers = Headers(
        b"variable_sip_h_X-A: 1\nvariable_sip_h_\xc3\xbc: 2\nVariable_sip_h_X-B: 3\n"
        b"A: \nvariable_sip_h_X-A: 4\nvariable_sip_h_none\nvariable_sip_h_: 5\n"
        b"B: variable_sip_h_X-C: 6\nvariable_sip_h_X-\xff: 7"
    )
    names = ["variable_sip_h_X-A", "variable_sip_h_\u00fc", "variable_sip_h_"]
    assert headers.names("variable_sip_h_") == names
    assert [headers.get(name) for name in names] == ["1", "2", "5"]
    assert headers.get("VARIABLE_SIP_H_\u00fc") == "2"


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 101\nContent-Type: text/event-plain\n\n",
        b"Content-Type: api/response\nContent-Length: 101\n\n",
    ],
)
def test_a_frame_as_nearly_all_are_has_the_same_limits(head: bytes) -> None:
    for limits in (Limits(body_bytes=100), Limits(header_bytes=20)):
        with pytest.raises(ProtocolError, match=r"a body of 101 bytes|more than 20 bytes"):
            FrameReader(limits).feed(head)
