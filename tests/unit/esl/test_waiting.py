"""fsctl.esl.waiting: who waits for what."""

from __future__ import annotations

import gevent
import pytest

from fsctl.errors import ChannelGone, CommandTimeout, LinkLost, ProtocolError
from fsctl.esl.events import Event
from fsctl.esl.frames import FrameReader
from fsctl.esl.waiting import Awaited, Deadline, Replies, Unanswered, Waiters

(OK,) = FrameReader().feed(b"Content-Type: command/reply\nReply-Text: +OK\n\n")
NOW = Deadline(0.0)


def test_a_deadline_is_never_negative_and_says_what_was_missed() -> None:
    assert NOW.left_s() == 0.0
    assert 59 < Deadline(60).left_s() <= 60
    assert str(Deadline(1.5).missed("x")) == "x: nothing within 1.5 s"


def test_awaited() -> None:
    one: Awaited[int] = Awaited("one")
    with pytest.raises(CommandTimeout, match="one"):
        one.wait(NOW)
    one.come(1)
    assert one.wait(NOW) == 1
    two: Awaited[int] = Awaited("two")
    two.fail(LinkLost("x"))
    with pytest.raises(LinkLost):
        two.wait(NOW)


def test_who_waits_is_woken_by_what_comes_and_by_the_deadline() -> None:
    for come, result in ((True, 1), (False, None)):
        awaited: Awaited[int] = Awaited("it")
        waiting = gevent.spawn(awaited.wait, Deadline(60 if come else 0.001))
        gevent.sleep(0)
        if come:
            awaited.come(1)
            assert not waiting.ready(), "it goes on when all is taken that has come"
            assert waiting.get(timeout=30) == result
        else:
            with pytest.raises(CommandTimeout, match="it"):
                waiting.get(timeout=30)
            awaited.come(2)
            assert awaited.wait(NOW) == 2


def test_replies_go_to_commands_in_order() -> None:
    waiters = Waiters()
    both = Replies(["first", "second"])
    sent = [Unanswered("first", both), Unanswered("second", both), Unanswered("posted", None)]
    waiters.add_commands(sent)
    assert waiters.unanswered == 3
    assert waiters.take_reply(OK) is None
    with pytest.raises(CommandTimeout, match="second"):
        both.wait(NOW)
    assert waiters.take_reply(OK) is None
    assert [reply.command for reply in both.wait(NOW)] == ["first", "second"]
    posted = waiters.take_reply(OK)
    assert posted is not None and posted.command == "posted"
    with pytest.raises(ProtocolError, match="no command"):
        waiters.take_reply(OK)


def test_events_go_to_those_who_wait_for_them() -> None:
    waiters = Waiters()
    execution = waiters.add_execution("e1", "u1", "set")
    waiters.take_event(Event(b"Event-Name: CHANNEL_EXECUTE_COMPLETE\nApplication-UUID: e2\n\n"))
    with pytest.raises(CommandTimeout):
        execution.wait(NOW)
    waiters.take_event(Event(b"Event-Name: CHANNEL_EXECUTE_COMPLETE\nApplication-UUID: e1\n\n"))
    assert execution.wait(NOW)["Application-UUID"] == "e1"


def test_a_hangup_ends_the_executions_on_that_channel() -> None:
    waiters = Waiters()
    ours, other = waiters.add_execution("e1", "u1", "x"), waiters.add_execution("e2", "u2", "x")
    waiters.take_event(Event(b"Event-Name: CHANNEL_HANGUP\nUnique-ID: u1\n\n"))
    with pytest.raises(ChannelGone, match="u1"):
        ours.wait(NOW)
    with pytest.raises(CommandTimeout):
        other.wait(NOW)


def test_forgotten_ones_are_not_told() -> None:
    waiters = Waiters()
    execution = waiters.add_execution("e1", None, "x")
    for uuid in ("e1", "unknown"):
        waiters.forget(uuid)
    waiters.fail_all(lambda: LinkLost("x"))
    with pytest.raises(CommandTimeout):
        execution.wait(NOW)


def test_the_end_fails_all_with_errors_of_their_own() -> None:
    waiters = Waiters()
    replies = Replies(["x", "y"])
    waiters.add_commands(
        [Unanswered("x", replies), Unanswered("y", replies), Unanswered("posted", None)]
    )
    all_waiting = [replies, waiters.add_execution("e", None, "x")]
    made: list[LinkLost] = []

    def new_error() -> LinkLost:
        made.append(LinkLost("gone"))
        return made[-1]

    waiters.fail_all(new_error)
    for awaited in all_waiting:
        with pytest.raises(LinkLost):
            awaited.wait(NOW)
    assert len(made) == 2 and waiters.unanswered == 0
