"""What FreeSWITCH's events mean for the calls, dials and transfers of one session.

Events may be missing, repeated or late (FreeSWITCH dispatches them on several threads): states of
calls only move forwards, and a dial's outcome is read when its ``bridge`` has returned.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from fsctl.esl.commands import UuidExists, UuidKill
from fsctl.esl.events import Event
from fsctl.session.arrivals.attended_requests import unheard
from fsctl.session.arrivals.departures import cannot_have_asked
from fsctl.session.arrivals.referred import Referred
from fsctl.session.calling import bridged, course, loopbacks, modes, safe_answers
from fsctl.session.calling.applications import send
from fsctl.session.calling.bridged import Dial
from fsctl.session.calling.bridging import once_bridged
from fsctl.session.calling.calls import Calls
from fsctl.session.calling.native_call import NativeCall, leave_to_switch, note
from fsctl.session.calling.partings import gone
from fsctl.session.core import branches
from fsctl.session.core.leg import Leg, LegState, paired
from fsctl.session.core.session import Session
from fsctl.session.transfers import deflect, taken_away
from fsctl.session.transfers.attended_registry import AttendedTransfers
from fsctl.session.transfers.blind import abandon
from fsctl.session.transfers.kept_registry import KeptTransfers
from fsctl.session.transfers.native import (
    Native,
    NativeTransfer,
    forsaken,
    left_as_joined,
    succeeded,
)
from fsctl.session.transfers.registry import BlindTransfers
from fsctl.sip.status import SipStatus
from fsctl.switch import facts
from fsctl.switch.end_status import hangup_status, returned_by_itself, was_taken
from fsctl.switch.grace import REPLACES, departure
from fsctl.switch.grace import end as end_grace
from fsctl.switch.refer_variables import (
    SIGNS_OF_BRIDGE,
    bridge_began,
    bridged_with,
    refer_event,
)
from fsctl.switch.timers import disarm, release
from fsctl.switch.variables import read

log = logging.getLogger(__name__)

_COMPLETE = "CHANNEL_EXECUTE_COMPLETE"

_ASKED_S = 0.15
"""So soon FreeSWITCH asks us about a REFER with Replaces, if at all; the grace is longer."""

_REQUEST_S = 2.0
"""How long after the end of a call a REFER of its may still be on its way to us."""

STOCK_AFTER_S = 1.0
"""How long after its leg a link asks which of the other legs are still there, and how often."""


class LinkEvents:
    """Applies the events of a session's link to its calls, dials and transfers."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._calls = session.part(Calls)
        self._transfers = session.part(BlindTransfers)
        self._attended = session.board.part(AttendedTransfers)
        self._kept = session.part(KeptTransfers)
        self._native = session.part(Native)
        self._native_call = session.part(NativeCall)
        self._referred = session.part(Referred)

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
            taker(self, event)
        for attended in self._attended:
            attended.note(event)
        for kept in self._kept.open:
            kept.note(event)

    def _call(self, event: Event) -> Leg | None:
        call = branches.call_of(self._session, event)
        if call is not None and (call.placed or event.name == "CHANNEL_ANSWER"):
            branches.learn(call, event)
        elif call is not None and call.facts is None:
            call.facts = facts.of_event(event)  # any of its branches is of the same party
        return call

    def _dial_of(self, outgoing: Leg) -> Dial | None:
        dials = self._calls.dials.values()
        return next((dial for dial in dials if dial.outgoing is outgoing), None)

    def _progress(self, event: Event) -> None:
        call = self._call(event)
        media = event.name == "CHANNEL_PROGRESS_MEDIA"
        outgoing = self._calls.outgoing.get(call.callee) if call is not None else None
        if outgoing is not None:
            outgoing.rings(media)
        elif call is not None and self._dial_of(call) and call.advance(LegState.RINGING):
            self._session.tell.ringing(call, early_media=media)

    def _answer(self, event: Event) -> None:
        call = self._call(event)
        if call is None or call.callee in self._calls.outgoing:
            return  # the scenario's own calls are connected when their legs have come to us
        branches.settle(self._session, call, event.channel_uuid or "")
        if not call.advance(LegState.CONNECTED):
            return
        dial = self._dial_of(call)
        if dial is not None:
            dial.answered = True
            dial.reached(event)
        for transfer in self._transfers.open:
            transfer.answered(call)
        self._session.tell.connected(call)

    def _bridge(self, event: Event) -> None:
        session = self._session
        first = event.get("Bridge-A-Unique-ID") or ""
        second = event.get("Bridge-B-Unique-ID") or ""
        if self._native.running is not None:
            self._native.running.bridged(first, second)
        self._calls.settle_bridged(second, first)
        one, other = session.calls.get(first), session.calls.get(second)
        if one is not None and other is None:
            other = loopbacks.joined(session, first, second)
        elif other is not None and one is None:
            one = loopbacks.joined(session, second, first)
        elif one is None:
            loopbacks.reached(session, event)
        if one is None or other is None:
            known = one or other
            if known is not None and self._native.running is None:
                taken_away.joined_with_a_stranger(session, known)
            return
        if any(transfer.has_parted({one, other}) for transfer in self._transfers.open):
            return  # late news of the bridge that the REFER has broken
        paired(one, other)
        if one.pending_peer is other:
            session.link.post(once_bridged(first))
        for call in (one, other):
            call.pending_peer = None
            if not call.armed:
                modes.rearm(session, call)
            loopbacks.relieve(session, call)
        for transfer in self._transfers.open:
            transfer.bridged({one, other})
        for kept in self._kept.open:
            kept.bridged({one, other})
        if session.link_leg in (first, second):
            self._native_joined()

    def _hangup(self, event: Event) -> None:
        session, call = self._session, self._call(event)
        if call is None:
            if event.channel_uuid == session.link_leg:
                session.change_link()  # a leg that somebody else has had since
            return
        if call.placed and loopbacks.left(session, call, event):
            return
        status = hangup_status(event)
        tags = {event.variable("sip_from_tag"), event.variable("sip_to_tag")}
        call.sip_tags = frozenset(tag for tag in tags if tag)
        call.talked_with = bridged_with([event.variable(name) for name in SIGNS_OF_BRIDGE])
        if call.placed:
            self._end_grace(call, asked_for=bool(event.variable(REPLACES)))
        dial = self._dial_of(call)
        if dial is not None and not dial.answered and dial.waiting.alive:
            return  # the rest when bridge returns
        if not call.alive or self._is_no_end(call, event):
            return
        outgoing = self._calls.outgoing.get(call.callee)
        if outgoing is not None:
            outgoing.hung_up(event)
            return
        self._forget_unborn(call)
        gone(session, call, status)
        pair = self._referred.pair
        if pair is not None and call is pair[1]:
            self._referred.pair = None
            abandon(session, pair[0], call)
        if call.channel_uuid == session.link_leg:
            session.change_link()
            # Whoever has hung up at the same moment is not told of on another link.
            session.after(STOCK_AFTER_S, self._take_stock)
        if call.channel_uuid == session.link_leg and self._native_call.is_ours:
            forsaken(session, self._native_call.transferor)
            self._native_call.ended("abandoned", status)
        bridged = self._native_call.bridged
        if bridged and call.channel_uuid == session.link_leg and call.talked_with in ("", bridged):
            left_as_joined(session, bridged)
        if self._native.running is not None:
            self._native.running.hung_up(call)
        for transfer in self._transfers.open:
            transfer.hung_up(call)
        for kept in self._kept.open:
            kept.hung_up(call)

    def _end_grace(self, left: Leg, *, asked_for: bool) -> None:
        """Whoever talked with ``left`` need not wait for a REFER that cannot come.

        But who is being told how its own REFER has ended waits: a NOTIFY goes with its dialog.
        Where FreeSWITCH itself decides on attended transfers, nobody waits at all.
        ``asked_for``: FreeSWITCH tells it, of a REFER with Replaces that was to move ``left``.
        """
        session = self._session
        if session.settings.attended == "switch":
            return
        dials = self._calls.dials.values()
        waiting = (dial.waiting for dial in dials if dial.outgoing is left)
        partner = left.peer or next(waiting, None)
        if left.sip_call_id and not left.outgoing and not left.was_connected:
            self._attended.note_given_up(left)
            if not session.board.alone:
                session.link.post(*departure(left.sip_call_id, left.sip_tags, ""))
        if partner is None or not partner.alive or self._attended.keeps(partner):
            return
        if cannot_have_asked(session.board, left):
            if not (asked_for or partner.being_told):
                session.link.post(*end_grace(partner.channel_uuid))
            return
        if left.sip_call_id and not session.board.alone:
            session.link.post(*departure(left.sip_call_id, left.sip_tags, partner.channel_uuid))
        self._expect_request(left, partner)

    def _expect_request(self, left: Leg, partner: Leg) -> None:
        """FreeSWITCH forgets a REFER whose sender is gone before it could ask us about it."""
        session = self._session
        replaces = read(session.link, partner.channel_uuid, REPLACES)
        if replaces:
            session.after(_ASKED_S, lambda: unheard(session.board, left, partner, replaces))

    def _is_no_end(self, call: Leg, event: Event) -> bool:
        """Another of the called party's phones talks, or may still answer."""
        known = call.branches
        if known is None or call.callee in self._calls.outgoing:
            return False
        if call.placed and event.get("Hangup-Cause") == "LOSE_RACE":
            # Two have answered at once, and FreeSWITCH has taken the other one.
            other = known.other_that_answered(call.channel_uuid)
            if other:
                branches.settle(self._session, call, other)
            return True
        return not call.placed and (known.alive or self._dial_of(call) is None)

    def _hold(self, event: Event) -> None:
        call = self._call(event)
        if call is not None and call.alive:
            self._session.tell.on_hold(call)

    def _unhold(self, event: Event) -> None:
        call = self._call(event)
        if call is not None and call.alive:
            self._session.tell.off_hold(call)

    def _tone(self, event: Event) -> None:
        call, tone = self._call(event), event.get("DTMF-Digit")
        if call in self._calls.tone_calls and tone:
            self._session.tell.tone(call, tone)

    def _record_stop(self, event: Event) -> None:
        call = self._call(event)
        if call is not None:
            path = event.get("Record-File-Path", "")
            self._session.tell.record_stopped(call, path)

    def _background_job(self, event: Event) -> None:
        outgoing = self._calls.outgoing.get(event.get("Job-UUID", ""))
        if outgoing is not None:
            outgoing.job_ended(event)

    def _take_stock(self) -> None:
        """The link outlives its leg for a while only: who else is really still there?"""
        session = self._session
        for call in [call for call in session.calls.values() if call.alive and call.placed]:
            if session.link.send(UuidExists(call.channel_uuid)).text.strip() != "true":
                log.info("%s: %s has ended, and no event has told so", session.id, call)
                gone(session, call, SipStatus(487))
                for transfer in self._transfers.open:
                    if call is transfer.transferor:
                        transfer.hung_up(call)
                for kept in self._kept.open:
                    kept.hung_up(call)
        leg = session.calls.get(session.link_leg)
        if leg is None or not leg.alive:
            session.after(STOCK_AFTER_S, self._take_stock)

    def _forget_unborn(self, waiting: Leg) -> None:
        """The one who waited has left, perhaps before FreeSWITCH made the channel it waited for."""
        for dial in tuple(self._calls.dials.values()):
            called = dial.outgoing
            unborn = called.branches is not None and not called.branches.heard_of
            if dial.waiting is waiting and (unborn or dial.interrupted):
                bridged.forget(self._session, dial)

    # -- the end of a bridge ----------------------------------------------------------------

    def _execute_complete(self, event: Event) -> None:
        if not (self._calls.executions or self._calls.dials):
            return
        application_uuid = event.get("Application-UUID", "")
        follows = self._calls.executions.pop(application_uuid, None)
        if follows is not None:
            follows(event)
        session = self._session
        dial = self._calls.dials.pop(application_uuid, None)
        if dial is None:
            return
        if was_taken(event) and not dial.answered and self._refers_early(dial, event):
            return
        if was_taken(event) and self._is_taken(dial):
            taken_away.taken(session, dial)
        elif not dial.answered:
            self._not_reached(dial, event)
        elif returned_by_itself(event):
            self._talk_over(dial, event)

    def _refers_early(self, dial: Dial, event: Event) -> bool:
        """A REFER has ended the attempt before anybody has answered.

        By the waiting party: its call is made anew, unless it is a transferee. By the one that
        rings: FreeSWITCH stops calling it, and moves the waiting leg, which comes to us.
        """
        session, waiting, called = self._session, dial.waiting, dial.outgoing
        _, _, moved = (event.variable("transfer_to") or "").partition(":")
        if not waiting.alive:
            return False
        if branches.is_channel_of(session, called, moved):
            if not dial.purpose.moves:
                bridged.interrupt(session, dial)
            return not dial.purpose.moves
        sender = event.variable("blind_transfer_uuid") or ""
        if dial.purpose.told_by_switch or not branches.is_channel_of(session, called, sender):
            return False
        refused = called.branches.refusal_of(sender) if called.branches else None
        branches.settle(session, called, sender)
        waiting.held = False
        if called.transfer_mode == "in-session":
            self._referred.pair = (called, waiting)
        if refused is not None:
            gone(session, called, refused)
        return True

    def _is_taken(self, dial: Dial) -> bool:
        """It was not its own REFER that has taken the leg out of its ``bridge``."""
        waiting = dial.waiting
        if dial.answered or not waiting.alive:
            return waiting.alive
        event = refer_event(self._session.link, waiting.channel_uuid)
        return event is None or self._transfers.knows(waiting, event)

    def _talk_over(self, dial: Dial, event: Event) -> None:
        """The called party has hung up and the waiting leg is back in our hands."""
        session = self._session
        if loopbacks.is_over(session, dial, event):
            dial.part()
            return  # they talk on with others, and it ends
        if event.variable(REPLACES) and not dial.asked:
            # A REFER with Replaces is about to be told to us: it may be what moves this leg.
            dial.asked = True
            session.after(_REQUEST_S, lambda: self._talk_over(dial, event))
            return
        if dial.asked and dial.waiting.partner is not None:
            return  # it has
        if dial.outgoing.advance(LegState.DISCONNECTED):
            session.tell.disconnected(dial.outgoing, SipStatus(200))
        for transfer in self._transfers.open:
            if transfer.target is dial.outgoing and transfer.target_left():
                return
        if dial.purpose.told_by_switch and dial.waiting.alive and self._given_up(dial):
            if self._native_call.bridged:
                rescue_s = session.settings.transfer.rescue_after_s
                session.link.send_all(release(self._native_call.bridged, rescue_s))
            leave_to_switch(dial.waiting, SipStatus(487))
            return
        if dial.purpose.told_by_switch and dial.waiting.alive:
            self._native_joined()  # the news of their bridge may be late
        if self._attended.keeps(dial.waiting):
            return  # an attended transfer moves it
        if dial.then is not None and dial.waiting.alive:
            dial.then()
        elif dial.waiting.alive and not self._calls.is_waiting(dial.waiting):
            send(dial.waiting, UuidKill(dial.waiting.channel_uuid))

    def _native_joined(self) -> None:
        """FreeSWITCH has joined the transferee of its own transfer with the target."""
        session, native = self._session, self._native_call
        if native.transferor:
            session.link.send_all(disarm(session.link_leg))
            succeeded(session, native.transferor)
            note(session, session.link_leg)
            if native.is_ours:
                native.ended("succeeded", SipStatus(200))
            native.bridged, native.transferor = native.transferor, ""

    def _given_up(self, dial: Dial) -> bool:
        """It left before FreeSWITCH had reported the join that was told of."""
        waiting, called = dial.waiting.channel_uuid, dial.outgoing.channel_uuid
        return not bridge_began(self._session.link, waiting, called)

    def _not_reached(self, dial: Dial, event: Event) -> None:
        status = dial.status(event)
        if bridged.goes_on(self._session, dial, status):
            return
        status = course.outcome(dial, status)
        session, uses = self._session, dial.waiting.uses
        dial.part()
        dial.outgoing.failure = status
        dial.outgoing.advance(LegState.DISCONNECTED)
        session.tell.failed(dial.outgoing, status)
        # Posted: whoever waits for this call goes on before that.
        session.post(lambda: safe_answers.not_reached(session, dial, status, uses))

    # -- native transfers -------------------------------------------------------------------

    def _custom(self, event: Event) -> None:
        """A REFER has been accepted by FreeSWITCH (``fire-transfer-events`` of the profile)."""
        session, transferor = self._session, self._call(event)
        if event.subclass == "sofia::notify_refer":
            self._notify_refer(event)
        if event.subclass != "sofia::transferor" or transferor is None:
            return
        if event.get("att_xfer_original_call_id"):
            return  # attended; transfer_to may still be that of a blind one before it (sofia.c)
        kind, _, transferee_uuid = (event.variable("transfer_to") or "").partition(":")
        transferee = branches.find(session, transferee_uuid, None) or self._called_for(transferor)
        if kind != "blind" or transferee is None:
            return  # the transferee is another session's
        if self._transfers.knows(transferor, event.variable("sip_blind_transfer_event")):
            return  # told again, or late: its transferee has come home already
        if self._comes_too_early(transferor, transferee, transferee_uuid):
            return
        self._attended.give_way_to_blind(session)
        if transferor.transfer_mode != "in-session":
            refer = event.variable("sip_blind_transfer_event")
            self._native.running = NativeTransfer(session, transferor, transferee, refer)
        elif transferee.alive:
            self._referred.pair = (transferor, transferee)
        else:
            abandon(session, transferor, transferee)

    def _comes_too_early(self, transferor: Leg, transferee: Leg, channel: str) -> bool:
        """The transferee still rings for the transferor: see `bridged.interrupt`."""
        dial = self._dial_of(transferee)
        if dial is None or dial.waiting is not transferor or dial.answered or dial.purpose.moves:
            return False
        # The news of its answer may be late.
        return read(self._session.link, channel, "endpoint_disposition") != "ANSWER"

    def _called_for(self, waiting: Leg) -> Leg | None:
        """Whom FreeSWITCH is calling for this leg: it may move a phone that we never heard of."""
        dials = self._calls.dials.values()
        called = (dial.outgoing for dial in dials if dial.waiting is waiting)
        return next((call for call in called if not call.placed), None)

    def _notify_refer(self, event: Event) -> None:
        """The phone that we have asked to go elsewhere reports (RFC 3515 section 2.4.5)."""
        call = self._calls.deflected.get(event.get("UniqueID", ""))
        if call is not None:
            deflect.deflect_reported(call)


_TAKERS: dict[str, Callable[[LinkEvents, Event], None]] = {
    "CHANNEL_PROGRESS": LinkEvents._progress,
    "CHANNEL_PROGRESS_MEDIA": LinkEvents._progress,
    "CHANNEL_ANSWER": LinkEvents._answer,
    "CHANNEL_BRIDGE": LinkEvents._bridge,
    "CHANNEL_HANGUP": LinkEvents._hangup,
    _COMPLETE: LinkEvents._execute_complete,
    "CHANNEL_HOLD": LinkEvents._hold,
    "CHANNEL_UNHOLD": LinkEvents._unhold,
    "BACKGROUND_JOB": LinkEvents._background_job,
    "DTMF": LinkEvents._tone,
    "RECORD_STOP": LinkEvents._record_stop,
    "CUSTOM": LinkEvents._custom,
}
