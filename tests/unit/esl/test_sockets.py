"""fsctl.esl.sockets."""

from __future__ import annotations

import socket as system_socket

import pytest
from gevent import socket

from fsctl.esl.sockets import address_of, listen_on, tune


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
