"""When all is quiet: told by turns of the hub, for switch and controller share one process.

What one side has sent the other can read in the next turn, however slow the machine is: seconds of
real time would say nothing on a busy one. Names are resolved by threads (an address is one, too),
which are waited for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import gevent

TURNS = 10
_THREADS_S = 0.001


@dataclass(slots=True)
class Activity:
    """What has happened in a switch, counted; ``SimulatedSwitch`` does so."""

    seen: int = 0
    """Whatever happens, on a link or a channel."""
    said: int = 0
    """What is said on a link, by either side."""
    _still_after: int = -1
    """``said`` when a controller was last found to be silent."""

    def is_still(self, condition: Callable[[], object], quiet_s: float) -> bool:
        """Before a leap in time: whether a controller that takes its time stays silent too.

        Who has been silent for so long, and has heard nothing since, is not waited for again.
        """
        if self.said == self._still_after:
            return True
        before = self.seen
        for _ in range(10):
            gevent.sleep(quiet_s)
            if self.seen != before or condition():
                return False
        self._still_after = self.said
        return True


def turn() -> None:
    """Let the hub look for what can be read, once, and let whoever waits for it go on."""
    hub = gevent.get_hub()
    hurry, looked = hub.loop.idle(), hub.loop.check()
    hurry.start(lambda: None)
    try:
        hub.wait(looked)
    finally:
        for watcher in (hurry, looked):
            watcher.stop()
            watcher.close()


def until_quiet(said: Callable[[], object], turns: int = TURNS) -> None:
    """Return when ``said()`` has stayed the same for so many turns, and no thread of the hub works.

    ``said`` counts, in whatever way, what has been said.
    """
    threads, idle = gevent.get_hub().threadpool, 0
    before = said()
    while idle < turns:
        if len(threads):
            gevent.sleep(_THREADS_S)
            idle = 0
        turn()
        now = said()
        idle = idle + 1 if now == before else 0
        before = now
