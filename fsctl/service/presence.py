"""The signs of life on every FreeSWITCH that is configured."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import gevent

from fsctl.service.living import SignsOfLife
from fsctl.session.core.clock import Clock
from fsctl.settings import Settings

_WAIT_S = 2.0
"""How long we wait for the slowest; one that hangs is told when it goes on, if ever."""


class Presence:
    """Signs of life on each switch by a link and a timer of its own: none delays the others."""

    def __init__(
        self,
        settings: Settings,
        addresses: Callable[[], Iterable[str]],
        clock: Clock | None = None,
    ) -> None:
        self._signs = [
            SignsOfLife(settings, switch, addresses, clock) for switch in settings.switches
        ]

    def start(self) -> None:
        """Begin; returns when each has got the first signs, or is not there."""
        self._each(SignsOfLife.start)

    def stop(self) -> None:
        """Take the signs back and end."""
        gevent.killall(self._each(SignsOfLife.stop))

    def disarm(self) -> None:
        """See `SignsOfLife.disarm`."""
        self._each(SignsOfLife.disarm)

    def show(self) -> None:
        """Give the signs of those that serve now, everywhere."""
        self._each(SignsOfLife.show)

    def _each(self, act: Callable[[SignsOfLife], None]) -> list[gevent.Greenlet[..., None]]:
        """Do it on all switches at once; return what has not come to its end."""
        acting = [gevent.spawn(act, signs) for signs in self._signs]
        gevent.joinall(acting, timeout=_WAIT_S)
        return [each for each in acting if not each.dead]
