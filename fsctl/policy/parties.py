"""Which side a party is on: what FreeSWITCH itself vouches for, never what the party says.

From, P-Asserted-Identity and Referred-By are only claims; mod_sofia challenges no REFER, so the
leg's own authentication counts (sofia.c, ``sofia_handle_sip_i_invite``).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final, Literal

from fsctl.setting_policy import Policy

Side = Literal["inside", "outside", "unknown"]
"""``unknown``: it left before FreeSWITCH could say who it is."""
Facts = Mapping[str, str | None]
"""Variables of a channel by name; None: not set."""

FACTS: Final = (
    *("direction", "sip_authorized", "sip_auth_username", "sip_auth_realm"),
    *("sip_acl_authed_by", "sip_acl_token", "dialed_user", "dialed_domain"),
    *("sip_gateway", "sip_gateway_name", "sofia_profile_name", "sip_network_ip"),
    "fsctl_own_context",
)
"""The variables of a leg's channel that say who is there. ``sip_auth_username`` is set when the
digest was right (sofia_reg.c), on a leg that calls in; on one that is called an operator may set
it for a trunk. ``dialed_user`` is whom ``user/`` has called (mod_dptools.c). ``sip_gateway`` is of
calls in, ``sip_gateway_name`` of calls out."""

_OF_CALLS_IN: Final = (
    *("sip_authorized", "sip_auth_username", "sip_auth_realm"),
    *("sip_acl_authed_by", "sip_acl_token", "sip_network_ip"),
)
_OF_CALLS_OUT: Final = ("dialed_user", "dialed_domain", "sip_gateway_name")
FACTS_OF: Final = {
    "inbound": tuple(each for each in FACTS if each not in _OF_CALLS_OUT),
    "outbound": tuple(each for each in FACTS if each not in _OF_CALLS_IN),
}
"""What FreeSWITCH sets on a leg of this direction; what else is there is somebody's export."""

SEPARATOR: Final = ";"
"""Stands between these where the dialplan notes them all in one variable."""


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody at a leg, as far as the policy needs it."""

    side: Side
    because: str
    """Why it is on that side, for a log line and a record."""
    user: str = ""
    """``user@domain`` of the directory, or without the domain where that is not known; empty: none
    that FreeSWITCH vouches for."""
    called_in: bool = True
    """It has called; else it was called."""
    context: str = ""
    acl: str = ""
    gateway: str = ""
    profile: str = ""
    network: str = ""
    """The address its SIP comes from; of a party that was called it is not known."""

    def is_one_of(self, words: tuple[str, ...]) -> bool:
        """Whether one of these words (``[[rule]] by``) is true of it; of no words one is."""
        return not words or any(self._is(word) for word in words)

    def _is(self, word: str) -> bool:
        what, colon, name = word.partition(":")
        if not colon:
            return word == self.side
        if what == "user":
            user = self.user if "@" in name else self.user.partition("@")[0]
            return bool(user) and fnmatchcase(user.lower(), name.lower())
        if what == "network":
            return _in_network(self.network, name)
        return bool(name) and str(getattr(self, what)) == name


def party(facts: Facts, policy: Policy) -> Party:
    """Return who is at a leg, by its variables (`FACTS`; what is missing is not set)."""

    direction = facts.get("direction")
    if not direction:
        return Party("unknown", "it has left, and nobody knows who it was")
    called_in = direction != "outbound"
    vouched = FACTS_OF["inbound" if called_in else "outbound"]

    def known(name: str) -> str:
        return (name in vouched and facts.get(name)) or ""

    gateway = known("sip_gateway") or known("sip_gateway_name")
    side, because, user = _by_switch(known, called_in, gateway)
    found = Party(
        side,
        because,
        user,
        called_in,
        known("fsctl_own_context"),
        known("sip_acl_authed_by"),
        gateway,
        known("sofia_profile_name"),
        known("sip_network_ip"),
    )
    return as_settings_say(found, policy)


def _by_switch(known: Callable[[str], str], called_in: bool, gateway: str) -> tuple[Side, str, str]:
    if gateway:
        return "outside", f"it is behind the gateway {gateway}", ""
    if not called_in:
        user = _at(known("dialed_user"), known("dialed_domain"))
        if user:
            return "inside", f"it was called as the user {user}", user
        return "outside", "it was called at an address that is no user's", ""
    if known("sip_authorized") == "true":
        user = _at(known("sip_auth_username"), known("sip_auth_realm"))
        if user and not known("sip_acl_authed_by"):  # whom an ACL lets in is not challenged
            return "inside", f"it has authenticated as {user}", user
        token = known("sip_acl_token")
        if token:
            return "inside", f"its address is that of the user {token}", token
    return "outside", "nobody has authenticated it", ""


def _at(user: str, domain: str) -> str:
    return f"{user}@{domain}" if user and domain else user


def as_settings_say(found: Party, policy: Policy) -> Party:
    """Return the party on the side that ``[policy] inside`` and ``outside`` put it."""
    sides: tuple[tuple[Side, tuple[str, ...]], ...]
    sides = (("outside", policy.outside), ("inside", policy.inside))
    for side, words in sides:
        for word in words:
            if found.is_one_of((word,)):
                return replace(found, side=side, because=f"[policy] {side} has {word}")
    return found


def _in_network(address: str, network: str) -> bool:
    """An IPv4 address that came as IPv6 (``::ffff:192.0.2.1``) is the IPv4 one."""
    try:
        ip = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip) in ipaddress.ip_network(network)
