"""One worker process, as its supervisor sees it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import gevent
from gevent import socket
from gevent.event import AsyncResult
from gevent.event import Event as Flag

import fsctl
from fsctl.control import FAILED, LEGS, READY, Channel, Job
from fsctl.errors import FsctlError
from fsctl.service.ports import PrivatePort
from fsctl.settings import Settings

log = logging.getLogger(__name__)

START_DEADLINE_S = 30.0
"""A worker accepts by then (a scenario may have much to import), or is killed."""
_EXIT_DEADLINE_S = 5.0
_ANSWER_DEADLINE_S = 2.0
_QUIET_S = 2.5
"""A worker shows a sign of life every second, or more often."""


_PLACE = str(Path(fsctl.__file__).parents[1])
_BEGIN = f"import sys; sys.path.append({_PLACE!r}); from fsctl.cli import main; sys.exit(main())"
OURSELVES = [sys.executable, "-P", "-c", _BEGIN]
"""This very program, wherever it is. The working directory is never searched for modules; where we
run from a checkout, that is searched last."""


class WorkerFailed(FsctlError):
    """A worker could not start; says why."""


def environment() -> dict[str, str]:
    """Ours, without systemd's socket; an empty entry of PYTHONPATH means the working directory."""
    environment = {name: text for name, text in os.environ.items() if name != "NOTIFY_SOCKET"}
    if path := environment.get("PYTHONPATH"):
        places = [place for place in path.split(os.pathsep) if os.path.isabs(place)]
        environment["PYTHONPATH"] = os.pathsep.join(places)
    return environment


class WorkerProcess:
    """Starts a worker, hears whether it lives, kills it when it is silent.

    ``on_end`` is called once, in a greenlet of this object's own, when the process has ended.
    """

    def __init__(
        self,
        number: int,
        settings: Settings,
        scenario: Path | None,
        listener: socket.socket,
        private: PrivatePort,
        shared: int,
        region: int,
        on_end: Callable[[WorkerProcess], None],
    ) -> None:
        self.number, self.settings, self.private = number, settings, private
        self.region = region
        """Where it writes into what all workers share (`fsctl.service.shared`)."""
        self.ready_since: float | None = None
        """The moment (monotonic) of its word that it accepts; None until then."""
        self.status: int | None = None
        """The exit status of the process, negative for a signal; None while it runs."""
        self.leaves = False
        """The worker takes no new call. Set by the supervisor when another replaces it."""
        self._heard_at = 0.0
        self._on_end = on_end
        self._hang_timeout_s = settings.server.hang_timeout_s
        self._verdict: AsyncResult[str] = AsyncResult()
        self._asked: deque[AsyncResult[set[str]]] = deque()
        """Who waits for the channels that it holds: it answers each, in this order."""
        ours, theirs = socket.socketpair()
        numbers = (theirs.fileno(), listener.fileno(), private.listener.fileno(), shared)
        with theirs:
            self._process = subprocess.Popen(
                [*OURSELVES, "serve", "--worker", str(numbers[0])],
                pass_fds=numbers,
                stdin=subprocess.DEVNULL,
                env=environment(),
            )
        self._channel = Channel(ours)
        beat_s = min(1.0, self._hang_timeout_s / 4)
        job = Job(number, settings, scenario, *numbers[1:], region, private.home, beat_s)
        with suppress(OSError):  # it has died already, as _watch will see
            self._channel.send_job(job)
        self.ended = Flag()
        """Set when the process has ended."""
        self._watcher = gevent.spawn(self._watch)

    def __repr__(self) -> str:
        return f"worker {self.number} (pid {self._process.pid})"

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def serves(self) -> bool:
        """Whether somebody answers at its port, now or in a moment: it starts, or was heard of."""
        if self.ready_since is None:
            return not self.ended.is_set()
        return time.monotonic() - self._heard_at < _QUIET_S

    def wait_ready(self) -> None:
        """Wait until it accepts. Raises WorkerFailed."""
        reason = self._verdict.get()
        if reason:
            raise WorkerFailed(f"{self!r}: {reason}")

    def send(self, order: str) -> None:
        """Give an order; one that is gone needs none."""
        with suppress(OSError):
            self._channel.send(order)

    def legs(self) -> set[str] | None:
        """The channels that it holds; None when it does not say."""
        answer: AsyncResult[set[str]] = AsyncResult()
        self._asked.append(answer)
        self.send(LEGS)
        try:
            held: set[str] = answer.get(timeout=_ANSWER_DEADLINE_S)
        except gevent.Timeout:
            return None
        return held

    def kill(self) -> None:
        """End it at once; its calls are FreeSWITCH's then."""
        with suppress(ProcessLookupError):
            self._process.kill()

    # -- its own greenlet -------------------------------------------------------------------

    def _watch(self) -> None:
        deadline_s: float | None = START_DEADLINE_S
        while True:
            try:
                line = self._channel.receive(deadline_s)
            except TimeoutError:
                self.kill()
                log.error("%r has been silent for %g s: killing it", self, deadline_s)
                self._verdict.set(f"silent for {deadline_s} s")
                deadline_s = None
                continue
            if line is None:
                break
            deadline_s = None if deadline_s is None else self._take(line)
        self._bury()

    def _take(self, line: str) -> float:
        """Heed a report; returns how long the next may take."""
        self._heard_at = time.monotonic()
        word, _, rest = line.partition(" ")
        if word == READY:
            self.ready_since = time.monotonic()
            self._verdict.set("")
        elif word == FAILED:
            self._verdict.set(rest)
        elif word == LEGS and self._asked:
            self._asked.popleft().set(set(rest.split()))
        return START_DEADLINE_S if self.ready_since is None else self._hang_timeout_s

    def _bury(self) -> None:
        """The control socket has ended, and so has the process, or it does in a moment."""
        deadline = time.monotonic() + _EXIT_DEADLINE_S
        while self._process.poll() is None:
            if time.monotonic() > deadline:
                self.kill()
            gevent.sleep(0.005)
        self._channel.close()
        self.status = self._process.returncode
        if not self._verdict.ready():
            self._verdict.set(f"ended with status {self.status}")
        log.log(
            logging.INFO if self.status == 0 else logging.ERROR,
            "%r ended with status %d",
            self,
            self.status,
        )
        self.ended.set()
        self._on_end(self)
