"""A party has asked by the code of ``[keys] blind`` for a transfer (`kept`): how it is told.

It talks on until the target answers, and is let go then: that is its success. Of a failure it hears
a tone. A loopback has brought the question to us, and ends with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fsctl.esl.commands import Command, Filter, UuidBroadcast, UuidKill, UuidSetvar
from fsctl.esl.events import Event
from fsctl.policy.judge import Asking
from fsctl.session.calling.diverted import diversion
from fsctl.session.calling.plan import CallOptions
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session
from fsctl.session.transfers.kept import KeptTransfer
from fsctl.session.transfers.kept_acts import KeptRequest
from fsctl.session.transfers.kept_registry import KeptTransfers
from fsctl.session.transfers.record import Start
from fsctl.session.transfers.reporter import NothingOwed
from fsctl.sip.status import SipStatus
from fsctl.switch.marks import Mark
from fsctl.switch.variables import read

TAKEN = "taken"
"""What the loopback says as soon as a controller serves it: no other one is asked then."""


@dataclass(frozen=True, slots=True)
class Pressed:
    """A code, and a number."""

    transferor: Leg
    transferee: Leg
    number: str
    """Empty: it was not asked for one, for it is outside."""
    loopback: str
    """The channel that has brought us the news, and its link."""


class ByKeys(NothingOwed):
    """Tells one party that has pressed keys: one that talks on has its answer."""

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
        """See `reporter.Reporting`."""
        ends: list[Command] = [UuidKill(self.refer)]
        if status.is_success or not self._transferor.alive:
            return ends
        sound = self._transferor.session.settings.keys.error
        return [UuidBroadcast(self._transferor.channel_uuid, sound), *ends]

    def note(self, event: Event) -> bool:
        """It cannot be taken back."""
        return False


def note_mover(session: Session, asked: Pressed) -> str:
    """Note that the transferor has asked for a transfer of the transferee, as the dialplan does for
    a REFER; return who had, before. Raises LinkError."""
    by, of = asked.transferor.channel_uuid, asked.transferee.channel_uuid
    before = read(session.link, of, Mark.MOVERS) or ""
    if by not in before.split():
        session.link.post(UuidSetvar(of, Mark.MOVERS, f"{before} {by}".strip()))
    return before


def transfer(
    session: Session, asked: Pressed, asking: Asking | None, when_failed: Callable[[], None]
) -> KeptTransfer:
    """Have a transfer begun in which the two talk on. Raises as `KeptTransfers.begin`."""
    pair = asked.transferor, asked.transferee
    asker = ByKeys(asked.transferor, asked.loopback, _carried(session, asked))
    session.link.send(Filter("Unique-ID", asked.loopback))
    request = KeptRequest(
        asked.transferee,
        asked.transferor,
        asked.number,
        asker,
        options=CallOptions(headers=dict(session.settings.transfer.headers)),
        asking=asking,
        diversion=diversion(session, *pair, asking, ""),
        when_failed=when_failed,
    )
    return session.part(KeptTransfers).begin(request)


def _carried(session: Session, asked: Pressed) -> dict[str, str]:
    """Where numbers are called whose routes do not say so: where whoever has pressed calls."""
    own = read(session.link, asked.transferor.channel_uuid, Mark.OWN_CONTEXT)
    return {Mark.TARGET_CONTEXT: own} if own else {}
