"""Which SIP headers go with a call: those of the settings and of the application, and what an
allow-list lets through of those that others have written.

FreeSWITCH's ``bridge`` would copy every ``sip_h_*`` variable of the waiting leg, those of its own
INVITE and of earlier transfers, and ``originate`` none (mod_sofia.c, ``sofia_outgoing_channel``).
Here all ways of calling send the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fsctl.esl.events import Event
from fsctl.settings import Route, Settings
from fsctl.sip.refer import ReferTo, allowed_headers, is_passable
from fsctl.switch.variables import read_several

if TYPE_CHECKING:
    from fsctl.session.core.leg import Leg

_VARIABLE = "sip_h_"
REFERRED_BY = "Referred-By"


def merged(*some: Mapping[str, str]) -> dict[str, str]:
    """Return all of these headers; of one that is named twice (in any case) the last."""
    kept: dict[str, tuple[str, str]] = {}
    for headers in some:
        kept |= {name.lower(): (name, value) for name, value in headers.items()}
    return dict(kept.values())


def of_invite(snapshot: Event) -> tuple[str, ...]:
    """Return the names of the headers that FreeSWITCH has kept of a leg's own INVITE.

    A leg that FreeSWITCH has called has none, nor has a half of a loopback: what it carries was
    sent *to* it.
    """
    called = snapshot.get("Call-Direction") == "outbound"
    if called or snapshot.variable("other_loopback_leg_uuid"):
        return ()
    prefix = f"variable_{_VARIABLE}"
    names = (name.removeprefix(prefix) for name in snapshot.names(prefix))
    return tuple(name for name in names if is_passable(name))


def passed_on(call: Leg | None, route: Route, settings: Settings) -> dict[str, str]:
    """Return what of the headers of ``call``'s own INVITE goes to a party that is called for it.

    ``pass_headers`` of the route decides, else that of ``[call]``. The values are read from the
    channel, for plain events blur them. Raises :class:`fsctl.errors.LinkError`.
    """
    allow = settings.call.pass_headers if route.pass_headers is None else route.pass_headers
    if call is None or not call.alive:
        return {}
    wanted = allowed_headers([(name, "") for name in call.invite_headers], allow)
    if not wanted:
        return {}
    names = [f"{_VARIABLE}{name}" for name, _ in wanted]
    values = read_several(call.session.link, call.channel_uuid, *names)
    return {name: value for (name, _), value in zip(wanted, values, strict=True) if value}


def of_transfer(settings: Settings, refer_to: ReferTo) -> dict[str, str]:
    """Return the headers that the settings send to the target of a transfer, whatever its route."""
    section = settings.transfer
    embedded = allowed_headers(refer_to.embedded_headers, section.pass_headers)
    return merged(dict(embedded), dict(section.headers))


def of_request(
    refer_to: str | None, referred_by: str | None, parsed: ReferTo | None = None
) -> dict[str, str]:
    """Return what an application is told of a REFER's headers.

    ``Refer-To`` and ``Referred-By`` are always the REFER's own: headers embedded in the URI never
    stand for them, and those that form a dialog or an identity are left out.
    """
    embedded = parsed.embedded_headers if parsed is not None else ()
    headers = {name: value for name, value in embedded if is_passable(name)}
    return merged(headers, {"Refer-To": refer_to or ""}) | (
        {REFERRED_BY: referred_by} if referred_by else {}
    )
