"""The safe answers: what happens to a call for which its scenario does nothing.

Nobody may hear silence for ever because a scenario has forgotten somebody: a caller for whom nobody
is called any more is refused, a party whose peer has left is hung up, a party that rings for nobody
is no longer called. A scenario that does something with the call by then is never overruled.
"""

from __future__ import annotations

from collections.abc import Callable

from fsctl.esl.commands import Command, UuidSetvarMulti, UuidTransfer
from fsctl.session.calling.applications import reject
from fsctl.session.calling.calls import Calls
from fsctl.session.calling.dial import Dial
from fsctl.session.calling.native_call import NativeCall
from fsctl.session.core import branches
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session
from fsctl.sip.status import SipStatus
from fsctl.switch.marks import Context, Extension, Mark, Stage

_THINKING_S = 1.0
"""A handler that waits for something else may be about to call the next one."""


def when_thought(session: Session, follows: Callable[[], None]) -> None:
    """Do what ``follows``, after a while where a handler waits: it may be about to do something."""
    if session.waits:
        session.after(_THINKING_S, follows)
    else:
        follows()


def unwanted(call: Leg) -> None:
    """Hang up who has answered, and talks with nobody."""
    if call.alive and call.peer is None:
        branches.hang_up(call.session, call)


def nobody_answers(session: Session, status: SipStatus, handled: bool) -> None:
    """A party has failed, and the handlers of ``Failed`` have had their turn."""
    delay_s = session.settings.transfer.decision_timeout_s if handled else _THINKING_S
    if handled or session.waits:
        session.after(delay_s, lambda: _refuse_waiting(session, status))
    else:
        _refuse_waiting(session, status)


def not_reached(session: Session, dial: Dial, status: SipStatus, uses: int) -> None:
    """The party that ``connect`` has called did not answer, and that has been told.

    ``uses`` are those of the leg that waits, from before: one that the scenario has used since
    (an announcement, voicemail) is in its hands.
    """

    def pass_on() -> None:
        if dial.waiting.alive and not session.part(Calls).is_waiting(dial.waiting):
            dial.purpose.not_reached(dial.outgoing, status, uses)

    when_thought(session, pass_on)


def _refuse_waiting(session: Session, status: SipStatus) -> None:
    """Refuse the callers that alert, and the transferee of FreeSWITCH's own transfer, and hang up
    who was forsaken: nobody is called for them."""
    if session.part(Calls).outgoing or any(
        _may_be_joined(session, call) for call in session.calls.values()
    ):
        return
    for call in tuple(session.calls.values()):
        waits = call.held and not session.part(Calls).is_waiting(call)
        if waits and (call.unanswered or _waits_for_target(session, call)):
            reject(call, status)
        elif call.forsaken_at == call.uses:
            forsaken(session, call, call.uses)


def _waits_for_target(session: Session, call: Leg) -> bool:
    """The transferee of a transfer that FreeSWITCH reports, with which nothing else is done."""
    reported = session.part(NativeCall).reports(call)
    return reported and call.partner is None and call.application is None


def _may_be_joined(session: Session, call: Leg) -> bool:
    """A party that has answered the scenario and waits for what it has in mind."""
    waits = call.connected and call.outgoing and call.partner is None
    called = waits and not session.part(NativeCall).reports(call)  # a transferee was called before
    return called and call.forsaken_at != call.uses


def forsaken(session: Session, call: Leg, uses: int) -> None:
    """The peer of ``call`` has left, or its application has ended; its handlers have their turn.

    It is hung up if nobody has used it by then (``uses``: how often it had been used when that
    happened), and nobody is being called who may be for it: when it is in our hands again, for
    until then it may as well be on its way to a transfer's target.
    """
    call.forsaken_at = uses

    def hang_up() -> None:
        unused = call.forsaken_at == call.uses and call.partner is None
        transfer = session.movers.moving(call)  # its transferor may have left meanwhile
        moves = transfer is not None and not transfer.has_joined
        calls = session.part(Calls)
        if transfer is not None and calls.is_waiting(call):
            return  # when its bridge has returned, it is known whether that had begun
        if call.alive and call.held and unused and not moves and not calls.outgoing:
            if call.being_told:
                session.after(session.settings.transfer.release_transferor_after_s, hang_up)
            elif _waits_for_target(session, call):
                reject(call, SipStatus(487))
            else:
                branches.hang_up(session, call)

    session.post(lambda: session.post(hang_up))


def forsake(session: Session, call: Leg) -> list[Command]:
    """A transfer has failed and its transferor has left: return what its transferee must say.

    The dialplan calls the transferor again, or does what is configured (rescue context). FreeSWITCH
    does so alone, as it would without us: unless the scenario has used the leg by the time that its
    handlers have heard of the failure.
    """
    _transferee_alone(session, call)
    left = {Mark.STAGE: Stage.FORSAKEN, "originate_disposition": "", "blind_transfer_uuid": ""}
    left |= {"sip_refer_to": "", Mark.REFERRED: ""}
    return [UuidSetvarMulti(call.channel_uuid, tuple(left.items()))]


def let_hear(call: Leg) -> None:
    """A party that is told how its transfer ends is not hung up before it has heard that."""
    session = call.session
    call.being_told = True

    def heard() -> None:
        call.being_told = False

    session.after(session.settings.transfer.release_transferor_after_s, heard)


def _transferee_alone(session: Session, call: Leg) -> None:
    """Its handlers have their turn.

    Then the dialplan goes on with the transferee, unless they have used it. Other calls of the
    session stay with us.
    """
    uses = call.uses

    def leave() -> None:
        if session.waits or session.part(Calls).outgoing:
            session.after(_THINKING_S, leave)
        elif not call.alive or call.uses != uses or call.partner is not None:
            return
        elif any(other.alive for other in session.calls.values() if other is not call):
            session.link.send(UuidTransfer(call.channel_uuid, Extension.FORSAKEN, Context.RESCUE))
            session.give_away(call)
        else:
            session.hand_over()

    session.post(lambda: session.post(leave))


def ringing_for_nobody(session: Session) -> None:
    """The last party that was there has left: nobody rings for it any more."""
    if any(call.alive and (call.connected or not call.outgoing) for call in session.calls.values()):
        return
    ringing = [call for call in session.calls.values() if call.alive]
    if ringing:
        session.link.send_all(
            [branches.stopping(session, call, "ORIGINATOR_CANCEL") for call in ringing]
        )
