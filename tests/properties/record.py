"""What has happened in a story, as far as its checks need it."""

from __future__ import annotations

from dataclasses import dataclass, field

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

    def _of_dialog(self) -> list[SipMessage]:
        return [m for m in self.dialog.phone.messages if m.call_id == self.dialog.call_id]

    @property
    def accepted(self) -> bool:
        """202; each REFER is responded to at once, in order."""
        responses = [m.status for m in self._of_dialog() if m.method == "REFER" and m.status]
        refers = [m for m in self._of_dialog() if m.method == "REFER" and not m.status]
        number = next(i for i, m in enumerate(refers) if m.header("CSeq").split()[0] == self.event_id)
        return number < len(responses) and responses[number] == 202

    @property
    def event_id(self) -> str:
        return str(self.cseq)

    @property
    def notifies(self) -> list[SipMessage]:
        """The NOTIFYs that carry its number."""
        event = f"refer;id={self.event_id}"
        return [m for m in self._of_dialog() if m.method == "NOTIFY" and m.header("Event") == event]

    @property
    def bye_s(self) -> float | None:
        """When its phone hung up."""
        byes = [m.time_s for m in self._of_dialog() if m.method == "BYE" and not m.status]
        return byes[0] if byes and self._of_dialog() else None

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
    lost_s: list[float] = field(default_factory=list)
    """When a controller died or was terminated."""
    faults: int = 0
    violations: list[str] = field(default_factory=list)

    def pending_refers(self) -> bool:
        """Some transfer is under way, or was until a moment ago."""
        return any(not refer.notifies for refer in self.refers)

    def left(self) -> bool:
        """Somebody has hung up, or given up a call."""
        phones = [party.phone for party in self.parties.values()]
        return any(phone.sent("BYE") or phone.sent("CANCEL") for phone in phones)

    def dialogs(self) -> list[Dialog]:
        return [dialog for party in self.parties.values() for dialog in party.phone.dialogs]
