"""Free ports, chosen so that laboratories running side by side never meet.

Every process that uses the laboratory claims one block of 650 ports below the kernel's ephemeral
range (32768 and up on Linux) by holding its first TCP port open for as long as it lives. Asking
the kernel for "port 0" and closing the socket again would leave a gap in which another process
takes the port; a SIP phone or a switch that is told its port on the command line needs better.
"""

from __future__ import annotations

import random
import socket
import threading
from dataclasses import dataclass, field
from functools import cache

LOCALHOST = "127.0.0.1"
_FIRST_PORT = 12000
_BLOCK_SIZE = 650
_BLOCKS = 31
_RTP_PORTS = 300


def _is_free(port: int) -> bool:
    """Whether both UDP and TCP ``port`` on localhost can be bound right now."""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:  # of UDP it would share the port with whoever has it
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOCALHOST, port))
            except OSError:
                return False
    return True


@dataclass(slots=True)
class PortBlock:
    """A block of ports owned by this process; ``guard`` is the socket that proves it.

    ``kept`` are ports that are spoken for although nobody has bound them.
    """

    first: int
    guard: socket.socket
    kept: set[int] = field(default_factory=set)
    _next: int = field(default=1)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> int:
        """One port, free for UDP and TCP, and its odd neighbour too (RTP and RTCP share a pair).

        Raises RuntimeError when none of the block is free.
        """
        last = _BLOCK_SIZE - _RTP_PORTS
        for _ in range(last // 2):
            with self._lock:
                self._next = self._next + 2 if self._next + 3 < last else 2
                port = self.first + self._next - self._next % 2
            if port not in self.kept and _is_free(port) and _is_free(port + 1):
                return port
        raise RuntimeError(f"no free port in {self.first}..{self.first + last}")


@cache
def block() -> PortBlock:
    """This process's block, claimed on first use. Raises RuntimeError when all are taken."""
    for index in random.SystemRandom().sample(range(_BLOCKS), _BLOCKS):
        guard = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        first = _FIRST_PORT + index * _BLOCK_SIZE
        try:
            guard.bind((LOCALHOST, first))
            guard.listen(1)
        except OSError:
            guard.close()
            continue
        return PortBlock(first, guard)
    raise RuntimeError("every port block of the laboratory is taken")


def rtp_range(number: int = 1, of: int = 1) -> tuple[int, int]:
    """First and last port for the RTP sockets of one switch of so many, counted from 1."""
    share = _RTP_PORTS // of // 2 * 2
    first = block().first + _BLOCK_SIZE - _RTP_PORTS + (number - 1) * share
    return first, first + share - 2


def kept_port() -> int:
    """A port that is given to nobody else until it is given back, bound or not."""
    port = free_port()
    block().kept.add(port)
    return port


def give_back(*kept: int) -> None:
    """Ports of `kept_port` that are not needed any more."""
    block().kept.difference_update(kept)


def free_port() -> int:
    """A free port of this process's block."""
    return block().take()


def two_ports() -> int:
    """The first of two free even ports in a row."""
    first, second = free_port(), free_port()
    while second != first + 2:
        first, second = second, free_port()
    return first
