"""A join that FreeSWITCH has told of, and not reported: it is looked for, and the search ends.

FreeSWITCH executes first what waits on either channel (switch_ivr_bridge.c,
``switch_ivr_multi_threaded_bridge``): what somebody lets a party hear may be long, or without end.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import Enum
from typing import Final

from fsctl.session.core.clock import Timer
from fsctl.session.core.session import Session
from fsctl.switch.marks import Context
from fsctl.switch.refer_variables import SIGNS_OF_BRIDGE, bridged_with
from fsctl.switch.variables import read, read_several

log = logging.getLogger(__name__)

REPORT_S: Final = 0.7
"""A join that FreeSWITCH tells of is reported by then, if nothing waits on the transferee: before
any timer that releases the transferor. So often it is looked for."""
OVERDUE_S: Final = 10.0
"""What waits there may hold the join up for so long; then it is broken off."""
NEVER_S: Final = 13.0
"""By then it has been reported, or it is given up."""


class Lateness(Enum):
    """What a look has found."""

    MADE = "reported"
    LATE = "late"
    OVERDUE = "what it waits for is to be broken off"
    NEVER = "given up"


def look_for(
    session: Session,
    wanted: Callable[[], bool],
    made: Callable[[], bool],
    found: Callable[[Lateness], None],
    waited_s: float = REPORT_S,
) -> Timer:
    """Look every `REPORT_S`, and tell ``found``, while the report is ``wanted``.

    The last that is told is MADE or NEVER. A look that fails is none: another one follows.
    """

    def look() -> None:
        if not wanted():
            return
        again = look_for(session, wanted, made, found, waited_s + REPORT_S)
        if made():
            lateness = Lateness.MADE
        elif waited_s < OVERDUE_S:
            lateness = Lateness.LATE
        else:
            lateness = Lateness.OVERDUE if waited_s < NEVER_S else Lateness.NEVER
        if lateness in (Lateness.MADE, Lateness.NEVER):
            again.cancel()
        if lateness in (Lateness.OVERDUE, Lateness.NEVER):
            log.warning(
                "%s: FreeSWITCH has told of a join %.0f s ago and not reported it: %s",
                session.id,
                waited_s,
                lateness.value,
            )
        found(lateness)

    return session.after(REPORT_S, look)


def has_talked(session: Session, channel: str, before: str) -> bool:
    """Whether the bridge of ``channel`` that was told of has begun; of one that has gone its event
    tells. ``before``: with whom it talked before that. Raises LinkError.
    """
    signs = read_several(session.link, channel, *SIGNS_OF_BRIDGE)
    return not any(signs) or bridged_with(signs) not in ("", before)


def moved_elsewhere(session: Session, channel: str, sources: tuple[str, ...]) -> bool:
    """Whether somebody else has sent ``channel`` somewhere: its ``transfer_source`` names none of
    ``sources``, and no context of ours. Raises LinkError.
    """
    source = read(session.link, channel, "transfer_source") or ""
    ours = (*sources, *(f"/{context}/" for context in Context))
    return bool(source) and not any(each in source for each in ours if each)
