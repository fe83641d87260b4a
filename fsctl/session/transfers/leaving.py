"""Where nothing but transfers is ours, a call whose transfer has succeeded is FreeSWITCH's again.

Scope ``transfers``: nobody has asked us about the call before its REFER, and nobody has to after
its success, unless a scenario listens, or controllers decide on attended transfers, who do better
with what they know of a call. Bridge and legs go on as when a worker dies, by what stands
on them; their next REFER begins a session as the first one did. A link that stays would cost
FreeSWITCH 50 looks a second, and the events of the call's end.
"""

from __future__ import annotations

from typing import Final

from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session
from fsctl.session.transfers.peace import in_peace
from fsctl.switch.marks import Mark

_NOBODYS: Final[dict[str, str]] = {Mark.SESSION: "", Mark.HOME: ""}


def begin(session: Session, transferee: Leg, target: Leg | None) -> bool:
    """Whether the two are to be left to FreeSWITCH when their transfer has been concluded.

    Then that they are nobody's is said on their channels with what is said there next.
    """
    settings = session.settings
    if settings.dialplan.scope != "transfers" or settings.attended != "switch":
        return False
    if target is None or session.tell.listens() or not in_peace(session, {transferee, target}):
        return False
    for leg in (transferee, target):
        leg.due |= _NOBODYS
    return True
