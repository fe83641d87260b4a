"""What FreeSWITCH's events mean for the calls, dials and transfers of one session.

Events may be missing, repeated or late (FreeSWITCH dispatches them on several threads): states of
calls only move forwards, and a dial's outcome is read when its ``bridge`` has returned. The ends of
channels (`hangups`), returns of a ``bridge`` (`bridge_returns`) and news of a REFER (`refers_told`)
have files of their own.
"""

from __future__ import annotations

from collections.abc import Callable

from fsctl.esl.events import Event
from fsctl.session.arrivals.bridge_returns import returned
from fsctl.session.arrivals.hangups import hung_up
from fsctl.session.arrivals.parties import heard
from fsctl.session.arrivals.refers_told import told
from fsctl.session.arrivals.resting import Resting
from fsctl.session.calling import loopbacks, modes
from fsctl.session.calling.bridging import once_bridged
from fsctl.session.calling.calls import Calls
from fsctl.session.core import branches
from fsctl.session.core.leg import LegState, paired
from fsctl.session.core.session import Session
from fsctl.session.transfers import native, taken_away
from fsctl.session.transfers.attended_registry import AttendedTransfers
from fsctl.session.transfers.blind_registry import BlindTransfers
from fsctl.session.transfers.kept_registry import KeptTransfers
from fsctl.session.transfers.native import Native

_COMPLETE = "CHANNEL_EXECUTE_COMPLETE"


class LinkEvents:
    """Applies the events of a session's link to its calls, dials and transfers."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._calls = session.part(Calls)
        self._attended = session.board.part(AttendedTransfers)
        self._kept = session.part(KeptTransfers)

    def concerns(self, event: Event) -> bool:
        """Whether an event is to be taken; called by the hub, before it waits for its turn.

        Most are ends of applications that nobody waits for, of a dialplan that has called us.
        """
        if event.name != _COMPLETE or self._attended.is_any_open or self._kept.open:
            return True
        call = self._session.calls.get(event.channel_uuid or "")
        if call is None or call.branches is not None:
            return True
        executions, dials = self._calls.executions, self._calls.dials
        if not (executions or dials):
            return False
        application = event.application_uuid
        return application in executions or application in dials

    def take(self, event: Event) -> None:
        """Apply one event; unknown ones are ignored."""
        name = event.name
        if name in branches.NOTED:
            branches.note(self._session, event)
        taker = _TAKERS.get(name)
        if taker is not None:
            taker(self._session, event)
        for attended in self._attended:
            attended.note(event)
        for kept in self._kept.open:
            kept.note(event)


def _progress(session: Session, event: Event) -> None:
    call, calls = heard(session, event), session.part(Calls)
    media = event.name == "CHANNEL_PROGRESS_MEDIA"
    outgoing = calls.outgoing.get(call.callee) if call is not None else None
    if outgoing is not None:
        outgoing.rings(media)
    elif call is not None and calls.dial_of(call) and call.advance(LegState.RINGING):
        session.tell.ringing(call, early_media=media)


def _answer(session: Session, event: Event) -> None:
    call = heard(session, event)
    if call is None or call.callee in session.part(Calls).outgoing:
        return  # the scenario's own calls are connected when their legs have come to us
    branches.settle(session, call, event.channel_uuid or "")
    if not call.advance(LegState.CONNECTED):
        return
    dial = session.part(Calls).dial_of(call)
    if dial is not None:
        dial.answered = True
        dial.reached(event)
    for transfer in session.part(BlindTransfers).open:
        transfer.answered(call)
    session.tell.connected(call)


def _bridge(session: Session, event: Event) -> None:
    first = event.get("Bridge-A-Unique-ID") or ""
    second = event.get("Bridge-B-Unique-ID") or ""
    running = session.part(Native).running
    if running is not None:
        running.bridged(first, second)
    session.part(Calls).settle_bridged(second, first)
    one, other = session.calls.get(first), session.calls.get(second)
    if one is not None and other is None:
        other = loopbacks.joined(session, first, second)
    elif other is not None and one is None:
        one = loopbacks.joined(session, second, first)
    elif one is None:
        loopbacks.reached(session, event)
    if one is None or other is None:
        known = one or other
        if known is not None and running is None:
            taken_away.joined_with_a_stranger(session, known)
        return
    pair, transfers = {one, other}, session.part(BlindTransfers)
    if any(transfer.has_parted(pair) for transfer in transfers.open):
        return  # late news of the bridge that the REFER has broken
    paired(one, other)
    if one.pending_peer is other:
        session.link.post(once_bridged(first))
    for call in (one, other):
        call.pending_peer = None
        if not call.armed:
            modes.rearm(session, call)
        loopbacks.relieve(session, call)
    transfers.bridged(pair)
    for kept in session.part(KeptTransfers).open:
        kept.bridged(pair)
    if session.link_leg in (first, second):
        native.joined(session)
    session.part(Resting).joined()


def _hold(session: Session, event: Event) -> None:
    call = heard(session, event)
    if call is not None and call.alive:
        session.tell.on_hold(call)


def _unhold(session: Session, event: Event) -> None:
    call = heard(session, event)
    if call is not None and call.alive:
        session.tell.off_hold(call)


def _tone(session: Session, event: Event) -> None:
    call, tone = heard(session, event), event.get("DTMF-Digit")
    if call in session.part(Calls).tone_calls and tone:
        session.tell.tone(call, tone)


def _record_stop(session: Session, event: Event) -> None:
    call = heard(session, event)
    if call is not None:
        path = event.get("Record-File-Path", "")
        session.tell.record_stopped(call, path)


def _background_job(session: Session, event: Event) -> None:
    outgoing = session.part(Calls).outgoing.get(event.get("Job-UUID", ""))
    if outgoing is not None:
        outgoing.job_ended(event)


_TAKERS: dict[str, Callable[[Session, Event], None]] = {
    "CHANNEL_PROGRESS": _progress,
    "CHANNEL_PROGRESS_MEDIA": _progress,
    "CHANNEL_ANSWER": _answer,
    "CHANNEL_BRIDGE": _bridge,
    "CHANNEL_HANGUP": hung_up,
    _COMPLETE: returned,
    "CHANNEL_HOLD": _hold,
    "CHANNEL_UNHOLD": _unhold,
    "BACKGROUND_JOB": _background_job,
    "DTMF": _tone,
    "RECORD_STOP": _record_stop,
    "CUSTOM": told,
}
