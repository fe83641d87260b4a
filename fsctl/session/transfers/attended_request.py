"""What a REFER with Replaces asks for, and whom it concerns among the calls of this worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fsctl.esl.commands import Command
from fsctl.esl.connection import Connection
from fsctl.session.calling.calls import Calls
from fsctl.session.calling.headers import of_request
from fsctl.session.core.board import Board
from fsctl.session.core.directory import Directory
from fsctl.session.core.leg import Leg
from fsctl.session.transfers.attended_registry import AttendedTransfers
from fsctl.session.transfers.other_workers import find_elsewhere
from fsctl.session.transfers.reporter import report
from fsctl.sip.refer import ReferTo, Replaces, parse_refer_to, parse_replaces
from fsctl.sip.status import SipStatus
from fsctl.switch.origin import Origin
from fsctl.switch.refer_variables import refer_event
from fsctl.switch.variables import read_all, read_several

_PENDING = SipStatus(491)

_UNKNOWN = "unknown@unknown.invalid"


@dataclass(frozen=True, slots=True)
class AttendedRequest:
    """``replaced`` is the transferor's second leg, ``target`` who talks with it or rings for it."""

    refer_to: ReferTo
    headers: Mapping[str, str]
    replaced: Leg | None
    target: Leg | None
    guests: tuple[Leg, ...] = ()
    """Those of them that another worker has: in our session until all is decided."""

    is_own: bool = False
    """It names the very dialog in which the REFER was sent, or that of its partner."""

    @property
    def is_known(self) -> bool:
        """The dialog to replace is, or was a moment ago, one of our calls."""
        return self.replaced is not None

    @property
    def is_given_up(self) -> bool:
        """The transferor has taken its call to the target back before that was answered."""
        replaced, target = self.replaced, self.target
        return (
            target is None
            and replaced is not None
            and not (replaced.alive or replaced.was_connected)
        )


def read_attended(
    board: Board, link: Connection, transferor: Leg, transferee: Leg
) -> AttendedRequest:
    """Read the request from the variables of the loopback that opened ``link``.

    Raises LinkError, ChannelGone; UriError when Refer-To or Replaces is malformed.
    """
    loopback = link.channel_uuid or ""
    names = ("sip_refer_to", "Referred-By", "_sofia_replaces_")
    refer_to, referred_by, replaces = read_several(link, loopback, *names)
    parsed = parse_refer_to(refer_to or "")
    headers = of_request(refer_to, referred_by)
    named = parsed.replaces or parse_replaces(replaces or "")
    return _request(board, link, (transferor, transferee), parsed, headers, named)


def read_unheard(
    board: Board, link: Connection, transferor: Leg, transferee: Leg, replaces: str
) -> AttendedRequest:
    """What is left of a request whose transferor was gone before FreeSWITCH asked us.

    The transferee has the Replaces, and nobody the Refer-To. Raises as :func:`read_attended`.
    """
    parsed = parse_refer_to(f"<sip:{_UNKNOWN}>")
    pair = (transferor, transferee)
    return _request(board, link, pair, parsed, {"Refer-To": ""}, parse_replaces(replaces))


def _request(
    board: Board,
    link: Connection,
    pair: tuple[Leg, Leg],
    parsed: ReferTo,
    headers: Mapping[str, str],
    named: Replaces,
) -> AttendedRequest:
    transferor, transferee = pair
    replaced = _find(board, transferor.session.origin, link, named)
    target = _partner(replaced) if replaced is not None else None
    guests: tuple[Leg, ...] = ()
    if replaced is None and (found := find_elsewhere(transferor.session, link, named)):
        replaced, target = found
        guests = (replaced, target) if target else (replaced,)
    own = bool({replaced, target} & {transferor, transferee})
    if own:
        replaced = target = None
    return AttendedRequest(parsed, headers, replaced, target, guests, own)


def refuse_moved(link: Connection, transferee_uuid: str, loopback_uuid: str) -> list[Command]:
    """Return what refuses a REFER of the transferee's that has moved the loopback, not its target.

    The two were bridged for a moment. FreeSWITCH reports nothing once the loopback is gone; it has
    reported success if the loopback has been bridged with somebody else by then. There was no
    loopback where FreeSWITCH did not ask us (``loopback_uuid`` is empty).
    """
    if not loopback_uuid:
        return []
    asked = ((transferee_uuid, "blind_transfer_uuid"), (loopback_uuid, "bridge_to"))
    moved, partner = read_all(link, asked)
    event = refer_event(link, transferee_uuid) if moved == loopback_uuid else None
    return [] if event is None or partner is not None else report(transferee_uuid, event, _PENDING)


def _find(board: Board, origin: Origin, link: Connection, named: Replaces) -> Leg | None:
    """The leg of ours whose dialog it is (RFC 3891 section 3): Call-ID and both tags.

    Of another FreeSWITCH the one that asks us cannot join it.
    """
    for call in board.part(Directory).find("sip_call_id", named.call_id):
        here = call.session.origin.core_uuid == origin.core_uuid
        if here and (call.alive or call.left_behind is not None):
            return call if _has_tags(link, call, named) else None
    gone = board.part(AttendedTransfers).given_up(named.call_id)
    if gone is None or gone.session.origin.core_uuid != origin.core_uuid:
        return None
    return gone if _has_tags(link, gone, named) else None


def _has_tags(link: Connection, call: Leg, named: Replaces) -> bool:
    """The tags are the proof that the phone takes part in the dialog. FreeSWITCH asks for none."""
    if not call.alive:
        return bool(call.sip_tags) and call.sip_tags <= {named.from_tag, named.to_tag}
    names = ("sip_from_tag", "sip_to_tag")
    known = set(read_several(link, call.channel_uuid, *names)) - {None}
    return bool(known) and known <= {named.from_tag, named.to_tag}


def _partner(call: Leg) -> Leg | None:
    for partner in (call.peer, call.left_behind):
        if partner is not None and partner.alive:
            return partner
    dials = call.session.part(Calls).dials.values()
    return next((dial.outgoing for dial in dials if dial.waiting is call), None)
