"""Faults: what a story can do to the bytes of a link."""

from __future__ import annotations

from typing import Any

import pytest

from fsctl.simulator.faults import (
    Frame,
    Nth,
    duplicated,
    late,
    missing,
    refused,
    split,
)

Lab = Any  # the class is in conftest.py, which tests cannot import


def raw(sending: Any) -> list[bytes]:
    return [piece for _, piece in sending.pieces]


FRAME = Frame(b"Content-Type: command/reply\nReply-Text: +OK\n\n", "reply", "linger")


def test_split_sends_every_byte_in_pieces() -> None:
    assert raw(split([3, 5])(FRAME))[:3] == [b"Con", b"tent-", b"Type:"]
    assert b"".join(raw(split()(FRAME))) == FRAME.raw
    assert len(raw(split()(FRAME))) == len(FRAME.raw)


@pytest.mark.parametrize(
    ("fault", "pieces"),
    [
        (missing(), []),
        (duplicated(), [FRAME.raw, FRAME.raw]),
        (late(3.0), [FRAME.raw]),
        (refused("-ERR x"), [b"Content-Type: command/reply\nReply-Text: -ERR x\n\n"]),
    ],
)
def test_what_becomes_of_one_frame(fault: Any, pieces: list[bytes]) -> None:
    assert raw(fault(FRAME)) == pieces


def test_nth_leaves_all_others_alone() -> None:
    fault = Nth(missing(), kind="reply", about="linger", number=2)
    assert [fault(FRAME), fault(Frame(b"", "event", "X"))] == [None, None]
    assert raw(fault(FRAME)) == []
    assert fault(FRAME) is None


def test_a_whole_call_works_byte_by_byte(lab: Lab) -> None:
    lab.switch.faults.append(split())
    lab.call()
    assert lab.alice.hears == "1001"


def test_a_reply_that_is_late_on_the_switchs_clock(lab: Lab) -> None:
    lab.alice.calls("1001")
    link = lab.controller.next_link(1)
    lab.switch.links[0].faults.append(Nth(late(5.0), kind="reply", about="linger"))
    link.send("linger")
    lab.switch.advance(4.9)
    assert len(link.replies) == 1
    lab.switch.advance(0.2)
    assert len(link.replies) == 2


def test_a_stalled_link_sends_nothing_until_released(lab: Lab) -> None:
    link, _, _ = lab.call()
    before = len(link.frames)
    lab.switch.links[0].stalled = True
    lab.bob.hangs_up()
    lab.switch.settle()
    assert len(link.frames) == before
    lab.switch.links[0].stalled = False
    lab.switch.run_until(lambda: link.completed("e1"), limit_s=0)
