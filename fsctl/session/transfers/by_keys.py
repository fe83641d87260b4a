"""A party has asked by the code of ``[keys] blind`` for a transfer (`kept`): how it is told.

It talks on until the target answers, and is let go then: that is its success. Of a failure it hears
a tone. A loopback has brought the question to us, and ends with it.
"""

from __future__ import annotations

from collections.abc import Mapping

from fsctl.esl.commands import Command, UuidBroadcast, UuidKill
from fsctl.esl.events import Event
from fsctl.session.core.leg import Leg
from fsctl.session.transfers.record import Start
from fsctl.sip.status import SipStatus


class ByKeys:
    """Tells one party that has pressed keys."""

    start: Start = "keys"
    is_transferor = True
    hangs_up = False

    def __init__(self, transferor: Leg, loopback: str, carried: Mapping[str, str]) -> None:
        """``loopback`` is the channel that has come to us."""
        self.refer = loopback
        self.carried = carried
        self._transferor = transferor

    def rings(self) -> list[Command]:
        """Nothing: it talks."""
        return []

    def tell(self, status: SipStatus, why: str) -> list[Command]:
        """See `kept.Reporting`."""
        ends: list[Command] = [UuidKill(self.refer)]
        if status.is_success or not self._transferor.alive:
            return ends
        sound = self._transferor.session.settings.keys.error
        return [UuidBroadcast(self._transferor.channel_uuid, sound), *ends]

    def owe(self, transferee: str, status: SipStatus, after_s: float) -> list[Command]:
        """Nothing: whoever talks on has its answer."""
        return []

    def owe_nothing(self) -> list[Command]:
        """As that."""
        return []

    def has_told(self) -> bool:
        """Nobody else does."""
        return False

    def note(self, event: Event) -> bool:
        """It cannot be taken back."""
        return False
