"""Whom a called party sees: the number and name that go out with a call, and whether at all."""

from __future__ import annotations

from typing import NamedTuple

from fsctl.esl.events import Event
from fsctl.session.core.leg import Leg
from fsctl.settings import Route, RouteKind, Settings
from fsctl.switch.dialstring import carried_caller_name
from fsctl.switch.marks import Mark

ANONYMOUS = "anonymous"
_FLAGS = {"": "screen", "name": "screen:hide_name", "full": "screen:hide_name:hide_number"}
_HIDING = ("id", "user")


class Shown(NamedTuple):
    """A party as others see it. ``privacy`` says what of that it wants hidden: nothing (empty),
    its ``name``, or both (``full``), as RFC 3323 and Remote-Party-ID have it."""

    number: str
    name: str
    privacy: str = ""


def of_leg(snapshot: Event) -> Shown:
    """Return who is at a leg that has called.

    Of a phone that has authenticated FreeSWITCH knows more than From says: its directory entry has
    ``effective_caller_id_number`` and ``_name`` (sofia_reg.c sets the variables of the entry on the
    leg). What the leg was armed with counts first, for a recall changes those two.
    """
    said = snapshot.get("Caller-Caller-ID-Number") or ""
    said_name = snapshot.get("Caller-Caller-ID-Name") or ""
    number = snapshot.variable("effective_caller_id_number")
    name = snapshot.variable("effective_caller_id_name")
    if name is None:
        name = said_name if number in (None, said) else ""
    known = snapshot.variable(Mark.NUMBER)
    if known is not None:
        armed = snapshot.variable(Mark.NAME) or ""
        name = next((n for n in (name, said_name) if carried_caller_name(n) == armed), armed)
    return Shown(known or number or said, name, privacy_of(snapshot))


def privacy_of(snapshot: Event) -> str:
    """Return what the party of a leg that has called wants hidden: see :class:`Shown`.

    Source: ``Privacy: id`` and the privacy of Remote-Party-ID become flags of the caller's profile
    (sofia.c), which the application ``privacy`` sets as well; ``Privacy: user`` asks for the same.
    """
    header = (snapshot.variable("sip_Privacy") or "").lower()
    wanted = {word.strip() for word in header.replace(",", ";").split(";")}
    if snapshot.get("Caller-Privacy-Hide-Number") == "true" or wanted & {*_HIDING}:
        return "full"
    return "name" if snapshot.get("Caller-Privacy-Hide-Name") == "true" else ""


def presented(settings: Settings, route: Route, waiting: Leg, transferor: Leg | None) -> Shown:
    """Return whom the party called for ``waiting`` sees.

    In a transfer (``transferor`` given) ``[transfer] caller_id`` decides, unless the route has a
    word of its own; in a plain call only a route's ``fixed`` replaces the caller.
    """
    section = settings.transfer
    policy = route.caller_id or (section.caller_id if transferor else "transferee")
    if policy == "fixed":
        number, name = route.caller_id_number, route.caller_id_name
        return Shown(
            section.caller_id_number if number is None else number,
            section.caller_id_name if name is None else name,
        )
    if policy == "transferor" and transferor is not None:
        return Shown(transferor.number, transferor.display_name, transferor.caller_privacy)
    return Shown(waiting.caller_id, waiting.caller_name, waiting.caller_privacy)


def chosen(usual: Shown, number: str | None, name: str | None) -> Shown:
    """Return ``usual`` with what an application has chosen; a number of its own hides nothing."""
    other = number is not None and number != usual.number
    return Shown(
        usual.number if number is None else number,
        usual.name if name is None else name,
        "" if other else usual.privacy,
    )


def origination(shown: Shown, kind: RouteKind) -> dict[str, str]:
    """Return the variables by which a called party sees ``shown``.

    FreeSWITCH tells who wants to be hidden (Remote-Party-ID, or Privacy with P-Asserted-Identity),
    and shows number and name in From all the same: only a gateway, which needs them, gets them.
    The flags are always said: a leg that was called has those of its caller.
    """
    number, name = shown.number, shown.name
    if kind != "gateway":
        number = ANONYMOUS if shown.privacy == "full" else number
        name = ANONYMOUS.capitalize() if shown.privacy else name
    return {
        "origination_caller_id_number": number,
        # Without a name FreeSWITCH would show one of its own, "Outbound Call" (sofia_glue.c).
        "origination_caller_id_name": name or "_undef_",
        "origination_privacy": _FLAGS[shown.privacy],
    }
