"""The transfers of one session in which the first two talk on (`kept`)."""

from __future__ import annotations

from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Part, Session
from fsctl.session.transfers.attended_registry import AttendedTransfers
from fsctl.session.transfers.kept import KeptTransfer
from fsctl.session.transfers.kept_acts import KeptRequest


class KeptTransfers(Part):
    """Those of one session."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._all: list[KeptTransfer] = []

    @property
    def open(self) -> list[KeptTransfer]:
        """Those in which something is still owed to somebody."""
        return [each for each in self._all if each.is_open] if self._all else []

    def begin(self, request: KeptRequest) -> KeptTransfer:
        """Begin another one; called in the session's greenlet.

        Raises ValueError when one of the two is in another transfer, LinkError, ChannelGone.
        """
        session = self.session
        pair = [leg for leg in (request.transferee, request.transferor) if leg]
        if not request.parted and (
            any(session.movers.party(leg) for leg in pair)
            or session.board.part(AttendedTransfers).concern(pair)
        ):
            raise ValueError("one of the two is in another transfer")
        made = KeptTransfer(session, request)
        self._all = [*self.open, made]
        made.begin()
        return made

    def moving(self, leg: Leg) -> KeptTransfer | None:
        """The open one in which ``leg`` is the transferee."""
        return next((each for each in self.open if each.transferee is leg), None)

    def keeps(self, leg: Leg) -> bool:
        """Whether ``leg`` is transferor or transferee in an open one."""
        return any(each.keeps(leg) for each in self.open)

    def came_back(self, leg: Leg) -> bool:
        """A leg has come to us, alone; false: that is no affair of any of them."""
        return any(each.came_back(leg) for each in self.open)

    def give_way(self, legs: set[Leg]) -> None:
        """A REFER has parted these two: whatever was under way with one of them is over."""
        for each in self.open:
            if legs & {each.transferee, each.transferor}:
                each.overtaken()

    def broken(self) -> None:
        """See `Part.broken`."""
        for each in self.open:
            each.broken()

    def hand_over(self) -> None:
        """See `Part.hand_over`."""
        for each in self.open:
            each.hand_over()
