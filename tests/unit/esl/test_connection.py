"""fsctl.esl.connection: one link against a scripted peer over a socket pair."""

from __future__ import annotations

import logging

import gevent
import pytest

from fsctl.errors import (
    AuthError,
    ChannelGone,
    CommandError,
    CommandFailed,
    CommandTimeout,
    LinkError,
    LinkLost,
    ProtocolError,
)
from fsctl.esl.commands import (
    Execute,
    Exit,
    Filter,
    Status,
    UuidBreak,
    UuidGetvar,
)
from fsctl.esl.connection import MAX_UNANSWERED, Connection
from fsctl.esl.events import Event
from tests.unit.esl.peer import Peer, api, event, frame, linked, reply, snapshot, wait_until

LINGER = frame("text/disconnect-notice", Content_Disposition="linger", Linger_Time="5")
GOODBYE = frame("text/disconnect-notice", b"bye\n", Content_Disposition="disconnect")


def spawn(call, *args, **kwargs):
    """Run in a greenlet whose error is the test's to look at."""
    return gevent.spawn(_quietly, call, args, kwargs)


def _quietly(call, args, kwargs):
    try:
        return call(*args, **kwargs)
    except (LinkError, ChannelGone) as error:
        return error


def connected(link: Connection, peer: Peer, channel_uuid: str = "u1") -> Event:
    """After the handshake."""
    waiting = gevent.spawn(link.connect)
    peer.expect("connect", snapshot(channel_uuid, variable_x="a%0Ab"))
    return waiting.get(timeout=30)


def test_send_returns_the_reply() -> None:
    with linked() as (link, peer):
        waiting = gevent.spawn(link.send, Status())
        peer.expect("api status", api("UP\n"))
        assert waiting.get(timeout=30).text == "UP\n"
        waiting = gevent.spawn(link.send, Filter("a", "b"))
        peer.expect("filter a b", reply("-ERR no"))
        assert not waiting.get(timeout=30).ok


def test_send_all_writes_once_and_keeps_the_order() -> None:
    with linked() as (link, peer):
        waiting = gevent.spawn(link.send_all, [Status(), Exit(), Status()])
        wait_until(lambda: link._waiters.unanswered == 3)
        peer.send(api("1"), reply("2"), api("3"))
        assert [one.text for one in waiting.get(timeout=30)] == ["1", "2", "3"]
        assert [peer.command() for _ in range(3)] == ["api status", "exit", "api status"]
        assert link.send_all([]) == []


def test_a_late_reply_is_not_given_to_the_next_command() -> None:
    with linked() as (link, peer):
        with pytest.raises(CommandTimeout, match=r"Status: nothing within 0\.01 s"):
            link.send(Status(), timeout_s=0.01)
        waiting = gevent.spawn(link.send, Filter("a", "b"))
        wait_until(lambda: link._waiters.unanswered == 2)
        peer.send(api("late"), reply("+OK mine"))
        assert waiting.get(timeout=30).text == "+OK mine"


def test_post_does_not_wait_and_logs_errors(caplog: pytest.LogCaptureFixture) -> None:
    with linked(log_id="the-call") as (link, peer):
        link.post(Exit())
        link.post(Status())
        peer.expect("exit", reply("+OK bye"))
        with caplog.at_level(logging.WARNING):
            peer.expect("api status", api("-ERR nothing"))
            wait_until(lambda: link._waiters.unanswered == 0)
        assert "[the-call] Status refused: -ERR nothing" in caplog.text
        assert "bye" not in caplog.text


def test_a_posted_command_to_a_channel_that_has_gone_is_no_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with linked() as (link, peer):
        link.post(UuidBreak("gone"), Execute("answer", channel_uuid="gone"))
        with caplog.at_level(logging.INFO):
            peer.expect("api uuid_break", api("-ERR No such channel!\n"))
            peer.expect("sendmsg", reply("-ERR invalid session id [gone]"))
            wait_until(lambda: link._waiters.unanswered == 0)
        assert not caplog.records


def test_too_many_unanswered_commands_are_refused() -> None:
    with linked() as (link, peer):
        drain = gevent.spawn(peer.eof)
        for _ in range(MAX_UNANSWERED):
            link.post(Exit())
        with pytest.raises(CommandTimeout, match="not answered"):
            link.post(Exit())
        drain.kill()


def test_api_and_its_errors() -> None:
    with linked() as (link, peer):
        for answer, expected in (
            (api("value"), "value"),
            (api("-ERR No such channel!\n"), "UuidGetvar: -ERR No such channel!"),
            (api("-ERR x"), "-ERR x"),
            (reply("-ERR command not found"), "UuidGetvar: -ERR command not found"),
        ):
            waiting = spawn(link.api, UuidGetvar("u", "v"))
            peer.expect("api uuid_getvar u v", answer)
            assert str(waiting.get(timeout=30)) == expected


def test_connect_gives_the_channel() -> None:
    with linked() as (link, peer):
        channel = connected(link, peer)
        assert link.channel_uuid == channel.channel_uuid == link.log_id == "u1"
        assert channel.variable("x") == "a\nb"
        with pytest.raises(RuntimeError, match="handshake"):
            link.connect()
        assert link.uuid is None and link.caller_id_number is None  # greenswitch's own names


def test_connect_may_fail() -> None:
    with linked() as (link, peer):
        waiting = spawn(link.connect)
        peer.expect("connect", reply("-ERR no"))
        assert isinstance(waiting.get(timeout=30), CommandFailed)


def test_authenticate() -> None:
    with linked() as (link, peer):
        peer.send(frame("auth/request"))
        waiting = spawn(link.authenticate, "secret")
        peer.expect("auth secret", reply("+OK accepted"))
        assert waiting.get(timeout=30) is None


@pytest.mark.parametrize(
    ("greeting", "answer", "message"),
    [
        (frame("auth/request"), reply("-ERR invalid"), "refused the password"),
        (frame("text/rude-rejection", b"Access Denied, go away.\n"), b"", "Access Denied, go away"),
    ],
)
def test_authentication_is_refused(greeting: bytes, answer: bytes, message: str) -> None:
    with linked() as (link, peer):
        waiting = spawn(link.authenticate, "secret")
        peer.send(greeting)
        if answer:
            peer.expect("auth", answer)
        error = waiting.get(timeout=30)
        assert isinstance(error, AuthError)
        assert message in str(error) and "secret" not in str(error)


def test_no_greeting_in_time() -> None:
    with linked() as (link, _), pytest.raises(CommandTimeout):
        link.authenticate("secret", timeout_s=0.01)


def test_events_go_to_on_event_and_its_errors_are_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with linked() as (link, peer):
        seen: list[str] = []

        def take(taken: Event) -> None:
            seen.append(taken.name)
            raise ValueError("in the handler")

        peer.send(event("EARLY"))
        link.on_event = take
        peer.send(event("ONE"), frame("log/data", b"x"), event("TWO"))
        wait_until(lambda: "TWO" in seen)
        assert seen[-2:] == ["ONE", "TWO"]
        assert "in the handler" in caplog.text and not link.closed


def test_on_event_may_not_wait() -> None:
    with linked() as (link, peer):
        errors: list[Exception] = []

        def take(_: Event) -> None:
            try:
                link.send(Status())
            except RuntimeError as error:
                errors.append(error)

        link.on_event = take
        peer.send(event("X"))
        wait_until(lambda: errors)
        assert link._waiters.unanswered == 0


def test_execute_waits_for_its_own_end() -> None:
    with linked() as (link, peer):
        connected(link, peer)
        first = gevent.spawn(link.execute, Execute("set", "a=1", event_uuid="e1"))
        peer.expect("sendmsg", reply())
        second = gevent.spawn(link.execute, Execute("set", "a=2"))
        sent = peer.command()
        own_uuid = sent.partition("Event-UUID: ")[2]
        peer.send(reply())
        done = "CHANNEL_EXECUTE_COMPLETE"
        peer.send(event(done, Application="set", Application_UUID="other"))
        peer.send(event(done, Application="set", Application_UUID=own_uuid))
        assert second.get(timeout=30)["Application-UUID"] == own_uuid
        assert not first.ready()
        peer.send(event(done, Application="set", Application_UUID="e1"))
        assert first.get(timeout=30)["Application-UUID"] == "e1"


def test_execute_raises_at_once_on_error() -> None:
    with linked() as (link, peer):
        waiting = spawn(link.execute, Execute("set", "a=1", channel_uuid="nope"), 60)
        peer.expect("sendmsg nope", reply("-ERR invalid session id [nope]"))
        assert isinstance(waiting.get(timeout=30), CommandFailed)


@pytest.mark.parametrize("farewell", [event("CHANNEL_HANGUP", Unique_ID="u1"), LINGER])
def test_a_hangup_ends_execute(farewell: bytes) -> None:
    with linked() as (link, peer):
        connected(link, peer)
        ours = spawn(link.execute, Execute("playback", "x"), 60)
        peer.expect("sendmsg", reply())
        other = spawn(link.execute, Execute("playback", "x", channel_uuid="u2"), 60)
        peer.expect("sendmsg u2", reply())
        peer.send(farewell)
        assert isinstance(ours.get(timeout=30), ChannelGone)
        assert not other.ready()
        peer.send(event("CHANNEL_HANGUP_COMPLETE", Unique_ID="u2"))
        assert isinstance(other.get(timeout=30), ChannelGone)


def test_execute_times_out_and_leaves_nothing() -> None:
    with linked() as (link, peer):
        waiting = spawn(link.execute, Execute("playback", "x"), 0.05)
        peer.expect("sendmsg", reply())
        assert isinstance(waiting.get(timeout=30), CommandTimeout)
        assert not link._waiters._executions


def test_a_lingering_link_still_answers_but_verbs_raise() -> None:
    with linked() as (link, peer):
        connected(link, peer)
        assert not link.lingering and not link.hung_up
        peer.send(LINGER)
        wait_until(lambda: link.lingering)
        assert link.hung_up and not link.closed
        for verb in (Execute("answer"), Execute("answer", channel_uuid="u1")):
            with pytest.raises(ChannelGone):
                link.send(verb)
            with pytest.raises(ChannelGone):
                link.post(verb)
        waiting = gevent.spawn(link.api, Status())
        peer.expect("api status", api("UP"))
        assert waiting.get(timeout=30) == "UP"
        link.post(Execute("answer", channel_uuid="u2"))
        peer.expect("sendmsg u2")


def test_a_retired_link_ends_with_its_channel() -> None:
    with linked() as (link, peer):
        connected(link, peer)
        link.retire()
        peer.expect("noevents", reply())
        peer.expect("nolinger", reply())
        assert not link.closed
        peer.send(LINGER)  # the channel hung up before FreeSWITCH read the last command
        assert link.wait_closed(5)


def test_replies_behind_the_end_of_a_retired_link_are_no_fault(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with linked() as (link, peer):
        connected(link, peer)
        link.retire()
        peer.expect("noevents")
        peer.expect("nolinger")
        peer.send(LINGER + reply() + reply())
        assert link.wait_closed(5)
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


def test_to_retire_a_link_that_breaks_at_that_moment_is_no_failure() -> None:
    with linked(start=False) as (link, peer):
        peer.close()  # nobody has read that yet
        link.retire()
        assert link.closed


@pytest.mark.parametrize("uuid", [None, "", "u1%0Aapi%20shutdown", "u 1", "x" * 300])
def test_a_reply_to_connect_names_its_channel_or_it_is_no_switch(uuid) -> None:
    with linked() as (link, peer):
        waiting = spawn(link.connect)
        peer.expect("connect", reply() if uuid is None else snapshot(uuid))
        assert isinstance(waiting.get(timeout=30), ProtocolError)
        assert link.channel_uuid is None


def test_a_link_is_retired_after_its_channel_has_hung_up() -> None:
    with linked() as (link, peer):
        connected(link, peer)
        peer.send(LINGER)
        wait_until(lambda: link.lingering)
        link.retire()
        assert link.closed


@pytest.mark.parametrize(
    ("ending", "message"),
    [
        (b"", "closed by the peer"),
        (b"Content-Type: api/response\nContent-Length: 9\n\nhalf", "end of file inside a body"),
        (b"Content-Type: half", "end of file inside headers"),
        (b"X: y\n\n", "without Content-Type"),
        (GOODBYE, "FreeSWITCH ended the link"),
    ],
)
def test_the_end_of_the_link_wakes_everybody(ending: bytes, message: str) -> None:
    with linked() as (link, peer):
        lost: list[str] = []
        link.on_lost = lambda: lost.append("once")
        calls = [
            spawn(link.send, Status(), 60),
            spawn(link.execute, Execute("sleep", "1"), 60),
        ]
        peer.expect("api status")
        peer.expect("sendmsg")
        peer.send(ending)
        peer.close()
        errors = [call.get(timeout=30) for call in calls]
        assert [type(error) for error in errors] == [LinkLost] * 2
        assert all(message in str(error) for error in errors)
        assert len({id(error) for error in errors}) == 2
        wait_until(lambda: lost)
        link.close()
        assert lost == ["once"] and link.closed
        with pytest.raises(LinkLost, match=message):
            link.send(Status())


def test_a_reply_to_no_command_ends_the_link() -> None:
    with linked() as (link, peer):
        peer.send(reply())
        assert link.wait_closed(5)
        with pytest.raises(LinkLost, match="a reply to no command"):
            link.post(Exit())


def test_close_wakes_everybody_and_frees_the_socket() -> None:
    with linked() as (link, peer):
        lost: list[bool] = []
        link.on_lost = lambda: lost.append(link.closed)
        waiting = spawn(link.send, Status(), 60)
        peer.expect("api status")
        link.close()
        link.close()
        assert lost == [True]
        assert isinstance(waiting.get(timeout=30), LinkLost)
        assert peer.eof()
        assert not link._reading.active
        assert link.sock.fileno() == -1


def test_close_from_on_event_and_from_on_lost() -> None:
    with linked() as (link, peer):
        link.on_lost = link.close
        link.on_event = lambda _: link.close()
        peer.send(event("A"), event("B"))
        assert link.wait_closed(5)
        assert peer.eof()


def test_on_lost_set_too_late_is_called_at_once(caplog: pytest.LogCaptureFixture) -> None:
    with linked() as (link, _):
        link.close()
        lost: list[int] = []
        link.on_lost = lambda: lost.append(1)
        assert lost == [1] and link.on_lost is None

        def fail() -> None:
            raise ValueError("in on_lost")

        link.on_lost = fail
        assert "in on_lost" in caplog.text


def test_start_after_close_starts_nothing() -> None:
    with linked(start=False) as (link, _):
        assert not link.wait_closed(0.001)
        link.close()
        link.start()
        assert link._reading is None


def test_only_commands_are_sent() -> None:
    with linked() as (link, _):
        for wrong in ("api status", None, Status):
            with pytest.raises(CommandError, match="not a command"):
                link.send(wrong)


def test_a_peer_that_does_not_read_ends_the_link_in_time() -> None:
    with linked() as (link, _):
        big = Execute("set", "x" * 4_000_000)
        with pytest.raises(CommandTimeout, match="writing"):
            link.send_all([big] * 4, timeout_s=0.1)
        assert link.closed


def test_a_writer_who_is_killed_half_way_ends_the_link() -> None:
    """What comes after half a command would not be understood."""
    with linked() as (link, _):
        stuck = gevent.spawn(link.send, Execute("set", "x" * 4_000_000))
        wait_until(lambda: link._write_lock.locked())
        waiting = spawn(link.send, Status())
        stuck.kill()
        assert link.closed
        assert isinstance(waiting.get(timeout=30), LinkLost)


def test_who_waits_for_the_turn_to_write_has_a_deadline_too() -> None:
    with linked() as (link, _):
        stuck = spawn(link.send_all, [Execute("set", "x" * 4_000_000)] * 4, 5)
        wait_until(lambda: link._write_lock.locked())
        with pytest.raises(CommandTimeout, match="turn to write"):
            link.send(Status(), timeout_s=0.01)
        link.close()
        assert isinstance(stuck.get(timeout=30), LinkLost)


def test_a_flood_of_events_lets_others_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fsctl.esl.connection._READ_BYTES", 64)
    with linked(start=False) as (link, peer):
        peer.send(event("X") * 60)
        peer.close()
        seen: list[Event] = []
        link.on_event = seen.append
        link.start()
        turns = 0
        while not link.closed:
            gevent.sleep(0)
            turns += 1
        assert len(seen) == 60
        assert turns >= 20
