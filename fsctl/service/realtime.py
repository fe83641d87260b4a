"""Real time for those whom FreeSWITCH waits for: it takes that itself, and others get the rest.

All threads of a FreeSWITCH that may are SCHED_FIFO (switch_core.c, ``set_realtime_priority``). Once
they have enough to do, whatever is of ordinary priority on the same processors stands still, and a
leg that is not claimed in time loses its transfer. So workers and supervisor are SCHED_RR with the
lowest priority there is, as FreeSWITCH's own sessions are: behind its media and its timers. What
they start is of ordinary priority again (SCHED_RESET_ON_FORK), their own other threads included.
"""

from __future__ import annotations

import logging
import os
import resource
import signal
from typing import Any, Final

import gevent

PRIORITY: Final = 1
LONGEST_RUN_S: Final = 2
"""Who runs for so long without a wait is of ordinary priority until it waits (RLIMIT_RTTIME)."""

log = logging.getLogger(__name__)


def begin() -> bool:
    """Run the calling thread, the main one, in real time from now on; false: that is not permitted.

    Permitted are root, CAP_SYS_NICE and RLIMIT_RTPRIO, if the container or unit lets it.
    """
    try:
        signal.signal(signal.SIGXCPU, _runs_on)
        _, hard = resource.getrlimit(resource.RLIMIT_RTTIME)
        microseconds = LONGEST_RUN_S * 1_000_000
        if hard != resource.RLIM_INFINITY:
            microseconds = min(microseconds, hard)
        resource.setrlimit(resource.RLIMIT_RTTIME, (microseconds, hard))
        _set(os.SCHED_RR | os.SCHED_RESET_ON_FORK, PRIORITY)
    except (OSError, ValueError, AttributeError) as error:  # or there is no such thing
        log.info("not in real time, as a FreeSWITCH on this machine may be: %s", error)
        return False
    return True


def _set(policy: int, priority: int) -> None:
    os.sched_setscheduler(0, policy, os.sched_param(priority))


def _runs_on(*_: Any) -> None:
    """The kernel has counted two seconds: let others work, FreeSWITCH among them."""
    _set(os.SCHED_OTHER, 0)
    # In the middle of anything: what is more than that is done when the loop turns again.
    gevent.get_hub().loop.run_callback(_waits_again)


def _waits_again() -> None:
    log.warning("the loop stood still for %d s, and had the processor to itself", LONGEST_RUN_S)
    begin()
