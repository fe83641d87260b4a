"""The blind transfers of one session: which of them concerns whom."""

from __future__ import annotations

from collections.abc import Iterator

from fsctl.session.core.leg import Leg, LegState
from fsctl.session.core.session import Part, Session
from fsctl.session.transfers.blind import BlindTransfer
from fsctl.session.transfers.kept import KeptTransfer
from fsctl.session.transfers.kept_registry import KeptTransfers
from fsctl.session.transfers.reporter import of_last_refer
from fsctl.switch.refer_variables import RawRequest


class BlindTransfers(Part):
    """All that were ever asked for, in their order."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        session.movers = self
        self._all: list[BlindTransfer] = []

    def broken(self) -> None:
        """What nobody has decided on has failed."""
        for transfer in self:
            transfer.broken()

    def hand_over(self) -> None:
        """FreeSWITCH goes on with them."""
        for transfer in self.open:
            transfer.hand_over()

    def __iter__(self) -> Iterator[BlindTransfer]:
        return iter(tuple(self._all))

    def begin(
        self,
        transferor: Leg,
        transferee: Leg,
        request: RawRequest,
        timed_s: float | None = None,
    ) -> BlindTransfer:
        """Another one has been asked for; see `BlindTransfer`."""
        made = BlindTransfer(self.session, transferor, transferee, request, timed_s)
        self._all.append(made)
        return made

    def abandon(self, transferor: Leg, transferee: Leg) -> None:
        """The transferee hung up between the REFER and its coming home: tell and release the
        other."""
        reporter = of_last_refer(self.session.link, transferor.channel_uuid)
        event = reporter.event
        if event is not None and self.knows(transferor, event):
            return
        if reporter.has_told(self.session.link):
            return  # another worker had the transfer, and has reported it
        if event is None:
            transferor.advance(LegState.DISCONNECTED)
        uuids = transferee.channel_uuid, transferor.channel_uuid
        request = RawRequest(*uuids, None, None, event, "")
        self.begin(transferor, transferee, request).hung_up(transferee)

    def bridged(self, pair: set[Leg]) -> None:
        """These two have been bridged."""
        for transfer in self.open:
            transfer.bridged(pair)

    @property
    def open(self) -> list[BlindTransfer]:
        """Those in which something is still owed to somebody."""
        return [transfer for transfer in self._all if transfer.is_open]

    @property
    def is_any_open(self) -> bool:
        """Something is still owed to somebody in one of them, of any kind."""
        return bool(self.open or self.session.part(KeptTransfers).open)

    def by(self, transferor: Leg) -> BlindTransfer:
        """The one that ``transferor`` asked for last. Raises ValueError when there is none."""
        for transfer in reversed(self._all):
            if transfer.transferor is transferor:
                return transfer
        raise ValueError(f"{transferor} has asked for no transfer")

    def party(self, call: Leg) -> bool:
        """Whether ``call`` is transferor or transferee in an open one, of any kind."""
        if self.session.part(KeptTransfers).keeps(call):
            return True
        return any(call in (each.transferor, each.transferee) for each in self.open)

    def moving(self, call: Leg) -> BlindTransfer | KeptTransfer | None:
        """The open one, of any kind, in which ``call`` is the transferee."""
        moved = (each for each in self.open if each.transferee is call)
        return next(moved, None) or self.session.part(KeptTransfers).moving(call)

    def awaiting_target(self, call: Leg) -> BlindTransfer | None:
        """The one in which ``call`` waits for a target that is not joined with it yet."""
        waiting = (each for each in self._all if each.transferee is call and each.awaits_target)
        return next(waiting, None)

    def awaiting_call(self) -> BlindTransfer | None:
        """The one whose targets are the calls that the scenario makes now."""
        return next((each for each in reversed(self._all) if each.awaits_call), None)

    def wanting(self, target: Leg) -> BlindTransfer | None:
        """The one in which ``target`` is being called, or held, for the transferee."""
        waiting = (each for each in self._all if each.awaits_target and target in each.targets)
        return next(waiting, None)

    def knows(self, transferor: Leg, event: str | None) -> bool:
        """True when this very REFER (``Event: refer;id=N``) has its transfer already.

        One whose sender was gone when it came home does not know which it is: its last, that is.
        """
        return any(
            transfer.transferor is transferor and transfer.request.event in (event, None)
            for transfer in self._all
        )
