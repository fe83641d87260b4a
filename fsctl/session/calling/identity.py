"""Whom a called party sees: the number and name that go out with a call, and whether at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fsctl.esl.events import Event
from fsctl.session.core.leg import Leg
from fsctl.settings import Route, RouteKind, Settings
from fsctl.switch.dialstring import carried_caller_name
from fsctl.switch.marks import Mark
from fsctl.switch.variables import Asked, read_several

ANONYMOUS = "anonymous"
_FLAGS = {"": "screen", "name": "screen:hide_name", "full": "screen:hide_name:hide_number"}
_HIDING = ("id", "user")


class Shown(NamedTuple):
    """A party as others see it. ``privacy`` says what of that it wants hidden: nothing (empty),
    its ``name``, or both (``full``), as RFC 3323 and Remote-Party-ID have it."""

    number: str
    name: str
    privacy: str = ""


_PROFILE = {
    "direction": "Call-Direction",
    "caller_id_number": "Caller-Caller-ID-Number",
    "caller_id_name": "Caller-Caller-ID-Name",
    "privacy_hide_number": "Caller-Privacy-Hide-Number",
    "privacy_hide_name": "Caller-Privacy-Hide-Name",
}
"""What FreeSWITCH answers under a variable's name, and events have as a header of its own."""
_ASKED = (
    *_PROFILE,
    *(Mark.NUMBER, Mark.NAME, Mark.PRIVACY),
    *("effective_caller_id_number", "effective_caller_id_name", "sip_Privacy"),
    *("dialed_user", "transfer_history", "transfer_fallback_extension"),
)

Known = Callable[[str], str | None]
"""A channel's variable, or a field of its caller profile, by name."""


def of_leg(snapshot: Event) -> Shown:
    """Return who is at a leg, by an event of it."""

    def known(name: str) -> str | None:
        header = _PROFILE.get(name)
        return snapshot.variable(name) if header is None else snapshot.get(header)

    return _called(known) if known("direction") == "outbound" else _calling(known)


def of_channel(link: Asked, channel_uuid: str) -> Shown:
    """Return who is at a channel, which is asked; the number is empty when it has gone.

    Raises LinkError.
    """
    known = dict(zip(_ASKED, read_several(link, channel_uuid, *_ASKED), strict=True)).get
    return _called(known) if known("direction") == "outbound" else _calling(known)


def _calling(known: Known) -> Shown:
    """Who has called. Of a phone that has authenticated FreeSWITCH knows more than From says: its
    directory entry has ``effective_caller_id_number`` and ``_name`` (sofia_reg.c sets the variables
    of the entry on the leg). What the leg was armed with counts first, for a recall changes those.
    """
    said, said_name = known("caller_id_number") or "", known("caller_id_name") or ""
    number, name = known("effective_caller_id_number"), known("effective_caller_id_name")
    if name is None:
        name = said_name if number in (None, said) else ""
    armed = known(Mark.NUMBER)
    if armed is not None:
        carried = known(Mark.NAME) or ""
        name = next((n for n in (name, said_name) if carried_caller_name(n) == carried), carried)
    return Shown(armed or number or said, name, _privacy(known))


def _called(known: Known) -> Shown:
    """Who was called: as the leg was armed, or as the directory says (mod_dptools.c sets the
    variables of the user's entry), else as it was dialled, before a transfer has written over that,
    else as its phone says in a REFER (sofia.c); a transfer turns the numbers of such a leg round.
    """
    dialled = known("dialed_user") if known("transfer_history") is None else None
    number = known(Mark.NUMBER) or known("effective_caller_id_number") or dialled
    number = number or known("transfer_fallback_extension") or known("caller_id_number") or ""
    name = known(Mark.NAME) or known("effective_caller_id_name") or ""
    return Shown(number, name, known(Mark.PRIVACY) or "")


def _privacy(known: Known) -> str:
    """What the party of a leg that has called wants hidden: see :class:`Shown`.

    Source: ``Privacy: id`` and the privacy of Remote-Party-ID become flags of the caller's profile
    (sofia.c), which the application ``privacy`` sets as well; ``Privacy: user`` asks for the same.
    """
    header = (known("sip_Privacy") or "").lower()
    wanted = {word.strip() for word in header.replace(",", ";").split(";")}
    if known("privacy_hide_number") == "true" or wanted & {*_HIDING}:
        return "full"
    return "name" if known("privacy_hide_name") == "true" else ""


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
