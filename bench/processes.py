"""Processes of the benchmarks: which cores they use, whether they listen."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

_LISTEN = "0A"


def listens(port: int) -> bool:
    """Whether somebody does, without a connection that would be taken for a call."""
    rows = (row.split() for row in Path("/proc/net/tcp").read_text().splitlines())
    return any(row[1].endswith(f":{port:04X}") and row[3] == _LISTEN for row in rows)


def pin(pids: Iterable[int], cores: Sequence[int]) -> None:
    """All threads of these processes run on these cores only."""
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                os.sched_setaffinity(int(task.name), cores)
