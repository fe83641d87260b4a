"""What has happened in a story, as far as its checks need it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fsctl.simulator import Dialog
from fsctl.simulator.sip import SipMessage
from tests.properties.stories import Story
from tests.stories.simulated import SimulatedParty


@dataclass(frozen=True, slots=True)
class Refer:
    """One REFER that a phone has sent; ``line`` is the dialog that it asks to have replaced."""

    who: str
    to: str
    dialog: Dialog
    cseq: int
    sent_s: float
    line: Dialog | None

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
    violations: list[str] = field(default_factory=list)
    concluded: list[dict[str, Any]] = field(default_factory=list)
    """The records of transfers that the controllers have written."""

    def pending_refers(self) -> bool:
        """Some transfer is under way, or was until a moment ago."""
        return any(not refer.notifies for refer in self.refers)

    def left(self) -> bool:
        """Somebody has hung up, or given up a call."""
        phones = [party.phone for party in self.parties.values()]
        return any(phone.sent("BYE") or phone.sent("CANCEL") for phone in phones)

    def is_alone(self, refer: Refer) -> bool:
        """No controller was there for this REFER, or one was lost after it."""
        return any(until_s >= refer.sent_s for _, until_s in self.absences)

    def byes_s(self) -> list[float]:
        """When phones have hung up."""
        phones = [party.phone for party in self.parties.values()]
        return [m.time_s for phone in phones for m in (*phone.sent("BYE"), *phone.sent("CANCEL"))]
