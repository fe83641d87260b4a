"""Writes the log from a thread of its own: whoever reads it, slowly or never, holds nobody up.

A pipe, a terminal or a socket is shared with processes that we do not know, so its descriptor stays
blocking: it is this thread (of the operating system: fsctl does not monkey-patch) that waits.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import select
import socket
import stat
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

LIMIT_BYTES = 1 << 20
"""So much may wait for the reader; what comes then is dropped and counted."""
ATOMIC_BYTES = select.PIPE_BUF
"""A pipe takes so much in one piece, or waits."""
RETRY_S = 1.0
"""After an error of the descriptor (its disk is full, its reader is gone): the next attempt."""
LINGER_S = 0.1
"""So long the first line waits for others, to be written with them: to wake the thread costs more
than all else that a line does, for it and whoever else runs take the interpreter from each other
several times. Whoever is killed takes with him the lines of that time."""
STALLED_S = 1.0
"""At the end: a reader that takes nothing for so long is waited for no more."""
AT_MOST_S = 5.0
"""At the end: and nobody is waited for longer than this."""


class LogWriter:
    """Writes lines to a descriptor, in their order; ``put`` never waits.

    ``notice(count)`` makes the line that stands where ``count`` lines are missing. ``troubled`` is
    called from the thread when the descriptor cannot be written to; once until it can again.
    """

    def __init__(
        self,
        descriptor: int,
        notice: Callable[[int], bytes],
        troubled: Callable[[OSError], None] = lambda error: None,
        limit_bytes: int = LIMIT_BYTES,
    ) -> None:
        self.notice, self.troubled = notice, troubled
        self._descriptor = descriptor
        self._limit = limit_bytes
        self._lines: deque[bytes] = deque()
        self._size = 0
        """Of what waits, and of what is being written."""
        self._dropped = 0
        self.lost = 0
        """Lines that were dropped, in all."""
        self._written = 0
        self._closing = False
        self._lock = threading.RLock()  # re-entrant: a destructor may log in the midst of it
        self._wake = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        self._rests = False
        """The thread waits for a line. Set by it; taken back by whoever wakes it."""
        self._hurries = False
        """One of the lines is not to wait for others. Taken back when they are written."""
        self._in_trouble = False
        self._shared = _may_tear(descriptor)

    def put(self, line: bytes, *, at_once: bool = False) -> None:
        """Have ``line`` written (with its line break), or count it as dropped. It may wait for
        others for a moment, unless it is to be written ``at_once`` or much waits already."""
        with self._lock:
            # Once it is full it drops until half is free: the count comes once, not at every line.
            if self._size + len(line) > (self._limit // 2 if self._dropped else self._limit):
                self._dropped += 1
                self.lost += 1
                return
            self._note_gap()
            self._add(line)
            if self._thread is None and not self._closing:
                self._thread = threading.Thread(target=self._run, name="log", daemon=True)
                self._thread.start()
            hurries = at_once or self._size > self._limit // 8
            if self._rests or (hurries and not self._hurries):
                self._rests = False
                self._hurries |= hurries
                self._wake.notify_all()

    def close(self) -> bool:
        """Write what can be written, and end; a reader that takes nothing is not waited for.

        True: nothing is left, and nothing was given up.
        """
        with self._lock:
            self._closing = True
            self._wake.notify_all()
            deadline, moves = time.monotonic() + AT_MOST_S, True
            while self._thread is not None and moves and time.monotonic() < deadline:
                moves = self._wake.wait_for(self._has_moved_on(self._written), STALLED_S)
            return self._thread is None and not self._in_trouble

    def _has_moved_on(self, before: int) -> Callable[[], bool]:
        return lambda: self._thread is None or self._written != before

    def _add(self, line: bytes) -> None:
        self._lines.append(line)
        self._size += len(line)

    def _note_gap(self) -> None:
        if self._dropped:
            self._add(self.notice(self._dropped))
            self._dropped = 0

    # -- in the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        while chunk := self._next_chunk():
            self._write(chunk)
            with self._lock:
                self._size -= len(chunk)
        with self._lock:
            self._thread = None
            self._wake.notify_all()

    def _next_chunk(self) -> bytes:
        """Whole lines that are written in one piece; nothing at the end."""
        with self._lock:
            while not self._lines:
                self._note_gap()
                if not self._lines:
                    if self._closing:
                        return b""
                    self._rest()
            self._hurries = False
            chunk = self._lines.popleft()
            while self._lines and len(chunk) + len(self._lines[0]) <= ATOMIC_BYTES:
                chunk += self._lines.popleft()
            return chunk

    def _rest(self) -> None:
        """Until there is a line, and a moment longer."""
        self._rests = True
        self._wake.wait_for(lambda: self._lines or self._closing)
        self._rests = False
        self._wake.wait_for(lambda: self._closing or self._hurries, LINGER_S)

    def _write(self, chunk: bytes) -> None:
        left = memoryview(chunk)
        while left:
            try:
                written = self._write_alone(left)
            except BlockingIOError:  # another process has made the descriptor so, for us as well
                self._wait_writable()
                continue
            except OSError as error:
                if not self._may_try_again(error):
                    return
                continue
            left = left[written:]
            with self._lock:
                self._in_trouble = False
                self._written += written
                self._wake.notify_all()

    def _write_alone(self, left: memoryview) -> int:
        """A line that is larger than a pipe takes at once is not torn by another worker's."""
        if not self._shared:
            return os.write(self._descriptor, left)
        with suppress(OSError):
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX)
        try:
            return os.write(self._descriptor, left)
        finally:
            with suppress(OSError):
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN)

    def _wait_writable(self) -> None:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        poll.poll(RETRY_S * 1000)

    def _may_try_again(self, error: OSError) -> bool:
        if not self._in_trouble:
            self._in_trouble = True
            self.troubled(error)
        with self._lock:
            if not self._closing:
                self._wake.wait_for(lambda: self._closing, RETRY_S)
                return True
            return False


def _may_tear(descriptor: int) -> bool:
    try:
        return not stat.S_ISREG(os.fstat(descriptor).st_mode)
    except OSError:
        return False


def to_console(line: bytes) -> None:
    """The last place where somebody may see it."""
    with suppress(OSError):
        console = os.open("/dev/console", os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        os.write(console, line)
        os.close(console)


CLOSED: set[int] = set()
"""Those of the standard descriptors that were closed when we began: what goes there is lost."""

_writers: dict[int, LogWriter] = {}


def lost_lines() -> int:
    """Of the log of this process, so far: nobody had read it."""
    return sum(writer.lost for writer in _writers.values())


def writer_to(
    descriptor: int,
    notice: Callable[[int], bytes],
    troubled: Callable[[OSError], None] = lambda error: None,
) -> LogWriter:
    """The one writer to this descriptor; it writes what is left when the process ends."""
    writer = _writers.get(descriptor)
    if writer is None:
        writer = _writers[descriptor] = LogWriter(descriptor, notice, troubled)
        atexit.register(writer.close)
    writer.notice, writer.troubled = notice, troubled
    return writer


def to_syslog(text: str) -> bool:
    """One line to the machine's own log, where it has one; False when it has none."""
    message = f"<27>fsctl[{os.getpid()}]: {text}".encode(errors="backslashreplace")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect("/dev/log")
            sock.send(message[:1024])
    except OSError:
        return False
    return True


def keep_standard_descriptors() -> None:
    """One of 0, 1 and 2 that is closed would become the next socket, and get the log: never."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            CLOSED.add(number)
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)
