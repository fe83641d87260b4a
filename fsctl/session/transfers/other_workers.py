"""The dialog that a REFER replaces may be another worker's call: FreeSWITCH knows it all the same.

Its channels say everything (``fsctl_*``, the dialog's Call-ID and tags, with whom they talk). The
two calls become guests of the transferor's session until the transfer is decided; its other worker
lets the target go when it sees that it talks with somebody else (see ``Session.check_still_ours``).
"""

from __future__ import annotations

import json
import logging
from uuid import uuid4

from fsctl.esl.commands import Filter, GlobalGetvar, ShowChannels
from fsctl.esl.connection import Connection
from fsctl.session.core.leg import Leg, LegState, paired
from fsctl.session.core.session import Session
from fsctl.sip.refer import Replaces
from fsctl.switch.grace import departure_name, tags_mark
from fsctl.switch.marks import Mark
from fsctl.switch.variables import read, read_all, value_of

log = logging.getLogger(__name__)


def find_elsewhere(
    session: Session, link: Connection, named: Replaces
) -> tuple[Leg, Leg | None] | None:
    """The replaced call and its partner, as new calls of ``session``; None: no call of any worker.

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
    partner = read(link, replaced, "signal_bond") or read(link, replaced, "originate_signal_bond")
    made = guest(session, link, replaced)
    target = guest(session, link, partner) if partner else None
    if target is not None and target.connected:
        paired(made, target)
    log.info("%s: the dialog to replace is another worker's: %s", session.id, made)
    return made, target


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
    """A call of ``session``, made from what its channel says. Raises LinkError."""
    number = read(link, channel, Mark.NUMBER) or ""
    answered = read(link, channel, "endpoint_disposition") == "ANSWER"
    call = session.new_leg(
        channel,
        number=number,
        display_name=read(link, channel, Mark.NAME) or "",
        state=LegState.CONNECTED if answered else LegState.RINGING,
        outgoing=read(link, channel, "direction") == "outbound",
    )
    call.caller_privacy = read(link, channel, Mark.PRIVACY) or ""
    session.calls[channel] = call
    session.link.send(Filter("Unique-ID", channel)).raise_for_error()
    return call


def is_ours(link: Connection, channel: str) -> bool:
    """Whether this is a leg of a call that some worker of fsctl runs, or ran."""
    return read(link, channel, Mark.SESSION) is not None


def _is_named(link: Connection, channel: str, named: Replaces) -> bool:
    """One of fsctl's own calls, and the dialog's tags are those that the phone has named."""
    known = {read(link, channel, name) for name in ("sip_from_tag", "sip_to_tag")} - {None}
    return is_ours(link, channel) and bool(known) and known <= {named.from_tag, named.to_tag}
