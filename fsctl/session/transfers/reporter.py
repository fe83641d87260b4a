"""The one final report of a REFER (RFC 3515 section 2.4.4): nothing else has a NOTIFY sent.

What it returns is commands, so that a report goes out in one write with what belongs to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from fsctl.esl.commands import Command, Hupall, SchedDel, UuidSetvar
from fsctl.esl.connection import Connection
from fsctl.esl.events import Event
from fsctl.session.calling import cdr
from fsctl.session.transfers.record import Start
from fsctl.sip.status import SipStatus
from fsctl.switch import notify
from fsctl.switch.marks import Mark
from fsctl.switch.refer_variables import refer_event
from fsctl.switch.variables import Asked, read_several


@dataclass(frozen=True, slots=True)
class Reporter:
    """Tells one transferor how one REFER has ended."""

    channel: str
    """The transferor's."""
    event: str | None
    """The ``Event`` of the REFER's reports (``refer;id=N``). None: nobody has asked to be told, and
    nobody is."""

    @property
    def listens(self) -> bool:
        """Whether there is somebody to be told."""
        return self.event is not None

    def tell(self, status: SipStatus) -> list[Command]:
        """Send the report, and note on the channel that it has been sent, and for its CDR."""
        if self.event is None:
            return []
        return notify.report(self.channel, self.event, status, cdr.told(status))

    def note(self) -> list[Command]:
        """FreeSWITCH has reported by itself: whoever takes over must not report again."""
        if self.event is None:
            return []
        return [notify.note(self.channel, self.event, cdr.told(SipStatus(200)))]

    def forget(self) -> list[Command]:
        """It has not, after all."""
        return [] if self.event is None else [UuidSetvar(self.channel, Mark.TOLD, None)]

    def owe(self, status: SipStatus) -> list[Command]:
        """The report follows a join: until then FreeSWITCH knows what it is to be."""
        return [] if self.event is None else notify.owe(self.channel, self.event, status)

    def owe_later(self, transferee: str, status: SipStatus, after_s: float) -> list[Command]:
        """As that, in so many seconds: the transferee talks on until then. Replaces what was."""
        if self.event is None:
            return []
        owed = notify.owe(self.channel, self.event, status, after_s)
        return [SchedDel(self.channel), UuidSetvar(self.channel, Mark.KEPT, transferee), *owed]

    def has_told(self, link: Connection) -> bool:
        """Whether somebody has reported this REFER already. Raises LinkError."""
        return self.event is not None and notify.told(link, self.channel) == self.event


def of_last_refer(link: Connection, channel: str) -> Reporter:
    """The reporter of the REFER that this leg has sent last, if any. Raises LinkError."""
    return Reporter(channel, refer_event(link, channel))


def report(channel: str, event: str | None, status: SipStatus) -> list[Command]:
    """Tell who has sent a REFER of which no transfer comes, or whose worker is gone."""
    return Reporter(channel, event).tell(status)


def owed_before(link: Asked, channel: str, event: str | None) -> list[Command]:
    """Tell who has sent a REFER before, whose target rang when its worker died (`kept`).

    ``event`` is that of the REFER that has come now, if it is this leg's: by a REFER of either of
    the two the first one is over, and its target must ring no longer. Raises LinkError.
    """
    kept, owed, told = read_several(link, channel, Mark.KEPT, Mark.OWED, Mark.TOLD)
    before = (owed or "").partition(" ")[0]
    if not kept or before in ("", event, told):
        return []
    stopping = Hupall("ORIGINATOR_CANCEL", Mark.KEPT, kept)  # what has the mark still
    return [
        UuidSetvar(channel, Mark.KEPT),
        *report(channel, before, SipStatus(487)),
        stopping,
    ]


class Reporting(Protocol):
    """Who has asked for a transfer in which the first two talk on, and how it is told."""

    @property
    def start(self) -> Start:
        """How the transfer began."""

    @property
    def refer(self) -> str:
        """What the record calls the request; empty: it has no name."""

    @property
    def is_transferor(self) -> bool:
        """The transferor has asked: should we die, the target is joined all the same."""

    @property
    def hangs_up(self) -> bool:
        """It is told by a NOTIFY: it is let go only when it has had its time to hang up."""

    @property
    def carried(self) -> Mapping[str, str]:
        """Variables with which the target is called."""

    def rings(self) -> list[Command]:
        """The target rings."""

    def tell(self, status: SipStatus, why: str) -> list[Command]:
        """How it has ended, told once; ``why``: what the policy said of it, in one sentence."""

    def owe(self, transferee: str, status: SipStatus, after_s: float) -> list[Command]:
        """Have FreeSWITCH tell it after so long, should we be gone by then; replaces what was."""

    def owe_nothing(self) -> list[Command]:
        """Take that back."""

    def has_told(self) -> bool:
        """Whether somebody has told it meanwhile. Raises LinkError."""

    def note(self, event: Event) -> bool:
        """Take an event of the session's link; true: whoever has asked takes it back."""


class NothingOwed:
    """The part of `Reporting` of who sees by itself that nothing comes any more, should we die."""

    def owe(self, transferee: str, status: SipStatus, after_s: float) -> list[Command]:
        """Nothing."""
        return []

    def owe_nothing(self) -> list[Command]:
        """As that."""
        return []

    def has_told(self) -> bool:
        """Nobody else does."""
        return False
