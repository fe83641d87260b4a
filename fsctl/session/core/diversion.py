"""What the target of a transfer may be told of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Diversion:
    """A transfer, as its target may be told of it: vouched for by FreeSWITCH, but `referred_by`."""

    number: str
    """The transferor's; empty: FreeSWITCH vouches for none, and nothing is said of it."""
    privacy: str = ""
    """As that of a caller: nothing (empty), ``name``, or ``full``."""
    domain: str = ""
    """Where that number is known; empty: as `number`."""
    counter: int = 1
    """So many parties have sent the call elsewhere, this one too."""
    referred_by: str | None = None
    """Referred-By as the REFER had it, empty if it had none; None: the application decides what the
    target is told by it."""
