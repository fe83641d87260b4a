"""What a party that is called is told: whom it sees, what its INVITE carries, how long it rings.

All ways of calling tell the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from fsctl.session.calling.headers import REFERRED_BY, merged, passed_on
from fsctl.session.calling.identity import Shown, asserted_by, origination
from fsctl.session.core.leg import Leg
from fsctl.setting_kinds import NUMBER_CHARACTERS
from fsctl.settings import Route
from fsctl.switch.marks import Mark

_CALLEE_ID = ("origination_callee_id_name", "origination_callee_id_number")
_PLAIN = re.compile(f"[{NUMBER_CHARACTERS}]{{1,64}}")


def invite(
    called: Leg,
    waiting: Leg | None,
    route: Route,
    shown: Shown,
    *,
    moves: bool,
    ring_timeout_s: int,
    headers: Mapping[str, str],
    codecs: str,
) -> dict[str, str]:
    """Return the variables with which a party is called, by ``route``, for one that waits.

    ``shown`` is whom it sees; ``moves``: the waiting party is a transferee. ``headers`` go with it
    besides those that an allow-list lets through of the waiting party's own. Raises LinkError.
    """
    settings = called.session.settings
    seen = origination(shown, route.kind, asserted_by(settings, route, moves=moves))
    carried = merged(passed_on(waiting, route, settings), headers)
    variables = {
        Mark.CALLEE: called.callee,
        **seen,
        "originate_timeout": str(ring_timeout_s),
        "outbound_redirect_fatal": "true",
        # A waiting leg on hold would have the party called with a=sendonly, for good.
        "origination_audio_mode": "sendrecv",
    }
    if _PLAIN.fullmatch(called.number):
        # What phones that show it (UPDATE) see of the party; FreeSWITCH says "Outbound Call".
        variables |= dict.fromkeys(_CALLEE_ID, called.number)
    if codecs:
        variables["absolute_codec_string"] = codecs
    else:
        # Else FreeSWITCH offers what the waiting leg speaks, and nothing besides
        # (switch_core_media.c, switch_core_media_prepare_codecs).
        variables["media_mix_inbound_outbound_codecs"] = "true"
    for name in carried:
        if name.lower() == REFERRED_BY.lower():
            # FreeSWITCH keeps that of a later REFER in the same variable of this leg.
            variables["execute_on_pre_bridge_fsctl"] = f"unset sip_h_{name}"
    return variables | {f"sip_h_{name}": value for name, value in carried.items()}
