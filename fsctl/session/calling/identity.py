"""Whom a called party sees: the number and name that go out with a call, and whether at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from fsctl.esl.events import Event
from fsctl.session.core.leg import Leg
from fsctl.setting_kinds import NUMBER_CHARACTERS, UNSAFE_IN_NAME
from fsctl.settings import AssertedIdentity, Route, RouteKind, Settings
from fsctl.sip.uri import telephone
from fsctl.switch.ahead import PROFILE
from fsctl.switch.dialstring import carried_caller_name
from fsctl.switch.marks import Mark
from fsctl.switch.variables import Asked, read_several

ANONYMOUS = "anonymous"
_FLAGS = {"": "screen", "name": "screen:hide_name", "full": "screen:hide_name:hide_number"}
_HIDING = ("id", "user")
CID_TYPES = {"pai": "pid", "rpid": "rpid", "none": "none"}
_TELLS: dict[str, Collection[str]] = {"pai": ("", "full"), "none": ("",)}
"""What privacy a header tells the far end of: P-Asserted-Identity has no word for the name alone
(sofia_glue.c)."""
_LONGEST = 64
_NOT_IN_NUMBER = re.compile(f"[^{NUMBER_CHARACTERS}]")
_NOT_IN_NAME = re.compile(f"[{UNSAFE_IN_NAME}]")
_QUOTED_PAIR = re.compile(r'\\(["\\])')
"""How a quoted display name says a quotation mark or a backslash (RFC 3261 25.1): FreeSWITCH keeps
it so (sofia.c, sofia_handle_sip_i_invite)."""
_NO_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Control characters and ends of lines."""


class Shown(NamedTuple):
    """A party as others see it. ``privacy`` says what of that it wants hidden: nothing (empty),
    its ``name``, or both (``full``), as RFC 3323 and Remote-Party-ID have it."""

    number: str
    name: str
    privacy: str = ""


_ASKED = (
    *PROFILE,
    *(Mark.NUMBER, Mark.NAME, Mark.PRIVACY),
    *("effective_caller_id_number", "effective_caller_id_name", "sip_Privacy"),
    *("dialed_user", "transfer_history", "transfer_fallback_extension"),
)

Known = Callable[[str], str | None]
"""A channel's variable, or a field of its caller profile, by name."""


def of_leg(snapshot: Event) -> Shown:
    """Return who is at a leg, by an event of it."""

    def known(name: str) -> str | None:
        header = PROFILE.get(name)
        return snapshot.variable(name) if header is None else snapshot.get(header)

    return _shown(known)


def of_channel(link: Asked, channel_uuid: str) -> Shown:
    """Return who is at a channel, which is asked; the number is empty when it has gone.

    Raises LinkError.
    """
    return _shown(dict(zip(_ASKED, read_several(link, channel_uuid, *_ASKED), strict=True)).get)


def _shown(known: Known) -> Shown:
    """Who is there, in one line of text: a phone may call itself ``%0A``, and who prints or keeps
    that need not know. A space stands for each character that is none."""
    shown = _called(known) if known("direction") == "outbound" else _calling(known)
    number, name = (_NO_TEXT.sub(" ", each) for each in (shown.number, shown.name))
    return shown._replace(number=number, name=name)


def _calling(known: Known) -> Shown:
    """Who has called. Of a phone that has authenticated FreeSWITCH knows more than From says: its
    directory entry has ``effective_caller_id_number`` and ``_name`` (sofia_reg.c sets the variables
    of the entry on the leg). What the leg was armed with counts first, for a recall changes those.
    """
    said = known("caller_id_number") or ""
    said_name = _QUOTED_PAIR.sub(r"\1", known("caller_id_name") or "")
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


def first_dialled(leg: Event) -> str:
    """Return the number that a leg's call was first made to, by an event of it; empty for one that
    was called, which is itself that number.

    A gateway that registers is called by its own name (``gw+NAME``), and To says the number
    (sofia.c). What no number has in it is left out.
    """
    if leg.get("Call-Direction") == "outbound":
        return ""
    user, params = leg.variable("sip_req_user") or "", leg.variable("sip_req_params") or ""
    if user.startswith("gw+") and leg.variable("sip_gateway"):
        user = leg.variable("sip_to_user") or ""
    number = telephone(user, phone="user=phone" in params.lower().split(";"))[0]
    return "" if _NOT_IN_NUMBER.search(number) or len(number) > _LONGEST else number


def presented(settings: Settings, route: Route, waiting: Leg, transferor: Leg | None) -> Shown:
    """Return whom the party called for ``waiting`` sees.

    In a transfer (``transferor`` given) ``[transfer] caller_id`` decides, unless the route has a
    word of its own; in a plain call only a route's ``fixed`` replaces the caller. Where nothing is
    left to be shown it is the transferee.
    """
    transferee = Shown(waiting.caller_id, waiting.caller_name, waiting.caller_privacy)
    by = None
    if transferor is not None:
        by = Shown(transferor.number, transferor.display_name, transferor.caller_privacy)
    return whom(settings, route, transferee, by, waiting.dialled)


def whom(
    settings: Settings, route: Route, transferee: Shown, by: Shown | None, first: str
) -> Shown:
    """As :func:`presented`, of parties without their legs; ``first`` is the number that the
    transferee's call was first made to."""
    section = settings.transfer
    policy = route.caller_id or (section.caller_id if by else "transferee")
    number, name = route.caller_id_number, route.caller_id_name
    number = section.caller_id_number if number is None else number
    name = section.caller_id_name if name is None else name
    if policy == "fixed":
        return Shown(number, name)
    if by is None or policy == "transferee":
        return transferee
    if policy == "transferor":
        return by
    dialled = Shown(first, "") if first else transferee
    if policy == "dialled":
        return dialled
    parties = {"transferee": transferee, "transferor": by, "dialled": dialled}
    filled = templated(number, name, parties)
    return filled if filled.number else transferee


def templated(number: str, name: str, parties: Mapping[str, Shown]) -> Shown:
    """Return what a template shows: of each party that it names in braces the number, in the name
    the display name before that. What a party wants hidden stays so: the number of one that is
    hidden hides all, its name the name.
    """
    in_number, in_name = (
        [parties[each] for each in parties if f"{{{each}}}" in text] for text in (number, name)
    )
    hidden = "name" if any(party.privacy for party in in_name) else ""
    hidden = "full" if any(party.privacy == "full" for party in in_number) else hidden
    return Shown(
        _filled(number, _NOT_IN_NUMBER, {of: each.number for of, each in parties.items()}),
        _filled(name, _NOT_IN_NAME, {of: each.name or each.number for of, each in parties.items()}),
        hidden,
    )


def _filled(text: str, unsafe: re.Pattern[str], values: Mapping[str, str]) -> str:
    """A value is put in once: braces in it are dropped, and never read as a placeholder."""
    filled = re.sub(r"\{([a-z]+)\}", lambda found: values[found[1]], text)
    return unsafe.sub("", filled)[:_LONGEST].strip()


def chosen(usual: Shown, number: str | None, name: str | None) -> Shown:
    """Return ``usual`` with what an application has chosen; a number of its own hides nothing."""
    other = number is not None and number != usual.number
    return Shown(
        usual.number if number is None else number,
        usual.name if name is None else name,
        "" if other else usual.privacy,
    )


def origination(shown: Shown, kind: RouteKind, asserted: AssertedIdentity = "") -> dict[str, str]:
    """Return the variables by which a called party sees ``shown``.

    FreeSWITCH tells who wants to be hidden (Remote-Party-ID, or Privacy with P-Asserted-Identity),
    and shows number and name in From all the same: only a gateway, which needs them, gets them, and
    only where it is told so by the header that is ``asserted``.
    The flags are always said: a leg that was called has those of its caller.
    """
    number, name = shown.number, shown.name
    if kind != "gateway" or shown.privacy not in _TELLS.get(asserted, (shown.privacy,)):
        number = ANONYMOUS if shown.privacy == "full" else number
        name = ANONYMOUS.capitalize() if shown.privacy else name
    return {
        "origination_caller_id_number": number,
        # Without a name FreeSWITCH would show one of its own, "Outbound Call" (sofia_glue.c).
        "origination_caller_id_name": name or "_undef_",
        "origination_privacy": _FLAGS[shown.privacy],
        **({"sip_cid_type": CID_TYPES[asserted]} if asserted else {}),
    }


def asserted_by(settings: Settings, route: Route, *, moves: bool) -> AssertedIdentity:
    """Return by which header FreeSWITCH says who calls; empty: as its profile has it. Where nobody
    is moved only the route's own word counts."""
    section = settings.transfer.asserted_identity if moves else ""
    return section if route.asserted_identity is None else route.asserted_identity
