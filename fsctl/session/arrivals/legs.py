"""How a leg comes to a session: as a new call, with a transfer request, or natively transferred."""

from __future__ import annotations

import logging
from contextlib import suppress

from fsctl import journal
from fsctl.errors import CallFailed, ChannelGone, LinkError
from fsctl.esl.commands import Command
from fsctl.esl.connection import Connection
from fsctl.esl.events import Event
from fsctl.esl.farewell import let_go
from fsctl.session.arrivals import observed
from fsctl.session.arrivals.offers import offer
from fsctl.session.arrivals.parties import known_leg, shown_of, transferor_of, transferor_shown
from fsctl.session.arrivals.referred import Referred
from fsctl.session.arrivals.resting import serve_by
from fsctl.session.arrivals.stock import is_there
from fsctl.session.calling import judging, safe_answers
from fsctl.session.calling.bridged import again, connect, forget
from fsctl.session.calling.calls import Calls
from fsctl.session.calling.deciding import WebService
from fsctl.session.calling.dial import Dial
from fsctl.session.calling.diverted import diversion
from fsctl.session.calling.headers import of_request, of_transfer
from fsctl.session.calling.native_call import NOBODY, NativeCall, leave_to_switch, note
from fsctl.session.calling.partings import gone
from fsctl.session.calling.plan import CallOptions
from fsctl.session.calling.routing import NoRoute
from fsctl.session.core import branches
from fsctl.session.core.leg import Leg, LegState, paired
from fsctl.session.core.session import Session
from fsctl.session.transfers import by_web, native, taken_away
from fsctl.session.transfers.attended_registry import AttendedTransfers
from fsctl.session.transfers.blind import BlindTransfer
from fsctl.session.transfers.blind_registry import BlindTransfers
from fsctl.session.transfers.by_refer import ByRefer
from fsctl.session.transfers.kept_acts import KeptRequest
from fsctl.session.transfers.kept_registry import KeptTransfers
from fsctl.session.transfers.record import BY_SCENARIO, asked_for, transfer_id
from fsctl.session.transfers.reporter import owed_before
from fsctl.sip.refer import ReferTo
from fsctl.sip.status import SipStatus
from fsctl.sip.uri import telephone
from fsctl.switch import facts, leftovers
from fsctl.switch.ahead import Ahead
from fsctl.switch.dialstring import DialStringError
from fsctl.switch.end_status import bridge_status
from fsctl.switch.marks import Extension, Mark, Stage
from fsctl.switch.refer_variables import BadRequest, read_request
from fsctl.switch.timers import timed

log = logging.getLogger(__name__)


def new_call(session: Session, ahead: Ahead, snapshot: Event) -> None:
    """Offer a leg that the inbound extension sent to us."""
    call = known_leg(session, snapshot)
    session.take_link(ahead.link, call.channel_uuid, ahead)
    _clear(session, leftovers.clearing(snapshot))
    destination = _dialled_number(snapshot)
    session.choose_scenario(destination)
    log.info(
        "%s: %s calls %s on %s, Call-ID %s",
        session.id,
        call,
        destination,
        session.switch,
        call.sip_call_id or "-",
    )
    session.tell.started()
    offer(session, call, destination, destination, native=False, snapshot=snapshot)


def native_transfer(session: Session, link: Connection, snapshot: Event) -> None:
    """Run a new session for a transferee that FreeSWITCH moves natively.

    The target sees the transferor; FreeSWITCH reports with NOTIFY by itself (mod_sofia.c).
    """
    call = known_leg(session, snapshot)
    shown = transferor_shown(link, snapshot.variable("blind_transfer_uuid"), snapshot)
    call.caller_id = shown.number or call.number
    call.caller_name = shown.name or call.caller_id
    call.caller_privacy = shown.privacy
    native = session.part(NativeCall)
    native.transferor = snapshot.variable("blind_transfer_uuid") or NOBODY
    native.parent_id = _looks_after(session, snapshot)
    session.take_link(link, call.channel_uuid)
    _clear(session, leftovers.clearing(snapshot))
    request = read_request(link, snapshot)
    session.choose_scenario(snapshot.variable(Mark.DIALLED_NUMBER) or "")
    session.tell.started()
    try:
        refer_to = request.parse()
    except BadRequest as error:
        log.warning("%s: legacy transfer refused: %s", session.id, error)
        leave_to_switch(call, error.status)
        return
    by = session.new_leg(native.transferor, number=shown.number)
    by.caller_privacy, by.facts = shown.privacy, facts.noted(snapshot.variable(Mark.ASKER))
    movers = snapshot.variable(Mark.MOVERS)
    refer = request.event
    asked_for(transfer_id(by.channel_uuid, refer), request.refer_to or "")
    native.asking = judging.asking(session, by, call, "blind", movers=movers, refer=refer)
    native.ended = observed.recording(session, (by, call), refer)
    if native.asking is not None:
        native.asking.observed = session.settings.observes
    native.diversion = diversion(session, by, call, native.asking, request.referred_by or "")
    try:
        judging.permit_asking(session, native.asking, refer_to.target)
    except judging.Refused as refused:
        log.warning("%s: legacy transfer refused: %s", session.id, refused)
        leave_to_switch(call, refused.status)
        return
    offer(session, call, refer_to.target.number, refer_to.target, native=True, snapshot=snapshot)
    note(session, call.channel_uuid)
    if session.settings.observes:
        own = shown_of(snapshot, inbound=not call.outgoing)
        observed.beside(session, (by, shown), (call, own), request)


def _looks_after(session: Session, snapshot: Event) -> str:
    """The session that the call had before, for `NativeCall.parent_id`; one that hears nothing at
    present does not look after its transferor, nor ever will."""
    named = snapshot.variable(Mark.SESSION) or ""
    parent = session.board.sessions.get(named)
    return "" if parent is not None and parent.away else named


def transfer_request(
    session: Session, ahead: Ahead, snapshot: Event, *, resumed: bool = False
) -> None:
    """A transferee came home: its new link replaces the old one, and the scenario is asked.

    Works as well in a session that has just been made (``resumed``), because the worker that ran
    the call is gone: everything needed is on the channels.
    """
    transfers, link = session.part(BlindTransfers), ahead.link
    deflected = _deflected(session, snapshot)
    if deflected is not None:
        _take_back(session, link, snapshot, deflected)
        return
    transferee = known_leg(session, snapshot)
    transferor = transferor_of(session, ahead, snapshot, transferee)
    session.board.part(AttendedTransfers).give_way_to_blind(session)
    kept_before = session.part(KeptTransfers)
    if not transferee.alive:
        kept_before.give_way({transferor, transferee})
        return  # its hang-up has been dealt with (abandon)
    _forget_broken_bridge(session)
    try:
        session.take_link(link, transferee.channel_uuid, ahead)
        request = read_request(ahead, snapshot)
    except (LinkError, ChannelGone) as error:
        log.info("%s: no transfer, its transferee left on its way to us: %s", session.id, error)
        _lost_on_its_way(session, link, snapshot, (transferor, transferee))
        return
    session.settle_link()
    # Only now: a link that is silenced drops what it has not told yet, as of the target's end.
    kept_before.give_way({transferor, transferee})
    for earlier in transfers.open:
        if earlier.is_taken and earlier.request.event == request.event is not None:
            earlier.withdraw()  # a timer had sent its transferee on, and it is back
        # FreeSWITCH takes a REFER from legs that are bridged: the news of it may be late.
        earlier.bridged({transferee, transferor})
    if request.event is None:
        transferor.advance(LegState.DISCONNECTED)
    transfer = transfers.begin(transferor, transferee, request, timed(snapshot))
    if resumed:
        if snapshot.variable(Mark.HOME):
            journal.note("happened", event="takeover", session=session.id)
        _clear(session, leftovers.clearing(snapshot))
        if transferor.alive:
            known = ahead.transferor.variable if ahead.transferor is not None else None
            _clear(session, leftovers.clearing_of_another(transferor.channel_uuid, known))
        _clear(session, owed_before(ahead, transferor.channel_uuid, request.event))
        if snapshot.variable(Mark.KEPT):
            _clear(session, owed_before(ahead, transferee.channel_uuid, None))
        session.tell.resumed(transferor, transferee)
    transferee.fresh = snapshot
    try:
        _begin(session, transfer, snapshot)
    finally:
        transferee.fresh = None
        ahead.forget()
        transfer.wait()


def _begin(session: Session, transfer: BlindTransfer, snapshot: Event) -> None:
    """Ask the scenario, unless all is decided already."""
    if snapshot.variable(Mark.STAGE) == Stage.CALLING:
        # Our predecessor died while the target rang, and the target has failed since.
        transfer.give_up(bridge_status(snapshot))
        return
    try:
        refer_to = transfer.request.parse()
    except BadRequest as error:
        log.warning("%s: transfer request refused: %s", session.id, error)
        transfer.give_up(error.status)
        return
    pair, movers = (transfer.transferor, transfer.transferee), snapshot.variable(Mark.MOVERS)
    refer = transfer.request.event
    transfer.asking = judging.asking(session, *pair, "blind", movers=movers, refer=refer)
    opens = session.settings.decide.may_open and _asks_web(session, transfer)
    transfer.diversion = diversion(session, *pair, transfer.asking, None)
    try:
        judging.permit_asking(session, transfer.asking, refer_to.target, may_be_opened=opens)
    except judging.Refused as refused:
        log.warning("%s: transfer refused: %s", session.id, refused)
        transfer.give_up(refused.status)
        return
    _ask(session, transfer, refer_to)


def _forget_broken_bridge(session: Session) -> None:
    """The end of the bridge that the REFER broke may never be told."""
    dials = session.part(Calls).dials
    for dial in tuple(dials.values()):
        if not dial.outgoing.placed:
            forget(session, dial)  # of its channels none is, or will be, a leg of ours
    dials.clear()
    session.part(Referred).pair = None


def _lost_on_its_way(
    session: Session, link: Connection, snapshot: Event, pair: tuple[Leg, Leg]
) -> None:
    """The request could not be read: the transferee has hung up, or only its link is lost.

    Where nothing else is heard of the switch, a link that lingers serves. Without one, and where
    the leg is there, all is as if it had not come: it comes again, or is missed when the kept link
    is back (`take_stock`).
    """
    transferor, transferee = pair
    session.return_link()
    serves = session.away and link.lingering
    if serves:
        with suppress(LinkError):
            serve_by(session, link)
    if session.link is not link and _may_be_there(session, transferee):
        transferee.held = False
        paired(transferor, transferee)
        return
    gone(session, transferee, SipStatus(487))
    if session.link is link and not serves:  # no other, and FreeSWITCH obeys nothing on this one
        home = snapshot.variable(Mark.HOME) or session.board.home
        session.board.on_stranded(home, session.switch)
        transferor.advance(LegState.DISCONNECTED)  # as far as we are concerned
        return
    session.part(BlindTransfers).abandon(transferor, transferee)


def _may_be_there(session: Session, call: Leg) -> bool:
    try:
        return is_there(session, call)
    except LinkError:
        return True


def resume(session: Session, ahead: Ahead, snapshot: Event) -> None:
    """As :func:`transfer_request`, for a session that another worker has left."""
    transfer_request(session, ahead, snapshot, resumed=True)


def returned(session: Session, link: Connection, snapshot: Event) -> None:
    """A leg that we had lent to a bridge, or that we called, comes to us by a link of its own."""
    channel = snapshot.channel_uuid or ""
    call = branches.find(session, channel, snapshot.variable(Mark.CALLEE))
    if call is None or not call.alive:
        let_go(link)
        return
    branches.settle(session, call, channel)
    branches.learn(call, snapshot)
    session.hold_link(link, call.channel_uuid)
    call.codecs.learn(snapshot)
    if snapshot.get("Caller-Destination-Number") == Extension.AGAIN:
        again(session, call)
    else:
        came_back(session, call)


def came_back(session: Session, call: Leg, bridge: Dial | None = None) -> None:
    """A leg that was lent to a bridge, or called, is in our hands.

    ``bridge``: that by which it talked, when its return has been told already.
    """
    calls, transfers = session.part(Calls), session.part(BlindTransfers)
    call.held = True
    calls.lends = True  # perhaps it was our predecessor that did
    outgoing = calls.outgoing.get(call.callee)
    if outgoing is not None:
        outgoing.came_home()
        return
    if session.part(KeptTransfers).came_back(call):
        return
    for asked in transfers.open:
        if asked.transferor is call:
            asked.transferor_is_back()
    transfer = transfers.moving(call)
    if transfer is not None and calls.put_return_off(call):
        return  # whether its target was joined with it
    bridge = bridge or calls.end_bridge(call)
    if transfer is not None and transfer.target_left():
        return
    if bridge is not None and bridge.then is not None:
        bridge.then()
        return
    sent_for, call.sent_for = call.sent_for, False
    if not sent_for and native.came_back(session, call):
        return
    if not sent_for and (call.partner is None or not call.partner.alive):
        known = None if transfer is not None else call.forsaken_at
        safe_answers.forsaken(session, call, call.uses if known is None else known)
    elif not sent_for:
        taken_away.came_back_alone(session, call)


def _deflected(session: Session, snapshot: Event) -> BlindTransfer | None:
    """The transfer whose target has sent a REFER while it rang: that has moved the transferee."""
    sender = snapshot.variable("blind_transfer_uuid") or NOBODY
    target = branches.find(session, sender, None)
    if target is None:
        return _deflected_by_unheard(session, snapshot, sender)
    running = session.part(BlindTransfers).wanting(target)
    if running is None or running.transferee.channel_uuid != snapshot.channel_uuid:
        return None
    return None if target.connected else running


def _deflected_by_unheard(session: Session, snapshot: Event, sender: str) -> BlindTransfer | None:
    """As that, where the leg is here before the news of the target's channel, which may be gone.

    FreeSWITCH takes a REFER from whoever talks with the leg, or is being called for it; with whom
    it has talked last its ``last_bridge_to`` says.
    """
    waiting = session.calls.get(snapshot.channel_uuid or "")
    if waiting is None or sender in (NOBODY, snapshot.variable("last_bridge_to")):
        return None
    running = session.part(BlindTransfers).awaiting_target(waiting)
    if running is None or running.target is None or running.target.placed:
        return None
    return running if session.part(Calls).is_waiting(waiting) else None


def _take_back(session: Session, link: Connection, snapshot: Event, running: BlindTransfer) -> None:
    """FreeSWITCH does not call such a target any more: it has failed, and the first two talk on."""
    log.info(
        "%s: the target of %s's transfer sends a REFER while it rings: it has failed",
        session.id,
        running.transferor,
    )
    session.part(Referred).pair = None
    for dial in tuple(session.part(Calls).dials.values()):
        if dial.waiting is running.transferee:
            forget(session, dial)
    session.take_link(link, snapshot.channel_uuid or "")
    session.settle_link()
    running.transferee.held = True
    for target in [target for target in running.targets if target.alive]:
        gone(session, target, SipStatus(487))
    running.fail(SipStatus(480))


def _asks_web(session: Session, transfer: BlindTransfer) -> bool:
    """Whether a web service decides: there is one, and no scenario does."""
    there = session.board.part(WebService).is_asked
    return there and not session.tell.decides_on_transfers(transfer.transferor)


def _ask(session: Session, transfer: BlindTransfer, refer_to: ReferTo) -> None:
    """Give the request to the scenario, else to the web service, else the settings decide."""
    request = transfer.request
    headers = of_request(request.refer_to, request.referred_by, refer_to)
    log.info(
        "%s: %s asks to transfer %s to %s on %s",
        session.id,
        transfer.transferor,
        transfer.transferee,
        refer_to.target.user,
        session.switch,
    )
    if _asks_web(session, transfer):
        transfer.transferee.fresh = None
        by_web.ask(
            session, transfer, refer_to, lambda: _transfer_by_settings(session, transfer, refer_to)
        )
        return
    if session.tell.decides_on_transfers(transfer.transferor):
        transfer.decided, transfer.transferee.fresh = BY_SCENARIO, None
    asked = session.tell.blind_transfer_requested(
        transfer.transferor,
        transfer.transferee,
        refer_to,
        headers,
        lambda error: _request_handler_failed(transfer, error),
    )
    if not asked:
        _transfer_by_settings(session, transfer, refer_to)


def _request_handler_failed(transfer: BlindTransfer, error: Exception) -> None:
    """The first two talk on, unless FreeSWITCH is calling the target by the handler's wish."""
    if isinstance(error, CallFailed):
        transfer.give_up(SipStatus(error.code, error.reason))
    else:
        transfer.handler_failed(error.status if isinstance(error, NoRoute) else SipStatus(500))


def _transfer_by_settings(session: Session, transfer: BlindTransfer, refer_to: ReferTo) -> None:
    headers = of_transfer(session.settings, refer_to)
    transfer.tell_referred_by()
    transferor, event = transfer.transferor, transfer.request.event
    if session.settings.transfer.keep_talking and transferor.alive and event is not None:
        transfer.keep_talking()
        request = KeptRequest(
            transfer.transferee,
            transferor,
            refer_to.target,
            ByRefer(transferor, event),
            parted=True,
            options=CallOptions(headers=headers),
            asking=transfer.asking,
            diversion=transfer.diversion,
            decided=transfer.decided,
        )
        session.part(KeptTransfers).begin(request)
        return
    try:
        connect(session, transfer.transferee, refer_to.target, CallOptions(headers=headers))
    except NoRoute as error:
        log.info("%s: transfer refused: %s", session.id, error)
        transfer.give_up(error.status)
    except DialStringError as error:
        log.warning("%s: transfer refused: %s", session.id, error)
        transfer.give_up(SipStatus(400))
    except ChannelGone as error:
        log.info("%s: nobody is called: %s", session.id, error)
        transfer.give_up(SipStatus(500))


def _clear(session: Session, commands: list[Command]) -> None:
    if commands:
        session.link.post(*commands)


def _dialled_number(snapshot: Event) -> str:
    """What the caller has dialled: the user part of its Request-URI, of a telephone-subscriber the
    number. With ``full-id-in-dialplan`` of the profile FreeSWITCH adds the host (sofia.c).
    """
    dialled = snapshot.get("Caller-Destination-Number") or ""
    full_id = dialled == snapshot.variable("sip_req_uri")
    user = dialled.rpartition("@")[0] if full_id else dialled
    parameters = (snapshot.variable("sip_req_params") or "").lower().split(";")
    return telephone(user, phone="user=phone" in parameters)[0]
