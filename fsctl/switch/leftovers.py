"""What an operator's dialplan or directory has left on a leg that would break a transfer.

FreeSWITCH obeys these variables behind our back, whenever a bridge begins or ends: the leg would be
parked for ever, go somewhere else, or run an application in the middle of a transfer
(switch_ivr_bridge.c), and a REFER in a call whose media FreeSWITCH does not carry hangs the
transferor up without a NOTIFY (switch_ivr.c, ``switch_ivr_session_transfer``). So they are taken
from a leg when it comes to us for the first time, and only then: whatever we or a scenario set
later stays.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from fsctl.esl.commands import Command, UuidSetvarMulti
from fsctl.esl.events import Event

log = logging.getLogger(__name__)

_CLEARED: Final = {
    "park_after_bridge": "false",
    "park_after_early_bridge": "false",
    "transfer_after_bridge": "",
    "transfer_after_early_bridge": "",
    "exec_after_bridge_app": "",
    "bypass_media": "false",
    "bypass_media_after_bridge": "false",
    "proxy_media": "false",
    # Our dial strings are escaped for an application whose argument is expanded.
    "app_disable_expand_variables": "false",
}
"""By name, what takes its effect away. ``false`` hides a global variable of the name, too, and
brings back media that are bypassed already (switch_ivr_originate.c)."""

_OURS: Final = "fsctl_"
"""So begins where we send a leg ourselves (`fsctl.session.calling.bridging`)."""

_KEPT_BY_US: Final = frozenset({"transfer_after_bridge", "transfer_after_early_bridge"})
"""What a worker before us may have set itself."""


def clearing(snapshot: Event) -> list[Command]:
    """Return what takes the leftovers from the leg whose link brought ``snapshot``; often nothing.

    What it would hand on to the parties that are called for it (application ``export``) goes, too.
    """
    uuid = snapshot.channel_uuid or ""
    found = {
        name: cleared
        for name, cleared in _CLEARED.items()
        if not _is_harmless(snapshot.variable(name))
    }
    exported = (snapshot.variable("export_vars") or "").split(",")
    kept = [name for name in exported if name.removeprefix("nolocal:") not in _CLEARED]
    if kept != exported:
        found["export_vars"] = ",".join(kept)
    if not found:
        return []
    names = ", ".join(sorted(found))
    log.info("%s: taken from the leg, as they would break a transfer: %s", uuid, names)
    return [UuidSetvarMulti(uuid, tuple(found.items()))]


def _is_harmless(value: str | None) -> bool:
    return value in (None, "", "false") or (value or "").startswith(_OURS)


def clearing_of_another(uuid: str, known: Callable[[str], str | None] | None) -> list[Command]:
    """As :func:`clearing`, for a transferor that we take over; ``known`` tells its variables.

    None: nothing is known of it.
    """
    cleared = {
        name: text
        for name, text in _CLEARED.items()
        if name not in _KEPT_BY_US and not (known and _is_harmless(known(name)))
    }
    if not cleared:
        return []
    return [UuidSetvarMulti(uuid, tuple(cleared.items()))]
