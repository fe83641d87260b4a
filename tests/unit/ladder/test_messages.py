"""fsctl.ladder.messages: within its bounds, calls that are known first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fsctl.hep.message import Message
from fsctl.ladder.messages import OVERHEAD_BYTES, Limits, Messages
from tests.unit.hep.messages import sip

SMALL = Limits(total_bytes=40_000, dialog_bytes=6_000, keep_s=100.0, wait_s=10.0)


def message(call_id: str, start: str = "INVITE sip:b@h", cseq: str = "", size: int = 0) -> Message:
    text = sip(start, "x" * size, call_id=call_id, cseq=cseq)
    return Message(0.0, "192.0.2.1", 5060, "192.0.2.2", 5060, "udp", text)


def methods(messages: Messages, *call_ids: str) -> list[str]:
    return [m.text.split(maxsplit=1)[0].decode() for m in messages.of(call_ids)]


def test_an_invite_waits_until_its_call_is_known() -> None:
    messages = Messages(SMALL)
    messages.hear(message("a"), 0.0)
    messages.hear(message("b"), 1.0)
    messages.know("a")
    messages.expire(12.0)
    assert methods(messages, "a", "b") == ["INVITE"]
    messages.hear(message("a", "BYE sip:b@h"), 50.0)
    messages.hear(message("b", "BYE sip:b@h"), 50.0)
    assert methods(messages, "b", "a") == ["INVITE", "BYE", "BYE"]
    messages.expire(100.0)
    first, *rest = messages.of(["a", "b"])
    assert first.text.startswith(b"BYE") and first.gap and not rest, "what is missing is marked"
    messages.expire(151.0)
    assert messages.count == messages.size == 0 and messages.dropped == 0


def test_what_is_no_call_is_kept_only_in_one() -> None:
    messages = Messages(SMALL)
    for start in ("REGISTER sip:h", "OPTIONS sip:h", "SUBSCRIBE sip:h", "MESSAGE sip:h"):
        messages.hear(message("r", start), 0.0)
        messages.hear(message("r", "SIP/2.0 200 OK", f"1 {start.split()[0]}"), 0.0)
    assert messages.count == 0
    messages.hear(message("a"), 0.0)
    messages.hear(message("a", "OPTIONS sip:h"), 0.0)
    messages.hear(message("", "BYE sip:h"), 0.0)
    assert messages.count == 2


def test_strangers_never_take_a_known_calls_place() -> None:
    messages = Messages(SMALL)
    messages.know("ours")
    messages.hear(message("ours"), 0.0)
    for number in range(500):
        messages.hear(message(f"stranger-{number}"), 0.0)
    assert methods(messages, "ours") == ["INVITE"]
    assert messages.size <= SMALL.total_bytes and messages.dropped == 0
    assert messages.of(["stranger-499"]) and not messages.of(["stranger-1"])


def test_the_oldest_goes_first_and_is_counted() -> None:
    messages = Messages(SMALL)
    for number in range(60):
        messages.know(f"c-{number}")
        messages.hear(message(f"c-{number}"), float(number))
    assert 0 < messages.dropped == 60 - messages.count
    assert messages.of(["c-59"]) and not messages.of(["c-0"])
    messages.know("long")
    for number in range(20):
        messages.hear(message("long", "INFO sip:b@h", f"{number} INFO"), 70.0)
    kept = messages.of(["long"])
    assert sum(len(m.text) + OVERHEAD_BYTES for m in kept) <= SMALL.dialog_bytes
    assert kept[0].gap and not kept[1].gap and b"CSeq: 19 " in kept[-1].text


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["hear", "know", "expire"]),
            st.integers(0, 9),
            st.integers(0, 3000),
            st.floats(0, 60),
        ),
        max_size=120,
    )
)
def test_its_bounds_hold_whatever_comes(events: list[tuple[str, int, int, float]]) -> None:
    messages, now = Messages(SMALL), 0.0
    for what, which, size, pause in events:
        now += pause
        if what == "hear":
            messages.hear(message(f"c-{which}", size=size), now)
        elif what == "know":
            messages.know(f"c-{which}")
        else:
            messages.expire(now)
        kept = messages.of(f"c-{number}" for number in range(10))
        assert len(kept) == messages.count
        assert messages.size == sum(len(m.text) + OVERHEAD_BYTES for m in kept)
        assert messages.size <= SMALL.total_bytes
