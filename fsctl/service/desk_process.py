"""The process that keeps the records, as its supervisor sees it: started, and started anew."""

from __future__ import annotations

import logging
import pickle
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress

import gevent

from fsctl.service.worker_process import OURSELVES, environment
from fsctl.settings import Settings

log = logging.getLogger(__name__)

LEAVES_S = 10.0
"""At the end it keeps what is there; what it has not kept by then waits for the next start."""
_LOOK_S = 0.5
_STABLE_S = 10.0


class DeskProcess:
    """Keeps one such process running. Its death costs no call and no record."""

    def __init__(self, settings: Settings, delay_s: Callable[[int], float]) -> None:
        """``delay_s`` says how long to wait after so many fast failures in a row."""
        self._settings = settings
        self._delay_s = delay_s
        self._process = self._start()
        self._watcher = gevent.spawn(self._watch)

    def stop(self) -> None:
        """Have it keep what is there, and end."""
        self._watcher.kill()
        process = self._process
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
        deadline = time.monotonic() + LEAVES_S
        while process.poll() is None and time.monotonic() < deadline:
            gevent.sleep(0.01)
        if process.poll() is None:
            log.warning("the desk (pid %d) has not ended in time, killed", process.pid)
            process.kill()
            process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [*OURSELVES, "serve", "--desk"], stdin=subprocess.PIPE, env=environment()
        )
        log.info("the desk (pid %d) starts", process.pid)
        if process.stdin is not None:
            with suppress(OSError):  # it has died already, as _watch will see
                pickle.dump(self._settings, process.stdin)
                process.stdin.flush()
        return process

    def _watch(self) -> None:
        failures = 0
        while True:
            began = time.monotonic()
            while self._process.poll() is None:
                gevent.sleep(_LOOK_S)
            log.error(
                "the desk (pid %d) ended with status %d, records wait meanwhile",
                self._process.pid,
                self._process.returncode,
            )
            failures = 1 if time.monotonic() - began > _STABLE_S else failures + 1
            gevent.sleep(self._delay_s(failures))
            self._process = self._start()
