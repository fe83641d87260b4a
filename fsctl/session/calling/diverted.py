"""What the target is told of its transfer: Diversion (RFC 5806), History-Info (RFC 7044) and
Referred-By (RFC 3892), of what FreeSWITCH vouches for only.

Nothing of a Refer-To or of its headers gets here but the number, as a route dials it.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Final

from fsctl.errors import LinkError
from fsctl.policy.judge import Asking
from fsctl.policy.parties import Party
from fsctl.session.calling.headers import REFERRED_BY
from fsctl.session.calling.judging import who
from fsctl.session.core.diversion import Diversion
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session
from fsctl.settings import Route, Settings, Transfer
from fsctl.sip.uri import encode
from fsctl.switch.variables import read_all

DIVERSION: Final = "Diversion"
HISTORY_INFO: Final = "History-Info"
_OWN_ADDRESS: Final = "sip_local_network_addr"
_ANONYMOUS: Final = "sip:anonymous@anonymous.invalid"
_DOMAIN = re.compile(r"[0-9A-Za-z.:_-]{1,255}")
_IN_USER: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~+*")


def diversion(
    session: Session, by: Leg, of: Leg, asked: Asking | None, referred_by: str | None
) -> Diversion:
    """Return what may be said of a transfer of ``of`` by ``by``. Both channels are asked, where the
    settings want any of it to be said. ``referred_by``: see there.
    """
    if not _wanted(session.settings):
        return Diversion("", referred_by=referred_by)
    party = who(session, by)
    directory, address = None, None
    with suppress(LinkError):  # whoever goes on sees that, too
        wanted = (by.channel_uuid, "effective_caller_id_number"), (of.channel_uuid, _OWN_ADDRESS)
        directory, address = read_all(session.link, wanted)
    domain = party.user.partition("@")[2] or address or ""
    return Diversion(
        vouched_number(by, party, directory),
        by.caller_privacy,
        domain if _DOMAIN.fullmatch(domain) else "",
        1 + (asked.chain if asked is not None else 0),
        referred_by,
    )


def vouched_number(leg: Leg, party: Party, directory: str | None) -> str:
    """Return the number of the party at ``leg``, never as its phone alone says it: as we have
    dialled it, as its entry in the directory has it (``effective_caller_id_number``, unless a
    recall has written over that), or its user's name there."""
    if leg.branches is not None or (party.user and leg.number == directory):
        return leg.number
    return party.user.partition("@")[0]


def told(known: Diversion | None, route: Route, number: str, settings: Settings) -> dict[str, str]:
    """Return the headers of a call to ``number`` by ``route`` that tell of the transfer."""
    if known is None:
        return {}
    section = settings.transfer
    referred_by = section.referred_by if route.referred_by is None else route.referred_by
    diverted = section.diversion if route.diversion is None else route.diversion
    history = section.history_info if route.history_info is None else route.history_info
    headers = {}
    if referred_by == "keep" and known.referred_by:
        headers[REFERRED_BY] = known.referred_by
    if not known.number or not known.domain:
        return headers
    hidden, trusted = known.privacy == "full", route.kind == "gateway"
    user = f"sip:{encode(known.number, _IN_USER)}@{_host(known.domain)}"
    by = _ANONYMOUS if hidden and not trusted else user
    if referred_by == "rewrite" and known.referred_by is not None and not hidden:
        headers[REFERRED_BY] = f"<{user}>"
    if diverted:
        privacy = ";privacy=full" if hidden else ""
        headers[DIVERSION] = f"<{by}>;reason=unconditional;counter={known.counter}{privacy}"
    if history and number:
        private = "?Privacy=history" if by == user and hidden else ""
        target = f"sip:{encode(number, _IN_USER)}@{_host(known.domain)};cause=302"
        headers[HISTORY_INFO] = f"<{by}{private}>;index=1, <{target}>;index=1.1;mp=1"
    return headers


def _host(domain: str) -> str:
    return f"[{domain}]" if ":" in domain else domain


def _wanted(settings: Settings) -> bool:
    places: tuple[Transfer | Route, ...] = (settings.transfer, *settings.routes)
    return any(
        place.diversion or place.history_info or place.referred_by == "rewrite" for place in places
    )
