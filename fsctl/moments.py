"""How a moment is written, wherever it is told: as exactly each time, and never without its zone
where programs read it."""

from __future__ import annotations

from datetime import UTC, datetime


def for_programs(moment: datetime) -> str:
    """Return it by RFC 3339, to the millisecond, in UTC: ``2026-11-29T10:42:31.114+00:00``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def for_people(moment: datetime) -> str:
    """Return it in this machine's zone: ``2026-11-29 10:42:31.114``."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def at(seconds: float) -> datetime:
    """Return the moment so many seconds after 1970 (UTC)."""
    return datetime.fromtimestamp(seconds, UTC)
