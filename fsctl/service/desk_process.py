"""The desk's process, as its supervisor sees it: started, and started anew."""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import gevent
from gevent import socket

from fsctl import log as logs
from fsctl.control import DRAIN, LOG_LEVEL, Channel, DeskJob
from fsctl.service.worker_process import OURSELVES, environment
from fsctl.settings import Settings

log = logging.getLogger(__name__)

LEAVES_S = 10.0
"""At the end it keeps what is there; what it has not kept by then waits for the next start."""
_STABLE_S = 10.0
_NOT_STARTED_S = 30.0
_DIES_S = 2.0


class DeskProcess:
    """Keeps one such process running. Its death costs no call and no record."""

    def __init__(
        self,
        settings: Settings,
        shared: int,
        delay_s: Callable[[int], float],
        on_wish: Callable[[str], None],
        former: tuple[Path, ...] = (),
    ) -> None:
        """Starts it; what prevents that is logged, and it is tried again.

        ``shared`` is the memory that workers share, with the policy's counts; ``delay_s`` says how
        long to wait after so many fast failures in a row; ``on_wish`` is called, in a greenlet of
        this object's own, with each line that the desk says. ``former``: see `DeskJob`.
        """
        self._settings = settings
        self._former = former
        self._process: subprocess.Popen[bytes] | None = None
        """None: the first start has failed, and is tried again."""
        self._shared = shared
        self._delay_s = delay_s
        self._on_wish = on_wish
        self._starts()
        self._watcher = gevent.spawn(self._watch)

    def stop(self) -> None:
        """Have it keep what is there, and end."""
        self._watcher.kill()
        if self._process is not None:
            self._channel.close()
            self._wait_ended(self._process, LEAVES_S)

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            process = subprocess.Popen(
                [*OURSELVES, "serve", "--desk", str(number)],
                pass_fds=(number, self._shared),
                stdin=subprocess.DEVNULL,
                env=environment(),
            )
        self._process, self._channel = process, Channel(ours)
        log.info("the desk (pid %d) starts", self._process.pid)
        with suppress(OSError):  # it has died already, as _watch will see
            self._channel.send_job(DeskJob(self._settings, self._shared, self._former))

    def _watch(self) -> None:
        failures = 0
        while True:
            while self._process is None:
                gevent.sleep(_NOT_STARTED_S)
                self._starts()
            began = time.monotonic()
            while (line := self._channel.receive()) is not None:
                self._on_wish(line)
            self._channel.close()
            process, self._process = self._process, None
            self._wait_ended(process, LEAVES_S)
            log.error(
                "the desk (pid %d) ended with status %s, records wait meanwhile",
                process.pid,
                process.returncode,
            )
            failures = 1 if time.monotonic() - began > _STABLE_S else failures + 1
            gevent.sleep(self._delay_s(failures))
            self._starts()

    def _starts(self) -> None:
        try:
            self._start()
        except OSError as error:  # no memory, or too many processes, just now
            log.error("the desk is not started, again in %g s: %s", _NOT_STARTED_S, error)

    def _wait_ended(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        """One that was killed, and hangs in the kernel (a disk that does not answer), is let be."""
        deadline, killed = time.monotonic() + seconds, False
        while process.poll() is None:
            if time.monotonic() > deadline:
                if killed:
                    return
                log.warning("the desk (pid %d) has not ended in time, killed", process.pid)
                process.kill()
                deadline, killed = time.monotonic() + _DIES_S, True
            gevent.sleep(0.005)


def grant(wish: str, drain: Callable[[], None], order: Callable[[str], None]) -> None:
    """Do what somebody wishes by the desk: ``drain``, or log from another level on, which is an
    ``order`` for other processes as well."""
    word, _, level = wish.partition(" ")
    if word == DRAIN:
        log.warning("told to drain, by HTTP")
        drain()
    elif word == LOG_LEVEL:
        logs.set_level(level)
        log.warning("the log's level is %s from now on, by HTTP", level)
        order(wish)
