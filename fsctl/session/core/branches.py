"""The branches of a called party: a user may have several phones (forking, RFC 3261 section 16).

For each contact in a user's dial string FreeSWITCH makes a channel, and only FreeSWITCH knows how
many there are. None can be given a uuid beforehand: all would get the same, and all but the first
would be refused (switch_core_session.c, "Duplicate UUID!"). So each carries the variable
`fsctl_callee` instead, by which we hear of all, find them and hang them up; the one that is joined
becomes the channel of the call. Until then the call is known by that name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

from fsctl import journal
from fsctl.esl.commands import Command, Filter, Hupall, UuidKill
from fsctl.esl.events import Event
from fsctl.sip.status import SipStatus, best_failure, failure_in
from fsctl.switch import facts
from fsctl.switch.end_status import extension_status, hangup_status, redirect_contacts
from fsctl.switch.marks import Mark
from fsctl.switch.variables import read

if TYPE_CHECKING:
    from fsctl.session.core.leg import Leg
    from fsctl.session.core.session import Session


_AGAIN_S = 0.5
_TIMES = 240
"""How often those who are not to ring any more are hung up: FreeSWITCH may dial the next one."""


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


_OF_BRANCHES = frozenset(
    {"CHANNEL_PROGRESS", "CHANNEL_PROGRESS_MEDIA", "CHANNEL_ANSWER", "CHANNEL_HANGUP"}
)
_OF_INSIDE = frozenset({"CHANNEL_BRIDGE", "CHANNEL_HANGUP", "CHANNEL_EXECUTE_COMPLETE"})
NOTED = _OF_BRANCHES | _OF_INSIDE
"""The events that :func:`note` takes."""


def name_anew(session: Session, call: Leg) -> None:
    """A party is about to be called, or called anew; it is no call of the session until then."""
    session.calls.pop(call.channel_uuid, None)
    session.callees.pop(call.callee, None)
    call.branches = Branches()
    call.channel_uuid = call.branches.name


def begin(session: Session, call: Leg) -> Command:
    """It is called now: return what subscribes to all of its channels."""
    session.calls[call.channel_uuid] = session.callees[call.callee] = call
    return heard(call)


def heard(call: Leg) -> Filter:
    """What subscribes a link to the call's channel, or to all of a party that is being called."""
    if call.placed:
        return Filter("Unique-ID", call.channel_uuid)
    return Filter(f"variable_{Mark.CALLEE}", call.callee)


def find(session: Session, channel: str, callee: str | None) -> Leg | None:
    """The call to which a channel belongs; ``callee`` is what it says in `fsctl_callee`."""
    known = session.calls.get(channel)
    if known is not None:
        return known
    if callee is not None:
        return session.callees.get(callee)
    calls = session.callees.values()
    return next((call for call in calls if call.branches and channel in call.branches), None)


def has(call: Leg, channel: str | None) -> bool:
    """Whether this is the call's channel, or one that rings, or rang, for it."""
    return channel == call.channel_uuid or (call.branches is not None and channel in call.branches)


def note(session: Session, event: Event) -> None:
    """Keep what has happened to a branch; its call may have another channel by then."""
    if event.name == "CHANNEL_EXECUTE_COMPLETE":
        known = session.calls.get(event.channel_uuid or "")
        if known is not None and known.branches is None:
            return  # it has called us: the many applications that it executes say nothing of others
    call = session.callees.get(event.variable(Mark.CALLEE) or "")
    if call is None or call.branches is None:
        return
    if _is_inside(event):
        call.branches.note_inside(event)
    elif event.name in _OF_BRANCHES:
        call_id = call.branches.note(event)
        if call_id and journal.is_kept():
            journal.note("branch", leg=call.callee, session=session.id, call_id=call_id)


def call_of(session: Session, event: Event) -> Leg | None:
    """The call that an event is about: not that of a branch when another one is joined."""
    channel = event.channel_uuid or ""
    call = find(session, channel, event.variable(Mark.CALLEE))
    if call is None or (call.placed and call.channel_uuid != channel):
        return None
    if _is_inside(event) and call.channel_uuid != channel:
        return None
    return call


def learn(call: Leg, event: Event) -> None:
    """Take what an event of the leg's channel says of its party, its dialog and its codecs."""
    call.sip_call_id = event.variable("sip_call_id") or call.sip_call_id
    call.codecs.learn(event)
    if call.facts is None:
        call.facts = facts.of_event(event)
    ip, port = event.variable("sip_network_ip"), event.variable("sip_network_port")
    call.address = (ip, port) if ip and port else call.address


def settle(session: Session, call: Leg, channel: str) -> None:
    """``channel`` is the one by which the party talks."""
    if call.channel_uuid == channel:
        return
    session.calls.pop(call.channel_uuid, None)
    call.channel_uuid, call.facts = channel, None
    session.calls[channel] = call
    if call.branches is not None:
        call.branches.chosen = channel
    session.link.post(heard(call))


def is_channel_of(session: Session, call: Leg, channel: str | None) -> bool:
    """Whether this is the call's channel, or a branch of it. Raises LinkError."""
    if not channel or call.placed:
        return channel == call.channel_uuid
    if call.branches is not None and channel in call.branches:
        return True
    return read(session.link, channel, Mark.CALLEE) == call.callee


def kill(call: Leg, cause: str = "NORMAL_CLEARING") -> Command:
    """Return what hangs the call up: all that ring for a party that is being called."""
    if call.placed:
        return UuidKill(call.channel_uuid, cause)
    return Hupall(cause, Mark.CALLEE, call.callee)


def stopping(
    session: Session, call: Leg, cause: str = "NORMAL_CLEARING", times: int = _TIMES
) -> Command:
    """As :func:`kill`, again and again until FreeSWITCH has given the party up.

    Its channels may not have been made yet, and where the dial string goes on behind a ``|`` the
    next one is dialled as soon as those before it have ended.
    """
    callee = call.callee

    def again() -> None:
        if call.alive and not call.placed and call.callee == callee:
            session.link.post(stopping(session, call, cause, times - 1))

    if not call.placed and times > 0:
        session.after(_AGAIN_S, again)
    return kill(call, cause)


def hang_up(session: Session, call: Leg, cause: str = "NORMAL_CLEARING") -> None:
    """End ``call`` at once, on all phones that ring for it."""
    session.link.send(stopping(session, call, cause))


def _is_inside(event: Event) -> bool:
    """The other half of a loopback has our variables, too (mod_loopback.c), and is no branch."""
    return event.get("Call-Direction") == "inbound" and event.variable(Mark.CALLEE) is not None
