"""What the kernel tells of a process: whether it lives, its descriptors, its memory."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path


def group(leader: int) -> list[int]:
    """Process ids of a process group that are alive (not zombies)."""
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())
    return [pid for pid in pids if _group_of(pid) == leader]


def open_fds(pid: int) -> int:
    """Open file descriptors; 0 of a process that is gone."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def resident_kb(pid: int) -> int:
    """Resident memory in KiB; 0 of a process that is gone."""
    return int(_status(pid, "VmRSS", r"(\d+) kB") or 0)


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether the process has a handler for this signal, which else might end it."""
    caught = _status(pid, "SigCgt", r"([0-9a-f]+)")
    return bool(int(caught or "0", 16) & 1 << number - 1)


def _status(pid: int, name: str, pattern: str) -> str:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return ""
    found = re.search(rf"^{name}:\s+{pattern}", text, re.MULTILINE)
    return found[1] if found else ""


def _group_of(pid: int) -> int:
    """Process group of a live process; 0 for a zombie or one that is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    # the command's name stands in parentheses and may hold anything
    state, _, leader = stat.rpartition(")")[2].split()[:3]
    return 0 if state in "ZX" else int(leader)
