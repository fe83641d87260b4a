"""Reading a transfer request from the channels of a leg that came home.

Nothing is taken from a plain event header: FreeSWITCH leaves ``%0D%0A`` as it is there, and a
client that decodes it sees line breaks that were never sent. ``uuid_getvar`` gives exact values.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from fsctl.errors import ChannelGone, FsctlError
from fsctl.esl.commands import UuidGetvar
from fsctl.esl.connection import Connection
from fsctl.esl.events import Event
from fsctl.sip.refer import ReferTo, parse_refer_to
from fsctl.sip.status import SipStatus
from fsctl.sip.uri import Uri, UriError, telephone
from fsctl.switch.marks import Context, Mark
from fsctl.switch.variables import Asked, is_gone, read, read_several, value_of

log = logging.getLogger(__name__)

STALE = ("sip_refer_to", "sip_h_Referred-By", "sip_h_X-FS-Refer-Params")
"""Variables of one transfer that FreeSWITCH leaves on the transferee: the next one without them
would inherit them (it sets no value that holds ``${``). They go when the target is called or the
first two are joined, not earlier: another controller may have to read them again."""

FORGOTTEN = {"blind_transfer_uuid": "", Mark.REFERRED: ""}
"""What must be unset on both parties before they are joined again: set, FreeSWITCH would report
their join as the transfer's success."""


class BadRequest(FsctlError):
    """The REFER cannot be served; ``status`` is what its sender is told."""

    def __init__(self, message: str, status: SipStatus) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class RawRequest:
    """What FreeSWITCH keeps of a REFER, verbatim."""

    transferee_uuid: str
    transferor_uuid: str
    refer_to: str | None
    referred_by: str | None
    event: str | None
    """The ``Event`` header that the NOTIFY must carry (``refer;id=N``). None: nobody is to be
    told, for the transferor has gone."""
    destination: str
    """Where FreeSWITCH itself would have sent the transferee (percent-decoded)."""
    source: str = ""
    """The transferee's ``transfer_source`` when it came home: FreeSWITCH changes it with each move
    (switch_ivr.c, ``switch_ivr_session_transfer``)."""

    def parse(self) -> ReferTo:
        """Return the parsed Refer-To.

        Raises :class:`BadRequest`: 400 for nonsense (also when FreeSWITCH refused to store the
        value because it holds ``${``, and an older one is still there), 416 for a scheme that
        cannot be called.
        """
        if not self.refer_to or "${" in self.destination:
            raise BadRequest("the REFER has no Refer-To that can be used", SipStatus(400))
        try:
            refer_to = parse_refer_to(self.refer_to)
        except UriError as error:
            raise BadRequest(str(error), SipStatus(error.sip_status)) from error
        if not _is_current(refer_to.target, self.destination):
            raise BadRequest("the Refer-To is one of an earlier transfer", SipStatus(400))
        dropped = refer_to.address.uri.dropped
        if dropped:
            log.info("%s: dropped from its Refer-To, unusable: %r", self.transferee_uuid, dropped)
        return refer_to


_SERVICE = "service"
"""Where FreeSWITCH sends who is transferred to an empty user (switch_ivr_session_transfer)."""
_NULL = "(null)"
"""What stands for the user of a URI without one, with ``full-id-in-dialplan`` (sofia.c)."""


def _is_current(target: Uri, destination: str) -> bool:
    """FreeSWITCH sent the transferee to the user part of the very Refer-To that we hold.

    With ``full-id-in-dialplan`` of the profile the destination is ``user@host``.
    """
    if target.user and target.user in (destination, unquote(destination)):
        return True  # also one that holds an @ of its own
    user, at, host = destination.rpartition("@")
    if at and host.strip("[]").lower() == target.host:
        destination = user
        if not target.user:
            return user in ("", _NULL)
    if target.scheme == "tel":
        return target.user in telephone(unquote(destination), phone=True)
    return target.user in (destination, unquote(destination)) or (
        not target.user and destination == _SERVICE
    )


def read_request(link: Asked, snapshot: Event) -> RawRequest:
    """Read what is known of the REFER.

    Raises :class:`fsctl.errors.LinkError`, ChannelGone.
    """
    transferee = snapshot.channel_uuid or ""
    transferor = snapshot.variable("blind_transfer_uuid") or ""
    wanted = [(transferee, "sip_refer_to"), (transferee, "sip_h_Referred-By")]
    if transferor:
        wanted.append((transferor, "sip_blind_transfer_event"))
    replies = link.send_all([UuidGetvar(uuid, name) for uuid, name in wanted])
    if is_gone(replies[0]):
        raise ChannelGone(f"{transferee} has hung up")
    values = [value_of(reply.text) for reply in replies[: len(wanted)]]
    return RawRequest(
        transferee_uuid=transferee,
        transferor_uuid=transferor,
        refer_to=values[0],
        referred_by=values[1],
        event=values[2] if transferor else None,
        destination=snapshot.get(_destination_header(snapshot)) or "",
        source=snapshot.variable("transfer_source") or "",
    )


def _destination_header(snapshot: Event) -> str:
    """Where FreeSWITCH keeps the number that the REFER named.

    A leg that the worker of its session did not claim has been sent on by a timer, which has moved
    its number there (switch_ivr.c, ``switch_ivr_session_transfer``).
    """
    sent_on = snapshot.get("Caller-Context") == Context.RESCUE
    return "Caller-RDNIS" if sent_on else "Caller-Destination-Number"


def refer_event(link: Connection, transferor_uuid: str) -> str | None:
    """Return the ``Event`` of the REFER that this leg has sent (``refer;id=N``).

    None: there is none, or the leg is gone. Raises :class:`fsctl.errors.LinkError`.
    """
    return read(link, transferor_uuid, "sip_blind_transfer_event")


ASKS_TO_SAY = {"bridge_pre_execute_aleg_app": "eval", "bridge_pre_execute_app": ""}
"""Set on the first leg just before ``uuid_bridge``, so that it shows when that has begun:
FreeSWITCH copies the one to the other then (and obeys ``eval``, which does nothing).
``uuid_bridge`` itself sets ``bridge_uuid`` at once, ``bridge`` when it has begun."""

SIGNS_OF_BRIDGE = ("bridge_uuid", *ASKS_TO_SAY)
"""The variables of a channel that say with whom it has been bridged in truth."""


def bridged_with(signs: Sequence[str | None]) -> str:
    """Return the channel that this one talked with last, by its `SIGNS_OF_BRIDGE`; "" for none.

    One with which a bridge was told of (CHANNEL_BRIDGE, ``last_bridge_to``), but given up before it
    began, is not meant: FreeSWITCH has reported no blind transfer by it. All of these are set right
    behind the message by which it reports (``switch_ivr_multi_threaded_bridge``); ``bridge_to``
    says nothing, for it stays set where the other one has gone in the next moment.
    """
    peer, asks, says = signs
    return peer if peer and (not asks or says) else ""


def bridge_began(link: Connection, channel_uuid: str, peer_uuid: str) -> bool:
    """Whether the bridge of these two, which is over, had begun its work: FreeSWITCH reported it.

    Raises :class:`fsctl.errors.LinkError`.
    """
    return bridged_with(read_several(link, channel_uuid, *SIGNS_OF_BRIDGE)) == peer_uuid
