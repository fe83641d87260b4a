"""A REFER whose transferee is on its way to us."""

from __future__ import annotations

from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Part, Session


class Referred(Part):
    """FreeSWITCH has told of the REFER, and the leg that it has moved has not come yet."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.pair: tuple[Leg, Leg] | None = None
        """Transferor and transferee. Set by the news of the REFER, or of a leg that it has taken
        out of its bridge; cleared when the leg has come, or is known not to."""
