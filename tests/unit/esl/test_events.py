"""fsctl.esl.events: lazy values over an event's bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsctl.errors import CommandFailed
from fsctl.esl.events import Event, Reply, event_of
from fsctl.esl.frames import Frame, FrameReader, Headers

PLAIN = (
    b"Event-Name: CHANNEL_HANGUP\nUnique-ID: u1\nvariable_sip_to_user: O'Brien%20%C3%BC\n"
    b"variable_evil: x%0AEvent-Name: FORGED\nvariable_none: _undef_\n\n"
)
JOB = b"Event-Name: BACKGROUND_JOB\nJob-UUID: j\nContent-Length: 16\n\n-ERR USER_BUSY%A"


def one_frame(stream: bytes) -> Frame:
    """The only frame in these bytes."""
    (frame,) = FrameReader().feed(stream)
    return frame


def test_headers_are_decoded_when_asked_for() -> None:
    event = Event(PLAIN)
    assert (event.name, event.channel_uuid, event.subclass) == ("CHANNEL_HANGUP", "u1", None)
    assert event["variable_sip_to_user"] == event.variable("sip_to_user") == "O'Brien \u00fc"
    assert event.variable("evil") == "x\nEvent-Name: FORGED"
    assert event.variable("none") == ""
    assert event.body == b""


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["Event-Name", "Unique-ID", "unique-id", "Application-UUID", "variable_x"]
            ),
            st.sampled_from([": ", ":"]),
            st.sampled_from(["", "a", "b%20c", "_undef_", "u\u00fc", "x" * 600]),
        ),
        max_size=6,
    ),
    st.sampled_from(["", "\n", "\n\nUnique-ID: of the body\n"]),
)
def test_what_is_taken_from_its_place_is_what_a_search_finds(lines, end) -> None:
    raw = ("\n".join(f"{name}{colon}{value}" for name, colon, value in lines) + end).encode()
    assert Event(raw).name == Event(raw).get("Event-Name", "")
    assert Event(raw).channel_uuid == Event(raw).get("Unique-ID")
    names = [name for name, _, _ in lines]
    if names.count("Application-UUID") < 2:
        assert Event(raw).application_uuid == Event(raw).get("Application-UUID")


def test_absent_headers() -> None:
    event = Event(PLAIN)
    assert event.get("Nothing") is None
    assert event.get("Nothing", "x") == "x"
    assert "Nothing" not in event and "Unique-ID" in event and 7 not in event
    with pytest.raises(KeyError):
        event["Nothing"]
    assert Event().name == ""


def test_the_inner_body_is_not_a_header_and_not_decoded() -> None:
    event = Event(JOB)
    assert event.body == b"-ERR USER_BUSY%A"
    assert event.to_dict() == {
        "Event-Name": "BACKGROUND_JOB",
        "Job-UUID": "j",
        "Content-Length": "16",
    }


@pytest.mark.parametrize("length", [b"", b"-3", b"abc", b"99999999999999999999"])
def test_a_bad_inner_length_gives_no_body(length: bytes) -> None:
    assert Event(b"A: b\nContent-Length: " + length + b"\n\nbody").body == b""


def test_a_custom_event_has_a_subclass() -> None:
    event = Event(b"Event-Name: CUSTOM\nEvent-Subclass: sofia%3A%3Atransferor\nUnique-ID: u\n\n")
    assert (event.name, event.subclass) == ("CUSTOM", "sofia::transferor")
    assert repr(event) == "<Event sofia::transferor u>"


def test_of_a_repeated_header_the_first_counts() -> None:
    assert Event(b"A: 1\nA: 2\n\n").to_dict() == {"A": "1"}


def test_event_of_a_frame() -> None:
    plain = event_of(Frame(one_frame(b"Content-Type: x\n\n").head, PLAIN, "text/event-plain"))
    assert plain is not None and plain.name == "CHANNEL_HANGUP"
    assert event_of(one_frame(b"Content-Type: log/data\n\n")) is None


@pytest.mark.parametrize(
    ("stream", "text", "ok"),
    [
        (b"Content-Type: command/reply\nReply-Text: +OK\n\n", "+OK", True),
        (b"Content-Type: command/reply\nReply-Text: -ERR no\n\n", "-ERR no", False),
        (b"Content-Type: command/reply\nReply-Text: +OK 30%41\n\n", "+OK 30%41", True),
        (b"Content-Type: command/reply\nReply-Text: %2BOK%0A\n\n", "+OK\n", True),
        (b"Content-Type: command/reply\n\n", "", True),
        (b"Content-Type: api/response\nContent-Length: 4\n\ntrue", "true", True),
        (b"Content-Type: api/response\nContent-Length: 7\n\n-USAGE:", "-USAGE:", False),
    ],
)
def test_replies(stream: bytes, text: str, ok: bool) -> None:
    reply = Reply.from_frame("X", one_frame(stream))
    assert (reply.text, reply.ok) == (text, ok)
    if ok:
        assert reply.raise_for_error() is reply
    else:
        with pytest.raises(CommandFailed, match=f"X: {text}"):
            reply.raise_for_error()


def test_a_reply_keeps_headers_and_body() -> None:
    reply = Reply.from_frame(
        "X", one_frame(b"Content-Type: api/response\nContent-Length: 2\nA: b\n\nhi")
    )
    assert (reply.headers["A"], reply.body) == ("b", b"hi")


def test_a_snapshot_is_read_as_an_event_is() -> None:
    raw = (
        b"A: 1\nX-Foo: 1\nx-foo: 2\nX-FOO:3\nX-Foo: 4\nEmpty:\nEmpty2: \nLast: _undef_\n"
        b"nonsense\nvariable_\xc3\xbc: %2525\nspaces:  x%20y \n: none\ntwo: a: b"
    )
    names = ["A", "a", "X-Foo", "x-foo", "X-FOO", "x-fOO", "Empty", "Empty2", "last", "nonsense"]
    names += ["variable_\u00fc", "VARIABLE_\u00fc", "spaces", "", "two", "TWO", "Foo", "1"]
    snapshot, event = Event.from_headers(Headers(raw)), Event(raw)
    found = [snapshot.get(name) for name in names]
    assert found == [event.get(name) for name in names]
    assert found[2:6] == ["1", "2", "3", "1"]
    assert snapshot.to_dict() == event.to_dict()
