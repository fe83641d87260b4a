"""How a worker is, noted for the desk (:mod:`fsctl.journal`): a scrape asks no worker anything."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Mapping
from typing import Any

import gevent

from fsctl import journal, log_writer

EVERY_S = 5.0
"""A worker of which nothing was heard for much longer is gone."""
_TICK_S = 0.5
"""How often it is looked how late the loop is."""
_PAGE = resource.getpagesize()


def keep_noting(number: int, told: Callable[[], Mapping[str, Any]]) -> gevent.Greenlet[[], None]:
    """Note, until the greenlet is killed, how the worker of this ``number`` is: what it has
    ``told``, its memory, and how late its loop was at worst, in milliseconds."""
    return gevent.spawn(_note, number, told)


def _note(number: int, told: Callable[[], Mapping[str, Any]]) -> None:
    began, late_s = time.time(), 0.0
    while True:
        journal.note(
            "worker",
            number=number,
            pid=os.getpid(),
            began=began,
            clock=time.monotonic(),  # of all processes of this host the same
            late_ms=round(late_s * 1000, 3),
            resident=_resident_bytes(),
            cpu_s=round(time.process_time(), 3),
            log_lines_lost=log_writer.lost_lines(),
            **told(),
        )
        late_s = _latest(EVERY_S)


def _latest(seconds: float) -> float:
    """Watch for so long; return by how much a timer was late, at worst."""
    end, worst = time.monotonic() + seconds, 0.0
    while (before := time.monotonic()) < end:
        gevent.sleep(_TICK_S)
        worst = max(worst, time.monotonic() - before - _TICK_S)
    return worst


def _resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * _PAGE
