"""A leg: one channel of FreeSWITCH's, and the party behind it (RFC 5589)."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from fsctl import journal
from fsctl.esl.commands import Filter
from fsctl.esl.events import Event
from fsctl.policy.parties import Facts
from fsctl.session.core.branch import Branches
from fsctl.session.core.directory import INDEXED
from fsctl.settings import TransferMode
from fsctl.sip.status import SipStatus
from fsctl.switch.codecs import Codecs
from fsctl.switch.marks import Mark

if TYPE_CHECKING:
    from fsctl.session.core.directory import Directory
    from fsctl.session.core.session import Session


class LegState(Enum):
    """The life of a leg; it only moves downwards."""

    ALERTING = 0
    RINGING = 1
    CONNECTED = 2
    DISCONNECTED = 3


@dataclass(eq=False, repr=False, slots=True)
class Leg:
    """One leg, as far as it is known; a scenario sees it as a ``Call``, which adds the verbs."""

    session: Session
    """The session that runs it; an attended transfer takes a target of another one over."""
    channel_uuid: str
    """The leg's channel; of a called party that has not answered, the name of its branches."""
    number: str = field(kw_only=True)
    """The party's own number: of a caller the directory's, or what it says; of a called party what
    its route dials, which a redirection changes."""
    display_name: str = field(kw_only=True)
    """The caller's name, as `number`; empty for a called party."""
    transfer_mode: TransferMode = field(kw_only=True)
    """The way that a REFER by this party goes: that of the settings, or of the route by which it is
    called or calls, or the scenario's (`mode_chosen`)."""
    state: LegState = field(default=LegState.ALERTING, kw_only=True)
    """Changed by `advance` only."""
    outgoing: bool = field(default=False, kw_only=True)
    """We have called the party; else it has called us."""

    caller_id: str = field(init=False)
    """The number that parties called for this leg see: its own, in a native transfer that of the
    transferor."""
    caller_name: str = field(init=False)
    """The name; as `caller_id`."""
    caller_privacy: str = field(default="", init=False)
    """The part of these that the party wants hidden: nothing, its ``name``, or both (``full``). Set
    when the leg comes, or from the channels of a leg that another worker had."""
    dialled: str = field(default="", init=False)
    """The number that its call was first made to. Set when a caller's leg comes; empty of a called
    party, whose own number that is."""
    branches: Branches | None = field(default=None, init=False)
    """The channels of a party that we call; the one that answers, or is joined, is the leg. Made
    anew with each attempt; None: we have not called it."""
    codecs: Codecs = field(default_factory=Codecs, init=False)
    sip_call_id: str = field(default="", init=False)
    """Call-ID of the leg's SIP dialog, by which a Replaces names it (RFC 3891). Set from its
    snapshot and its events; empty: no event has told it yet."""
    reached: str = field(default="", init=False)
    """The channel of whom an extension has called, while the leg's own one is a loopback's. Set by
    the news of their bridge; cleared when it becomes the leg's own; empty: there is none."""
    sip_tags: frozenset[str] = field(default=frozenset(), init=False)
    """Both tags of its dialog. Set from the event of its hang-up: then no channel can be asked."""
    fresh: Event | None = field(default=None, init=False)
    """The snapshot of a leg that has just come, while nothing has been done with it: what it says
    need not be set. Set when it comes; cleared when it is asked what becomes of it, and when
    somebody is called for it; None: its variables may be others by now."""
    address: tuple[str, str] | None = field(default=None, init=False)
    """The source of its SIP (IP address, port). Set from its events."""
    invite_headers: tuple[str, ...] = field(default=(), init=False)
    """Names of the headers that FreeSWITCH has kept of the leg's own INVITE (``sip_h_*``). Set when
    a caller's leg comes; a called party has none."""

    facts: Facts | None = field(default=None, init=False)
    """What FreeSWITCH vouches for of who is there. Set from the leg's snapshot or its first event;
    of a transferor also from what the dialplan has noted; None: nothing has told it."""

    mode_chosen: bool = field(default=False, init=False)
    """The scenario has chosen `transfer_mode`, for good: a route's own does not replace it."""
    armed: bool = field(default=True, init=False)
    """False: the mode was chosen before the leg talked with anybody, and is put on the channels
    again when it does (`calling.modes`)."""
    held: bool = field(default=False, init=False)
    """The leg is in our hands: its dialplan waits in ``socket``, or FreeSWITCH bridges it there
    by our word (``bridge``), and it is back when that ends. Set when it comes, or comes back;
    cleared when ``uuid_bridge`` takes it, a REFER moves or parks it, or somebody else has it."""
    peer: Leg | None = field(default=None, init=False)
    """The party that this one talks with. Set, on both, by the news of their bridge; cleared when
    either hangs up, is moved, or is taken apart from the other."""
    pending_peer: Leg | None = field(default=None, init=False)
    """The party that FreeSWITCH was told to bridge it with (``uuid_bridge``). Cleared by the news
    of that bridge, or with `peer`."""
    sent_for: bool = field(default=False, init=False)
    """The scenario has taken the leg from its partner, and it is on its way back; cleared when it
    comes. One that comes without being sent for has been left alone."""
    muted: bool = field(default=False, init=False)
    """Nobody hears what this party says (``uuid_audio``). Set by ``send_media_to`` and
    ``stop_media_to``, which let one direction through."""
    application: tuple[str, str] | None = field(default=None, init=False)
    """Name and argument of the application that the scenario has left the party to (``execute``);
    cleared at its end. A party that replaces this one in an attended transfer goes there."""
    extension: tuple[str, str] | None = field(default=None, init=False)
    """Number and context in which the switch's own dialplan serves the party. Set, for good, of a
    call that is not ours, when an attended transfer is to replace the party there."""

    ending: bool = field(default=False, init=False)
    """The scenario has hung it up, for good: an answer that crosses that is not told."""
    failure: SipStatus | None = field(default=None, init=False)
    """The reason why the called party did not answer; None: it has, or still may."""
    was_connected: bool = field(default=False, init=False)
    """The leg was answered, whatever has become of it. Set by `advance`."""
    talked_with: str | None = field(default=None, init=False)
    """The channel that it was bridged with last, by its own word as it hung up ("": none). Set
    then; None: it has not, or nobody has told us."""
    left_behind: Leg | None = field(default=None, init=False)
    """The party that it talked with, or called, when it hung up: a REFER of its may still be
    coming. Never cleared."""
    being_told: bool = field(default=False, init=False)
    """A NOTIFY is on its way to the party, which its BYE must not overtake. Set by the transfer
    that sends it; cleared by a timer, ``release_transferor_after_s`` later."""

    screened: bool = field(default=False, init=False)
    """Its phone is not told whom it talks to, for that party wants to be hidden
    (``ignore_display_updates``). Set whenever the leg is armed."""

    cdr: dict[str, str] = field(default_factory=dict, init=False)
    """What its channel says of its last transfer (`calling.cdr`), as far as we have said so. Empty:
    it was in none."""
    due: dict[str, str] = field(default_factory=dict, init=False)
    """What its channel is still to be told, of that and by who leaves it (`transfers.leaving`).
    Cleared when told."""
    cdr_carried: bool = field(default=False, init=False)
    """The channel of whom we call for the transfer sets what is due. Set when we call, cleared as
    the next transfer begins."""

    claimed: bool = field(default=False, init=False)
    """The party that it talks with has called in, as this one has: its number may be a claim. Set
    whenever the leg is armed."""

    guarded: bool = field(default=False, init=False)
    """A timer in FreeSWITCH sends the leg on, should we die before the scenario has used it. Set
    when it is offered; cleared when somebody is called for it, or it is used."""
    uses: int = field(default=0, init=False)
    """Verbs of this call that the scenario has used so far: a safe answer that was put off is given
    only where the number is still the same."""
    began: float = field(default_factory=time.time, init=False)
    """When it came to us, or we began to call; seconds since 1970."""
    forsaken_at: int | None = field(default=None, init=False)
    """`uses` when its peer left, or its application ended: as long as both are equal it is to be
    hung up. Cleared when it is bridged anew."""

    directory: Directory | None = field(default=None, init=False)
    """Where it is found by what it is known. Set when its session makes it, taken back when that
    ends."""

    def __post_init__(self) -> None:
        self.caller_id, self.caller_name = self.number, self.display_name
        self.was_connected = self.connected

    def __repr__(self) -> str:
        return f"<Call {self.channel_uuid} {self.state.name.lower()} {self.number or '-'}>"

    @property
    def log_fields(self) -> dict[str, list[dict[str, str]]]:
        """By what the call is known in a log line that speaks of it."""
        known = {
            "channel": self.channel_uuid,
            "number": self.number,
            "call_id": self.sip_call_id,
            "state": self.state.name.lower(),
        }
        return {"calls": [{name: text for name, text in known.items() if text}]}

    @property
    def alive(self) -> bool:
        """Whether the leg has not hung up."""
        return self.state is not LegState.DISCONNECTED

    @property
    def placed(self) -> bool:
        """Whether the leg has its channel: a party that is being called may get several."""
        return self.branches is None or bool(self.branches.chosen)

    @property
    def callee(self) -> str:
        """By which its channels are known while it is being called; see `branches`."""
        return self.channel_uuid if self.branches is None else self.branches.name

    @property
    def filter(self) -> Filter:
        """What subscribes a link to its channel, or to all of a party that is being called."""
        if self.placed:
            return Filter("Unique-ID", self.channel_uuid)
        return Filter(f"variable_{Mark.CALLEE}", self.callee)

    @property
    def last_call_id(self) -> str:
        """Call-ID of its SIP dialog; of a party that nobody has reached, of the phone that has
        responded last. Empty: none is known."""
        return self.sip_call_id or (self.branches.call_id if self.branches is not None else "")

    @property
    def connected(self) -> bool:
        """Whether the leg is answered and has not hung up."""
        return self.state is LegState.CONNECTED

    @property
    def unanswered(self) -> bool:
        """Whether the party has called us and waits for an answer."""
        return not self.outgoing and self.state in (LegState.ALERTING, LegState.RINGING)

    @property
    def scheme(self) -> str:
        """The codecs that the party has offered, and once it is answered the one that it uses.

        FreeSWITCH's names, separated by commas; for ``answer`` and ``call_user`` of another call.
        Empty when FreeSWITCH has not told them.
        """
        return self.codecs.scheme(answered=self.connected)

    @property
    def partner(self) -> Leg | None:
        """Who this party talks with, now or in a moment."""
        return self.pending_peer or self.peer

    def advance(self, state: LegState) -> bool:
        """Move to ``state``; False when the call is there or beyond (events may be repeated)."""
        if state.value <= self.state.value:
            return False
        self.state = state
        self.was_connected = self.was_connected or state is LegState.CONNECTED
        noted(self)
        return True


class _Indexed:
    """Around an attribute: tells the leg's directory when it is set."""

    def __init__(self, name: str) -> None:
        self._name, slot = name, vars(Leg)[name]
        self._get, self._set = slot.__get__, slot.__set__

    def __get__(self, leg: Leg | None, owner: type[Leg]) -> object:
        return self if leg is None else self._get(leg)

    def __set__(self, leg: Leg, value: object) -> None:
        directory = getattr(leg, "directory", None)
        if directory is None or self._get(leg) == value:
            self._set(leg, value)
            return
        directory.changes(leg, self._name)
        self._set(leg, value)
        directory.changed(leg, self._name)


for _name in INDEXED:
    setattr(Leg, _name, _Indexed(_name))


def noted(leg: Leg) -> None:
    """Have it noted how the leg stands (:mod:`fsctl.journal`).

    A called party has no channel until one of its branches is it, or none has become it.
    """
    if journal.is_kept() and (leg.placed or not leg.alive):
        journal.note(
            "leg",
            leg=leg.channel_uuid if leg.placed else leg.callee,
            channel=leg.channel_uuid if leg.placed else None,
            session=leg.session.id,
            began=leg.began,
            number=leg.number,
            name=leg.display_name,
            call_id=leg.last_call_id or None,
            outgoing=leg.outgoing,
            dialled=leg.dialled or None,
            state=leg.state.name.lower(),
        )


def paired(first: Leg, second: Leg) -> None:
    """FreeSWITCH has joined these two by itself."""
    first.peer, second.peer = second, first


def parted(leg: Leg) -> Leg | None:
    """That leg, and its partner, talk with nobody any more; return the partner."""
    partner = leg.partner
    for one in (leg, partner):
        if one is not None:
            one.peer = one.pending_peer = None
    return partner
