"""One slot of the run: so many calls to one contestant, and what they have cost whom."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import median

from bench.switch import cpu
from bench.switch.contestants import SWITCH, Alone
from bench.switch.phones import Played, Script

SETTLE_S = 1.0
"""After the last call's end: legs are destroyed, records written."""

HELD_RATE = 10.0
REST_S = 5.0
"""So long after a call's beginning nothing more follows from that."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Some calls. ``spent_ms``: by kind of process, over ``took_s``."""

    played: Played
    took_s: float
    spent_ms: Mapping[str, float]


@dataclass(slots=True)
class Figures:
    """All slots of one contestant with one script, and what its processes cost while idle."""

    slots: list[Slot] = field(default_factory=list)
    idle_ms_a_s: dict[str, float] = field(default_factory=dict)

    def cpu_ms(self, kind: str) -> list[float]:
        """What a call costs that kind of process, idle time taken off; one for each slot."""
        idle = self.idle_ms_a_s.get(kind, 0.0)
        return [(s.spent_ms[kind] - idle * s.took_s) / s.played.calls for s in self.slots]

    def phones_ms(self) -> float:
        """What a call costs the phones."""
        return median(slot.played.cpu_ms / slot.played.calls for slot in self.slots)

    def latencies_ms(self) -> dict[str, list[float]]:
        """Those of all slots together, sorted."""
        found: dict[str, list[float]] = {}
        for slot in self.slots:
            for name, values in slot.played.latencies_ms.items():
                found.setdefault(name, []).extend(values)
        return {name: sorted(values) for name, values in found.items()}


def quantile(ordered: Sequence[float], part: float) -> float:
    """The value below which that part of them lies."""
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)]


def readings(contestant: Alone) -> dict[str, float]:
    """Processor time by kind of process, until now."""
    return {
        kind: (cpu.spent_ms if kind == SWITCH else cpu.spent_by_threads_ms)(*pids)
        for kind, pids in contestant.processes().items()
    }


def play(contestant: Alone, calls: int, rate: float, script: Script) -> Slot:
    """Calls at that rate, until all are over and gone."""
    before, begin_s = readings(contestant), time.monotonic()
    played = contestant.switch.phones.play(calls, rate, script)
    time.sleep(SETTLE_S)
    took_s, after = time.monotonic() - begin_s, readings(contestant)
    return Slot(played, took_s, {kind: after[kind] - before[kind] for kind in before})


def held(contestant: Alone, calls: int, duration_s: float) -> dict[str, float]:
    """What each of so many calls costs in a second in which its two just talk, in ms by kind."""
    begun_s = calls / HELD_RATE + REST_S
    calm = idle([contestant], duration_s / 2)[0]
    script = Script(transfer=False, talk_s=begun_s + duration_s + REST_S)
    play_all = partial(contestant.switch.phones.play, calls, HELD_RATE, script)
    playing = threading.Thread(target=play_all)
    playing.start()
    time.sleep(begun_s)
    spent = idle([contestant], duration_s)[0]
    playing.join()
    time.sleep(SETTLE_S)
    return {kind: (spent[kind] - calm[kind]) / calls for kind in spent}


def idle(contestants: Sequence[Alone], duration_s: float) -> list[dict[str, float]]:
    """What the processes of each cost in a second in which nothing happens, in ms by kind."""
    before, begin_s = [readings(each) for each in contestants], time.monotonic()
    time.sleep(duration_s)
    took_s = time.monotonic() - begin_s
    after = [readings(each) for each in contestants]
    return [
        {kind: (now[kind] - then[kind]) / took_s for kind in then}
        for then, now in zip(before, after, strict=True)
    ]
