"""fsctl.esl.server over real loopback sockets; its peers play FreeSWITCH."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import gevent
import pytest
from gevent import socket

from fsctl.esl.commands import Status
from fsctl.esl.connection import Connection
from fsctl.esl.events import Event
from fsctl.esl.server import EslServer
from tests.unit.esl.peer import Peer, api, event, reply, snapshot, wait_until

DONE = "CHANNEL_EXECUTE_COMPLETE"


class Links(list[tuple[Connection, Event]]):
    """A handler that collects."""

    def __call__(self, link: Connection, channel: Event) -> None:
        self.append((link, channel))


@contextmanager
def serving(handle, host: str = "127.0.0.1", **options) -> Iterator[EslServer]:
    """A server that is stopped."""
    server = EslServer((host, 0), handle, **options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def dial(server: EslServer) -> Peer:
    """FreeSWITCH opens a link."""
    return Peer(socket.create_connection(server.address))


def expect_let_go(peer: Peer) -> None:
    """What a link hears after its ``connect`` when its channel is to go on."""
    peer.expect("filter Application-UUID", reply())
    peer.expect(f"event plain {DONE}", reply())
    uuid = peer.command().partition("Event-UUID: ")[2]
    peer.send(reply(), event(DONE, Application_UUID=uuid))
    peer.expect("exit", reply("+OK bye"))
    assert peer.eof()


def test_a_link_outlives_its_handler() -> None:
    links = Links()
    with serving(links) as server:
        peer = dial(server)
        peer.expect("connect", snapshot("u1"))
        wait_until(lambda: links)
        link, channel = links[0]
        assert channel.channel_uuid == "u1" and not link.closed and server.link_count == 1
        waiting = gevent.spawn(link.api, Status())
        peer.expect("api status", api("UP"))
        assert waiting.get(timeout=30) == "UP"
        peer.close()
        assert link.wait_closed(5)
        wait_until(lambda: server.link_count == 0)


def test_a_link_is_tuned_as_the_listening_socket_is() -> None:
    links = Links()
    with serving(links) as server:
        peer = dial(server)
        peer.expect("connect", snapshot())
        wait_until(lambda: links)
        option = links[0][0].sock.getsockopt
        assert option(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert option(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert option(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 50_000
        peer.close()


def test_the_handler_may_close() -> None:
    with serving(lambda link, _: link.close()) as server:
        peer = dial(server)
        peer.expect("connect", snapshot())
        assert peer.eof()
        wait_until(lambda: server.link_count == 0)


@pytest.mark.parametrize("host", ["::1", "[::1]", "localhost"])
def test_addresses(host: str) -> None:
    links = Links()
    with serving(links, host) as server:
        peer = dial(server)
        peer.expect("connect", snapshot())
        wait_until(lambda: links)
        assert server.address[1] > 0
        peer.close()


def test_above_the_limit_calls_go_on_in_their_dialplan() -> None:
    links = Links()
    with serving(links, max_links=1) as server:
        first = dial(server)
        first.expect("connect", snapshot())
        wait_until(lambda: links)
        second = dial(server)
        second.expect("connect", snapshot("u2"))
        expect_let_go(second)
        first.close()
        wait_until(lambda: server.link_count == 0)
        third = dial(server)
        third.expect("connect", snapshot("u3"))
        wait_until(lambda: len(links) == 2)
        third.close()


def test_a_refused_peer_that_is_silent_is_dropped() -> None:
    with serving(Links(), max_links=0, handshake_timeout_s=0.05) as server:
        peer = dial(server)
        assert peer.eof()


def test_an_exception_lets_the_call_go_on() -> None:
    def fail(link: Connection, channel: Event) -> None:
        raise KeyError("x")

    with serving(fail) as server:
        peer = dial(server)
        peer.expect("connect", snapshot())
        expect_let_go(peer)
        wait_until(lambda: server.link_count == 0)


def test_a_channel_that_is_gone_at_the_handshake() -> None:
    links = Links()
    with serving(links) as server:
        peer = dial(server)
        peer.expect("connect", reply("-ERR no"))
        assert peer.eof()
        wait_until(lambda: server.link_count == 0)
        assert not links


def test_strangers_are_dropped_and_each_kind_of_them_is_counted(caplog) -> None:
    links = Links()
    with serving(links, handshake_timeout_s=0.05) as server:
        silent, wrong, nameless, hangs_up = (dial(server) for _ in range(4))
        wrong.send(b"GET / HTTP/1.1\r\n\r\n" * 100)
        nameless.expect("connect", reply())
        hangs_up.close()
        for peer in (silent, wrong, nameless):
            assert peer.eof()
        wait_until(lambda: server.link_count == 0)
    assert not links
    told = [each for each in caplog.records if each.levelno >= logging.INFO]
    assert len(told) == 4 and not any(each.exc_info for each in told)
    assert {each.seldom for each in told} == {
        "links without a handshake, that no switch has opened"
    }


def test_stop_accepting_refuses_new_links_and_keeps_the_old() -> None:
    links = Links()
    with serving(links) as server:
        peer = dial(server)
        peer.expect("connect", snapshot())
        wait_until(lambda: links)
        server.stop_accepting()
        server.stop_accepting()
        with pytest.raises(OSError):
            dial(server)
        assert not links[0][0].closed
        peer.close()


def test_what_the_kernel_had_accepted_is_let_go_not_reset() -> None:
    links = Links()
    with serving(links) as server:
        server._server.stop_accepting()  # as if the hub were busy
        waiting = dial(server)
        server.stop_accepting()
        waiting.expect("connect", snapshot("u1"))
        expect_let_go(waiting)
        assert not links


def test_stop_waits_for_links_that_end_in_time() -> None:
    links = Links()
    with serving(links) as server:
        peer = dial(server)
        peer.expect("connect", snapshot())
        wait_until(lambda: links)
        stopping = gevent.spawn(server.stop, 30.0)
        wait_until(lambda: server._stopping)
        gevent.sleep(0)
        assert not links[0][0].closed
        peer.close()
        stopping.get(timeout=30)
        assert server.link_count == 0


def test_stop_lets_go_what_does_not_end() -> None:
    links = Links()
    with serving(links) as server:
        peer = dial(server)
        peer.expect("connect", snapshot())
        wait_until(lambda: links)
        stopping = gevent.spawn(server.stop, 0.01)
        expect_let_go(peer)
        stopping.get(timeout=30)
        assert server.link_count == 0 and len(server._greenlets) == 0


def test_stop_ends_a_peer_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fsctl.esl.server._FAREWELL_S", 0.05)
    links = Links()
    with serving(links) as server:
        peer = dial(server)
        peer.expect("connect", snapshot())
        wait_until(lambda: links)
        stopping = gevent.spawn(server.stop)
        assert peer.eof()
        stopping.get(timeout=30)
        assert server.link_count == 0


def shared(count: int, **options: bool) -> list[EslServer]:
    """Servers that accept from one socket, as several processes do."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        copies = [socket.socket(fileno=os.dup(listener.fileno())) for _ in range(count)]
    servers = [EslServer(copy, Links(), **options) for copy in copies]
    for server in servers:
        server.start()
    return servers


def test_one_of_several_leaves_the_socket_to_the_others() -> None:
    one, other = shared(2)
    one.stop_accepting(others_accept=True)
    peer = dial(other)
    peer.expect("connect", snapshot("u1"))
    wait_until(lambda: other.channels)
    assert (one.channels, other.channels) == (set(), {"u1"})
    peer.close()
    for server in (one, other):
        server.stop()


@pytest.mark.parametrize("alternates", [True, False])
def test_links_that_come_one_by_one_are_shared(alternates: bool) -> None:
    servers = shared(2, alternates=alternates)
    peers = []
    for number in range(8):
        peers.append(dial(servers[0]))
        peers[-1].expect("connect", snapshot(f"u{number}"))
        wait_until(lambda: sum(len(server.channels) for server in servers) == len(peers))
    shares = [len(server.channels) for server in servers]
    assert shares == [4, 4] if alternates else 8 in shares
    for peer in peers:
        peer.close()
    for server in servers:
        server.stop()


def test_one_that_is_alone_takes_all_of_them() -> None:
    one, other = shared(2, alternates=True)
    other.stop_accepting(others_accept=True)
    peers = [dial(one) for _ in range(5)]
    for number, peer in enumerate(peers):
        peer.expect("connect", snapshot(f"u{number}"))
    wait_until(lambda: len(one.channels) == 5)
    for peer in peers:
        peer.close()
    for server in (one, other):
        server.stop()


def test_the_end_of_all_is_the_end_of_the_socket(capfd) -> None:
    one, other = shared(2)
    one.stop()
    with pytest.raises(ConnectionRefusedError):
        dial(other)
    gevent.sleep(0.01)  # the other sees it, and says nothing
    other.stop()
    assert capfd.readouterr().err == ""
