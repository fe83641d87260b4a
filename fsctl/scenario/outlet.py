"""From facts to events: what the floors below tell becomes public, and goes to the handlers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fsctl.scenario import events
from fsctl.scenario.call import as_call
from fsctl.scenario.handlers import Handlers
from fsctl.session.core.leg import Leg
from fsctl.session.core.told import Decision, OnError, Role
from fsctl.sip.refer import ReferTo
from fsctl.sip.status import SipStatus

if TYPE_CHECKING:
    from fsctl.scenario.session import Session


_OF_A_TALK = (
    events.Disconnected,
    events.ToneReceived,
    events.OnHold,
    events.OffHold,
    events.PlaybackFinished,
    events.RecordStopped,
)
"""Of these a scenario is told while two talk, or of the end of that: it may want who is left."""


class Outlet:
    """Implements `fsctl.session.core.told.Told` for one session."""

    def __init__(self, session: Session, handlers: Handlers) -> None:
        self._session = session
        self._handlers = handlers
        self._terminating = False

    def _tell(self, event: events.SessionEvent, on_error: OnError | None = None) -> bool:
        listens = bool(self._handlers.of(event))
        self._handlers.emit(event, on_error)
        return listens

    def started(self) -> bool:
        return self._tell(events.Started(self._session))

    def resumed(self, transferor: Leg, transferee: Leg) -> bool:
        parties = as_call(transferor), as_call(transferee)
        return self._tell(events.Resumed(self._session, *parties))

    def listens(self) -> bool:
        return self._handlers.listen_at_all()

    def may_act(self) -> bool:
        handlers = self._handlers
        return handlers.turns.busy or handlers.has_timers or handlers.listen_to(_OF_A_TALK)

    def terminating(self) -> bool:
        if self._terminating:
            return False
        self._terminating = True
        return self._tell(events.Terminating(self._session))

    def terminated(self) -> bool:
        return self._tell(events.Terminated(self._session))

    def decides_on(self, leg: Leg) -> bool:
        return self._handlers.listen(events.CallAlerting)

    def call_alerting(
        self,
        leg: Leg,
        destination: str,
        headers: Mapping[str, str],
        *,
        native: bool,
        on_error: OnError,
    ) -> bool:
        call = as_call(leg)
        caller = call.caller_id, call.caller_name
        event = events.CallAlerting(self._session, call, destination, *caller, headers, native)
        return self._tell(event, on_error)

    def ringing(self, leg: Leg, *, early_media: bool) -> bool:
        return self._tell(events.Ringing(self._session, as_call(leg), early_media))

    def connected(self, leg: Leg, on_error: OnError | None = None) -> bool:
        return self._tell(events.Connected(self._session, as_call(leg)), on_error)

    def failed(self, leg: Leg, status: SipStatus) -> bool:
        event = events.Failed(self._session, as_call(leg), status.code, status.reason)
        return self._tell(event)

    def disconnected(self, leg: Leg, status: SipStatus) -> bool:
        event = events.Disconnected(self._session, as_call(leg), status.code, status.reason)
        return self._tell(event)

    def on_hold(self, leg: Leg) -> bool:
        return self._tell(events.OnHold(self._session, as_call(leg)))

    def off_hold(self, leg: Leg) -> bool:
        return self._tell(events.OffHold(self._session, as_call(leg)))

    def tone(self, leg: Leg, tone: str) -> bool:
        return self._tell(events.ToneReceived(self._session, as_call(leg), tone))

    def playback_finished(self, leg: Leg, path: str) -> bool:
        return self._tell(events.PlaybackFinished(self._session, as_call(leg), path))

    def record_stopped(self, leg: Leg, path: str) -> bool:
        return self._tell(events.RecordStopped(self._session, as_call(leg), path))

    def decides_on_transfers(self, transferor: Leg) -> bool:
        return self._decides(transferor, events.BlindTransferRequested)

    def decides_on_attended_transfers(self, transferor: Leg) -> bool:
        return self._decides(transferor, events.AttendedTransferRequested)

    def _decides(self, leg: Leg, kind: type[events.CallEvent]) -> bool:
        return bool(as_call(leg).handlers(kind)) or self._handlers.listen(kind)

    def blind_transfer_requested(
        self,
        transferor: Leg,
        transferee: Leg,
        refer_to: ReferTo,
        headers: Mapping[str, str],
        on_error: OnError,
    ) -> bool:
        event = events.BlindTransferRequested(
            self._session,
            as_call(transferor),
            as_call(transferee),
            refer_to.target.number,
            headers,
            refer_to,
        )
        return self._tell(event, on_error)

    def attended_transfer_requested(
        self,
        transferor: Leg,
        transferee: Leg,
        consultation: tuple[Leg | None, Leg | None],
        refer_to: ReferTo,
        headers: Mapping[str, str],
        decision: Decision,
        on_error: OnError,
    ) -> bool:
        replaced, target = (as_call(leg) if leg is not None else None for leg in consultation)
        event = events.AttendedTransferRequested(
            self._session,
            as_call(transferor),
            as_call(transferee),
            replaced,
            target,
            refer_to,
            headers,
            decision,
        )
        return self._tell(event, on_error)

    def transfer_complete(self, leg: Leg, role: Role) -> bool:
        return self._tell(events.TransferComplete(self._session, as_call(leg), role))

    def transfer_failed(self, leg: Leg, status: SipStatus, role: Role) -> bool:
        call, code, reason = as_call(leg), status.code, status.reason
        return self._tell(events.TransferFailed(self._session, call, code, reason, role))
