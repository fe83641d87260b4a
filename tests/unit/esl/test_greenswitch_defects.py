"""greenswitch 0.0.19 has these defects in its wire code; our link and server must not.

The numbers are those of the list that the project keeps of them. Number 24 (its own tests use
fixed ports) has no test: every test here lets the kernel choose.
"""

from __future__ import annotations

import logging
import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

import gevent
import pytest
from gevent import socket

from fsctl.errors import (
    ChannelGone,
    CommandError,
    CommandFailed,
    CommandTimeout,
    LinkError,
    LinkLost,
)
from fsctl.esl.commands import Execute, Exit, Status, UuidSetvar
from fsctl.esl.connection import Connection
from fsctl.esl.events import Event
from fsctl.esl.server import EslServer
from tests.unit.esl.peer import Peer, api, event, frame, linked, reply, snapshot, wait_until

DONE = "CHANNEL_EXECUTE_COMPLETE"


def spawn(call, *args, **kwargs):
    """Run in a greenlet whose error is its value."""

    def quietly():
        try:
            return call(*args, **kwargs)
        except (LinkError, ChannelGone) as error:
            return error

    return gevent.spawn(quietly)


def events_of(link: Connection) -> list[Event]:
    """The list that the link's events go to."""
    seen: list[Event] = []
    link.on_event = seen.append
    return seen


@contextmanager
def serving(handle, **options) -> Iterator[EslServer]:
    """A server on a port of the kernel's choice."""
    server = EslServer(("127.0.0.1", 0), handle, **options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def dial(server: EslServer) -> Peer:
    """FreeSWITCH opens a link."""
    return Peer(socket.create_connection(server.address))


def test_01_an_encoded_line_feed_forges_no_header() -> None:
    """Row 1: it unquoted before it split, so %0A in a SIP header forged headers and notices."""
    with linked() as (link, peer):
        seen = events_of(link)
        evil = "x%0A%0AContent-Type%3A text/disconnect-notice%0AEvent-Name: CHANNEL_HANGUP%0A%0A"
        waiting = gevent.spawn(link.connect)
        peer.expect("connect", snapshot("u1", variable_evil=evil))
        assert waiting.get(timeout=30).name == ""
        peer.send(event("REAL", variable_evil=evil))
        wait_until(lambda: seen)
        assert [one.name for one in seen] == ["REAL"] and not link.closed
        assert seen[0].get("Content-Type") is None
        assert "CHANNEL_HANGUP" in (seen[0].variable("evil") or "")


def test_02_only_line_feeds_end_lines() -> None:
    """Row 2: it cut at U+0085 and U+2028; an empty last header spoiled the one before."""
    with linked() as (link, peer):
        seen = events_of(link)
        peer.send(event("X", variable_name="a\u2028b\u0085c", variable_last=""))
        wait_until(lambda: seen)
        assert seen[0].variable("name") == "a\u2028b\u0085c"
        assert seen[0].variable("last") == ""


def test_03_an_events_body_stays_a_body() -> None:
    """Row 3: it folded event bodies into the headers, and unquoted them."""
    with linked() as (link, peer):
        seen = events_of(link)
        peer.send(event("BACKGROUND_JOB", b"-ERR 5%41\nJob-UUID: forged\n", Job_UUID="j"))
        wait_until(lambda: seen)
        assert seen[0].body == b"-ERR 5%41\nJob-UUID: forged\n"
        assert seen[0]["Job-UUID"] == "j"


def test_04_end_of_file_in_a_body_does_not_spin() -> None:
    """Row 4: it looped for ever without yielding; the whole process stopped."""
    with linked() as (link, peer):
        peer.send(b"Content-Type: api/response\nContent-Length: 100\n\nhalf")
        peer.close()
        turns = gevent.spawn(lambda: [gevent.sleep(0) for _ in range(100)])
        assert link.wait_closed(5)
        assert len(turns.get(timeout=30)) == 100
        assert not link._reading.active


@pytest.mark.parametrize("ending", [b"", b"Content-Type: api/response\n\xff\xfe: \x80\n\nX"])
def test_05_the_end_of_the_link_wakes_waiters(ending: bytes) -> None:
    """Row 5: end of file or bad UTF-8 woke nobody: a pending send hung for ever."""
    with linked() as (link, peer):
        waiting = [spawn(link.send, Status(), 60) for _ in range(3)]
        for _ in waiting:
            peer.expect("api status")
        peer.send(ending)
        peer.close()
        errors = [one.get(timeout=30) for one in waiting]
        assert isinstance(errors[-1], LinkLost)
        assert not link.connected


@pytest.mark.parametrize("bad", [b"X: y\n\n", reply(), api("unasked")])
def test_06_a_senseless_frame_ends_the_link_openly(bad: bytes) -> None:
    """Row 6: a missing Content-Type or an unasked reply killed the reader in silence."""
    with linked() as (link, peer):
        lost: list[int] = []
        link.on_lost = lambda: lost.append(1)
        peer.send(bad)
        wait_until(lambda: lost)
        assert link.closed and not link.connected


def test_07_long_commands_are_sent_whole_and_never_mixed() -> None:
    """Row 7: of 300,008 bytes 8,064 left, and two senders were merged into one command."""
    with linked() as (link, peer):
        values = [letter * 300_000 for letter in "abc"]
        calls = [gevent.spawn(link.send, UuidSetvar("u", "v", value)) for value in values]
        got = []
        for _ in values:
            got.append(peer.command())
            peer.send(api("+OK"))
        assert got == [f"api uuid_setvar u v {value}" for value in values]
        assert all(call.get(timeout=30).ok for call in calls)


def test_08_every_wait_has_a_deadline() -> None:
    """Row 8: send, connect and the wait for the password's request had none."""
    with linked() as (link, _):
        for call in (
            lambda: link.send(Status(), 0.01),
            lambda: link.connect(0.01),
            lambda: link.authenticate("x", 0.01),
            lambda: link.execute(Execute("answer"), 0.01),
        ):
            with pytest.raises(CommandTimeout):
                call()


def test_09_one_end_wakes_one_waiter() -> None:
    """Row 9: ends were matched by name: one event woke the first and the third of three."""
    with linked() as (link, peer):
        names = ["e1", "e2", "e3"]
        calls = [
            gevent.spawn(link.execute, Execute("playback", "x", event_uuid=name)) for name in names
        ]
        for _ in names:
            peer.expect("sendmsg", reply())
        for index in (1, 0, 2):
            peer.send(event(DONE, Application="playback", Application_UUID=names[index]))
            assert calls[index].get(timeout=30)["Application-UUID"] == names[index]
            assert sum(call.ready() for call in calls) == [1, 0, 2].index(index) + 1


def test_10_an_error_ends_a_blocking_verb_and_a_timeout_forgets_it() -> None:
    """Row 10: -ERR was ignored with block=True; an expectation that timed out stayed."""
    with linked() as (link, peer):
        waiting = spawn(link.call_command, "playback", "x", block=True, response_timeout=60)
        peer.expect("sendmsg", reply("-ERR no"))
        assert isinstance(waiting.get(timeout=30), CommandFailed)
        waiting = spawn(link.call_command, "playback", "x", block=True, response_timeout=0.05)
        uuid = peer.command().partition("Event-UUID: ")[2]
        peer.send(reply())
        assert isinstance(waiting.get(timeout=30), CommandTimeout)
        peer.send(event(DONE, Application_UUID=uuid), event(DONE, Application_UUID=uuid))
        again = spawn(link.send, Status())
        peer.expect("api status", api("UP"))
        assert again.get(timeout=30).text == "UP"


def test_11_a_timeout_is_an_ordinary_exception() -> None:
    """Row 11: it was gevent.Timeout, a BaseException, which `except Exception` misses."""
    assert issubclass(CommandTimeout, Exception)
    assert not issubclass(CommandTimeout, gevent.Timeout)
    with linked() as (link, _):
        try:
            link.send(Status(), 0.01)
        except Exception as error:
            assert isinstance(error, LinkError)


def test_12_listening_to_ends_breaks_no_verb() -> None:
    """Row 12: a handler for CHANNEL_EXECUTE_COMPLETE kept the end from every blocking verb."""
    with linked() as (link, peer):
        seen = events_of(link)
        link.register_handle(DONE, lambda _: None)
        waiting = gevent.spawn(link.call_command, "answer", block=True)
        uuid = peer.command().partition("Event-UUID: ")[2]
        peer.send(reply(), event(DONE, Application_UUID=uuid))
        assert waiting.get(timeout=30)["Application-UUID"] == uuid
        assert [one.name for one in seen] == [DONE]


@pytest.mark.parametrize("verb", ["call_command", "playback", "linger", "myevents", "hangup"])
def test_13_an_argument_cannot_become_a_command(verb: str) -> None:
    """Row 13: a blank line in an argument put a second command on the wire."""
    with linked() as (link, peer):
        evil = "x\n\napi system"
        calls = {
            "call_command": lambda: link.call_command("set", evil),
            "playback": lambda: link.playback(evil, block=False),
            "linger": lambda: link.linger(evil),
            "myevents": link.myevents,  # a bare string: only commands are sent
            "hangup": lambda: link.hangup(evil),
        }
        with pytest.raises(CommandError):
            calls[verb]()
        link.close()
        with pytest.raises((EOFError, OSError)):
            peer.command()


def test_14_a_handler_can_neither_deadlock_nor_stay() -> None:
    """Row 14: a blocking verb or `stop` inside a handler deadlocked."""
    with linked() as (link, peer):
        outcome: list[object] = []

        def take(_: Event) -> None:
            try:
                link.connect()
            except RuntimeError as error:
                outcome.append(error)
            link.stop()
            outcome.append("stopped")

        link.on_event = take
        peer.send(event("X"))
        wait_until(lambda: len(outcome) == 2)
        assert link.closed


def test_15_a_handlers_end_is_not_swallowed_and_needs_no_name() -> None:
    """Row 15: a bare except swallowed a kill; a handler without __name__ killed the reader."""

    class Nameless:
        def __call__(self, taken: Event) -> None:
            if taken.name == "KILL":
                raise gevent.GreenletExit
            raise ValueError

    with linked() as (link, peer):
        link.on_event = Nameless()
        peer.send(event("X"), event("X"))
        waiting = gevent.spawn(link.send, Status())
        peer.expect("api status", api("UP"))
        assert waiting.get(timeout=30).text == "UP"
        peer.send(event("KILL"))
        assert link.wait_closed(5)


def test_16_stop_returns_at_once() -> None:
    """Row 16: it joined the reader before it closed the socket: hung, or took a second."""
    with linked() as (link, peer):
        began = time.monotonic()
        link.stop()
        assert time.monotonic() - began < 0.2
        assert peer.eof()


def test_17_accepting_does_not_poll() -> None:
    """Row 17: it looked for connections every 100 ms."""
    with serving(lambda link, _: link.close()) as server:
        began = time.monotonic()
        for _ in range(20):
            peer = dial(server)
            peer.expect("connect", snapshot())
            assert peer.eof()
            peer.close()
        assert time.monotonic() - began < 20 * 0.05


def test_18_running_out_of_descriptors_does_not_end_the_server() -> None:
    """Row 18: any accept error but EAGAIN ended it."""
    served: list[str] = []
    with serving(lambda link, channel: served.append(channel["Unique-ID"])) as server:
        peers = [Peer(socket.socket()) for _ in range(5)]
        with _no_descriptor_left():
            for peer in peers:
                peer.sock.connect(server.address)
            wait_until(lambda: server._server.delay > server._server.min_delay, "an error")
            assert not served
        for number, peer in enumerate(peers):
            peer.expect("connect", snapshot(f"u{number}"))
        wait_until(lambda: len(served) == 5)
        for peer in peers:
            peer.close()


@contextmanager
def _no_descriptor_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_19_the_limit_counts_links_in_their_handshake() -> None:
    """Row 19: connections were counted after connect: limit 2, 10 ran."""
    handled: list[str] = []
    with serving(lambda _, channel: handled.append(channel["Unique-ID"]), max_links=2) as server:
        peers = [dial(server) for _ in range(10)]
        for peer in peers:
            assert peer.command() == "connect"
        assert server.link_count == 2
        for number, peer in enumerate(peers):
            peer.send(snapshot(f"u{number}"))
        wait_until(lambda: len(handled) == 2)
        for peer in peers[2:]:
            peer.expect("filter", reply())
            peer.close()
        assert sorted(handled) == ["u0", "u1"]
        for peer in peers:
            peer.close()


def test_20_silent_peers_are_dropped_and_leave_nothing() -> None:
    """Row 20: 50 silent connections left 50 greenlets and 50 descriptors."""
    with serving(lambda *_: None, handshake_timeout_s=0.05) as server:
        before = len(os.listdir("/proc/self/fd"))
        peers = [dial(server) for _ in range(50)]
        assert all(peer.eof() for peer in peers)
        for peer in peers:
            peer.close()
        wait_until(lambda: server.link_count == 0)
        wait_until(lambda: len(os.listdir("/proc/self/fd")) <= before)
        wait_until(lambda: len(server._greenlets) == 0)


def test_21_a_failing_application_lets_the_call_go(caplog: pytest.LogCaptureFixture) -> None:
    """Row 21: an exception in the application left the call unattended."""

    def fail(link: Connection, channel: Event) -> None:
        raise ValueError("in the application")

    with serving(fail) as server:
        peer = dial(server)
        peer.expect("connect", snapshot("the-call"))
        peer.expect("filter", reply())
        peer.expect("event", reply())
        uuid = peer.command().partition("Event-UUID: ")[2]
        peer.send(reply(), event(DONE, Application_UUID=uuid))
        peer.expect("exit", reply("+OK bye"))
        assert peer.eof()
        assert "[the-call]" in caplog.text and "in the application" in caplog.text
        peer.close()


def test_22_any_port_works_and_a_taken_one_is_an_error() -> None:
    """Row 22: port 0 exited after binding, a taken port exited with status 0."""
    with serving(lambda *_: None) as server:
        assert server.address[1] > 0
        with pytest.raises(OSError, match="in use"):
            EslServer(server.address, lambda *_: None)


def test_23_limits_keepalive_log_id_and_first_connect(caplog: pytest.LogCaptureFixture) -> None:
    """Row 23: no limits, no keepalive, no call in the log, the first connect gave None."""
    links: list[tuple[Connection, Event]] = []
    with serving(lambda link, channel: links.append((link, channel))) as server:
        peer = dial(server)
        peer.expect("connect", snapshot("the-call"))
        wait_until(lambda: links)
        link, channel = links[0]
        assert channel["Unique-ID"] == link.channel_uuid == "the-call"
        keepalive = link.sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        no_delay = link.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert keepalive and no_delay
        with caplog.at_level(logging.WARNING):
            peer.send(b"X" * (2 << 20))
            assert link.wait_closed(5)
        assert "[the-call] the link ends: more than 1048576 bytes of headers" in caplog.text
        peer.close()


def test_23_missing_arguments_do_not_become_the_word_none() -> None:
    """Row 23: missing arguments became ``None`` on the wire."""
    with linked() as (link, peer):
        waiting = gevent.spawn(link.call_command, "answer", None)
        assert peer.command() == "sendmsg\ncall-command: execute\nexecute-app-name: answer"
        waiting.kill()  # nobody answers, and its end would be told in the middle of another test
        with pytest.raises(CommandError, match="execute"):
            link.playback("x")
        with pytest.raises(CommandError):
            link.say(text="x", block=True)
        link.post(Exit())


def test_a_rude_notice_is_no_event() -> None:
    """A disconnect notice was handed to event handlers as if it were an event."""
    with linked() as (link, peer):
        seen = events_of(link)
        peer.send(frame("text/disconnect-notice", b"bye", Content_Disposition="disconnect"))
        assert link.wait_closed(5)
        assert not seen
