"""Runs the soak: warm-up, conversations and faults for some minutes, and the reckoning."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

from bench.soak import gauges
from bench.soak.conversations import MODES, RING_TIMEOUT_S
from bench.soak.faults import HANG_TIMEOUT_S, WORKERS, Faults
from bench.soak.judge import Judge
from tests.live.lab import Controllers, NotInTime, Switch, wait_for
from tests.live.lab.fsctl_process import REPOSITORY, Section, Sections

WARM_ROUNDS = 2
GRACE_S = 60.0
SAMPLE = REPOSITORY / "examples" / "call_user_transfer.py"


def settings(switch: Switch) -> Sections:
    """The first digit of a number says who transfers: the settings, FreeSWITCH, a scenario."""
    route: Section = {"kind": "user", "domain": switch.domain, "ring_timeout_s": RING_TIMEOUT_S}
    own: dict[str, Section] = {
        "in-session": {},
        "legacy": {"transfer_mode": "legacy"},
        "call_user": {"scenario": str(SAMPLE)},
    }
    routes: list[Section] = [
        {"name": mode, "match": f"{MODES[mode]}[0-9]{{3}}", **route, **keys}
        for mode, keys in own.items()
    ]
    server: Section = {"workers": WORKERS, "hang_timeout_s": HANG_TIMEOUT_S, "log_level": "debug"}
    return {"server": server, "route": routes}


class Soak:
    """One run."""

    def __init__(self, switch: Switch, made: Controllers, arguments: argparse.Namespace) -> None:
        self.switch, self._arguments = switch, arguments
        self._chance = random.Random(arguments.seed)
        first = made(settings(switch))
        again = partial(made, settings(switch), install=False, port=first.port)
        self.faults = Faults(first, again)
        self.judge = Judge(switch, self.faults, Path(tempfile.mkdtemp(prefix="fsctl-soak-")))
        self.readings: list[gauges.Reading] = []
        self._begun_s = time.monotonic()

    def run(self) -> list[str]:
        """All of it; what was wrong at its end."""
        self._play(WARM_ROUNDS)
        self._begun_s = time.monotonic()
        idle = self._read_idle([])
        self._play(0)
        last = self._read_idle(idle)
        third_s = self._arguments.minutes * 60 / 3
        found = gauges.above(idle, last) + gauges.grown(self.readings, last, third_s)
        if self.switch.channels():
            found.append(f"legs are left:\n{self.switch.describe_channels()}")
        return found

    def _play(self, rounds: int) -> None:
        """All slots at once: so many rounds each, or, with faults, until the time is over."""
        seeds = [random.Random(self._chance.random()) for _ in range(self._arguments.pairs)]
        slots = [
            threading.Thread(target=self.judge.play, args=(slot, seed, rounds), daemon=True)
            for slot, seed in enumerate(seeds)
        ]
        for slot in slots:
            slot.start()
        if not rounds:
            self._disturb(self._arguments.minutes * 60)
            self.judge.stopped.set()
        for slot in slots:
            slot.join()

    def _disturb(self, duration_s: float) -> None:
        end_s = self._begun_s + duration_s
        every_s = min(60.0, duration_s / 6)
        read_s = self._begun_s + every_s
        pause_s = self._arguments.pause
        fault_s = self._begun_s + 10 if pause_s else end_s
        while (now_s := time.monotonic()) < end_s:
            if now_s >= read_s:
                read_s += every_s
                self._read()
            if now_s >= fault_s:
                print(f"{now_s - self._begun_s:6.0f} fault: {self.faults.any(self._chance)}")
                fault_s = time.monotonic() + self._chance.uniform(pause_s, 3 * pause_s)
            time.sleep(0.2)

    def _read(self) -> list[gauges.Reading]:
        now = gauges.read(time.monotonic() - self._begun_s, self.switch, self.faults.controller)
        self.readings += now
        played, legs = sum(self.judge.verdicts.values()), len(self.switch.channels())
        print(f"{now[0].at_s:6.0f} {played} conversations, {legs} legs")
        print("\n".join(reading.row() for reading in now), flush=True)
        return now

    def _read_idle(self, idle: list[gauges.Reading]) -> list[gauges.Reading]:
        """The figures when all is over, after a grace time where they need it."""

        def is_idle() -> bool:
            now = gauges.read(0, self.switch, self.faults.controller)
            return not self.switch.channels() and not gauges.above(idle or now, now)

        try:
            wait_for(is_idle, GRACE_S, poll_s=1.0)
        except NotInTime:
            print("not idle after the grace time")
        return self._read()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=4, help="conversations at the same time")
    parser.add_argument(
        "--pause", type=float, default=20, help="seconds between faults, up to thrice; 0: no faults"
    )
    return parser.parse_args()


def main() -> int:
    """1 when anything was violated or has grown."""
    arguments = _arguments()
    switch = Switch()
    made = Controllers(switch)
    try:
        switch.start()
        soak = Soak(switch, made, arguments)
        print(f"seed {arguments.seed}; violations are kept in {soak.judge.folder}")
        print(gauges.HEADING)
        found = soak.run()
        found += filter(None, [made.finish()])
    finally:
        switch.stop()
    for counter in (soak.judge.plots, soak.faults.done, soak.judge.verdicts):
        print("\n".join(f"{count:6} {name}" for name, count in sorted(counter.items())) + "\n")
    print("\n".join(found) or "nothing is left behind, nothing has grown")
    return 1 if found or soak.judge.violations else 0


if __name__ == "__main__":
    sys.exit(main())
