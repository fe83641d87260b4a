"""One of several workers: a process of its own, started and watched by the supervisor.

It is started afresh (exec) and not forked off: gevent's hub, its event loop, the resolver's threads
and the log's locks would be copied in whatever state they are, and a scenario that the supervisor
had loaded could not be loaded anew.
"""

from __future__ import annotations

import logging
import os
import signal
from contextlib import suppress

import gevent
from gevent import socket
from gevent.event import AsyncResult

from fsctl import journal, scenario
from fsctl import log as logs
from fsctl.control import (
    ALIVE,
    FAILED,
    LEAVE,
    LEGS,
    LOG_LEVEL,
    READY,
    STATE,
    STOP,
    Channel,
    Job,
    OtherVersion,
)
from fsctl.errors import FsctlError
from fsctl.service import realtime, vitals
from fsctl.service.ports import PrivatePort
from fsctl.service.shared import Shared
from fsctl.service.worker import Worker, keep_loaded
from fsctl.session.calling.judging import Policed

log = logging.getLogger(__name__)


def run(control: int) -> int:
    """Do the job that comes by the descriptor ``control``; 0 when it was ended in order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's is for the supervisor
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # until there is a state to tell
    channel = Channel(_inherited(control))
    try:
        job = channel.receive_job(Job)
    except (EOFError, OSError):
        return 2  # the supervisor died at once
    except OtherVersion as error:
        channel.send(FAILED, str(error))
        return 2
    server = job.settings.server
    logs.set_up(server.log_level, server.log_format, f"worker {job.number}")
    records = job.settings.records
    if records.keep:
        journal.begin_or_say(records.journal, records.backlog_bytes)
    try:
        worker = _worker(job)
    except (FsctlError, OSError) as error:
        channel.send(FAILED, str(error))
        return 2
    order: AsyncResult[str] = AsyncResult()
    gevent.signal_handler(signal.SIGTERM, order.set, LEAVE)  # the others go on
    gevent.signal_handler(signal.SIGUSR1, worker.tell_state)
    worker.start()
    keep_loaded()
    if server.realtime:
        realtime.begin()
    channel.send(READY)
    greenlets = [
        vitals.keep_noting(job.number, worker.vitals),
        gevent.spawn(_beat, channel, job.beat_s),
        gevent.spawn(_obey, channel, worker, order),
    ]
    worker.stop(others_accept=order.get() == LEAVE)
    gevent.killall(greenlets)
    return 0


def _inherited(number: int) -> socket.socket:
    """A socket that was handed to us; what a scenario starts does not get it."""
    os.set_inheritable(number, False)
    return socket.socket(fileno=number)


def _worker(job: Job) -> Worker:
    listener, private = _inherited(job.listener), _inherited(job.private)
    scenarios = scenario.load_all(job.settings, job.scenario)
    private_port = PrivatePort(private, job.home)
    worker = Worker(
        job.settings, scenarios, listener=listener, private=private_port, first=job.number == 1
    )
    shared = Shared(job.shared)
    worker.switchboard.part(Policed).counts = shared.counts(job.region)
    worker.has_siblings(shared.siblings(job.region))
    os.close(job.shared)
    return worker


def _beat(channel: Channel, seconds: float) -> None:
    """Show that the loop turns. A supervisor that is gone is `_obey`'s matter."""
    with suppress(OSError):
        while True:
            channel.send(ALIVE)
            gevent.sleep(seconds)


def _obey(channel: Channel, worker: Worker, order: AsyncResult[str]) -> None:
    while (line := channel.receive()) is not None:
        if line == LEGS:
            with suppress(OSError):
                channel.send(LEGS, *sorted(worker.legs()))
        elif line == STATE:
            worker.tell_state()
        elif line.startswith(LOG_LEVEL):
            logs.set_level(line.removeprefix(LOG_LEVEL).strip())
        elif not order.ready():
            order.set(line)
    if not order.ready():
        # Who talks, talks on; but calls are served only by those whom somebody looks after.
        log.warning("the supervisor is gone: draining")
        order.set(STOP)
