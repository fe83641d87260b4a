"""Processor time of processes, as the kernel counts it."""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from pathlib import Path

_TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")
_seen: defaultdict[int, dict[str, int]] = defaultdict(dict)
"""Nanoseconds of each thread of each process."""


def spent_ms(*pids: int) -> float:
    """User and system time of all threads of these processes, those that have ended included."""
    return sum(map(_by_process, pids))


def spent_by_threads_ms(*pids: int) -> float:
    """The same to the microsecond; of a thread that has ended what it had spent when it was seen
    last."""
    return sum(map(_by_threads, pids))


def _by_process(pid: int) -> float:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    # the command's name stands in parentheses and may hold anything
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_MS


def _by_threads(pid: int) -> float:
    for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):
            _seen[pid][task.parent.name] = int(task.read_text().split()[0])
    return sum(_seen[pid].values()) / 1e6
