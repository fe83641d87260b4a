"""The sides of `fsctl.policy.parties` as one expression, for a dialplan that decides alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from fsctl.policy.parties import FACTS, SEPARATOR
from fsctl.setting_policy import Policy

_ANY: Final = "[^;]*"
_UNSET: Final = "(?:_undef_)?"
_SET: Final = "(?!_undef_;)[^;]+"
_CALLED_IN: Final = "(?!outbound;|_undef_;)[^;]+"
_FIELDS: Final = {
    "context": "fsctl_own_context",
    "profile": "sofia_profile_name",
}


def inside_expression(policy: Policy) -> str:
    """Return what matches the noted facts (`Mark.ASKER`) of whoever is inside, and of nobody else.

    In the syntax that Python and PCRE share. Parties that only a ``network:`` word puts inside are
    not matched: an address is no matter of expressions.
    """
    outside = [each for word in policy.outside for each in _of_word(word)]
    inside = [each for word in policy.inside for each in _of_word(word)]
    inside += [_facts(**each) for each in _users(_SET)]
    never = f"(?!(?:{'|'.join(outside)})$)" if outside else ""
    return f"^{never}(?:{'|'.join(inside)})$"


def _facts(**patterns: str) -> str:
    known = {"direction": _SET} | patterns  # where that is not set, nobody knows who it was
    return SEPARATOR.join(known.get(name, _ANY) for name in FACTS)


def _of_word(word: str) -> Iterator[str]:
    what, _, name = word.partition(":")
    if what == "gateway":
        gateway = re.escape(name)
        yield _facts(sip_gateway=gateway)
        yield _facts(direction="outbound", sip_gateway=_UNSET, sip_gateway_name=gateway)
    elif what == "user":
        user, at, domain = name.partition("@")
        for each in _users(_glob(user), _glob(domain) if at else ""):
            yield _facts(**each)
    elif what == "acl":
        yield _facts(direction=_CALLED_IN, sip_acl_authed_by=re.escape(name))
    elif what in _FIELDS:
        yield _facts(**{_FIELDS[what]: re.escape(name)})


def _users(user: str, domain: str = "") -> Iterator[dict[str, str]]:
    """How a leg shows that it is a user's: by its digest, its address, or as it was called."""
    at = domain or _ANY
    authorized = {"direction": _CALLED_IN, "sip_authorized": "true", "sip_gateway": _UNSET}
    digest = {"sip_auth_username": user, "sip_auth_realm": at, "sip_acl_authed_by": _UNSET}
    yield authorized | digest
    token = f"{user}@{domain}" if domain else f"{user}(?:@{_ANY})?"
    yield {**authorized, "sip_auth_username": _UNSET, "sip_acl_token": token}
    yield {**authorized, "sip_acl_authed_by": _SET, "sip_acl_token": token}
    no_gateway = {"sip_gateway": _UNSET, "sip_gateway_name": _UNSET}
    yield {"direction": "outbound", "dialed_user": user, "dialed_domain": at, **no_gateway}


def _glob(text: str) -> str:
    """A glob, in any case; it matches no variable that is not set."""
    signs = {"*": "[^;@]*", "?": "[^;@]"}
    return "(?!_undef_;)" + "".join(signs.get(each) or _either(each) for each in text)


def _either(character: str) -> str:
    if character.isalpha():
        return f"[{character.lower()}{character.upper()}]"
    return re.escape(character)
