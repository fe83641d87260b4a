"""Flags of a channel that more than one file reads (CF_* in switch_types.h)."""

from __future__ import annotations

ORIGINATING = "originating"
"""CF_ORIGINATING: an originate waits for the leg, and may take or end it. Whoever sends the leg
elsewhere meanwhile clears it, and the leg outlives that originate (switch_ivr.c,
``switch_ivr_session_transfer``; switch_ivr_bridge.c)."""
