"""The simulated world for thousands of stories: what does not differ is made once."""

from __future__ import annotations

import atexit
import tempfile
from functools import cache
from pathlib import Path

import gevent

from fsctl import dialplan
from tests.stories.relay import Relay
from tests.stories.simulated import SimulatedWorld

DRAINING_S = 2.0


class _KeptRelay(Relay):
    """One for all stories: the address is a part of what is rendered."""

    def close(self) -> None:
        self.cut()


@cache
def _relay() -> Relay:
    return _KeptRelay()


_RENDERED: dict[str, Path] = {}


class QuickWorld(SimulatedWorld):
    """One relay and one rendered dialplan for all stories."""

    def _make_relay(self) -> Relay:
        return _relay()

    def _rendered(self) -> Path:
        key = repr(self._settings)
        if key not in _RENDERED:
            folder = tempfile.TemporaryDirectory()
            atexit.register(folder.cleanup)
            _RENDERED[key] = Path(folder.name)
            dialplan.render(self._settings, _RENDERED[key])
        return _RENDERED[key]

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
