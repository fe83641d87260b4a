"""Who is at a leg that comes to a session, and who has sent the REFER that brings it."""

from __future__ import annotations

from contextlib import suppress

from fsctl.errors import LinkError
from fsctl.esl.events import Event
from fsctl.session.calling.calls import Calls
from fsctl.session.calling.headers import of_invite
from fsctl.session.calling.identity import Shown, first_dialled, of_channel, of_leg
from fsctl.session.calling.native_call import NOBODY
from fsctl.session.calling.places import domain_of, own_hosts
from fsctl.session.core import branches
from fsctl.session.core.leg import Leg, LegState, noted
from fsctl.session.core.session import Session
from fsctl.switch import facts
from fsctl.switch.marks import Mark
from fsctl.switch.variables import Asked, read_several


def heard(session: Session, event: Event) -> Leg | None:
    """Whose event this is, and what it tells of the party."""
    call = branches.call_of(session, event)
    if call is not None and (call.placed or event.name == "CHANNEL_ANSWER"):
        branches.learn(call, event)
    elif call is not None and call.facts is None:
        call.facts = facts.of_event(event)  # any of its branches is of the same party
    return call


def known_leg(session: Session, snapshot: Event) -> Leg:
    """The call of the leg that opened the link; made from its variables when it is not ours yet."""
    uuid = snapshot.channel_uuid or ""
    known = branches.find(session, uuid, snapshot.variable(Mark.CALLEE))
    if known is not None:
        branches.settle(session, known, uuid)
        known.held = True
        known.facts = facts.of_event(snapshot)
        _stands_for(known)
        return known
    inbound = snapshot.get("Call-Direction") != "outbound"
    shown = shown_of(snapshot, inbound=inbound)
    number, name = shown.number, shown.name
    answered = snapshot.get("Answer-State") == "answered"
    call = _add(session, uuid, number, name, connected=answered)
    call.held = True
    call.facts = facts.of_event(snapshot)
    call.outgoing = not inbound
    call.caller_privacy, call.dialled = shown.privacy, first_dialled(snapshot)
    call.sip_call_id = snapshot.variable("sip_call_id") or ""
    call.codecs.learn(snapshot)
    call.invite_headers = of_invite(snapshot)
    session.own_hosts |= own_hosts(snapshot)
    session.own_context = snapshot.variable(Mark.OWN_CONTEXT) or session.own_context
    session.domain = domain_of(snapshot)
    return call


def shown_of(snapshot: Event, *, inbound: bool) -> Shown:
    """Who is at a leg that is new to us; of a loopback's half who is at the other end."""
    if inbound and snapshot.variable(Mark.FOR):
        return _armed_partner(snapshot)
    return of_leg(snapshot)


def _armed_partner(snapshot: Event) -> Shown:
    """Whom the leg talks with, as it was armed."""
    names = (Mark.TRANSFEROR_NUMBER, Mark.TRANSFEROR_NAME, Mark.TRANSFEROR_PRIVACY)
    return Shown(*(snapshot.variable(name) or "" for name in names))


def _stands_for(known: Leg) -> None:
    """A loopback's half that was bridged with whom an extension has called is moved by that party's
    REFER, in place of the party at the other end: others see that one."""
    inside = known.branches is not None and known.branches.is_inside(known.channel_uuid)
    if inside and known.peer is not None:
        known.caller_id, known.caller_name = known.peer.caller_id, known.peer.caller_name
        known.caller_privacy = known.peer.caller_privacy


def transferor_of(session: Session, link: Asked, snapshot: Event, transferee: Leg) -> Leg:
    """The call of the party that sent the REFER; one that has ended when FreeSWITCH names none.

    A called party may be quicker than the news of its answer, and is known by its name only then.
    """
    uuid = snapshot.variable("blind_transfer_uuid")
    if uuid:
        with suppress(LinkError):  # whoever reads the request sees that, too
            session.part(Calls).settle_bridged(uuid, transferee.channel_uuid, link)
    known = session.calls.get(uuid or "")
    if known is None:
        shown = transferor_shown(link, uuid, snapshot)
        _learn_own_host(session, link, uuid)
        if uuid and transferee.reached == uuid:
            shown = Shown(transferee.number, "")
        known = _add(session, uuid or NOBODY, shown.number, shown.name, connected=True)
        known.caller_privacy = shown.privacy
        if not uuid:
            known.advance(LegState.DISCONNECTED)
    known.facts = known.facts or facts.noted(snapshot.variable(Mark.ASKER))
    known.held = False
    for call in (known, transferee):
        call.peer = call.pending_peer = None  # FreeSWITCH has taken them apart
    return known


def _learn_own_host(session: Session, link: Asked, uuid: str | None) -> None:
    """The caller has sent its INVITE to this switch, also when it is the one that transfers."""
    if not uuid:
        return
    with suppress(LinkError):  # whoever reads the request sees that, too
        direction, host = read_several(link, uuid, "direction", "sip_req_host")
        if host and direction != "outbound":
            session.own_hosts.add(host.strip("[]").lower())


def transferor_shown(link: Asked, uuid: str | None, snapshot: Event) -> Shown:
    """Who has sent the REFER: as its own channel says, or, when that has gone, as the leg that it
    has talked with was armed."""
    if uuid:
        with suppress(LinkError):  # whoever reads the request sees that, too
            shown = of_channel(link, uuid)
            if shown.number:
                return shown
    return _armed_partner(snapshot)


def _add(session: Session, uuid: str, number: str, name: str, *, connected: bool) -> Leg:
    call = session.new_leg(
        uuid,
        number=number,
        display_name=name,
        state=LegState.CONNECTED if connected else LegState.ALERTING,
    )
    session.calls[uuid] = call
    if connected and uuid != NOBODY:
        noted(call)  # no news of its answer comes to us any more
    return call
