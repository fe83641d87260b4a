"""What is done to fsctl while phones talk: deaths, a hang, a reload; and when each of them was."""

from __future__ import annotations

import math
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable

from tests.live.lab import Controller, wait_for

WORKERS = 2
KILL_ALL = "kill all"
HANG_TIMEOUT_S = 3.0
DEADLINE_S = 20.0
AFTERMATH_S = 2.0
"""A death is one of a conversation that begins so soon after it, too: a worker may be missing."""


class Faults:
    """Does harm to the running controller; ``start_again`` makes one in the same place."""

    def __init__(self, controller: Controller, start_again: Callable[[], Controller]) -> None:
        self.controller, self._start_again = controller, start_again
        self.done: Counter[str] = Counter()
        self._deaths: list[tuple[str, float, float]] = []
        """What it was, from when to when."""
        self._kinds = (
            *(self._kill, self._kill, self._kill, self._kill, self._hang, self._hang),
            *(self._reload, self._reload, self._reload, self._kill_all),
        )

    def any(self, chance: random.Random) -> str:
        """Do one of them, and return when all workers serve again; what it was."""
        fault = chance.choice(self._kinds)
        name, start_s = fault.__name__.strip("_").replace("_", " "), time.monotonic()
        deadly = fault != self._reload
        if deadly:  # known while it lasts
            self._deaths.append((name, start_s, math.inf))
        fault(chance)
        wait_for(self._all_serve, DEADLINE_S, lambda: f"{name}: all workers serve", 0.1)
        if deadly:
            self._deaths[-1] = (name, start_s, time.monotonic() + AFTERMATH_S)
        self.done[name] += 1
        return name

    def deaths_between(self, start_s: float, end_s: float) -> list[str]:
        """The deaths that a conversation may have felt."""
        return [what for what, begin, end in self._deaths if begin < end_s and end > start_s]

    def log_mark(self) -> tuple[object, int]:
        """Where fsctl's log is now, for `log_since`."""
        return self.controller, self.controller.log_size

    def log_since(self, mark: tuple[object, int]) -> str:
        """What fsctl has logged since; of its successor, if it was killed, everything."""
        controller, start = mark
        assert isinstance(controller, Controller)
        later = "" if controller is self.controller else self.controller.log_text()
        return controller.log_text(start) + later

    def _all_serve(self) -> bool:
        return len(self.controller.workers()) >= WORKERS

    def _kill(self, chance: random.Random) -> None:
        os.kill(chance.choice(self.controller.workers()), signal.SIGKILL)

    def _hang(self, chance: random.Random) -> None:
        pid = chance.choice(self.controller.workers())
        os.kill(pid, signal.SIGSTOP)
        wait_for(lambda: pid not in self.controller.processes(), DEADLINE_S, "a hung one is killed")

    def _reload(self, chance: random.Random) -> None:
        start = self.controller.log_size
        os.kill(self.controller.pid, signal.SIGHUP)
        wait_for(
            lambda: "reloaded" in self.controller.log_text(start), DEADLINE_S, "it is reloaded", 0.1
        )

    def _kill_all(self, chance: random.Random) -> None:
        self.controller.kill9()
        self.controller = self._start_again()
