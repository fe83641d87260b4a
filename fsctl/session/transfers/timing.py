"""The timers in FreeSWITCH of one blind transfer: what becomes of its two parties without us.

The transferee waits in our hands, the transferor is parked. As long as nobody else has them each
has a timer that fires behind the wait that is going on (`switch.timers`). The dialplan arms the
first ones, and they may do for the whole transfer.
"""

from __future__ import annotations

from fsctl.esl.commands import Command
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session
from fsctl.switch import timers


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
            claimed_s = 2.0 * self._session.settings.dialplan.claim_timeout_s
            late_s = self._timed_s - after_s
            if claimed_s <= late_s <= after_s * timers.SLACK:
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
        return self._session.settings.transfer.rescue_after_s + waits_s

    def _send_on(self, after_s: float) -> list[Command]:
        leg = self._transferee
        return timers.send_on(leg.channel_uuid, after_s - timers.HEAD_START_S) if leg.alive else []

    def _release(self, after_s: float) -> list[Command]:
        leg = self._transferor
        return timers.release(leg.channel_uuid, after_s) if leg.alive else []

    def _disarm(self, leg: Leg) -> list[Command]:
        return timers.disarm(leg.channel_uuid) if leg.alive else []
