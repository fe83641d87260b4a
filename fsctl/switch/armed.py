"""The variables by which a REFER is held for its result, and its transferee comes to us; and one by
which the codes of ``[keys]`` are bound.

FreeSWITCH looks for them on the legs when the REFER arrives (sofia.c, switch_ivr.c), and falls back
to its global variables (``switch_channel_get_variable``).
"""

from __future__ import annotations

from fsctl.settings import Settings, TransferMode
from fsctl.switch.marks import Context, Extension

CONFIRM = "confirm_blind_transfer"
"""On the transferor: FreeSWITCH waits for the result of its transfer before it tells it."""
CONTEXT = "force_transfer_context"
"""On the transferee: where it goes, whoever moves it without naming a context."""
DIALPLAN = "force_transfer_dialplan"
"""On the transferee: which dialplan that context is of."""
CHANGING = frozenset({CONFIRM, CONTEXT})
"""Of these, what may be set otherwise at any moment."""
KEYS = "execute_on_pre_bridge_fsctl_keys"
"""On both legs, with ``[keys]``: what they execute at the beginning of each bridge. FreeSWITCH
takes a global variable of such a name, too (switch_channel.c, ``switch_channel_execute_on``)."""
TIMERS = "fsctl-armed"
"""The timers in FreeSWITCH that disarm all legs: one group, whoever renews it."""


def armed(mode: TransferMode, settings: Settings) -> dict[str, str]:
    """Return the variables for transfers in this mode."""
    at_once = mode != "in-session" and settings.transfer.legacy_report == "at-once"
    keys = {KEYS: f"execute_extension {Extension.ARM} XML {Context.KEYS}"}
    return {
        **(keys if settings.keys.codes else {}),
        CONTEXT: Context.REFER if mode == "in-session" else Context.LEGACY,
        DIALPLAN: "XML",
        # Last: who is held without being sent to us would not be let go for ten minutes.
        CONFIRM: "false" if at_once else "true",
    }


def armed_everywhere(settings: Settings) -> dict[str, str]:
    """Return what controllers keep set as global variables; nothing where single legs are armed, or
    FreeSWITCH is only observed."""
    arms = settings.arms_everywhere and not settings.observes
    return armed(settings.transfer.mode, settings) if arms else {}
