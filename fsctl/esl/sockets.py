"""TCP sockets as ESL links need them: no delay, and a vanished host noticed within a minute."""

from __future__ import annotations

import socket as system_socket
import struct
import sys

from gevent import socket

_IDLE_S = 20
_INTERVAL_S = 10
_PROBES = 3
_LAST_DATA_RECV = 52
"""Offset of ``tcpi_last_data_recv`` in Linux' ``struct tcp_info`` (linux/tcp.h), in ms."""


def tune(sock: socket.socket) -> None:
    """Send small commands at once, and probe a silent peer; no-op on a socket that is not TCP."""
    if sock.family not in (system_socket.AF_INET, system_socket.AF_INET6):
        return
    tcp = system_socket.IPPROTO_TCP
    sock.setsockopt(tcp, system_socket.TCP_NODELAY, 1)
    sock.setsockopt(system_socket.SOL_SOCKET, system_socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", _IDLE_S),
        ("TCP_KEEPINTVL", _INTERVAL_S),
        ("TCP_KEEPCNT", _PROBES),
        ("TCP_USER_TIMEOUT", (_IDLE_S + _INTERVAL_S * _PROBES) * 1000),
    ):
        if hasattr(system_socket, name):  # not every system has every one
            sock.setsockopt(tcp, getattr(system_socket, name), value)


def connect_to(address: tuple[str, int], timeout_s: float) -> socket.socket:
    """A connection with (host, port), that waits for nothing any more. Raises OSError.

    An address is not resolved: that is a thread's work, also where there is nothing to be done.
    """
    family = system_socket.AF_INET6 if ":" in address[0] else system_socket.AF_INET
    try:
        system_socket.inet_pton(family, address[0])
    except OSError:
        sock = socket.create_connection(address, timeout=timeout_s)
    else:
        sock = socket.socket(family, system_socket.SOCK_STREAM)
        sock.settimeout(timeout_s)
        try:
            sock.connect(address)
        except BaseException:  # a greenlet may be killed meanwhile
            sock.close()
            raise
    sock.settimeout(None)
    tune(sock)
    return sock


def waited_s(sock: socket.socket) -> float:
    """How long ago a peer that has not spoken yet has connected, in seconds: the time in the
    kernel's queue, of which the process knows nothing. 0 where the system does not tell."""
    if sys.platform != "linux":
        return 0.0
    try:
        info = sock.getsockopt(system_socket.IPPROTO_TCP, system_socket.TCP_INFO, 56)
    except OSError:  # no TCP
        return 0.0
    return struct.unpack_from("@I", info, _LAST_DATA_RECV)[0] / 1000 if len(info) == 56 else 0.0


def listen_on(address: tuple[str, int], *, backlog: int) -> socket.socket:
    """A listening socket at (host, port); IPv6 literals may stand in brackets.

    Raises OSError, which names the address.
    """
    host, port = address
    flags = system_socket.AI_PASSIVE
    try:
        found = system_socket.getaddrinfo(
            host.strip("[]") or None, port, type=system_socket.SOCK_STREAM, flags=flags
        )
    except OSError as error:
        error.filename = f"{host}:{port}"
        raise
    family, kind, protocol, _, where = found[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(system_socket.SOL_SOCKET, system_socket.SO_REUSEADDR, 1)
        sock.bind(where)
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        error.filename = f"{host}:{port}"
        raise
    return sock


def address_of(sock: socket.socket) -> tuple[str, int]:
    """The (host, port) that a socket is really bound to."""
    host, port = sock.getsockname()[:2]
    return str(host), int(port)
