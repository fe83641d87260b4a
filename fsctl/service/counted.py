"""Who has asked for how many transfers, for whoever wants to know (SIGUSR1)."""

from __future__ import annotations

import logging
from typing import Final

from fsctl.policy.counts import Counts

log = logging.getLogger(__name__)

_TOLD: Final = 20
"""So many parties are told of, those with most."""


def tell_counts(counts: Counts) -> None:
    """Log who has asked for how many transfers in the last minute."""
    listed = [f"{party} {count}" for party, count in counts.listed().items()]
    if listed:
        log.info("transfers asked for in a minute: %s", ", ".join(listed[:_TOLD]))
