"""When all is quiet: told by turns of the hub, for switch and controller share one process.

What one side has sent the other can read in the next turn, however slow the machine is: seconds of
real time would say nothing on a busy one. Names are resolved by threads (an address is one, too),
which are waited for.
"""

from __future__ import annotations

from collections.abc import Callable

import gevent

TURNS = 10
_THREADS_S = 0.001


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
