"""The encoder, against bytes that the real switch sent."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import pytest

from fsctl.simulator.events import SimEvent, api_frame, event_frame, reply_frame, url_encode

RECORDED = Path(__file__).parents[2] / "data" / "esl"
STREAMS = sorted(path.name for path in RECORDED.glob("*.link*.txt"))


def frames(raw: bytes) -> list[tuple[bytes, bytes]]:
    found, position = [], 0
    while (end := raw.find(b"\n\n", position)) >= 0:
        head = raw[position : end + 2]
        length = 0
        for line in head.split(b"\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        found.append((head, raw[end + 2 : end + 2 + length]))
        position = end + 2 + length
    return found


@pytest.mark.parametrize("name", STREAMS)
def test_recorded_events_are_encoded_byte_for_byte(name: str) -> None:
    events = 0
    for head, text in frames((RECORDED / name).read_bytes()):
        if b"text/event-plain" not in head:
            continue
        top, _, body = text.partition(b"\n\n")
        event = SimEvent("recorded", body=body.decode() if b"\nContent-Length: " in top else None)
        for line in top.decode().split("\n"):
            key, value = line.split(": ", 1)
            if key != "Content-Length":
                event.add(key, unquote(value))
        assert event_frame(event) == head + text
        events += 1
    assert events > 3


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("a b", "a%20b"),
        ("<sip:1@h;x=1>", "%3Csip%3A1%40h%3Bx%3D1%3E"),
        ("50%", "50%25"),
        ("%0D%0A", "%0D%0A"),
        ("%0d", "%250d"),
        ("%4", "%254"),
        ("Mon, 1/2 (x)", "Mon,%201/2%20(x)"),
        ("é", "%C3%A9"),
        ("\r\n", "%0D%0A"),
    ],
)
def test_values_are_encoded_as_the_switch_does(text: str, encoded: str) -> None:
    assert url_encode(text) == encoded


def test_a_body_has_its_length_inside_the_event() -> None:
    event = SimEvent("BACKGROUND_JOB", body="+OK é\n").add("Job-UUID", "j")
    assert event.to_plain() == "Job-UUID: j\nContent-Length: 7\n\n+OK é\n".encode()


def test_an_array_is_one_value_and_an_empty_value_none() -> None:
    event = SimEvent("X").add("a", "%0D <x>").add("list", ["1", "2"]).add("none", "")
    assert event.to_plain() == b"a: %0D%20%3Cx%3E\nlist: ARRAY%3A%3A1%7C%3A2\n\n"


def test_replies_have_the_shape_of_the_real_ones() -> None:
    assert reply_frame("+OK") == b"Content-Type: command/reply\nReply-Text: +OK\n\n"
    assert api_frame("") == b"Content-Type: api/response\nContent-Length: 14\n\n-ERR no reply\n"
