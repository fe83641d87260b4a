"""fsctl.esl.client against a scripted switch on a loopback socket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import gevent
import pytest
from gevent import socket
from gevent.queue import Queue
from gevent.server import StreamServer

from fsctl.errors import AuthError, CommandFailed, CommandTimeout, LinkLost
from fsctl.esl import client as client_module
from fsctl.esl.client import LAST_DELAY_S, SwitchClient, retry_delay_s
from fsctl.esl.commands import Events, Filter, Status
from tests.unit.esl.peer import PATIENCE_S, Peer, api, event, frame, reply, wait_until

GREETING = frame("auth/request")


class FakeSwitch:
    """A listening event socket; each connection is a `Peer` to script."""

    def __init__(self) -> None:
        self._arrived: Queue[Peer] = Queue()
        self._server = StreamServer(("127.0.0.1", 0), self._serve)
        self._server.start()
        self.port: int = self._server.server_port

    def _serve(self, sock: socket.socket, _: object) -> None:
        peer = Peer(sock)
        self._arrived.put(peer)
        gevent.sleep(60)

    def accept(self) -> Peer:
        """The next connection."""
        return self._arrived.get(timeout=PATIENCE_S)

    def welcome(self) -> Peer:
        """The next connection, authenticated."""
        peer = self.accept()
        peer.send(GREETING)
        peer.expect("auth the-password", reply("+OK accepted"))
        return peer

    def stop(self) -> None:
        """Close everything."""
        self._server.stop(timeout=0)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "FIRST_DELAY_S", 0.01)


@contextmanager
def switch_and_client(**options) -> Iterator[tuple[FakeSwitch, SwitchClient]]:
    """A switch and a client that has been started."""
    switch = FakeSwitch()
    client = SwitchClient("127.0.0.1", switch.port, "the-password", **options)
    client.start()
    try:
        yield switch, client
    finally:
        client.stop()
        switch.stop()


def test_it_connects_and_runs_commands() -> None:
    with switch_and_client() as (switch, client):
        with pytest.raises(LinkLost):
            client.api(Status())
        peer = switch.welcome()
        client.wait_connected(PATIENCE_S)
        client.wait_connected(PATIENCE_S)
        waiting = gevent.spawn(client.api, Status())
        peer.expect("api status", api("UP"))
        assert waiting.get(timeout=30) == "UP"


def test_it_comes_back_and_subscribes_again() -> None:
    told: list[str] = []
    events = Events(("HEARTBEAT",))
    with switch_and_client(
        events=events,
        filters=(Filter("Unique-ID", "u1"),),
        on_event=lambda taken: told.append(taken.name),
        on_connected=lambda: told.append("connected"),
    ) as (switch, client):
        for _ in range(2):
            peer = switch.welcome()
            peer.expect("filter Unique-ID u1", reply())
            peer.expect("event plain HEARTBEAT", reply(), event("HEARTBEAT"))
            client.wait_connected(PATIENCE_S)
            wait_until(lambda: {"connected", "HEARTBEAT"} <= set(told))
            told.clear()
            peer.close()
            wait_until(lambda: not client.connected.is_set())


def test_what_must_follow_a_connection_and_is_not_answered_is_tried_anew() -> None:
    """The switch may have stood still: nobody else would learn then what it was to be asked."""
    tried: list[str] = []

    def ask() -> None:
        tried.append("asked")
        if len(tried) == 1:
            raise CommandTimeout("no answer")

    with switch_and_client(on_connected=ask) as (switch, client):
        switch.welcome()
        wait_until(lambda: tried == ["asked"] and not client.connected.is_set())
        switch.welcome()
        wait_until(lambda: len(tried) == 2 and client.connected.is_set())


def test_a_wrong_password_is_told_at_once_and_never_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(0)
    with switch_and_client() as (switch, client):
        waiting = gevent.spawn(_error_of, client)
        peer = switch.accept()
        peer.send(GREETING)
        peer.expect("auth", reply("-ERR invalid"))
        assert isinstance(waiting.get(timeout=30), AuthError)
        assert isinstance(client.last_error, AuthError)
        assert "the-password" not in caplog.text + repr(client) + str(client.last_error)
        switch.welcome()  # it goes on trying: the password may be corrected over there
        client.wait_connected(PATIENCE_S)


def test_a_rude_rejection_is_told_with_its_reason() -> None:
    with switch_and_client() as (switch, client):
        waiting = gevent.spawn(_error_of, client)
        switch.accept().send(frame("text/rude-rejection", b"Access Denied, go away.\n"))
        error = waiting.get(timeout=30)
        assert isinstance(error, AuthError) and "go away" in str(error)


def _error_of(client: SwitchClient) -> Exception | None:
    try:
        client.wait_connected(PATIENCE_S)
    except (AuthError, LinkLost) as error:
        return error
    return None


def test_nobody_listens() -> None:
    free = socket.socket()
    free.bind(("127.0.0.1", 0))
    client = SwitchClient("127.0.0.1", free.getsockname()[1], "x")
    client.start()
    with pytest.raises(LinkLost):
        client.wait_connected(0.1)
    wait_until(lambda: client.last_error is not None)
    assert "cannot connect" in str(client.last_error)
    client.stop()
    free.close()


def test_a_silent_switch_is_given_up() -> None:
    with switch_and_client(timeout_s=0.05) as (switch, client):
        switch.accept()
        wait_until(lambda: client.last_error is not None)
        switch.welcome()
        client.wait_connected(PATIENCE_S)
        assert client.last_error is None


def test_a_refused_subscription_is_a_failed_connection() -> None:
    with switch_and_client(events=Events(("NONSENSE",))) as (switch, client):
        switch.welcome().expect("event", reply("-ERR no keywords supplied"))
        wait_until(lambda: isinstance(client.last_error, CommandFailed))
        assert not client.connected.is_set()


def test_a_failing_on_connected_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise ValueError("in on_connected")

    with switch_and_client(on_connected=fail) as (switch, client):
        peer = switch.welcome()
        wait_until(lambda: "in on_connected" in caplog.text)
        waiting = gevent.spawn(client.api, Status())
        peer.expect("api status", api("UP"))
        assert waiting.get(timeout=30) == "UP"


def test_a_loss_is_known_while_on_connected_still_works() -> None:
    with switch_and_client(on_connected=lambda: gevent.sleep(60)) as (switch, client):
        peer = switch.welcome()
        client.wait_connected(PATIENCE_S)
        peer.close()
        wait_until(lambda: not client.connected.is_set())
        with pytest.raises(LinkLost):
            client.api(Status())


def test_stop_ends_it() -> None:
    with switch_and_client() as (switch, client):
        peer = switch.welcome()
        client.wait_connected(PATIENCE_S)
        waiting = gevent.spawn(_failure_of_api, client)
        peer.expect("api status")
        client.stop()
        client.stop()
        assert isinstance(waiting.get(timeout=30), LinkLost)
        assert peer.eof() and not client.connected.is_set()
        assert repr(client).endswith("not connected>")


def _failure_of_api(client: SwitchClient) -> Exception | None:
    try:
        client.api(Status())
    except LinkLost as error:
        return error
    return None


def test_delays_grow_to_a_limit_and_are_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "FIRST_DELAY_S", 0.2)
    assert [retry_delay_s(n, 1.0) for n in range(4)] == [0.2, 0.4, 0.8, 1.6]
    assert retry_delay_s(0, 0.0) == 0.1
    assert retry_delay_s(10_000, 1.0) == LAST_DELAY_S
