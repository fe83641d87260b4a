"""What happens, for whoever keeps it: a line of JSON for each thing, in files that only grow.

Processes that serve calls write; one other reads (:mod:`fsctl.desk`), keeps what it has read in its
database, and deletes what it has kept. So nothing of a call waits for a database, and what has been
written is lost with no process. Written in a thread of its own, as the log is; what a disk does not
take, or what is above the bound, is counted, and the count is written as soon as that is possible.

Without :func:`begin` nothing is written.
"""

from __future__ import annotations

import atexit
import errno
import fcntl
import json
import logging
import os
import re
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from fsctl.log_writer import LogWriter

log = logging.getLogger(__name__)

FILE_BYTES = 4 << 20
"""A file that holds so much is followed by the next."""
WAITING_BYTES = 16 << 20
"""So much may wait in memory for a disk that is slow, or full."""
_PROBE_BYTES = 4096
_LATEST = 4e9
"""No moment is later than this; seconds since 1970."""
_NAME = re.compile(r"[0-9]{19}-[0-9]+-[0-9]{6}\.jsonl")
"""When its process has begun (nanoseconds), that process, and which of its files it is."""


_RECORD = "record"
"""What is kept for good, whatever becomes of us in the next moment."""
_encode = json.JSONEncoder(separators=(",", ":")).encode


class _Files(LogWriter):
    """The files of one process, one after the other; the thread opens them."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder, self._most = folder, limit_bytes
        self._names = (
            f"{time.time_ns():019d}-{os.getpid()}-{number:06d}.jsonl" for number in count(1)
        )
        self._room = 0
        """What the current file may still take; negative: there is none."""
        super().__init__(-1, lost, _cannot_write, WAITING_BYTES)

    def close(self) -> bool:
        """As of the log's; nobody writes to the file any more."""
        complete = super().close()
        if complete and self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor, self._room = -1, 0
        return complete

    def _write_alone(self, left: memoryview) -> int:
        """Called in the thread; an OSError has it tried again a second later."""
        if self._room <= 0:
            self._open_next()
        written = os.write(self._descriptor, left)
        self._room -= written
        # A line stands in one file, whole.
        if self._room <= 0 and bytes(left[written - 1 : written]) != b"\n":
            self._room = 1
        return written

    def _open_next(self) -> None:
        if sum(size for _, size in _sizes(self._folder)) >= self._most:
            raise OSError(errno.EDQUOT, "nobody has read it, and there is no room for more")
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(self._folder / next(self._names), flags, 0o640)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)  # until we open the next, or die
            if not os.fstat(descriptor).st_nlink:
                # Before it was locked it looked like one that somebody had left behind, empty.
                raise OSError(errno.ESTALE, "the new file was removed")
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor, self._room = descriptor, FILE_BYTES


_writer: _Files | None = None


def begin(folder: Path, limit_bytes: int) -> None:
    """From now on what this process notes is written to ``folder``, which is made.

    ``limit_bytes``: so much of all processes may lie there unread. Raises OSError.
    """
    global _writer
    for place in (folder.parent, folder):
        place.mkdir(mode=0o750, parents=True, exist_ok=True)
    _writer = _Files(folder, limit_bytes)
    atexit.register(end)


def end() -> None:
    """What was noted is written, as far as the disk takes it; nothing more is."""
    global _writer
    if _writer is not None:
        if not _writer.close():
            log.error("what was noted last is lost: it could not be written")
        _writer = None


def begin_or_say(folder: Path, limit_bytes: int) -> None:
    """As :func:`begin`; without a place to write to there are no records, and all else goes on."""
    try:
        begin(folder, limit_bytes)
    except OSError as error:
        log.error("there are no records: %s: %s", folder, error.strerror)


def is_kept() -> bool:
    """Whether what is noted is written; where making it costs something."""
    return _writer is not None


def note(what: str, **fields: Any) -> None:
    """Have a thing that has happened written, with the time; never waits."""
    if _writer is not None:
        _writer.put(_line(what, fields), at_once=what == _RECORD)


def lost(number: int) -> bytes:
    """The line that stands where so many are missing."""
    return _line("lost", {"lines": number, "clock": time.monotonic()})


def _line(what: str, fields: dict[str, Any]) -> bytes:
    entry = {"what": what, "at": round(time.time(), 6), **fields}
    return _encode(entry).encode() + b"\n"


def _cannot_write(error: OSError) -> None:
    log.error("records cannot be written, and wait in memory: %s", error.strerror)


def _sizes(folder: Path) -> Iterator[tuple[Path, int]]:
    for path in folder.iterdir():
        if _NAME.fullmatch(path.name):
            with suppress(FileNotFoundError):
                yield path, path.stat().st_size


def why_not_written(folder: Path, limit_bytes: int) -> str:
    """Try whether there is room for more; return why not, in words, or nothing."""
    try:
        if sum(size for _, size in _sizes(folder)) >= limit_bytes:
            return "nobody has read what is there"
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            if file.write(bytes(_PROBE_BYTES)) < _PROBE_BYTES:
                return os.strerror(errno.ENOSPC)
    except OSError as error:
        return error.strerror or str(error)
    return ""


# -- reading --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that has happened, and where it is written."""

    file: str
    end: int
    """The place in the file behind it, in bytes: where to read on."""
    what: str
    at: float
    """Seconds since 1970 (UTC)."""
    fields: dict[str, Any]

    @property
    def process(self) -> int:
        """The id of the process that has noted it."""
        return int(self.file.split("-")[1])


def files(folder: Path) -> list[str]:
    """Return the names of the files that are there, the oldest first."""
    return sorted(path.name for path, _ in _sizes(folder)) if folder.is_dir() else []


def files_of(folders: Iterable[Path]) -> list[tuple[Path, str]]:
    """Return those of several folders, and where each is; no two have the same name."""
    return [(folder, file) for folder in folders for file in files(folder)]


def sizes(folder: Path) -> dict[str, int]:
    """Return the size of each file, in bytes."""
    return {path.name: size for path, size in _sizes(folder)} if folder.is_dir() else {}


def read(folder: Path, file: str, start: int, most: int) -> list[Entry]:
    """Return the next entries of a file from ``start`` on, ``most`` bytes of them or one.

    What is no entry (a disk has damaged it) becomes an entry ``damaged``. Raises OSError.
    """
    with (folder / file).open("rb") as opened:
        opened.seek(start)
        text = opened.read(most)
        while text and b"\n" not in text and (more := opened.read(most)):
            text += more
    entries = []
    for line in text[: text.rfind(b"\n") + 1].splitlines(keepends=True):
        start += len(line)
        entries.append(_entry(file, start, line))
    return entries


def _entry(file: str, end: int, line: bytes) -> Entry:
    try:
        fields = json.loads(line)
        what, at = str(fields.pop("what")), float(fields.pop("at"))
        return Entry(file, end, what if 0 <= at < _LATEST else "damaged", at, fields)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Entry(file, end, "damaged", 0.0, {})


def remove_read(folder: Path, file: str, end: int) -> bool:
    """Remove a file that has been read up to ``end``, if nobody will write to it any more.

    What a writer has left behind there without a line's end, as it died, goes with it. Raises
    OSError.
    """
    descriptor = os.open(folder / file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Asked when nobody can write any more.
        rest = os.pread(descriptor, FILE_BYTES, end)
        if b"\n" in rest:
            return False
        (folder / file).unlink()
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
