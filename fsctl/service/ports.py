"""The sockets of several workers: one address for all, and a private port for each."""

from __future__ import annotations

from dataclasses import dataclass

from gevent import socket

from fsctl.errors import SettingsError
from fsctl.esl.server import EslServer
from fsctl.esl.sockets import address_of, listen_on
from fsctl.settings import Server

BACKLOG = 1024


@dataclass(slots=True)
class PrivatePort:
    """Where the calls of one worker come home to: ``home`` is what FreeSWITCH dials."""

    listener: socket.socket
    home: str

    def close(self) -> None:
        """Refuse whoever dials it from now on, and let go whoever waits."""
        refuse(self.listener)


def split(address: str) -> tuple[str, int]:
    """``host:port`` in two."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port or 0)


def dialled_host(server: Server) -> str:
    """The host under which FreeSWITCH reaches us."""
    return split(server.home or server.listen)[0]


def public_listener(server: Server) -> socket.socket:
    """The one listening socket, which every worker inherits.

    With a socket of each worker's own (SO_REUSEPORT) the kernel goes on giving calls to one that
    hangs, and resets them when it is killed; FreeSWITCH then parks them for ever
    (``bench/listeners.py``: 108 of 200 with two workers; none with an inherited socket).
    Raises OSError.
    """
    return listen_on(split(server.listen), backlog=BACKLOG)


def refuse(listener: socket.socket) -> None:
    """Close a listening socket whose process has died, also where others still hold it.

    Links that wait in it are let go, so that their legs go on in the dialplan, to another worker;
    FreeSWITCH would park them for ever if they were reset.
    """
    EslServer(listener, lambda link, snapshot: None).stop_accepting()


def private_port(server: Server) -> PrivatePort:
    """A port for one worker: a free one, of ``home_ports`` where that is set.

    Raises SettingsError when none of these is free, OSError.
    """
    host = split(server.listen)[0]
    first, last = server.home_ports or (0, 0)
    for port in range(first, last + 1):
        try:
            listener = listen_on((host, port), backlog=BACKLOG)
        except OSError:
            if not server.home_ports:
                raise
            continue
        return PrivatePort(listener, f"{dialled_host(server)}:{address_of(listener)[1]}")
    raise SettingsError(f"[server] home_ports: none of {first}-{last} is free at {host}")
