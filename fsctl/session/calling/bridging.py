"""Joining two legs that are in our hands (``uuid_bridge``), so that neither is ever lost.

The first one is the bridge's originator: when the bridge ends, it goes on in its dialplan, behind
``socket``; the second is hung up (switch_ivr_bridge.c, ``uuid_bridge_on_soft_execute`` and
``audio_bridge_on_exchange_media``). An application that keeps its legs gets both back: by
``fsctl_stage=lent`` the rescue context sends the first one home, by ``transfer_after_bridge`` the
second. Should the second be gone when they are to meet, FreeSWITCH hangs up the first, but for
``transfer_after_bridge`` (the second cannot be found any more) and
``uuid_bridge_continue_on_cancel`` (it has just hung up).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from fsctl.errors import ChannelGone
from fsctl.esl.commands import (
    Command,
    UuidAudio,
    UuidBridge,
    UuidSetvar,
    UuidSetvarMulti,
    UuidTransfer,
)
from fsctl.session.calling import recording, safe_answers
from fsctl.session.calling.applications import send
from fsctl.session.calling.arming import arming
from fsctl.session.calling.calls import Calls
from fsctl.session.calling.native_call import NativeCall
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session
from fsctl.switch.grace import REPLACES
from fsctl.switch.marks import Context, Extension, Mark, Stage
from fsctl.switch.notify import NOTES_JOIN
from fsctl.switch.refer_variables import ASKS_TO_SAY, FORGOTTEN, STALE

_FETCH_S = 1.0
"""A leg whose join has failed comes back by itself by then, if it does."""
HOME_AGAIN = f"{Extension.RETURNING}:XML:{Context.RETURN}"
AFTERWARDS = "transfer_after_bridge"
"""Where a leg goes when its bridge is over, in either role; `HOME_AGAIN`: to us."""


def bridge_commands(first: Leg, second: Leg, variables: Mapping[str, str]) -> list[Command]:
    """Return what joins them; ``variables`` are set on the first leg besides, just before."""
    lent = first.session.part(Calls).lends
    of_first = dict.fromkeys(STALE, "") | {Mark.STAGE: Stage.LENT if lent else Stage.JOINED}
    of_first |= {AFTERWARDS: "", REPLACES: "", **variables}
    commands: list[Command] = [UuidSetvar(second.channel_uuid, AFTERWARDS)]
    if lent:
        of_first |= {AFTERWARDS: HOME_AGAIN, "uuid_bridge_continue_on_cancel": "true"}
        of_second = ((Mark.STAGE, Stage.LENT), (AFTERWARDS, HOME_AGAIN))
        commands.append(UuidSetvarMulti(second.channel_uuid, of_second))
    commands.append(UuidSetvarMulti(first.channel_uuid, tuple(of_first.items())))
    return [*commands, UuidBridge(first.channel_uuid, second.channel_uuid)]


def rejoining(transferee: Leg, transferor: Leg, variables: Mapping[str, str]) -> list[Command]:
    """As that, of two whom a REFER has parted: FreeSWITCH is not to take their join for its
    success."""
    of_first = {**FORGOTTEN, NOTES_JOIN: "", **variables}
    of_second = UuidSetvarMulti(transferor.channel_uuid, tuple(FORGOTTEN.items()))
    return [of_second, *bridge_commands(transferee, transferor, of_first)]


def once_bridged(first_uuid: str) -> Command:
    """Return what must follow when the two have met.

    The originator of a bridge with ``transfer_after_bridge`` would be sent home by its own REFER,
    instead of being parked until the transfer has its result.
    """
    return UuidSetvar(first_uuid, AFTERWARDS)


# -- what a scenario asks for ---------------------------------------------------------------------


Answer = Callable[[Leg], None]
"""Answers a caller, and waits until that has happened."""


def send_media_between(session: Session, one: Leg, other: Leg, answer: Answer) -> None:
    """See ``Session.send_media_between``; ``answer`` is for a caller that still alerts."""
    with _whoever_is_left(session, one, other):
        _make_talkable(one, other, answer)
        if other is not one.partner:
            join(session, one, other)
    _mute(one, False)
    _mute(other, False)


def send_media_to(session: Session, one: Leg, other: Leg, answer: Answer) -> None:
    """``other`` hears ``one``; what ``other`` says is muted until it is sent, too."""
    with _whoever_is_left(session, one, other):
        _make_talkable(one, other, answer)
        if other is not one.partner:
            join(session, one, other)
            _mute(other, True)
    _mute(one, False)


def stop_media_to(session: Session, one: Leg, other: Leg) -> None:
    """``other`` no longer hears ``one``; when neither hears the other, both come back to us."""
    if other is not one.partner:
        raise ValueError("these two do not talk with each other")
    if other.muted:
        part(session, one, other)
    else:
        _mute(one, True)


def join(session: Session, one: Leg, other: Leg) -> None:
    """Bridge two legs that are in our hands, or in a bridge. Raises ChannelGone, ValueError."""
    session.part(Calls).lends = True
    transfers = session.movers
    transfer = transfers.awaiting_target(one) or transfers.awaiting_target(other)
    wanted = transfers.wanting(one) or transfers.wanting(other)
    if wanted is not None and wanted.transferee not in (one, other):
        raise ValueError(f"a target of {wanted.transferee}'s transfer cannot talk with another one")
    first, second = one, other
    variables: dict[str, str] = {}
    if transfer is not None:
        first = transfer.transferee
        second = other if first is one else one
        transfer.join(second)
        by = transfer.transferor
        channel = by.channel_uuid if by is not None and by.alive else ""
        number = by.number if by is not None else ""
        variables |= recording.at_join(first, channel, number, second.number) | ASKS_TO_SAY
    elif (moved := session.part(NativeCall).moved(one, other)) is not None:
        first, second = moved, other if moved is one else one
        variables |= ASKS_TO_SAY
    elif not first.held:
        first, second = second, first
    for call, peer in ((first, second), (second, first)):
        call.pending_peer, call.forsaken_at = peer, None
        variables_of = arming(call, peer, session.board.home, session.settings)
        session.link.send(UuidSetvarMulti(call.channel_uuid, tuple(variables_of.items())))
    reply = session.link.send_all(bridge_commands(first, second, variables))[-1]
    if reply.ok:
        first.held = second.held = False  # until they come back
        return
    first.pending_peer = second.pending_peer = None
    if transfer is not None:
        transfer.join_given_up()
    raise ChannelGone(f"{first} and {second}: {reply.text.strip()}")


def part(session: Session, one: Leg, other: Leg) -> None:
    """Take two who talk apart: each comes back to us, and nobody is hung up (``uuid_transfer``)."""
    for call in (one, other):
        _mute(call, False)
        call.peer = call.pending_peer = None
        call.sent_for = True
    send(one, UuidTransfer(one.channel_uuid, Extension.RETURNING, Context.RETURN, leg="both"))


def fetch_left(session: Session, call: Leg) -> None:
    """The one that ``call`` was being joined with has gone: nothing ends that for it.

    FreeSWITCH keeps the second of the two in CS_RESET for as long as the first, which alone goes on
    from there, does not come (switch_ivr_bridge.c, ``uuid_bridge_on_reset``). So it is sent home,
    unless it has come by itself, or is used.
    """
    uses = call.uses

    def fetch() -> None:
        alone = call.alive and not call.held and call.partner is None and call.uses == uses
        if alone and session.movers.moving(call) is None:
            command = UuidTransfer(call.channel_uuid, Extension.RETURNING, Context.RETURN)
            session.link.send(command).raise_for_error()

    session.after(_FETCH_S, fetch)


@contextmanager
def _whoever_is_left(session: Session, one: Leg, other: Leg) -> Iterator[None]:
    """Who was to talk with somebody that has gone is not left in silence, nor a transferee ours."""
    try:
        yield
    except ChannelGone:
        for call in (one, other):
            if call.alive and call.partner is None and session.movers.moving(call) is None:
                safe_answers.forsaken(session, call, call.uses)
        raise


def _make_talkable(one: Leg, other: Leg, answer: Answer) -> None:
    if one is other:
        raise ValueError("a call cannot talk with itself")
    for call in (one, other):
        if call.unanswered:
            answer(call)
        if not call.alive:
            raise ChannelGone(f"call {call.channel_uuid} has ended")
        if not call.connected:
            raise ValueError(f"{call} is not answered")


def _mute(call: Leg, muted: bool) -> None:
    """Whether nobody hears what this party says (``uuid_audio``)."""
    if call.muted != muted:
        call.muted = muted
        call.session.link.send(UuidAudio(call.channel_uuid, muted=muted))
