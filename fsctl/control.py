"""What a supervisor and its processes say to each other: lines, over a pair of sockets.

The supervisor sends the job first, and then orders; a worker reports, the desk has wishes. Each end
learns of the other's death by the end of file, whatever the other died of.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from gevent import socket
from gevent.lock import BoundedSemaphore

from fsctl.errors import FsctlError
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

_FORMAT: Final = b"fsctl 1 "
"""Before each job; earlier versions had none."""
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


class OtherVersion(FsctlError):
    """Who has sent a job is of a version of fsctl whose jobs are others."""


class _Packer(pickle.Pickler):
    """Writes dataclasses by the names of their fields: after an upgrade a supervisor starts workers
    of another version, and by their places one setting would be taken for the next."""

    def reducer_override(self, value: Any) -> tuple[Callable[..., Any], tuple[Any, ...]] | Any:
        if is_dataclass(value) and not isinstance(value, type):
            named = {each.name: getattr(value, each.name) for each in fields(value)}
            return _made, (type(value), named)
        return NotImplemented


def _made(kind: Callable[..., Any], named: Mapping[str, Any]) -> Any:
    """What this version does not know is left out, and what it knows besides is as by default."""
    known = {each.name for each in fields(kind) if each.init}  # type: ignore[arg-type]
    made = kind(**{name: value for name, value in named.items() if name in known})
    for each in fields(kind):  # type: ignore[arg-type]
        if not each.init and each.name in named:
            object.__setattr__(made, each.name, named[each.name])
    return made


class Channel:
    """One end."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._read = b""
        self._sending = BoundedSemaphore()

    def send_job(self, job: Job | DeskJob) -> None:
        """Give a process its job. Raises OSError."""
        written = io.BytesIO()
        _Packer(written).dump(job)
        packed = _FORMAT + written.getvalue()
        self._sock.sendall(_LENGTH.pack(len(packed)) + packed)

    def receive_job(self, kind: type[J]) -> J:
        """The job; the sender is our own program. Raises OSError, EOFError, OtherVersion."""
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        packed = self._exactly(length)
        try:
            if packed.startswith(_FORMAT):
                job = pickle.loads(packed[len(_FORMAT) :])
                if isinstance(job, kind):
                    return job
        except (TypeError, ValueError, AttributeError, ImportError):
            pass  # something is missing, or has another name
        raise OtherVersion("fsctl has been upgraded while it ran: restart it")

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
