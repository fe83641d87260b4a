"""How much a contestant bears, and what becomes of calls beyond that."""

from __future__ import annotations

from bench.switch.contestants import Alone
from bench.switch.measure import Slot, play
from bench.switch.phones import Script

DURATION_S = 12.0
FIRST_RATE = 4.0
STEP = 1.25
_HIGHEST = 500.0


def search(contestant: Alone) -> float:
    """The highest rate at which no call fails, to the nearest fifth; 0: not even the first.

    A rate is tried twice before it counts as too high: once may be somebody else's doing.
    """
    rate, best = FIRST_RATE, 0.0
    while rate < _HIGHEST and (_bears(contestant, rate) or _bears(contestant, rate)):
        rate, best = rate * STEP, rate
    return best


def _bears(contestant: Alone, rate: float) -> bool:
    return not at(contestant, rate).played.failures


def at(contestant: Alone, rate: float) -> Slot:
    """Calls at that rate for some time, and then nothing until all legs are gone."""
    slot = play(contestant, int(rate * DURATION_S), rate, Script())
    contestant.switch.esl("hupall")  # what is left where phones have given up
    contestant.switch.wait_no_channels(60.0)
    return slot


def overload(contestant: Alone, rate: float) -> Slot:
    """What becomes of calls at more than it bears."""
    return at(contestant, rate)
