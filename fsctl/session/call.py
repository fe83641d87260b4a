"""A call: one leg as an application sees it (RFC 5589 calls the person behind it a party)."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from fsctl.errors import ChannelGone
from fsctl.session.events import CallEvent
from fsctl.settings import TransferMode
from fsctl.sip.status import SipStatus

if TYPE_CHECKING:
    from fsctl.session.session import Session

E = TypeVar("E", bound=CallEvent)
Handler = Callable[[Any], None]


class CallState(Enum):
    """The life of a call; it only moves downwards."""

    ALERTING = 0
    RINGING = 1
    CONNECTED = 2
    DISCONNECTED = 3


class Call:
    """One leg. Verbs raise :class:`fsctl.errors.ChannelGone` when the leg has hung up."""

    def __init__(
        self,
        session: Session,
        channel_uuid: str,
        *,
        number: str,
        display_name: str,
        transfer_mode: TransferMode,
        state: CallState = CallState.ALERTING,
    ) -> None:
        self.session = session
        self.channel_uuid = channel_uuid
        self.number = number
        self.display_name = display_name
        self.caller_id = number
        """The number that parties called for this leg see; a legacy transfer changes it."""
        self.caller_name = display_name
        self.transfer_mode: TransferMode = transfer_mode
        self.mode_chosen = False
        """The scenario chose the mode: a route's own does not replace it."""
        self.armed = True
        """The channels know the mode; else they learn it when the call is joined."""
        self.state = state
        self.peer: Call | None = None
        self.custom_data: object = None
        self.sip_call_id = ""
        """Of the leg's SIP dialog, by which a Replaces names it (RFC 3891)."""
        self._handlers: dict[type[CallEvent], list[Handler]] = {}

    def __repr__(self) -> str:
        return f"<Call {self.channel_uuid} {self.state.name.lower()}>"

    @property
    def alive(self) -> bool:
        return self.state is not CallState.DISCONNECTED

    @property
    def connected(self) -> bool:
        return self.state is CallState.CONNECTED

    def on(self, event: type[E], handler: Callable[[E], None] | None = None) -> Any:
        """Call ``handler`` for every ``event`` of this call; without a handler, a decorator."""
        if handler is None:
            return lambda function: self.on(event, function)
        self._handlers.setdefault(event, []).append(handler)
        return handler

    def handlers(self, event: type[CallEvent]) -> tuple[Handler, ...]:
        """The handlers of ``event`` in the order of their registration."""
        return tuple(self._handlers.get(event, ()))

    def advance(self, state: CallState) -> bool:
        """Move to ``state``; False when the call is there or beyond (events may be repeated)."""
        if state.value <= self.state.value:
            return False
        self.state = state
        return True

    def reject(self, code: int = 603, reason: str = "") -> None:
        """Refuse an alerting call with this SIP code and phrase; hang up an answered one.

        Source: FreeSWITCH application ``respond``. Raises ChannelGone, ValueError (code).
        """
        self.session.reject(self._living(), SipStatus(code, reason))

    def hangup(self) -> None:
        """End the call (``uuid_kill``). Raises ChannelGone."""
        self.session.hang_up(self._living())

    def handle_blind_transfer(self, in_session: bool) -> None:
        """Choose what a REFER by this party does from now on.

        True: it becomes :class:`~fsctl.session.events.BlindTransferRequested` in this session.
        False: FreeSWITCH transfers natively and a new session runs (legacy). Raises ChannelGone.
        """
        self.session.set_transfer_mode(self._living(), "in-session" if in_session else "legacy")

    def notify_blind_transfer_success(self) -> None:
        """Report success to this party, the transferor, before FreeSWITCH would by itself.

        Source: RFC 3515 section 2.4.5. Raises ValueError when no transfer of this party is open.
        """
        self.session.transfer_of(self).report_success()

    def notify_blind_transfer_failed(self, code: int, reason: str = "") -> None:
        """Report failure with this SIP code and phrase; the first two talk on.

        Source: RFC 3515 section 2.4.5. Raises ValueError when no transfer of this party is open
        or the code is not a failure (300 to 699).
        """
        self.session.transfer_of(self).report_failure(SipStatus(code, reason))

    def _living(self) -> Call:
        if not self.alive:
            raise ChannelGone(f"call {self.channel_uuid} has ended")
        return self
