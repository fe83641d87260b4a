"""Which extension of a context a number takes, as mod_dialplan_xml decides it (pure).

What only a call knows (its variables, the time) is not known here: an extension may then be taken
or not (`Taking.PERHAPS`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from xml.etree.ElementTree import Element

from fsctl.check.answers import is_true
from fsctl.check.expressions import matches

_NUMBER_FIELDS = frozenset({"destination_number", "${destination_number}"})
_TIMES = frozenset(
    "year yday mon mday week mweek wday hour minute minute-of-day time-of-day date-time".split()
)
_UNSET = re.compile(r"\$\{fsctl_[a-z_]+\}")
"""Variables of fsctl: a call that enters has none."""


class Taking(Enum):
    """Whether an extension takes a number."""

    NO = "no"
    PERHAPS = "perhaps"
    YES = "yes"


@dataclass(frozen=True, slots=True)
class Taken:
    """An extension that takes a number for itself; ``by_number`` says that a condition on the
    number was, or may be, met: the number is meant."""

    name: str
    taking: Taking
    by_number: bool


def taking(context: Element, number: str) -> Iterator[Taken]:
    """Yield those that take it, in their order, up to the first that is sure to."""
    for extension in context.iter("extension"):
        if is_true(extension.get("continue", "false")):
            continue
        taken, by_number = _extension(extension, number)
        if taken is not Taking.NO:
            yield Taken(extension.get("name", "(without a name)"), taken, by_number)
        if taken is Taking.YES:
            return


def _extension(extension: Element, number: str) -> tuple[Taking, bool]:
    met: bool | None = False
    unsure = by_number = False
    for condition in extension.findall("condition"):
        met, of_number = _condition(condition, number)
        by_number = by_number or (of_number and met is not False)
        if met is None:
            unsure = True
        elif met is False and condition.find("anti-action") is not None:
            return Taking.PERHAPS if unsure else Taking.YES, by_number
        if _breaks(condition, met):
            break
        if met is not False and condition.find("condition") is not None:
            unsure = True  # nested ones are not followed
    if met is False:
        return Taking.NO, by_number
    return Taking.PERHAPS if unsure or met is None else Taking.YES, by_number


def _breaks(condition: Element, met: bool | None) -> bool:
    how = condition.get("break", "on-false").lower()
    if how == "always":
        return True
    return met is not None and met == (how == "on-true") and how != "never"


def _condition(condition: Element, number: str) -> tuple[bool | None, bool]:
    """Whether it is met (None: a call must say), and whether it is about the number."""
    if condition.get("regex"):
        return _several(condition, number)
    return _single(condition, number)


def _several(condition: Element, number: str) -> tuple[bool | None, bool]:
    results = [_single(each, number) for each in condition.findall("regex")]
    met = [each for each, _ in results]
    of_number = any(each for _, each in results)
    how = condition.get("regex", "").lower()
    if how == "xor":
        return (None if None in met else met.count(True) == 1), of_number
    decisive = how != "all"
    if decisive in met:
        return decisive, of_number
    return (None if None in met else not decisive), of_number


def _single(condition: Element, number: str) -> tuple[bool | None, bool]:
    timed = bool(_TIMES.intersection(condition.keys()))
    field = condition.get("field")
    expression = condition.findtext("expression") or condition.get("expression") or ""
    if field is None or expression == "^":  # which any text meets
        return (None if timed else True), False
    if "${" in expression:
        return None, False
    if field in _NUMBER_FIELDS:
        met = matches(expression, number)
        return (None if timed and met else met), True
    if _UNSET.fullmatch(field):
        return matches(expression, ""), False
    return None, False
