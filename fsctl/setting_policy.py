"""``[policy]`` and its ``[[rule]]``s: who may transfer whom where."""
# ruff: noqa: RUF009 - key() is dataclasses.field() with a kind: nothing is shared by its call.

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from fsctl import setting_kinds as kinds
from fsctl.errors import SettingsError
from fsctl.setting_kinds import key

PolicyMode = Literal["enforce", "observe", "off"]
LegWord = Literal["", "caller", "callee"]
Then = Literal["allow", "refuse"]

STARTS: Final = ("blind", "attended", "redirect", "command", "keys", "keys-attended")
"""What may ask for a party: a REFER, one with Replaces, a phone's 3xx, ``fsctl transfer``, and the
codes of ``[keys]``."""

OUR_RULES: Final = frozenset(
    {"emergency", "max-chain", "max-per-minute", "max-per-minute-of-switch", "unknown-asks"}
    | {"outside-asks", "premium", "abroad", "two-outsiders", "inside", "nothing-matches"}
)
"""Names of the rules that are there without any ``[[rule]]`` (`fsctl.policy.judge`)."""

NUMBER_CLASSES: Final = (
    *("internal", "outside", "national", "abroad", "premium"),
    *("mobile", "toll-free", "emergency", "host", "unknown"),
)
"""What a number is; see :mod:`fsctl.policy.numbers`. "outside": neither internal nor emergency."""

_GLOB: Final = r"[0-9A-Za-z+.*?_~@-]{1,253}"
_NAME: Final = r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}"
_PARTIES: Final = {
    "user": _GLOB,
    "context": _NAME,
    "acl": r"[0-9A-Za-z][0-9A-Za-z./:_-]{0,63}",
    "gateway": _NAME,
    "profile": _NAME,
}
"""Words of a party that take a name."""
_TARGETS: Final = {"host": _GLOB, "route": _NAME, "context": _NAME, "country": "[A-Z]{2}"}
_TARGETS["prefix"] = "[0-9+*#]{1,32}"
_DAY: Final = "(?:Mo|Tu|We|Th|Fr|Sa|Su)"
_DAYS: Final = f"{_DAY}(?:-{_DAY})?(?:,{_DAY}(?:-{_DAY})?)*"
_TIME: Final = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_HOURS: Final = f"{_TIME}-(?:{_TIME}|24:00)"
_WHEN: Final = f"(?:{_DAYS}|{_HOURS}|{_DAYS} {_HOURS})?"
_PHRASE: Final = r"""[^\x00-\x1f\x7f$"'<>\\{}\[\]|^]{1,64}"""


def _accept_party(raw: Any) -> str:
    word = raw if isinstance(raw, str) else ""
    what, colon, name = word.partition(":")
    if colon and what in _PARTIES and re.fullmatch(_PARTIES[what], name):
        return word
    if what == "network":
        try:
            return f"network:{ipaddress.ip_network(name)}"
        except ValueError as error:
            raise ValueError(f"{raw!r}: {error}") from None
    known = ", ".join(f"{each}:…" for each in (*_PARTIES, "network"))
    raise ValueError(f"must be one of {known}, not {raw!r}")


def _accept_asker(raw: Any) -> str:
    return str(raw) if raw in ("inside", "outside", "unknown") else _accept_party(raw)


def _is_country(name: str) -> bool:
    """Any other one, "UK", would never be a number's."""
    from phonenumbers import SUPPORTED_REGIONS  # a third of what all settings cost to import

    return name in SUPPORTED_REGIONS


def _accept_country(raw: Any) -> str:
    if not isinstance(raw, str) or (raw and not _is_country(raw)):
        raise ValueError(f'must be a country by ISO 3166, "DE", not {raw!r}')
    return raw


def _accept_target(raw: Any) -> str:
    word = raw if isinstance(raw, str) else ""
    what, colon, name = word.partition(":")
    known_name = colon and what in _TARGETS and re.fullmatch(_TARGETS[what], name)
    if word in NUMBER_CLASSES or (known_name and (what != "country" or _is_country(name))):
        return word
    if colon and what == "number":
        kinds.REGEX.accept(name)
        return word
    known = ", ".join((*NUMBER_CLASSES, *(f"{each}:…" for each in (*_TARGETS, "number"))))
    raise ValueError(f"must be one of {known}, not {raw!r}")


def _accept_zone(raw: Any) -> str:
    try:
        if raw:
            ZoneInfo(raw)
    except (ValueError, TypeError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        raise ValueError(f"must be a time zone, Europe/Berlin, not {raw!r}") from None
    return str(raw)


_PARTY_WORDS: Final = kinds.list_of(kinds.Kind(_accept_party), least=0)
_ASKERS: Final = kinds.list_of(kinds.Kind(_accept_asker), least=0)


@dataclass(frozen=True, slots=True)
class Policy:
    """``[policy]``: who may transfer whom where; the rules are those of ``[[rule]]``, then our own.

    ``mode`` "observe" lets everything through and logs what would have been refused. A party is
    inside when FreeSWITCH's directory has authenticated it, or it was called as a user of that;
    ``inside`` and ``outside`` (which counts first) name more by user, context, ACL, gateway,
    profile or network. ``country`` (ISO 3166, "DE") and ``outside_prefix`` (what is dialled before
    an outside number) say how a number is read; ``internal`` matches a whole internal one. Above
    ``max_per_minute`` transfers of one party, or a transferee that has been moved ``max_chain``
    times, nothing more is served, and above ``max_per_minute_of_switch`` (0: as many as there are)
    of all parties of one FreeSWITCH together. ``timezone``: of ``when``; empty: the machine's.
    """

    mode: PolicyMode = key("enforce", kinds.choice("enforce", "observe", "off"))
    inside: tuple[str, ...] = key((), _PARTY_WORDS)
    outside: tuple[str, ...] = key((), _PARTY_WORDS)
    country: str = key("", kinds.Kind(_accept_country))
    outside_prefix: str = key("", kinds.text("[0-9*#]{0,4}", "up to four digits"))
    internal: str = key("[0-9*#]{1,5}", kinds.REGEX)
    emergency: tuple[str, ...] = key(
        ("112", "911"), kinds.list_of(kinds.text("[0-9]{2,8}", "a number"), least=0)
    )
    max_chain: int = key(10, kinds.integer(1, 70))
    max_per_minute: int = key(30, kinds.integer(1, 100_000))
    max_per_minute_of_switch: int = key(0, kinds.integer(0, 1_000_000))
    timezone: str = key("", kinds.Kind(_accept_zone))


@dataclass(frozen=True, slots=True)
class Rule:
    """``[[rule]]``: the first that matches decides. An empty list matches anything, of several
    words one must be true.

    ``by`` is who asks, ``of`` who is to be moved, ``to`` the number as it is dialled in the end;
    ``leg`` says whether who asks has called or was called, ``start`` by what it asks, ``when`` at
    what times ("Mo-Fr 08:00-18:00"). Above ``per_minute`` transfers of one party a rule that would
    allow refuses. ``code`` and ``phrase`` are what a refused party is told.
    """

    name: str = key("", kinds.NAME)
    by: tuple[str, ...] = key((), _ASKERS)
    of: tuple[str, ...] = key((), _ASKERS)
    to: tuple[str, ...] = key((), kinds.list_of(kinds.Kind(_accept_target), least=0))
    leg: LegWord = key("", kinds.choice("", "caller", "callee"))
    start: tuple[str, ...] = key((), kinds.list_of(kinds.choice(*STARTS), least=0))
    when: str = key("", kinds.text(_WHEN, 'days and hours, "Mo-Fr 08:00-18:00"'))
    per_minute: int | None = key(None, kinds.integer(1, 100_000))
    then: Then = key("refuse", kinds.choice("allow", "refuse"))
    code: int = key(403, kinds.integer(400, 699))
    phrase: str = key("Transfer Not Allowed", kinds.text(_PHRASE, "a phrase without quotes"))


def read_rules(origin: str, tables: Any, base: Path) -> tuple[Rule, ...]:
    """Read the ``[[rule]]``s. Raises SettingsError."""
    rules = []
    for where, accepted in kinds.accept_tables(origin, "rule", Rule, tables, base):
        if accepted["name"] in OUR_RULES:
            raise SettingsError(f"{where} name: {accepted['name']!r} is the name of one of our own")
        if "then" not in accepted:
            raise SettingsError(f"{where} then: is missing")
        if accepted["then"] == "refuse" and accepted.get("per_minute"):
            raise SettingsError(f'{where} per_minute: does not apply to then = "refuse"')
        rules.append(Rule(**accepted))
    return tuple(rules)
