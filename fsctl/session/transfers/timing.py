"""The timers in FreeSWITCH of one blind transfer: what becomes of its two parties without us.

The transferee waits in our hands, the transferor is parked. As long as nobody else has them each
has a timer that fires behind the wait that is going on (`switch.timers`). The dialplan arms the
first ones, and they may do for the whole transfer.
"""

from __future__ import annotations

import math
import time

from fsctl.esl.commands import Command
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session
from fsctl.switch import timers

_MOMENT_S = 1.0
"""So long FreeSWITCH may take to answer and to obey."""


class Timing:
    """The timers of transferee and transferor."""

    def __init__(
        self, session: Session, transferee: Leg, transferor: Leg, timed_s: float | None
    ) -> None:
        """``timed_s``: the dialplan has armed them, to fire after so long."""
        self._session = session
        self._transferee = transferee
        self._transferor = transferor
        self._timed_s = timed_s
        """When those fire that the dialplan has armed. Cleared when they are moved; None: they are
        ours."""
        self._head_start_s = timers.head_start_s(session.settings)
        self._claimed_s = timers.claimed_s(session.settings)
        self._fires_after((timed_s or 0.0) - self._head_start_s - self._claimed_s)

    @property
    def about_to_fire(self) -> bool:
        """Whether that of the transferee may be, or has."""
        return time.monotonic() > self._soonest - _MOMENT_S

    @property
    def of_dialplan(self) -> bool:
        """They are still as the dialplan has armed them."""
        return self._timed_s is not None

    def wait(self, waits_s: float) -> list[Command]:
        """Return what moves both behind a wait of so many seconds."""
        self._timed_s = None
        after_s = self._after_s(waits_s)
        return [*self._send_on(after_s), *self._release(after_s)]

    def ring(self, rings_s: float) -> list[Command]:
        """As that; those of the dialplan stay where they are hardly later."""
        if self._timed_s is not None:
            after_s = self._after_s(rings_s)
            # Some seconds have passed since they were armed: the time to claim, which they include.
            late_s = self._timed_s - after_s
            if self._claimed_s <= late_s <= after_s * timers.SLACK:
                return []
        return self.wait(rings_s)

    def park(self, waits_s: float) -> list[Command]:
        """Return what moves that of the transferor; the transferee is somebody else's."""
        self._timed_s = None
        return [*self._disarm(self._transferee), *self._release(self._after_s(waits_s))]

    def hold(self, waits_s: float) -> list[Command]:
        """As that, where the transferee has none any more."""
        return self._release(self._after_s(waits_s))

    def end(self) -> list[Command]:
        """Return what deletes both."""
        return [*self._disarm(self._transferee), *self._disarm(self._transferor)]

    def _after_s(self, waits_s: float) -> float:
        return timers.released_s(self._session.settings, waits_s)

    def _fires_after(self, after_s: float) -> None:
        self._soonest = time.monotonic() + after_s
        """When the transferee's timer fires, at the soonest."""

    def _send_on(self, after_s: float) -> list[Command]:
        leg, sooner_s = self._transferee, after_s - self._head_start_s
        self._fires_after(sooner_s)
        return timers.send_on(leg.channel_uuid, sooner_s) if leg.alive else []

    def _release(self, after_s: float) -> list[Command]:
        leg = self._transferor
        return timers.release(leg.channel_uuid, after_s) if leg.alive else []

    def _disarm(self, leg: Leg) -> list[Command]:
        if leg is self._transferee:
            self._fires_after(math.inf)
        return timers.disarm(leg.channel_uuid) if leg.alive else []
