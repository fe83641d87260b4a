"""Workers and supervisor run in real time where they may: FreeSWITCH leaves others the rest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.service.test_desk_process import WithDesk

ORDINARY, ROUND_ROBIN = os.SCHED_OTHER, os.SCHED_RR


def may() -> bool:
    """Whether this process may, in a child of its own."""
    return run("print(realtime.begin())").splitlines()[-1:] == ["True"]


def run(body: str) -> str:
    """What ``body`` prints in a process of its own."""
    lines = [
        "import logging, os, subprocess, sys, threading, gevent",
        "from fsctl.service import realtime",
        "logging.basicConfig(level='INFO', stream=sys.stdout, format='%(levelname)s %(message)s')",
        "now = lambda: os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK",
        body,
    ]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


needs_right = pytest.mark.skipif(not may(), reason="needs the right to run in real time")


@needs_right
def test_what_it_starts_is_of_ordinary_priority() -> None:
    told = run(
        """
realtime.begin()
print(now(), os.sched_getparam(0).sched_priority)
thread = threading.Thread(target=lambda: print(now()))
thread.start()
thread.join()
subprocess.run([sys.executable, "-c", "import os; print(os.sched_getscheduler(0))"])
"""
    )
    assert told.split() == [str(ROUND_ROBIN), "1", str(ORDINARY), str(ORDINARY)]


@needs_right
def test_who_never_waits_is_of_ordinary_priority_until_it_does() -> None:
    told = run(
        """
realtime.LONGEST_RUN_S = 1
realtime.begin()
while now() != os.SCHED_OTHER:
    pass
print("others work")
gevent.sleep(0.01)
print(now())
"""
    )
    others, warned, after = told.splitlines()
    assert others == "others work" and after == str(ROUND_ROBIN)
    assert warned.startswith("WARNING the loop stood still for 1 s")


def test_who_may_not_says_so_and_goes_on() -> None:
    told = run(
        """
import resource
resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
print(realtime.begin(), now())
"""
    )
    said, result = told.splitlines()
    assert said.startswith("INFO not in real time")
    assert result == f"False {ORDINARY}"


@needs_right
@pytest.mark.parametrize("wanted", [True, False])
def test_workers_and_supervisor_are_and_the_desk_is_not(tmp_path: Path, wanted: bool) -> None:
    served = WithDesk(tmp_path, workers=2)
    served.environment["FSCTL_SERVER_REALTIME"] = str(wanted).lower()
    served.start()
    try:
        assert served.port
        pids = [served.process.pid, *(served.started(number)[0] for number in (1, 2))]
        served.wait_log(r"the desk \(pid \d+\) starts")
        policies = [os.sched_getscheduler(pid) & 3 for pid in (*pids, served.desk())]
        assert policies == [*[ROUND_ROBIN if wanted else ORDINARY] * 3, ORDINARY]
    finally:
        served.finish()
