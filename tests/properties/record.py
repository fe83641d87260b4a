"""What has happened in a story, as far as its checks need it."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import Any

from fsctl.simulator import Dialog
from fsctl.simulator.sip import SipMessage
from fsctl.story import SimulatedParty
from tests.properties.stories import Story


@dataclass(frozen=True, slots=True)
class Refer:
    """One REFER that a phone has sent; ``line`` is the dialog that it asks to have replaced."""

    who: str
    to: str
    dialog: Dialog
    cseq: int
    sent_s: float
    line: Dialog | None
    leaving: tuple[Dialog, ...] = ()
    """Those dialogs that its phone ends by itself."""
    consulted: bool = False
    """The target had answered its line."""
    unjoined: bool = False
    """Its leg was joined with nobody yet: FreeSWITCH refuses it by itself, and tells us nothing."""

    @property
    def messages(self) -> list[SipMessage]:
        """All of its dialog."""
        return [m for m in self.dialog.phone.messages if m.call_id == self.dialog.call_id]

    @property
    def accepted(self) -> bool:
        """It got 202; each REFER is responded to at once, in order."""
        refers = [m for m in self.messages if m.method == "REFER"]
        sent = next(i for i, m in enumerate(refers) if m.header("CSeq") == f"{self.cseq} REFER")
        return [m.status for m in refers[sent + 1 : sent + 2]] == [202]

    @property
    def notifies(self) -> list[SipMessage]:
        """The NOTIFYs that carry its number."""
        event = f"refer;id={self.cseq}"
        return [m for m in self.messages if m.header("Event") == event]

    @property
    def succeeded(self) -> bool:
        """Its phone has been told so."""
        return any(m.body.startswith("SIP/2.0 200") for m in self.notifies)

    @property
    def hung_up(self) -> bool:
        """Its own phone has ended the dialog."""
        return any(m.start_line == "BYE" and m.direction == "out" for m in self.messages)

    @property
    def ended_s(self) -> float | None:
        """When the dialog ended."""
        byes = [m.time_s for m in self.messages if m.start_line == "BYE"]
        return byes[0] if byes else None

    def __str__(self) -> str:
        kind = "attended REFER" if self.line else "REFER"
        return f"{kind} {self.cseq} by {self.who} to {self.to}"


@dataclass(slots=True)
class Record:
    """The parties of a story, and what they and the controllers have done."""

    story: Story
    parties: dict[str, SimulatedParty] = field(default_factory=dict)
    refers: list[Refer] = field(default_factory=list)
    consulted: dict[str, str] = field(default_factory=dict)
    leavers: set[str] = field(default_factory=set)
    controller: bool = False
    absences: list[tuple[float, float]] = field(default_factory=list)
    """From when until when there was no controller."""
    again: bool = False
    """The sample, which joins every target with the first caller, is asked for another transfer."""
    cut_short: list[Refer] = field(default_factory=list)
    """Those that a controller may have been about to report when it died."""
    held_back: bool = False
    """A controller died while the simulated link held an answer back, and so the commands behind it
    that FreeSWITCH would have read already."""
    stranded: bool = False
    """Something has happened that is known to leave somebody alone: see test_regressions."""
    taken: bool = False
    """Somebody else has taken a leg, or moved one."""
    judged: set[str] = field(default_factory=set)
    """Which checks have had something to judge."""
    violations: list[str] = field(default_factory=list)
    concluded: list[dict[str, Any]] = field(default_factory=list)
    """The records of transfers that the controllers have written."""

    def pending_refers(self) -> bool:
        """Some transfer is under way, or was until a moment ago."""
        return any(not refer.notifies for refer in self.refers)

    def left(self) -> bool:
        """Somebody has hung up, or given up a call: but for phones that do so after a REFER."""
        return bool(self.byes_s())

    @property
    def overlap(self) -> bool:
        """A REFER was sent before the one before it had its result."""
        pairs = itertools.pairwise(self.refers)
        return any(not a.notifies or a.notifies[0].time_s >= b.sent_s for a, b in pairs)

    def number_of(self, name: str) -> str:
        """Of that party; nobody has none."""
        return self.parties[name].number if name in self.parties else ""

    def sent_by(self, number: str | None, method: str, status: int) -> list[SipMessage]:
        """Responses of the phones of this number, or of all."""
        wanted = [p.phone for p in self.parties.values() if number in (None, p.number)]
        return [m for phone in wanted for m in phone.sent(method, status)]

    def called(self, number: str, refer: Refer) -> list[SipMessage]:
        """What the phones of this number have sent about INVITEs, from a REFER to its result."""
        until_s = refer.notifies[0].time_s if refer.notifies else math.inf
        phones = [p.phone for p in self.parties.values() if p.number == number]
        sent = [m for phone in phones for m in phone.messages if m.direction == "out"]
        return [m for m in sent if m.method == "INVITE" and refer.sent_s <= m.time_s <= until_s]

    def is_alone(self, refer: Refer) -> bool:
        """No controller was there for this REFER, or one was lost after it."""
        return any(until_s >= refer.sent_s for _, until_s in self.absences)

    def was_absent(self, at_s: float) -> bool:
        """No controller was there at that time."""
        return any(since_s <= at_s <= until_s for since_s, until_s in self.absences)

    @property
    def in_full(self) -> bool:
        """All that can be judged in such a story has been; legacy REFERs have no record's name."""
        wanted = {"reports", "dropped"}
        if any(refer.notifies for refer in self.refers):
            wanted.add("codes")
        if self.story.mode != "legacy" and any(refer.line is None for refer in self.refers):
            wanted.add("records")
        return wanted <= self.judged

    def byes_s(self) -> list[float]:
        """When phones have hung up, but for those that do so after a REFER."""
        phones = [party.phone for party in self.parties.values()]
        ends = [m for phone in phones for m in (*phone.sent("BYE"), *phone.sent("CANCEL"))]
        leaving = {each.call_id for refer in self.refers for each in refer.leaving}
        return [m.time_s for m in ends if m.call_id not in leaving]
