"""FreeSWITCH has told of a REFER: of one that it has accepted, or of what became of our own."""

from __future__ import annotations

from fsctl.esl.events import Event
from fsctl.session.arrivals.parties import heard
from fsctl.session.arrivals.referred import Referred
from fsctl.session.calling.calls import Calls
from fsctl.session.core import branches
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session
from fsctl.session.transfers import deflect
from fsctl.session.transfers.attended_registry import AttendedTransfers
from fsctl.session.transfers.blind_registry import BlindTransfers
from fsctl.session.transfers.native import Native, NativeTransfer
from fsctl.switch.variables import read


def told(session: Session, event: Event) -> None:
    """A REFER has been accepted by FreeSWITCH (``fire-transfer-events`` of the profile)."""
    transferor = heard(session, event)
    if event.subclass == "sofia::notify_refer":
        _notify_refer(session, event)
    if event.subclass != "sofia::transferor" or transferor is None:
        return
    if event.get("att_xfer_original_call_id"):
        return  # attended; transfer_to may still be that of a blind one before it (sofia.c)
    kind, _, transferee_uuid = (event.variable("transfer_to") or "").partition(":")
    transferee = branches.find(session, transferee_uuid, None) or _called_for(session, transferor)
    if kind != "blind" or transferee is None:
        return  # the transferee is another session's
    if session.part(BlindTransfers).knows(transferor, event.variable("sip_blind_transfer_event")):
        return  # told again, or late: its transferee has come home already
    if _comes_too_early(session, transferor, transferee, transferee_uuid):
        return
    session.board.part(AttendedTransfers).give_way_to_blind(session)
    if transferor.transfer_mode != "in-session":
        refer = event.variable("sip_blind_transfer_event")
        session.part(Native).running = NativeTransfer(session, transferor, transferee, refer)
    elif transferee.alive:
        session.part(Referred).pair = (transferor, transferee)
    else:
        session.part(BlindTransfers).abandon(transferor, transferee)


def _comes_too_early(session: Session, transferor: Leg, transferee: Leg, channel: str) -> bool:
    """The transferee still rings for the transferor: see `bridged.interrupt`."""
    dial = session.part(Calls).dial_of(transferee)
    if dial is None or dial.waiting is not transferor or dial.answered or dial.purpose.moves:
        return False
    # The news of its answer may be late.
    return read(session.link, channel, "endpoint_disposition") != "ANSWER"


def _called_for(session: Session, waiting: Leg) -> Leg | None:
    """Whom FreeSWITCH is calling for this leg: it may move a phone that we never heard of."""
    dials = session.part(Calls).dials.values()
    called = (dial.outgoing for dial in dials if dial.waiting is waiting)
    return next((call for call in called if not call.placed), None)


def _notify_refer(session: Session, event: Event) -> None:
    """The phone that we have asked to go elsewhere reports (RFC 3515 section 2.4.5)."""
    call = session.part(Calls).deflected.get(event.get("UniqueID", ""))
    if call is not None:
        deflect.deflect_reported(call)
