"""The times of a rule: ``Mo-Fr 08:00-18:00``."""

from __future__ import annotations

from datetime import datetime
from typing import Final

_DAYS: Final = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")


def is_within(now: datetime, when: str) -> bool:
    """Whether it is that time; an empty ``when`` is any.

    Both ends of a range of days belong to it, of hours the first one. Hours over midnight
    (``22:00-06:00``) belong to the day on which they begin.
    """
    if not when:
        return True
    days, _, hours = when.rpartition(" ") if ":" in when else (when, "", "")
    first, last = _minutes(hours)
    minute = now.hour * 60 + now.minute
    today = now.weekday()
    if first < last:
        return first <= minute < last and today in _named(days)
    if minute >= first:
        return today in _named(days)
    return minute < last and (today - 1) % 7 in _named(days)


def _minutes(hours: str) -> tuple[int, int]:
    if not hours:
        return 0, 24 * 60
    first, last = ((int(time[:2]) * 60 + int(time[3:])) for time in hours.split("-"))
    return first, last


def _named(days: str) -> set[int]:
    if not days:
        return set(range(7))
    named: set[int] = set()
    for part in days.split(","):
        first, _, last = part.partition("-")
        start, end = _DAYS.index(first), _DAYS.index(last or first)
        named |= {day % 7 for day in range(start, end + 1 if end >= start else end + 8)}
    return named
