"""Several workers behind one address: started, watched, replaced, reloaded, ended.

The supervisor serves no call and runs no scenario. It holds the sockets, so that no death of a
worker resets a link that waits in them: such a leg goes to another worker. It hears from each
worker every second, and kills one that is silent. Its signal handlers only put a word into a queue.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import gevent
from gevent.queue import Empty, Queue

from fsctl import journal
from fsctl import log as logs
from fsctl.control import LEAVE, STATE, STOP
from fsctl.errors import FsctlError
from fsctl.esl.sockets import address_of
from fsctl.service import readiness, realtime, start_check
from fsctl.service.counted import tell_counts
from fsctl.service.desk_process import DeskProcess, grant
from fsctl.service.living import scope_of
from fsctl.service.ports import dialled_host, private_port, public_listener, refuse
from fsctl.service.presence import Presence
from fsctl.service.rescue import Rescue
from fsctl.service.shared import Shared, make_shared
from fsctl.service.worker_process import WorkerProcess
from fsctl.session.core.siblings import Regions
from fsctl.settings import Settings
from fsctl.switch.armed import armed_everywhere

log = logging.getLogger(__name__)

STABLE_S = 10.0
"""A worker that has served for so long did not fail fast."""
_FIRST_DELAY_S = 0.5
_LAST_DELAY_S = 30.0
_LAST_CALL_S = 1.0
_GRACE_S = 15.0
"""More than a worker's own drain may take after its deadline."""
_CALLS_LAST_S = 3600.0
"""By then the calls are over that a dead worker has left to FreeSWITCH, as good as all."""

_TERMINATE, _RELOAD, _ENDED = "terminate", "reload", "ended"


def worker_count(settings: Settings) -> int:
    """How many workers there are to be: one for each core that we may use, if nothing is said."""
    return settings.server.workers or len(os.sched_getaffinity(0))


def restart_delay_s(failures: int) -> float:
    """How long to wait after so many fast failures in a row: none after the first, up to 30 s."""
    return min(_LAST_DELAY_S, _FIRST_DELAY_S * 2.0 ** (failures - 2)) if failures > 1 else 0.0


def _of_desk(settings: Settings) -> tuple[object, ...]:
    """What the desk must be started anew for."""
    return settings.records, settings.http, settings.news, settings.hep, settings.switches


class Supervisor:
    """Runs workers until it is told to stop. Listens once it is made; raises OSError then.

    ``load`` reads the settings anew, for a reload.
    """

    def __init__(
        self, settings: Settings, load: Callable[[], Settings], scenario: Path | None
    ) -> None:
        self._settings = self._in_force = settings
        """Those of what starts now, and those of desk and signs of life, which a reload that stops
        halfway leaves as they were."""
        self._load = load
        self._scenario = scenario
        self._listener = public_listener(settings.server)
        self._port = address_of(self._listener)[1]
        self._shared = make_shared()
        """What all workers remember together, each in a region of its own."""
        self._regions = Regions(self._shared)
        self._workers: dict[int, WorkerProcess | None] = {}
        """The workers that serve, by number; None while a dead one's successor is waited for."""
        self._alive: set[WorkerProcess] = set()
        """All processes: workers that serve, that start, and that drain."""
        self._failures: dict[int, int] = {}
        self._orders: Queue[str] = Queue()
        self._stopping = False
        self._reload_asked = False
        """SIGHUP has come, and nothing has been read since."""
        self._reload_runs: gevent.Greenlet[[], None] | None = None
        self._last_call: gevent.Greenlet[..., None] | None = None
        self._public = settings.server.home or f"{dialled_host(settings.server)}:{self._port}"
        self._rescue = Rescue(settings, self._held)
        self._signs: Presence | None = None
        self._desk: DeskProcess | None = None
        """Keeps the records; None where none are kept."""
        self._journals: list[Path] = []
        """Where records have been noted so far: a reload may name another folder."""

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; 0 when all workers ended in order.

        Raises FsctlError or OSError when they cannot be started.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            gevent.signal_handler(number, self._orders.put, _TERMINATE)
        gevent.signal_handler(signal.SIGHUP, self._orders.put, _RELOAD)
        gevent.signal_handler(signal.SIGUSR1, self._ask_states)
        try:
            self._begin()
            while (order := self._orders.get()) != _TERMINATE:
                self._reload_asked |= order == _RELOAD
                if self._reload_asked and not self._reload_runs:
                    self._reload_runs = gevent.spawn(self._reload_as_asked)
            return self._drain()
        finally:
            self._end()

    # -- starting ---------------------------------------------------------------------------

    def _begin(self) -> None:
        if self._settings.server.realtime:
            realtime.begin()
        self._open_desk()
        started = [self._launch(number) for number in range(1, worker_count(self._settings) + 1)]
        for worker in started:
            worker.wait_ready()
        self._workers.update((worker.number, worker) for worker in started)
        for worker in started:
            if worker.ended.is_set():  # while we waited for another
                self._workers[worker.number] = None
                self._replace(worker.number)
        self._show_signs()
        self._rescue.look_for_records()
        host = self._settings.server.listen.rpartition(":")[0]
        logs.say(f"listening on {host}:{self._port}")
        logs.say(scope_of(self._settings))
        readiness.ready()
        start_check.begin(self._settings)
        self._watchdog = readiness.keep_watchdog()

    def _launch(self, number: int) -> WorkerProcess:
        worker = WorkerProcess(
            number,
            self._settings,
            self._scenario,
            self._listener,
            private_port(self._settings.server),
            self._shared,
            self._regions.take(),
            self._ended,
        )
        self._alive.add(worker)
        if self._stopping:
            worker.send(STOP)
        log.info("%r starts, home is %s", worker, worker.private.home)
        if self._signs is not None:
            self._signs.show()  # before it can have a call that comes home
        return worker

    def _open_desk(self) -> None:
        """Have records kept, as the settings say."""
        if self._desk is not None:
            self._desk.stop()
            self._desk = None
        journal.end()
        records = self._settings.records
        if self._settings.has_desk:
            journal.begin_or_say(records.journal, records.backlog_bytes)
            # Workers that drain, and those of a reload that failed, write where they began to.
            former = tuple(each for each in self._journals if each != records.journal)
            self._journals = [*former, records.journal]
            self._desk = DeskProcess(
                self._settings, self._shared, restart_delay_s, self._grant, former
            )

    def _grant(self, wish: str) -> None:
        grant(wish, lambda: self._orders.put(_TERMINATE), self._order)

    def _order(self, order: str) -> None:
        for worker in list(self._alive):
            worker.send(order)

    def _show_signs(self) -> None:
        """Tell FreeSWITCH, where ``[switch]`` says how, which addresses are served."""
        if self._signs is not None:
            self._signs.stop()
            self._signs = None
        if self._settings.switches:
            self._signs = Presence(self._settings, self._served)
            self._signs.start()

    def _served(self) -> set[str]:
        served = {worker.private.home for worker in self._alive if worker.serves}
        # A leg may wait in the shared socket for one that starts, until it must be claimed.
        accepting = any(worker.serves for worker in self._alive if not worker.leaves)
        return served | ({self._public} if accepting and not self._stopping else set())

    # -- deaths -----------------------------------------------------------------------------

    def _ended(self, worker: WorkerProcess) -> None:
        """A worker's process has ended, for whatever reason."""
        self._alive.discard(worker)
        self._orders.put(_ENDED)
        worker.private.close()
        self._regions.free(worker.region)
        gevent.spawn_later(_CALLS_LAST_S, self._regions.forget, worker.region)
        journal.note("process", pid=worker.pid, status=worker.status)
        if worker.ready_since is not None and not self._stopping:
            self._rescue.look_after(worker.private.home)
        if self._stopping or self._workers.get(worker.number) is not worker:
            return
        self._workers[worker.number] = None
        lived = time.monotonic() - (worker.ready_since or time.monotonic())
        failures = 1 if lived > STABLE_S else self._failures.get(worker.number, 0) + 1
        self._failures[worker.number] = failures
        delay = restart_delay_s(failures)
        if delay:
            log.warning("worker %d: the next attempt in %g s", worker.number, delay)
        gevent.spawn_later(delay, self._replace, worker.number)

    def _replace(self, number: int) -> None:
        """Start the successor of a dead worker, if it is still wanted."""
        wanted = number in self._workers and self._workers[number] is None
        if self._stopping or not wanted:
            return
        try:
            self._workers[number] = self._launch(number)
        except (FsctlError, OSError) as error:
            log.error("worker %d: not started, again in %g s: %s", number, _LAST_DELAY_S, error)
            gevent.spawn_later(_LAST_DELAY_S, self._replace, number)

    def _ask_states(self) -> None:
        """Have every worker log its state; the counts are those of all of them."""
        tell_counts(Shared(self._shared).counts())
        self._order(STATE)

    def _held(self) -> set[str] | None:
        """The channels of all workers that serve; None when one does not answer, or none does."""
        asked = [gevent.spawn(worker.legs) for worker in self._alive if worker.ready_since]
        if not asked:
            return None  # legs may wait at the shared address
        gevent.joinall(asked)
        held: set[str] = set()
        for answer in asked:
            if answer.value is None:
                return None
            held |= answer.value
        return held

    # -- reloading --------------------------------------------------------------------------

    def _reload_as_asked(self) -> None:
        """Once more where that was asked for meanwhile: what has changed since was not read."""
        while self._reload_asked and not self._stopping:
            self._reload_asked = False
            self._reload()

    def _reload(self) -> None:
        """Replace the workers one by one; the first that cannot be replaced ends it."""
        log.info("reloading")
        readiness.reloading()
        was, before = self._in_force, self._settings
        try:
            loaded = self._load()
            if loaded.server.listen != before.server.listen:
                log.warning("[server] listen is changed by a restart only")
            self._take(loaded)
            count = worker_count(loaded)
            for number in range(1, count + 1):
                self._succeed(number)
                before = loaded
            for number in [number for number in self._workers if number > count]:
                self._dismiss(self._workers.pop(number))
        except (FsctlError, OSError) as error:
            self._take(before)
            log.error("not reloaded, the running workers go on: %s", error)
        else:
            logs.set_up(loaded.server.log_level, loaded.server.log_format)
            if _of_desk(loaded) != _of_desk(was):
                self._open_desk()
            if (loaded.switches, armed_everywhere(loaded)) != (was.switches, armed_everywhere(was)):
                self._show_signs()
            self._in_force = loaded
            log.info("reloaded")
        finally:
            if not self._stopping:
                readiness.ready()

    def _take(self, settings: Settings) -> None:
        self._settings = settings
        self._rescue.take(settings)

    def _succeed(self, number: int) -> None:
        """Start a worker, and let the one before it leave once it accepts."""
        successor = self._launch(number)
        successor.wait_ready()
        if self._stopping:
            raise FsctlError("we are to end")
        before = self._workers.get(number)
        self._workers[number] = successor
        self._failures.pop(number, None)
        self._dismiss(before)

    @staticmethod
    def _dismiss(worker: WorkerProcess | None) -> None:
        if worker is not None:
            worker.leaves = True
            worker.send(LEAVE)

    # -- ending -----------------------------------------------------------------------------

    def _drain(self) -> int:
        """All workers drain; a second order, or the deadline, ends them at once."""
        self._stopping = True
        readiness.stopping()
        if self._signs is not None:
            self._signs.disarm()
        self._order(STOP)
        # The first worker that hears of the end refuses whoever dials, unless none can.
        self._last_call = gevent.spawn_later(_LAST_CALL_S, refuse, self._listener)
        deadline = time.monotonic() + self._settings.server.drain_timeout_s + _GRACE_S
        while self._alive:
            try:
                order = self._orders.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                log.error("not drained in time, killed: %s", sorted(map(repr, self._alive)))
                return 1
            if order == _TERMINATE:
                log.warning("told again to end: at once, the calls that run go on alone")
                return 1
        return 0

    def _end(self) -> None:
        self._stopping = True
        self._rescue.stop()
        if self._signs is not None:
            self._signs.stop()
        if self._last_call is not None:
            self._last_call.kill()
        self._listener.close()
        left = list(self._alive)
        for worker in left:
            worker.kill()
        for worker in left:
            worker.ended.wait()
        journal.end()
        if self._desk is not None:
            self._desk.stop()
