"""How much a contestant bears, and what becomes of calls beyond that."""

from __future__ import annotations

import math
import os
from contextlib import suppress

from bench.switch.contestants import Alone
from bench.switch.measure import Slot, play
from bench.switch.phones import Script

DURATION_S = 10.0
FIRST_RATE = 8.0
CLOSE = 1.2
_HIGHEST = 500.0


def in_real_time() -> None:
    """Who plays the phones runs so, as FreeSWITCH does: else it would be late."""
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(2))


def search(contestant: Alone) -> float:
    """The highest rate at which no call fails, to the nearest fifth; 0: none.

    A rate is tried twice before it counts as too high: once may be somebody else's doing.
    """
    best, rate = 0.0, FIRST_RATE
    while rate < _HIGHEST and _bears(contestant, rate):
        best, rate = rate, rate * 2
    low = best or 1.0
    while rate / low > CLOSE:
        between = math.sqrt(low * rate)
        if _bears(contestant, between):
            best = low = between
        else:
            rate = between
    return best


def _bears(contestant: Alone, rate: float) -> bool:
    return any(not at(contestant, rate).played.failures for _ in range(2))


def at(contestant: Alone, rate: float) -> Slot:
    """Calls at that rate for some time, and then nothing until all legs are gone."""
    slot = play(contestant, int(rate * DURATION_S), rate, Script())
    contestant.switch.esl("hupall")  # what is left where phones have given up
    contestant.switch.wait_no_channels(60.0)
    return slot


def overload(contestant: Alone, rate: float) -> Slot:
    """What becomes of calls at more than it bears."""
    return at(contestant, rate)
