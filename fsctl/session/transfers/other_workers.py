"""The dialog that a REFER replaces may be no call of this worker: FreeSWITCH knows it all the same.

Its channels say everything (``fsctl_*``, the dialog's Call-ID and tags, with whom they talk),
whether another worker runs that call, or the switch's own dialplan. The two legs become guests of
the transferor's session until the transfer is decided; another worker lets the target go when it
sees that it talks with somebody else (see ``Session.check_still_ours``).
"""

from __future__ import annotations

import json
import logging
import re
from uuid import uuid4

from fsctl.esl.commands import Filter, GlobalGetvar, ShowChannels, UuidGetvar
from fsctl.esl.connection import Connection
from fsctl.session.calling.identity import of_channel
from fsctl.session.core.leg import Leg, LegState, paired
from fsctl.session.core.session import Session
from fsctl.settings import SAFE_NUMBER
from fsctl.sip.refer import Replaces
from fsctl.switch.grace import departure_name, tags_mark
from fsctl.switch.marks import Mark
from fsctl.switch.variables import is_gone, read, read_all, read_several, value_of

log = logging.getLogger(__name__)

_CONTEXT = "(?!fsctl_)[0-9A-Za-z._-]{1,64}"
"""One of the operator's own."""


def find_elsewhere(
    session: Session, link: Connection, named: Replaces
) -> tuple[Leg, Leg | None] | None:
    """The replaced call and its partner, as new calls of ``session``; None: no call of this switch.

    Raises LinkError, ChannelGone.
    """
    if (departed := _departed(session, link, named)) is not None:
        return departed
    rows = json.loads(link.api(ShowChannels())).get("rows", [])
    channels = [str(row.get("uuid")) for row in rows]
    call_ids = read_all(link, [(each, "sip_call_id") for each in channels])
    pairs = zip(channels, call_ids, strict=True)
    replaced = next((uuid for uuid, call_id in pairs if call_id == named.call_id), None)
    if replaced is None:
        return None
    if not _is_named(link, replaced, named):
        return None
    partner = partner_of(link, replaced)
    made = guest(session, link, replaced)
    target = guest(session, link, partner) if partner else None
    if target is not None and target.connected:
        talked(made, target)
    if target is None and not is_ours(link, replaced):
        made.extension = _extension(link, replaced)
    log.info("%s: the dialog to replace is not in our hands: %s", session.id, made)
    return made, target


def partner_of(link: Connection, channel: str) -> str | None:
    """With whom this channel talks, or who rings for it; None where the dialplan serves it alone.

    FreeSWITCH leaves there who has rung in vain. A loopback that has not answered though it is
    bridged is an application (``loopback/app=voicemail``), which may never answer.
    """
    talks, rings = read_several(link, channel, "signal_bond", "originate_signal_bond")
    if talks:
        loopback, answer = read_several(
            link, talks, "other_loopback_leg_uuid", "endpoint_disposition"
        )
        return None if loopback and answer != "ANSWER" else talks
    return rings if rings and read(link, rings, "uuid") else None


def _departed(session: Session, link: Connection, named: Replaces) -> tuple[Leg, Leg | None] | None:
    """The replaced leg has hung up, and another worker has noted whom it has left behind."""
    noted = value_of(link.send(GlobalGetvar(departure_name(named.call_id))).text) or ""
    tags, _, left = noted.strip().partition("/")
    if tags != tags_mark({named.from_tag, named.to_tag}):
        return None
    target = guest(session, link, left) if left else None
    gone = session.new_leg(str(uuid4()), number="", state=LegState.DISCONNECTED)
    gone.was_connected, gone.left_behind = target is not None, target
    log.info("%s: the dialog to replace was another worker's: it has left %s", session.id, target)
    return gone, target


def guest(session: Session, link: Connection, channel: str) -> Leg:
    """A call of ``session``, made from what its channel says. Raises LinkError.

    Its news come before it is asked: else an answer in between would never be heard of; of one that
    has gone before no news come at all. Another request may have made it one already: news come to
    one leg of a channel only.
    """
    known = session.calls.get(channel)
    if known is not None and known.alive:
        return known
    shown = of_channel(link, channel)
    call = session.new_leg(
        channel,
        number=shown.number,
        display_name=shown.name,
        state=LegState.RINGING,
        outgoing=read(link, channel, "direction") == "outbound",
    )
    call.caller_privacy = shown.privacy
    session.calls[channel] = call
    session.link.send(Filter("Unique-ID", channel)).raise_for_error()
    answer = link.send(UuidGetvar(channel, "endpoint_disposition"))
    if is_gone(answer):
        call.advance(LegState.DISCONNECTED)
    elif value_of(answer.text) == "ANSWER":
        call.advance(LegState.CONNECTED)
    return call


def talked(one: Leg, other: Leg) -> None:
    """They talk with each other, or did until ``one`` hung up, a moment ago."""
    if one.alive:
        paired(one, other)
    else:
        one.was_connected, one.left_behind = True, other


def _extension(link: Connection, channel: str) -> tuple[str, str] | None:
    """The number and context in which the switch's own dialplan serves this leg alone.

    Both are taken only where FreeSWITCH cannot read anything else in them.
    """
    number, context = read_several(link, channel, "destination_number", "context")
    if re.fullmatch(SAFE_NUMBER, number or "") and re.fullmatch(_CONTEXT, context or ""):
        return number or "", context or ""
    return None


def is_ours(link: Connection, channel: str) -> bool:
    """Whether this is a leg of a call that some worker of fsctl runs, or ran."""
    return read(link, channel, Mark.SESSION) is not None


def _is_named(link: Connection, channel: str, named: Replaces) -> bool:
    """The dialog's tags are those that the phone has named: the proof that it takes part in it."""
    known = set(read_several(link, channel, "sip_from_tag", "sip_to_tag")) - {None}
    return bool(known) and known <= {named.from_tag, named.to_tag}
