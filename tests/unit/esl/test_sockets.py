"""fsctl.esl.sockets."""

from __future__ import annotations

import socket as system_socket

import gevent
import pytest
from gevent import socket

from fsctl.esl.sockets import address_of, connect_to, listen_on, tune


def test_a_tcp_socket_is_tuned() -> None:
    sock = socket.socket()
    tune(sock)
    assert sock.getsockopt(system_socket.IPPROTO_TCP, system_socket.TCP_NODELAY)
    assert sock.getsockopt(system_socket.SOL_SOCKET, system_socket.SO_KEEPALIVE)
    if hasattr(system_socket, "TCP_KEEPIDLE"):
        assert sock.getsockopt(system_socket.IPPROTO_TCP, system_socket.TCP_KEEPIDLE) == 20
    sock.close()


def test_other_sockets_are_left_alone() -> None:
    one, two = socket.socketpair()
    tune(one)
    one.close()
    two.close()


@pytest.mark.parametrize(
    ("host", "real"), [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("[::1]", "::1"), ("", None)]
)
def test_listening(host: str, real: str | None) -> None:
    sock = listen_on((host, 0), backlog=5)
    bound, port = address_of(sock)
    assert port > 0
    assert real is None or bound == real
    with pytest.raises(OSError, match="in use"):
        listen_on((bound, port), backlog=5)
    sock.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_only_a_name_waits_for_a_resolver(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    resolver, asked = gevent.get_hub().resolver, []
    resolve = resolver.getaddrinfo
    monkeypatch.setattr(resolver, "getaddrinfo", lambda *a: asked.append(a[0]) or resolve(*a))
    listener = listen_on((host, 0), backlog=5)
    sock = connect_to((host, address_of(listener)[1]), 5.0)
    assert sock.gettimeout() is None
    assert asked == ([host] if host == "localhost" else [])
    sock.close()
    listener.close()


def test_nobody_there() -> None:
    listener = listen_on(("127.0.0.1", 0), backlog=5)
    address = address_of(listener)
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        connect_to(address, 5.0)
