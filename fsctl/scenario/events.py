"""What a scenario is told: VoxEngine's events, as frozen values.

Every event names the session it belongs to; events of one call name the call. Handlers of a session
take turns: :mod:`fsctl.scenario.turns` has the rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fsctl.scenario.turns import verb
from fsctl.session.core.told import Decision, Role
from fsctl.sip.refer import ReferTo

if TYPE_CHECKING:
    from fsctl.scenario.call import Call
    from fsctl.scenario.session import Session


@dataclass(frozen=True, slots=True)
class SessionEvent:
    """Something that concerns the whole session."""

    session: Session


@dataclass(frozen=True, slots=True)
class Started(SessionEvent):
    """The session runs; no call has been offered to the scenario yet."""


@dataclass(frozen=True, slots=True)
class CallAlerting(SessionEvent):
    """A leg entered the dialplan and is ours: it rings at us and waits for a decision."""

    call: Call
    destination: str
    """User part or number that the caller dialled, as received (percent-decoded)."""
    caller_id: str
    display_name: str
    headers: Mapping[str, str]
    """Headers of the INVITE that FreeSWITCH keeps: ``X-*``, ``P-*``, ``User-to-User`` and a few."""
    legacy_transfer: bool = False
    """True when this leg is the transferee of a legacy transfer."""

    @property
    def scheme(self) -> str:
        """The codecs that the caller has offered; see ``Call.scheme``."""
        return self.call.scheme


@dataclass(frozen=True, slots=True)
class Resumed(SessionEvent):
    """The worker that ran this session is gone, and a transfer request has come to us instead.

    Nothing that the scenario knew is left; ``transferor`` and ``transferee`` are made from what the
    channels know. :class:`BlindTransferRequested` follows.
    """

    transferor: Call
    transferee: Call


@dataclass(frozen=True, slots=True)
class Terminating(SessionEvent):
    """The session is about to end: its calls have ended, or are hung up now."""


@dataclass(frozen=True, slots=True)
class Terminated(SessionEvent):
    """The session is over: nothing can be done with its calls any more."""


@dataclass(frozen=True, slots=True)
class CallEvent(SessionEvent):
    """Something that concerns one call."""

    call: Call


@dataclass(frozen=True, slots=True)
class Ringing(CallEvent):
    """The called party rings (SIP 180, or 183 with media: ``early_media``)."""

    early_media: bool = False


@dataclass(frozen=True, slots=True)
class Connected(CallEvent):
    """The call has been answered."""

    @property
    def scheme(self) -> str:
        """The codec that the party uses; see ``Call.scheme``."""
        return self.call.scheme


@dataclass(frozen=True, slots=True)
class Failed(CallEvent):
    """The called party did not answer: its own SIP code and phrase, or the nearest true ones."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Disconnected(CallEvent):
    """An answered or alerting call has ended, or is no longer ours: `200 Taken over`.

    Somebody has picked it up or moved it (``intercept``, ``uuid_transfer``): it lives on alone.
    """

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class ToneReceived(CallEvent):
    """The party has pressed a key (DTMF); asked for by ``call.handle_tones(True)``."""

    tone: str
    """One of ``0-9 * # A-D``."""


@dataclass(frozen=True, slots=True)
class OnHold(CallEvent):
    """The party has put its call on hold (a re-INVITE that only sends, RFC 3264 section 8.4)."""


@dataclass(frozen=True, slots=True)
class OffHold(CallEvent):
    """The party has taken its call back from hold."""


@dataclass(frozen=True, slots=True)
class PlaybackFinished(CallEvent):
    """What ``call.play`` played is over, or was stopped; ``path`` is what it was given."""

    path: str


@dataclass(frozen=True, slots=True)
class RecordStopped(CallEvent):
    """A recording begun by ``call.record`` is complete; ``path`` is its file on the switch."""

    path: str


@dataclass(frozen=True, slots=True)
class BlindTransferRequested(CallEvent):
    """A party asks for a blind transfer (REFER, RFC 3515); ``call`` is the transferor.

    The transferee hears ringback and the transferor is on hold until the scenario decides. Without
    a handler the settings decide; without a decision the transfer is declined (603) in time.
    """

    transferee: Call
    transfer_to: str
    """User part of the Refer-To, of a telephone-subscriber its number (RFC 3261 19.1.6); empty when
    it has none (a profile with ``full-id-in-dialplan``): ``refer_to`` says it all."""
    headers: Mapping[str, str]
    """``Refer-To`` and, where there is one, ``Referred-By``: always those of the REFER itself; and
    what is embedded in the Refer-To URI, but for what makes a dialog or an identity."""
    refer_to: ReferTo
    name: str = "BlindTransferRequested"


@dataclass(frozen=True, slots=True)
class AttendedTransferRequested(CallEvent):
    """A party asks to be replaced in a second call (REFER with Replaces); ``call`` is that party.

    Everybody talks on until the scenario decides, by :meth:`accept` or :meth:`refuse`; without a
    handler it is accepted when both dialogs are ours. One that is not decided is refused.
    """

    transferee: Call
    replaced: Call | None
    """The transferor's second leg, which Replaces names (RFC 3891); None: no call of ours."""
    target: Call | None
    """The party that talks with the second leg, or rings for it, where that is a call of ours."""
    refer_to: ReferTo
    headers: Mapping[str, str]
    """``Refer-To`` and, where there is one, ``Referred-By``, as FreeSWITCH keeps them."""
    transfer: Decision = field(repr=False)
    name: str = "AttendedTransferRequested"

    @verb
    def accept(self) -> None:
        """Join transferee and target; a target that still rings is waited for.

        Raises ValueError when ``replaced`` or ``target`` is None, or when all is decided.
        """
        self.transfer.accept()

    @verb
    def refuse(self) -> None:
        """Refuse with 403, the only failure that FreeSWITCH can report here; everybody talks on.

        Raises ValueError when all is decided.
        """
        self.transfer.refuse()


@dataclass(frozen=True, slots=True)
class TransferComplete(CallEvent):
    """A transfer has succeeded.

    ``role`` is the part of ``call`` in it: ``transferor`` when its party asked for the transfer
    (REFER to us), ``transferee`` when we asked the party to go elsewhere (``call.transfer_to``).
    """

    role: Role = "transferor"


@dataclass(frozen=True, slots=True)
class TransferFailed(CallEvent):
    """A transfer has failed with the target's code and phrase; ``role`` as in TransferComplete.

    The first two talk on, or the party that would not go elsewhere stays with us. Has the
    transferor left, then FreeSWITCH calls it again, unless a handler uses the transferee.
    """

    code: int
    reason: str
    role: Role = "transferor"
