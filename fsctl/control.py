"""What a supervisor and its processes say to each other: lines, over a pair of sockets.

The supervisor sends the job first, and then orders; a worker reports, the desk has wishes. Each end
learns of the other's death by the end of file, whatever the other died of.
"""

from __future__ import annotations

import pickle
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from gevent import socket
from gevent.lock import BoundedSemaphore

from fsctl.settings import Settings

# Orders.
LEAVE = "leave"
"""Your successor accepts: take no new calls, and end when the running ones have ended."""
STOP = "stop"
"""Nobody accepts any more: the same, and refuse whoever still dials."""
LEGS = "legs"
"""Name the channels that you hold; the report begins with the same word."""
STATE = "state"
"""Log how much is going on with you."""
LOG_LEVEL = "log-level"
"""Log from this level on, which follows; the desk wishes it of all."""
DRAIN = "drain"
"""The desk wishes that the controller ends, as by SIGTERM."""

# Reports.
ALIVE = "alive"
READY = "ready"
FAILED = "failed"
"""I cannot start; the reason follows."""

_LENGTH = struct.Struct("!I")
_MAX_LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker is to do.

    The settings travel as they were accepted, so that a worker which takes the place of a dead one
    never reads a file that is being edited. Sockets are numbers of inherited descriptors.
    """

    number: int
    settings: Settings
    scenario: Path | None
    listener: int
    private: int
    shared: int
    """The memory that all workers share (`fsctl.service.shared`)."""
    region: int
    """Where in that it writes."""
    home: str
    """The address that FreeSWITCH dials to reach ``private``."""
    beat_s: float
    """The worker reports that it lives at least so often."""


@dataclass(frozen=True, slots=True)
class DeskJob:
    """What the desk is to do; as `Job`."""

    settings: Settings
    shared: int
    """As a worker's: it has the policy's counts."""
    former: tuple[Path, ...] = ()
    """Folders of a journal to which workers of earlier settings may still write."""


J = TypeVar("J", Job, DeskJob)


class Channel:
    """One end."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._read = b""
        self._sending = BoundedSemaphore()

    def send_job(self, job: Job | DeskJob) -> None:
        """Give a process its job. Raises OSError."""
        packed = pickle.dumps(job)
        self._sock.sendall(_LENGTH.pack(len(packed)) + packed)

    def receive_job(self, kind: type[J]) -> J:
        """The job; the sender is our own program. Raises OSError, EOFError."""
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        job = pickle.loads(self._exactly(length))
        assert isinstance(job, kind)
        return job

    def send(self, *words: str) -> None:
        """Say one line. Raises OSError when the other is gone."""
        line = " ".join(words).replace("\n", "; ") + "\n"
        with self._sending:
            self._sock.sendall(line.encode())

    def receive(self, timeout_s: float | None = None) -> str | None:
        """The next line; None when the other is gone. Raises TimeoutError."""
        self._sock.settimeout(timeout_s)
        while b"\n" not in self._read:
            try:
                received = self._sock.recv(65536)
            except TimeoutError:
                received = self._late()
            except OSError:
                return None
            if not received or len(self._read) > _MAX_LINE:
                return None
            self._read += received
        line, _, self._read = self._read.partition(b"\n")
        return line.decode(errors="replace")

    def close(self) -> None:
        """Close this end."""
        self._sock.close()

    def _late(self) -> bytes:
        """Our own loop may have stood still while the other spoke. Raises TimeoutError."""
        self._sock.settimeout(0.0)
        try:
            return bytes(self._sock.recv(65536))
        except BlockingIOError:
            raise TimeoutError from None

    def _exactly(self, length: int) -> bytes:
        read = b""
        while len(read) < length:
            received = self._sock.recv(length - len(read))
            if not received:
                raise EOFError("the supervisor is gone")
            read += received
        return read
