"""The simulated world for thousands of stories: its rest is told by turns of the hub alone."""

from __future__ import annotations

import atexit
import tempfile
from functools import cache
from pathlib import Path

import gevent

from fsctl import dialplan
from tests.stories.relay import Relay
from tests.stories.simulated import QUIET_S, SimulatedWorld

IDLE_TURNS = 10
DRAINING_S = 2.0


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


class _KeptRelay(Relay):
    """One for all stories: the address is a part of what is rendered."""

    def close(self) -> None:
        self.cut()


@cache
def _relay() -> Relay:
    return _KeptRelay()


_RENDERED: dict[str, Path] = {}


class QuickWorld(SimulatedWorld):
    """At rest when nothing has been said for so many turns of the hub.

    Both sides are in this process, and what one has sent the other can read at once.
    """

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

    def _settle(self) -> None:
        threads, idle = gevent.get_hub().threadpool, 0
        before = self._said()
        while idle < IDLE_TURNS:
            if len(threads):
                gevent.sleep(QUIET_S)
                idle = 0
            turn()
            said = self._said()
            idle = idle + 1 if said == before else 0
            before = said

    def _said(self) -> tuple[int, int]:
        return self._relay.passed, self.switch.activity
