"""One worker without a supervisor, and the desk beside it."""

from __future__ import annotations

import os
from pathlib import Path

from fsctl import journal, scenario
from fsctl.scenario.scenarios import Scenarios
from fsctl.service import realtime, vitals
from fsctl.service.desk_process import DeskProcess, grant
from fsctl.service.shared import Shared, make_shared
from fsctl.service.supervisor import restart_delay_s
from fsctl.service.worker import Worker, keep_loaded
from fsctl.session.calling.judging import Policed
from fsctl.settings import Settings


def run(settings: Settings, file: Path | None) -> None:
    """Serve until SIGTERM or SIGINT, with the scenario in ``file``. Raises FsctlError, OSError."""

    def load_scenarios() -> Scenarios:
        return scenario.load_all(settings, file)

    worker = Worker(settings, load_scenarios(), load_scenarios=load_scenarios)
    keep_loaded()
    if settings.server.realtime:
        realtime.begin()
    if not settings.has_desk:
        worker.run()
        return
    shared = make_shared()
    worker.switchboard.part(Policed).counts = Shared(shared).counts()
    journal.begin_or_say(settings.records.journal, settings.records.backlog_bytes)

    def grant_alone(wish: str) -> None:
        grant(wish, worker.end, lambda order: None)

    desk = DeskProcess(settings, shared, restart_delay_s, grant_alone)
    noting = vitals.keep_noting(1, worker.vitals)
    try:
        worker.run()
    finally:
        noting.kill()
        journal.end()
        desk.stop()
        os.close(shared)
