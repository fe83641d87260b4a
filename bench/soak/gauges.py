"""Figures of the processes: descriptors, memory, sessions, links, greenlets; and what has grown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.live.lab import Controller, Switch
from tests.live.lab.fsctl_process import State
from tests.live.lab.processes import open_fds, resident_kb

FSCTL_GROWTH_KB = 6 * 1024
SWITCH_GROWTH_KB = 24 * 1024
"""What may be added between the first third and the end, by a process that lived through it."""
SWITCH_FDS = 8
"""FreeSWITCH opens handles of its databases when it first needs so many at once, and keeps them."""
SPARE_GREENLETS = 1
"""The state may be asked while the kept link to the switch is being answered."""
HEADING = f"{'at s':>6} {'process':10} {'pid':>7} {'fds':>4} {'MB':>6}  sessions links greenlets"


@dataclass(frozen=True, slots=True)
class Reading:
    """One process at one time."""

    at_s: float
    name: str
    pid: int
    fds: int
    resident_kb: int
    state: State

    def row(self) -> str:
        """A line of the table."""
        memory, told = self.resident_kb / 1024, self.state
        figures = f"{self.at_s:6.0f} {self.name:10} {self.pid:7} {self.fds:4} {memory:6.1f}"
        state = f"  {told.sessions:8} {told.links:5} {told.greenlets:9}"
        return figures + (state if self.name == "worker" else "")


def read(at_s: float, switch: Switch, controller: Controller) -> list[Reading]:
    """One of each process."""
    workers = controller.states()
    named = [("freeswitch", switch.pid), ("supervisor", controller.pid)]
    named += [("worker", pid) for pid in workers]
    return [
        Reading(at_s, name, pid, open_fds(pid), resident_kb(pid), workers.get(pid, State()))
        for name, pid in named
    ]


def above(idle: Sequence[Reading], now: Sequence[Reading]) -> list[str]:
    """Whose figures are not back at those of the idle warm state."""
    found = []
    for each in now:
        warm = [reading for reading in idle if reading.name == each.name]
        fds = max(reading.fds for reading in warm)
        fds += SWITCH_FDS if each.name == "freeswitch" else 0
        greenlets = max(reading.state.greenlets for reading in warm) + SPARE_GREENLETS
        who, told = f"{each.name} {each.pid}", each.state
        if each.fds > fds:
            found.append(f"{who}: {each.fds} descriptors, idle {fds}")
        if told.sessions or told.links:
            found.append(f"{who}: {told.sessions} sessions, {told.links} links")
        if told.greenlets > greenlets:
            found.append(f"{who}: {told.greenlets} greenlets, idle {greenlets}")
    return found


def grown(readings: Sequence[Reading], last: Sequence[Reading], third_s: float) -> list[str]:
    """Whose memory has grown beyond its allowance since the first third."""
    found = []
    for each in last:
        early = [r for r in readings if r.pid == each.pid and third_s <= r.at_s < each.at_s]
        if not early:
            continue
        allowed = SWITCH_GROWTH_KB if each.name == "freeswitch" else FSCTL_GROWTH_KB
        more = each.resident_kb - early[0].resident_kb
        text = f"{each.name} {each.pid}: {more:+} KiB since {early[0].at_s:.0f} s"
        print(f"{text} (allowed {allowed})")
        found += [text] if more > allowed else []
    return found
