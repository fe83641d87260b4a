"""A leg: one channel of FreeSWITCH's, and the party behind it (RFC 5589)."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from fsctl.settings import TransferMode
from fsctl.sip.status import SipStatus
from fsctl.switch.codecs import Codecs

if TYPE_CHECKING:
    from fsctl.session.core.branches import Branches
    from fsctl.session.core.session import Session


class LegState(Enum):
    """The life of a leg; it only moves downwards."""

    ALERTING = 0
    RINGING = 1
    CONNECTED = 2
    DISCONNECTED = 3


class Leg:
    """One leg, as far as it is known; a scenario sees it as a ``Call``, which adds the verbs."""

    def __init__(
        self,
        session: Session,
        channel_uuid: str,
        *,
        number: str,
        display_name: str,
        transfer_mode: TransferMode,
        state: LegState = LegState.ALERTING,
        outgoing: bool = False,
    ) -> None:
        self.session = session
        self.channel_uuid = channel_uuid
        """The leg's channel; of a called party that has not answered, the name of its branches."""
        self.branches: Branches | None = None
        """The channels that are made for a party that we call; the one that answers is the leg."""
        self.number = number
        self.display_name = display_name
        self.caller_id = number
        """The number that parties called for this leg see; a native transfer changes it."""
        self.caller_name = display_name
        self.caller_privacy = ""
        """What of these the party wants hidden: nothing, its ``name``, or both (``full``)."""
        self.transfer_mode: TransferMode = transfer_mode
        self.mode_chosen = False
        """The scenario chose the mode: a route's own does not replace it."""
        self.armed = True
        """The channels know the mode; else they learn it when the call is joined."""
        self.state = state
        self.outgoing = outgoing
        """We have called the party; else it has called us."""
        self.held = False
        """The leg is in our hands: its dialplan waits in ``socket``, or FreeSWITCH bridges it there
        by our word (``bridge``), and it is back when that ends."""
        self.peer: Leg | None = None
        """Who this party talks with."""
        self.sent_for = False
        """It comes back because the scenario wants it to."""
        self.pending_peer: Leg | None = None
        """Who it is being joined with at this moment."""
        self.muted = False
        """Nobody hears what this party says."""
        self.ending = False
        """The scenario has hung it up: an answer that crosses that is not told."""
        self.failure: SipStatus | None = None
        """Why the called party did not answer."""
        self.guarded = False
        """A timer in FreeSWITCH sends the leg on, should we die before the scenario uses it."""
        self.uses = 0
        """How often the scenario has used a verb: one that is forgotten is hung up."""
        self.forsaken_at: int | None = None
        """`uses` when its peer left, or its application ended."""
        self.being_told = False
        """A NOTIFY is on its way to the party, which its BYE must not overtake."""
        self.sip_call_id = ""
        """Of the leg's SIP dialog, by which a Replaces names it (RFC 3891)."""
        self.codecs = Codecs()
        self.invite_headers: tuple[str, ...] = ()
        """Names of the headers that FreeSWITCH has kept of the leg's own INVITE (``sip_h_*``)."""
        self.sip_tags: frozenset[str] = frozenset()
        """Those of its dialog; known when it has hung up, for then nobody can be asked."""
        self.address: tuple[str, str] | None = None
        """Where its SIP comes from (IP address, port), as its events say."""
        self.was_connected = state is LegState.CONNECTED
        """The leg was answered, whatever has become of it."""
        self.application: tuple[str, str] | None = None
        """What the scenario has left the party to (``execute``), until that ends: with argument."""
        self.left_behind: Leg | None = None
        """Whom it talked with, or called, when it hung up: a REFER of its may still be coming."""

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
        return True


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
