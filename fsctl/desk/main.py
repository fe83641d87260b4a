"""The process itself: it lives as long as its supervisor, whose pipe is its standard input."""

from __future__ import annotations

import logging
import os
import pickle
import select
import signal
import sys

from fsctl import log as logs
from fsctl.desk.keeping import Keeping
from fsctl.settings import Settings

log = logging.getLogger(__name__)

LOOK_S = 0.5
"""How often it is looked whether something has been noted."""
_AT_LAST = 1000
"""So many transactions at the end, at most: what is left waits for the next start."""


def run() -> int:
    """Keep records until the pipe ends; 0 then."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the end of the pipe ends it, after the workers
    try:
        settings: Settings = pickle.load(sys.stdin.buffer)
    except (EOFError, pickle.UnpicklingError):
        return 2  # the supervisor died at once
    os.umask(0o027)  # numbers and names are nobody's business
    server = settings.server
    logs.set_up(server.log_level, server.log_format, "desk")
    keeping = Keeping(settings.records)
    while not _has_ended(LOOK_S):
        while keeping.keep() and not _has_ended(0):
            pass
    for _ in range(_AT_LAST):
        if not keeping.keep():
            break
    return 0


def _has_ended(wait_s: float) -> bool:
    readable, _, _ = select.select([sys.stdin], [], [], wait_s)
    return bool(readable)
