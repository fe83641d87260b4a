"""Telling systemd how we are: the protocol of sd_notify(3), a datagram to ``$NOTIFY_SOCKET``.

Without that variable nothing is told. The socket's end is systemd's: a message that cannot be
delivered is its loss, and never ours.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress

import gevent


def ready() -> None:
    """All of us accept calls."""
    _tell("READY=1")


def reloading() -> None:
    """A reload has begun; `ready` ends it."""
    _tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")


def stopping() -> None:
    """No new calls."""
    _tell("STOPPING=1")


def keep_watchdog() -> gevent.Greenlet[[], None] | None:
    """Show signs of life for as long as our loop turns, where systemd wants them."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    watched = os.environ.get("WATCHDOG_PID", str(os.getpid()))
    if not microseconds.isdecimal() or int(microseconds) == 0 or watched != str(os.getpid()):
        return None

    def beat() -> None:
        while True:
            _tell("WATCHDOG=1")
            gevent.sleep(int(microseconds) / 2_000_000)

    return gevent.spawn(beat)


def _tell(message: str) -> None:
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.sendto(message.encode(), address)
