"""What is measured of a controller, each on the same replay."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.replay.call import Pace
from bench.replay.contestants import Contestant
from bench.switch.cpu import spent_by_threads_ms
from bench.switch.measure import quantile
from tests.live.lab.processes import resident_kb

Figures = dict[str, float]
TOGETHER = 50
"""So many calls at a time keep a controller busy, while each part of a call takes 20 ms."""
RATE = 10.0
BURST = 500
HELD = 2000
MANY_HELD = 5000
IDLE_S = 5.0
WARM_CALLS = 100
_FAILED = "failed"


def saturated(contestant: Contestant, calls: int) -> Figures:
    """As many calls as it bears: what one costs it, and how many it does in a second."""
    made = contestant.switch.make(calls, Pace())
    before_ms, own_s = spent_by_threads_ms(*contestant.workers), time.thread_time()
    outcome = contestant.switch.in_flight(made, TOGETHER)
    own_s = time.thread_time() - own_s
    spent_ms = spent_by_threads_ms(*contestant.workers) - before_ms
    done = calls - outcome.failed.total()
    return {
        "CPU ms a call": spent_ms / calls,
        "calls/s of a whole core": 1000 * calls / spent_ms,
        "calls/s": done / outcome.took_s,
        "its core used %": spent_ms / outcome.took_s / 10,
        "replay CPU ms a call": 1000 * own_s / calls,
        "commands a call": sum(call.commands for call in made) / calls,
        "command bytes a call": sum(call.command_bytes for call in made) / calls,
        _FAILED: _say(contestant, outcome.failed),
    }


def latency(contestant: Contestant, calls: int) -> Figures:
    """A few calls a second: how long FreeSWITCH waits for the first word, for the dial string."""
    outcome = contestant.switch.at_rate(contestant.switch.make(calls, Pace()), RATE)
    connects, redials = outcome.connects_ms(), outcome.redials_ms()
    return {
        "accept to connect p50 ms": quantile(connects, 0.5),
        "accept to connect p99 ms": quantile(connects, 0.99),
        "re-entry to dial p50 ms": quantile(redials, 0.5) if redials else 0.0,
        "re-entry to dial p99 ms": quantile(redials, 0.99) if redials else 0.0,
        _FAILED: _say(contestant, outcome.failed),
    }


def burst(contestant: Contestant, calls: int) -> Figures:
    """Many calls in one moment."""
    before_ms = spent_by_threads_ms(*contestant.workers)
    outcome = contestant.switch.all_at_once(contestant.switch.make(BURST, Pace()))
    spent_ms = spent_by_threads_ms(*contestant.workers) - before_ms
    return {
        "500 at once, s until all are done": outcome.took_s,
        "500 at once, CPU s": spent_ms / 1000,
        _FAILED: _say(contestant, outcome.failed),
    }


def memory(contestant: Contestant, calls: int) -> Figures:
    """What a call keeps in memory while nothing happens in it, before a transfer and after one.

    The controller is started anew: what it has freed before would hide it.
    """
    contestant.end()
    contestant.start()
    saturated(contestant, WARM_CALLS)
    switch = contestant.switch
    found: Figures = {}
    before = _resident(contestant)
    states = ["talking", "transferred"][-len(switch.recording.snapshots) :]
    held = switch.hold(switch.make(HELD, Pace(holds=frozenset(states))))
    for state in states:
        if state != states[0]:
            switch.go_on(held)
        switch.run_for(1.0)
        found[f"KB a held call, {state}"] = (_resident(contestant) - before) / max(len(held), 1)
    switch.go_on(held)
    found[_FAILED] = float(HELD - len(held) + sum(bool(call.problem) for call in held))
    return found


def idle(contestant: Contestant, calls: int) -> Figures:
    """Nothing happens."""
    contestant.switch.run_for(1.0)
    before_ms, wakes = spent_by_threads_ms(*contestant.workers), _wakes(contestant)
    contestant.switch.run_for(IDLE_S)
    spent_ms = spent_by_threads_ms(*contestant.workers) - before_ms
    return {
        "idle CPU %": spent_ms / IDLE_S / 10,
        "idle wakeups a second": (_wakes(contestant) - wakes) / IDLE_S,
    }


def held(contestant: Contestant, calls: int) -> Figures:
    """Whether a call costs more when thousands are there already."""
    switch = contestant.switch
    state = ("transferred", "talking")[len(switch.recording.snapshots) - 1]
    alone = saturated(contestant, calls)["CPU ms a call"]
    kept = switch.hold(switch.make(MANY_HELD, Pace(holds=frozenset((state,)))))
    beside = saturated(contestant, calls)["CPU ms a call"]
    switch.go_on(kept)
    return {
        "CPU ms a call, none held": alone,
        f"CPU ms a call, {MANY_HELD} held": beside,
        _FAILED: float(MANY_HELD - len(kept)),
    }


MEASURES: Mapping[str, Callable[[Contestant, int], Figures]] = {
    "saturated": saturated,
    "latency": latency,
    "burst": burst,
    "idle": idle,
    "memory": memory,
    "held": held,
}


def _say(contestant: Contestant, failed: Counter[str]) -> float:
    for problem, number in failed.most_common(3):
        print(f"{contestant.name}: {number} calls failed {problem}", flush=True)
    return float(failed.total())


def _resident(contestant: Contestant) -> float:
    return float(sum(map(resident_kb, contestant.workers)))


def _wakes(contestant: Contestant) -> int:
    """How often its threads have been woken."""
    total = 0
    for pid in contestant.workers:
        for task in Path(f"/proc/{pid}/task").glob("*/status"):
            text = task.read_text()
            total += int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return total
