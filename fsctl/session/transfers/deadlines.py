"""How long a blind transfer may stay in a state: what the settings say, and what is no setting."""

from __future__ import annotations

from typing import Final

from fsctl.settings import Transfer

JOIN_TIMEOUT_S: Final = 5.0
VOUCHED_S: Final = 1.0
"""How soon after its report of success an application joins; later the report goes out alone."""
GRACE_S: Final = 3.0
"""FreeSWITCH's own timers end a wait first; ours follows this much later."""


def seconds(bound: str | None, section: Transfer, ring_timeout_s: float) -> float | None:
    """Return how long the wait may last that ``bound`` names (`fsctl.transfer`, ``DEADLINES``); a
    target may ring for ``ring_timeout_s``. None: for ever."""
    if bound is None:
        return None
    return {
        "decision_timeout_s": float(section.decision_timeout_s),
        "ring_timeout_s": ring_timeout_s + GRACE_S,
        "hold_timeout_s": float(section.hold_timeout_s),
        "vouched_timeout_s": VOUCHED_S,
        "join_timeout_s": JOIN_TIMEOUT_S,
        "release_transferor_after_s": section.release_transferor_after_s + GRACE_S,
    }[bound]
