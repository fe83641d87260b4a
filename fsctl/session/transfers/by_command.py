"""An operator's command has asked for a transfer (`fsctl.service.asking`): how it is told.

It asks by a loopback whose b-leg has come to us. That rings when the target rings, is answered when
the target talks, and is hung up when nothing comes of it; the a-leg is the command's, and has the
result on it by then.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from fsctl.esl.commands import Command, Execute, UuidKill, UuidSetvar
from fsctl.esl.events import Event
from fsctl.session.core.session import Session
from fsctl.session.transfers.record import Start
from fsctl.session.transfers.reporter import NothingOwed
from fsctl.sip.status import SipStatus, cause_of_status
from fsctl.switch.marks import Mark

CANCELS = "eval::cancel"
"""The application and its argument by whose execution on the b-leg the command takes its question
back. News of another ``eval``, by which the dialplan claims the leg, may still be on its way."""
_UNSAFE = re.compile(r"[\x00-\x1f\x7f$]")
"""What no value of a variable may have: FreeSWITCH would expand it wherever it is named."""


class ByCommand(NothingOwed):
    """Tells one command: it sees by itself that its leg has ended."""

    start: Start = "command"
    is_transferor = hangs_up = False
    carried: Mapping[str, str] = {}

    def __init__(self, session: Session, asking_leg: str, other_leg: str) -> None:
        """``asking_leg`` is the b-leg's channel, ``other_leg`` the a-leg's."""
        self.refer = asking_leg
        self._session = session
        self._other = other_leg
        self._told = False

    def rings(self) -> list[Command]:
        """The command sees that by the a-leg."""
        return [Execute("ring_ready", channel_uuid=self.refer)]

    def tell(self, status: SipStatus, why: str) -> list[Command]:
        """See `reporter.Reporting`."""
        self._told = True
        result = f"{status.code} {_harmless(status.reason)}"
        ends = UuidKill(self.refer, cause_of_status(status.code))
        return [
            UuidSetvar(self._other, Mark.RESULT, result),
            UuidSetvar(self._other, Mark.WHY, _harmless(why)),
            Execute("answer", channel_uuid=self.refer) if status.is_success else ends,
        ]

    def note(self, event: Event) -> bool:
        """Whether its question is taken back: by its word, or because it has gone."""
        if self._told or event.channel_uuid != self.refer:
            return False
        said = f"{event.get('Application')}::{event.get('Application-Data')}"
        cancels = event.name == "CHANNEL_EXECUTE_COMPLETE" and said == CANCELS
        return cancels or event.name == "CHANNEL_HANGUP"


def _harmless(text: str) -> str:
    return _UNSAFE.sub(" ", text)[:400]
