"""The simulated world for stories in which a controller may end at any moment."""

from __future__ import annotations

import gevent

from tests.stories.simulated import SimulatedWorld

DRAINING_S = 2.0


class QuickWorld(SimulatedWorld):
    """Its clock goes on while a controller drains."""

    def terminate(self) -> None:
        self._relay.refuse()
        self._stop_worker()
        end_s = self._clock.now_s + DRAINING_S
        self._settle()
        while not all(each.dead for each in self._stopping) and self._clock.now_s < end_s:
            self._clock.fire_next()  # what the switch says comes late
            self._settle()
        gevent.joinall(self._stopping, raise_error=True)
        self._relay.cut()
