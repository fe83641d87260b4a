"""A session whose leg FreeSWITCH moves by itself: the transferee of a native transfer.

We call the target for it as for any caller; FreeSWITCH reports to the transferor, whose timers move
along with ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from fsctl.esl.commands import UuidSetvarMulti
from fsctl.policy.judge import Asking
from fsctl.session.calling.verdicts import judgement
from fsctl.session.core.diversion import Diversion
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Part, Session
from fsctl.sip.status import SipStatus
from fsctl.switch.marks import Mark, Stage

Ending = Literal["succeeded", "failed", "abandoned"]

NOBODY = "none"
"""Stands for the channel of a transferor that FreeSWITCH has let go already."""


class NativeCall(Part):
    """What is known of the transfer that has brought the session's first leg; mostly nothing."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.transferor = ""
        """The transferor's channel, or `NOBODY`. Set when the leg comes; cleared when FreeSWITCH
        has joined the transferee with the target. Empty as well: no native transfer brought it."""
        self.bridged = ""
        """The transferor's channel from then on: it is not released should the join be none."""
        self.diversion: Diversion | None = None
        """What the target may be told of the transfer. Set when the leg comes."""
        self.asking: Asking | None = None
        """What the policy judges. Set when the leg comes; None: it is not asked."""
        self.shadow: dict[str, Any] = {}
        """What we would have done in the session. Set when that is known, with ``[transfer] mode =
        "observe"``; empty: it is not, or nothing is observed."""
        self.ended: Callable[[Ending, SipStatus], None] = lambda ending, status: None
        """Writes the record, where no other session does. Set when the leg comes."""
        self.parent_id = ""
        """The session that the call had before. Set when the leg comes; as long as it runs here it
        looks after the transferor."""

    @property
    def is_ours(self) -> bool:
        """Nobody else looks after the transferor."""
        return bool(self.transferor) and self.parent_id not in self.session.board.sessions

    def moved(self, *legs: Leg) -> Leg | None:
        """The one of these that is the transferee, in our hands, and not joined with its target."""
        return next((leg for leg in legs if leg.held and self.reports(leg)), None)

    def reports(self, leg: Leg) -> bool:
        """Whether ``leg`` is the transferee, and its target is still to be reached."""
        return bool(self.transferor) and leg.channel_uuid == self.session.link_leg


def leave_to_switch(leg: Leg, status: SipStatus) -> None:
    """Let FreeSWITCH end a native transfer: it reports failure and rejoins the first two.

    Its dialplan deletes the timers, when it has the leg.
    """
    session, uuid, native = leg.session, leg.channel_uuid, leg.session.part(NativeCall)
    variables = {"sip_invite_failure_status": str(status.code), Mark.STAGE: Stage.DONE}
    variables |= judgement(native.asking, native.shadow)
    session.link.send(UuidSetvarMulti(uuid, tuple(variables.items())))
    if native.is_ours:
        native.ended("failed", status)
    session.hand_over()


def note(session: Session, transferee_uuid: str) -> None:
    """Leave on the transferee what has been judged until now."""
    native = session.part(NativeCall)
    if native.asking is not None or native.shadow:
        variables = tuple(judgement(native.asking, native.shadow).items())
        session.link.post(UuidSetvarMulti(transferee_uuid, variables))
