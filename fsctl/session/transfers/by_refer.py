"""A party has asked by a REFER for a transfer in which the first two talk on (`kept`)."""

from __future__ import annotations

from collections.abc import Mapping

from fsctl.esl.commands import Command, UuidSetvar
from fsctl.esl.events import Event
from fsctl.session.core.leg import Leg
from fsctl.session.transfers import devices
from fsctl.session.transfers.record import Start
from fsctl.session.transfers.reporter import Reporter
from fsctl.sip.status import SipStatus
from fsctl.switch.marks import Mark


class ByRefer:
    """Tells the sender of one REFER, by its one NOTIFY."""

    start: Start = "refer"
    is_transferor = hangs_up = True
    carried: Mapping[str, str] = {}

    def __init__(self, transferor: Leg, event: str | None) -> None:
        self.refer = event or ""
        self._transferor = transferor
        self._reporter = Reporter(transferor.channel_uuid, event)

    def rings(self) -> list[Command]:
        """A NOTIFY with 180 would end the subscription (mod_sofia.c)."""
        return []

    def tell(self, status: SipStatus, why: str) -> list[Command]:
        """See `reporter.Reporting`."""
        told = devices.told(self._transferor.session, self._transferor, status)
        return self._reporter.tell(told)

    def owe(self, transferee: str, status: SipStatus, after_s: float) -> list[Command]:
        """See `reporter.Reporting`."""
        return self._reporter.owe_later(transferee, status, after_s)

    def owe_nothing(self) -> list[Command]:
        """See `reporter.Reporting`."""
        return [UuidSetvar(self._reporter.channel, Mark.KEPT)]

    def has_told(self) -> bool:
        """See `reporter.Reporting`."""
        return self._reporter.has_told(self._transferor.session.link)

    def note(self, event: Event) -> bool:
        """A REFER is not taken back."""
        return False
