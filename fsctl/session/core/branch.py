"""What is known of the channels by which one party is called: see `branches`, which finds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import uuid4

from fsctl.esl.events import Event
from fsctl.sip.status import SipStatus, best_failure, failure_in
from fsctl.switch.end_status import extension_status, hangup_status, redirect_contacts


@dataclass(slots=True)
class Branch:
    """One channel of a called party."""

    answered: bool = False
    rang: bool = False
    """Its phone has said so (180, 183), or has answered."""
    refusal: SipStatus | None = None
    """The reason of its end. Set by the event of its hang-up; None: it has not ended."""
    contacts: list[str] = field(default_factory=list)
    """The places that its 3xx names, best first. Set with `refusal`."""
    call_id: str = ""
    """Of its SIP dialog: FreeSWITCH tells it once the phone has responded."""


@dataclass(slots=True)
class Inside:
    """The half of a loopback that executes an extension; the other half is a branch."""

    branch: str
    response: SipStatus | None = None
    """What the extension has said by ``respond``."""
    refusal: SipStatus | None = None
    """The reason of its end, as `Branch.refusal`."""
    partner: str = ""
    """The channel that the extension has bridged it with last. Empty: none yet."""


class Branches:
    """Those of one attempt to reach a party, as far as we have heard of them."""

    def __init__(self) -> None:
        self.name = str(uuid4())
        """The value of `fsctl_callee` on each of its channels, by which they are found."""
        self.chosen = ""
        """The channel that has become the call's: it answered, or was joined. Set by `settle`,
        which takes another one where two have answered at once; empty: all of them still ring."""
        self._all: dict[str, Branch] = {}
        self._inside: dict[str, Inside] = {}

    def __contains__(self, channel: str | None) -> bool:
        return channel in self._all

    @property
    def channels(self) -> list[str]:
        """All of them that were heard of."""
        return list(self._all)

    @property
    def heard_of(self) -> bool:
        """Whether there is, or was, a channel at all, as far as we know."""
        return bool(self._all)

    @property
    def alive(self) -> bool:
        """Whether one of them has not ended."""
        return any(branch.refusal is None for branch in self._all.values())

    @property
    def rang(self) -> bool:
        """Whether a phone of theirs has rung."""
        return any(branch.rang for branch in self._all.values())

    def refusal_of(self, channel: str) -> SipStatus | None:
        """Why this one has ended; None when it has not, or is unknown."""
        branch = self._all.get(channel)
        return branch.refusal if branch is not None else None

    def other_that_answered(self, channel: str) -> str:
        """A branch that has answered and lives, but for this one; empty: none is known."""
        return next(
            (
                other
                for other, branch in self._all.items()
                if other != channel and branch.answered and branch.refusal is None
            ),
            "",
        )

    @property
    def call_id(self) -> str:
        """Call-ID of the one that is joined, or that has responded last; empty: none is known."""
        if chosen := self._all.get(self.chosen):
            return chosen.call_id
        return next((each.call_id for each in reversed(self._all.values()) if each.call_id), "")

    def note(self, event: Event) -> str:
        """Take what has happened to one of them; return its Call-ID where it is news."""
        branch = self._all.setdefault(event.channel_uuid or "", Branch())
        known, branch.call_id = branch.call_id, event.variable("sip_call_id") or branch.call_id
        if event.name == "CHANNEL_ANSWER":
            branch.answered = branch.rang = True
        elif event.name in ("CHANNEL_PROGRESS", "CHANNEL_PROGRESS_MEDIA"):
            branch.rang = True
        elif event.name == "CHANNEL_HANGUP":
            branch.refusal = hangup_status(event)
            branch.contacts = redirect_contacts(event)
        return branch.call_id if branch.call_id != known else ""

    def note_inside(self, event: Event) -> None:
        """Take what has happened to the half of a loopback that is in the dialplan."""
        branch = event.variable("other_loopback_leg_uuid") or ""
        inside = self._inside.setdefault(event.channel_uuid or "", Inside(branch))
        if event.name == "CHANNEL_BRIDGE":
            ends = (event.get("Bridge-A-Unique-ID"), event.get("Bridge-B-Unique-ID"))
            inside.partner = next((e for e in ends if e and e != event.channel_uuid), "")
        elif event.name == "CHANNEL_HANGUP":
            inside.refusal = extension_status(event, inside.response)
        elif event.get("Application") == "respond":
            code, _, reason = (event.get("Application-Data") or "").partition(" ")
            inside.response = failure_in(code, reason)

    def is_inside(self, channel: str) -> bool:
        """Whether this half of a loopback executes an extension."""
        return channel in self._inside

    def beyond_of(self, channel: str) -> str:
        """With whom the extension has bridged that half last; empty: nobody, as far as we know."""
        inside = self._inside.get(channel)
        return inside.partner if inside is not None else ""

    def inside_of(self, branch: str) -> tuple[str, str] | None:
        """The half that executes an extension for this branch, and with whom that is bridged."""
        halves = self._inside.items()
        return next(((half, i.partner) for half, i in halves if i.branch == branch), None)

    def leads_to(self, other: str, true_id: str | None) -> bool:
        """Whether an extension has called ``other``, whose ``other_leg_true_id`` is given."""
        partners = {inside.partner for inside in self._inside.values()} - {""}
        return other in partners or true_id in self._inside

    @property
    def in_dialplan(self) -> bool:
        """Whether one of them is a loopback that executes an extension."""
        return bool(self._inside)

    def _refusals(self) -> list[SipStatus]:
        """The reasons of all that have ended; of a loopback that of its other half."""
        ended = {name: b.refusal for name, b in self._all.items() if b.refusal is not None}
        told = {i.branch: i.refusal for i in self._inside.values() if i.refusal is not None}
        return [*(ended | told).values()]

    def status(self, otherwise: SipStatus) -> SipStatus:
        """Why nobody was reached: the best failure of all (RFC 3261 section 16.7, step 6).

        ``otherwise`` counts when no channel was ever made, or none was heard of.
        """
        return best_failure(self._refusals(), otherwise)

    @property
    def contacts(self) -> list[str]:
        """Where the party is to be looked for instead: not after a refusal for all phones (6xx)."""
        ended = [branch for branch in self._all.values() if branch.refusal is not None]
        if any(branch.refusal and branch.refusal.code >= 600 for branch in ended):
            return []
        moved = [b for b in ended if b.refusal and 300 <= b.refusal.code < 400]
        return [contact for branch in moved for contact in branch.contacts]
