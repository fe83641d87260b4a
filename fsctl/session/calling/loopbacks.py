"""A party that is called in the switch's own dialplan is reached by a loopback, and that leaves.

Two seconds after both of its halves have been bridged mod_loopback joins the legs on its two sides
by ``uuid_bridge``, hangs itself up, and tells nobody (mod_loopback.c, ``channel_write_frame``);
where that is safe we do so before (`relieve`). The leg of the called party, first a half of the
loopback, is then the channel of whom the extension has called. Where an application holds the call
(a conference, a mailbox) it stays.
"""

from __future__ import annotations

import logging

from fsctl.esl.commands import UuidBridge, UuidBuglist, UuidSetvarMulti
from fsctl.esl.events import Event
from fsctl.session.calling.arming import arming
from fsctl.session.calling.calls import Calls
from fsctl.session.calling.dial import Dial
from fsctl.session.core import branches
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session
from fsctl.switch.dialstring import carried_caller_number
from fsctl.switch.marks import Mark
from fsctl.switch.variables import read, read_all, read_several

log = logging.getLogger(__name__)

_TALK_S = 0.1
"""FreeSWITCH has begun both bridges by then: until then it writes over what would end them."""

_TRUE_ID = "other_leg_true_id"
"""On whom an extension has called: the leg that has been bridged with the loopback's other half."""


def reached(session: Session, event: Event) -> None:
    """The extension has bridged the loopback's half with somebody (``CHANNEL_BRIDGE``)."""
    call = session.callees.get(event.variable(Mark.CALLEE) or "")
    if call is None or call.branches is None or not call.alive:
        return
    beyond = call.branches.beyond_of(event.channel_uuid or "")
    if beyond:
        _learn(session, call, beyond)
        relieve(session, call)


def relieve(session: Session, call: Leg) -> None:
    """Join whoever waits for ``call`` with whom the extension has called, as soon as they talk.

    mod_loopback would do the same two seconds later; and a REFER that meets a join is lost, mostly
    with both legs (switch_ivr_bridge.c, ``uuid_bridge_on_hibernate``). At the answer nobody sends
    one yet.
    """
    if call.branches is not None and call.branches.in_dialplan:
        session.after(_TALK_S, lambda: _relieve(session, call))


def _relieve(session: Session, call: Leg) -> None:
    waiting, known = call.peer, call.branches
    dials = session.part(Calls).dials.values()
    talk = any(d.outgoing is call and d.waiting is waiting and d.answered for d in dials)
    inside = known.inside_of(call.channel_uuid) if known is not None else None
    if waiting is None or inside is None or not talk or not (call.alive and waiting.alive):
        return
    half, beyond = inside
    if beyond and _is_plain(session, (waiting.channel_uuid, call.channel_uuid), (half, beyond)):
        session.link.post(UuidBridge(waiting.channel_uuid, beyond))


def _is_plain(session: Session, first: tuple[str, str], second: tuple[str, str]) -> bool:
    """Whether these two pairs are each in a bridge, and nothing is left for mod_loopback to do.

    A recording goes along with its join alone, and it knows how to leave a chain of loopbacks.
    """
    (waiting, branch), (half, beyond) = first, second
    heard = session.link.send_all([UuidBuglist(branch), UuidBuglist(half)])
    one, other, disposition, loopback, bow_out = read_all(
        session.link,
        [
            (waiting, "signal_bond"),
            (beyond, "signal_bond"),
            (beyond, "endpoint_disposition"),
            (beyond, "other_loopback_leg_uuid"),
            (half, "loopback_bowout"),
        ],
    )
    bridged = (one, other, disposition) == (branch, half, "ANSWER")
    return bridged and not (
        loopback or bow_out or any("<media-bug>" in each.text for each in heard)
    )


def _learn(session: Session, call: Leg, channel: str) -> None:
    """Who the party really is: another number may lead to it."""
    names = ("sip_call_id", "dialed_user", "callee_id_number")
    call_id, user, number = read_several(session.link, channel, *names)
    if call_id:  # else it is another loopback, or has gone
        call.reached, call.sip_call_id, call.facts = channel, call_id, None
        known = call.number
        call.number = user or number or known
        if call.caller_id == known:
            call.caller_id = call.number


def left(session: Session, call: Leg, event: Event) -> bool:
    """Whether the loopback has left, of whose half this is the ``CHANNEL_HANGUP``.

    Then ``call`` goes on with another channel.
    """
    known, channel = call.branches, call.channel_uuid
    if known is None or not known.in_dialplan or channel not in known:
        return False  # another channel is the party's already
    waiting = event.variable("signal_bond") or ""
    other = read(session.link, waiting, "signal_bond") if waiting else None
    if other is None or not _goes_on(session, call, waiting, other):
        return False
    if channel == session.link_leg:
        session.change_link()
    return True


def is_over(session: Session, dial: Dial, complete: Event) -> bool:
    """Whether the leg that waited was a half of a loopback, and that has left.

    A REFER had moved that half: whom it talked with has another partner now. ``complete`` tells of
    the end of its ``bridge``.
    """
    if not complete.variable("other_loopback_leg_uuid"):
        return False
    partner = read(session.link, dial.outgoing.channel_uuid, "signal_bond")
    return partner not in (None, dial.waiting.channel_uuid)


def joined(session: Session, waiting: str, other: str) -> Leg | None:
    """``waiting`` talks with a channel that nobody knows: is that a party we have called?"""
    for call in tuple(session.callees.values()):
        known, talks = call.branches, call.alive and call.placed
        if talks and known is not None and known.in_dialplan:  # noqa: SIM102 - a question follows
            if _goes_on(session, call, waiting, other):
                return call
    return None


def _goes_on(session: Session, call: Leg, waiting: str, other: str) -> bool:
    known = call.branches
    if known is None or other in known:
        return False
    true_id = read(session.link, other, _TRUE_ID)
    if true_id != waiting and not known.leads_to(other, true_id):
        return False  # somebody else has taken the waiting leg
    log.info("%s: a loopback has left: %s is %s now", session.id, call, other)
    branches.settle(session, call, other)
    _learn(session, call, other)
    call.reached = ""
    peer = session.calls.get(waiting)
    if peer is not None:
        _arm(session, call, peer)
    return True


def _arm(session: Session, call: Leg, peer: Leg) -> None:
    """Both know whom they talk with."""
    home, settings = session.board.home, session.settings
    of_peer = {Mark.TRANSFEROR_NUMBER: carried_caller_number(call.number)}
    session.link.post(
        UuidSetvarMulti(call.channel_uuid, tuple(arming(call, peer, home, settings).items())),
        UuidSetvarMulti(peer.channel_uuid, tuple(of_peer.items())),
    )
