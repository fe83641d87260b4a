"""What a number is: internal, national, abroad, premium ..., by how this switch dials.

`phonenumbers` knows the countries' plans. It parses generously and does not know every short
number: so a class closes and opens doors, but "internal" never depends on it. What is not surely
internal is outside; what is not surely national is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final
from unicodedata import digit

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberType, shortnumberinfo

from fsctl.setting_policy import Policy
from fsctl.setting_regex import LONGEST

_INTERNATIONAL: Final = re.compile(r"(?:\+0*|000*|0*11)([1-9][0-9]{4,})", re.ASCII)
"""A number in international form where nobody has said from which country it is dialled; who puts
one more zero before it finds a network that overlooks that."""
_SERVICE: Final = re.compile(r"(?:[*#]{1,2}[0-9]{2}(?:[0-9]?[*#])?){1,3}([+0-9]+)#?", re.ASCII)
"""A number behind codes of the network's (``*31#``, ``*67``), which dials it all the same."""
_BEFORE_SIGNS: Final = re.compile(r"\+?[0-9]+")
"""A ``#`` or ``*`` behind it ends what is dialled, or comes as keys."""
_DIALLED: Final = re.compile(r"[+0-9*#\s()./_-]+")
_SEPARATORS: Final = re.compile(r"[\s()./_-]")
_NAME: Final = re.compile(r"[A-Za-z_][0-9A-Za-z._-]*", re.ASCII)
"""The user part of somebody who is called by a name."""
_NO_COUNTRY: Final = "001"
"""phonenumbers' region of satellites, international networks and international toll-free."""
_DEAR: Final = (PhoneNumberType.PREMIUM_RATE, PhoneNumberType.PERSONAL_NUMBER)
"""A personal number (+44 70) costs as premium ones do, and is abused as they are."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a call is about to go: the number as it is dialled in the end."""

    number: str
    """Without what the route strips, with its prefix."""
    kind: str = "dialplan"
    """Of the route: user, sofia, gateway, uri, dialplan, voicemail or queue."""
    route: str = ""
    host: str = ""
    """The host of the dialled URI, where that is not this switch (lower case)."""
    context: str = ""
    """Of a number in the switch's own dialplan: where it is looked up."""
    inside: bool | None = None
    """Whether the party is inside, where it is there already (attended); None: the number says."""

    def is_one_of(self, words: tuple[str, ...], policy: Policy, *, closing: bool = False) -> bool:
        """Whether one of these words (``[[rule]] to``) is true of it; of no words one is.

        ``closing``: a rule refuses by them, so what a network may make of the number counts, too,
        and the number behind the digits for an outside line.
        """
        if not words:
            return True
        classes = classes_of(self, policy)
        numbers = {self.number}
        if closing and any(word.startswith(("prefix:", "number:")) for word in words):
            numbers |= {_digits(self.number), _outside_number(self, policy)}
        return any(self._is(word, classes, numbers) for word in words)

    def _is(self, word: str, classes: frozenset[str], numbers: set[str]) -> bool:
        what, colon, name = word.partition(":")
        if not colon or what == "country":
            return word in classes
        if what == "prefix":
            return any(number.startswith(name) for number in numbers)
        if what == "number":
            return any(re.fullmatch(name, number[:LONGEST], re.ASCII) for number in numbers)
        if what == "host":
            return bool(self.host) and fnmatchcase(self.host, name.lower())
        return str(getattr(self, what)) == name


def classes_of(to: Destination, policy: Policy) -> frozenset[str]:
    """Return all words that are true of the number: its class, and for example ``country:FR``."""
    if to.inside is not None:
        return frozenset({"internal"} if to.inside else {"outside", "unknown"})
    own = to.kind in ("user", "voicemail", "queue")
    if not own and not to.host and _is_emergency(to.number, policy):
        return frozenset({"emergency"})
    if own:
        return frozenset({"internal"})
    found = _by_plan(_outside_number(to, policy), policy.country)
    if to.host:
        return found - {"unknown"} | {"outside", "host"}
    if "premium" not in found and to.kind != "gateway" and is_internal(to.number, policy):
        return frozenset({"internal"})
    return found | {"outside"}


def is_internal(number: str, policy: Policy) -> bool:
    """Whether that is a whole internal number by ``[policy] internal``, or a name."""
    if len(number) > LONGEST:
        return False
    plain = re.fullmatch(policy.internal, number, re.ASCII) or _NAME.fullmatch(number)
    return plain is not None


def _outside_number(to: Destination, policy: Policy) -> str:
    """Without the digits for an outside line, which only the switch's own dialplan takes away."""
    prefixed = to.kind == "dialplan" and not is_internal(to.number, policy)
    number = _digits(to.number)
    return number.removeprefix(policy.outside_prefix) if prefixed else number


def _digits(number: str) -> str:
    """What a network may make of a number that is written oddly: digits of other scripts are
    digits, separators nothing, and what follows the first other character is an extension."""
    ascii_digits = (str(digit(each, each)) for each in number)
    found = _DIALLED.match("".join(ascii_digits))
    dialled = _SEPARATORS.sub("", found[0]) if found else ""
    return dialled or number


def _is_emergency(number: str, policy: Policy) -> bool:
    numbers = (number, number.removeprefix(policy.outside_prefix))
    return any(_emergency(each, policy.country, policy.emergency) for each in numbers)


@lru_cache(maxsize=4096)
def _emergency(number: str, country: str, more: tuple[str, ...]) -> bool:
    if number in more:
        return True
    known = bool(country) and number.isascii() and number.isdigit()
    return known and bool(shortnumberinfo.is_emergency_number(number, country))


@lru_cache(maxsize=4096)
def _by_plan(number: str, country: str) -> frozenset[str]:
    """The class of an outside number, seen from ``country`` (empty: not known)."""
    found: frozenset[str] = frozenset()
    for parsed in _readings(number, country):
        found = _class(parsed, country)
        if "unknown" not in found:
            break
    return found or frozenset({"unknown"})


def _readings(number: str, country: str) -> Iterator[PhoneNumber]:
    """The number as the country's plan has it, then, for who dials 00 or 011 all the same, as an
    international one."""
    service = _SERVICE.fullmatch(number)
    found = _BEFORE_SIGNS.match(service[1] if service else number)
    if not found:
        return
    number = found[0]
    international = _INTERNATIONAL.fullmatch(number)
    dialled = f"+{international[1]}" if international else ""
    for text, region in ((number, country), (dialled, None)):
        if text and (region or text.startswith("+")):
            try:
                yield phonenumbers.parse(text, region)
            except NumberParseException:
                continue


def _class(parsed: PhoneNumber, country: str) -> frozenset[str]:
    """A network ignores digits beyond the last, and so does whoever hides a number by more: with
    them it is as dear, but no national number."""
    valid = phonenumbers.is_valid_number(parsed)
    phonenumbers.truncate_too_long_number(parsed)
    region, kind = phonenumbers.region_code_for_number(parsed), phonenumbers.number_type(parsed)
    own = phonenumbers.country_code_for_region(country) if country else 0
    found = _details(region, kind)
    if region and region != _NO_COUNTRY:
        found.add(f"country:{region}")
    if parsed.country_code != own or (region and region != country):
        found.add("abroad")
    elif valid:
        found.add("national")
    else:
        found = _details(region, kind) | {"unknown"}
    return frozenset(found)


def _details(region: str | None, kind: int) -> set[str]:
    if kind == PhoneNumberType.TOLL_FREE:
        return {"toll-free"}
    if kind in _DEAR or region == _NO_COUNTRY:
        return {"premium"}
    return {"mobile"} if kind == PhoneNumberType.MOBILE else set()
