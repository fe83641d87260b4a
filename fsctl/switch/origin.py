"""Which FreeSWITCH a leg is on: every event and every snapshot says so."""

from __future__ import annotations

from dataclasses import dataclass

from fsctl.esl.events import Event


@dataclass(frozen=True, slots=True)
class Origin:
    """One life of one FreeSWITCH: channels of two of these never meet.

    Source: ``switch_event_prep_for_delivery_detailed`` (switch_event.c).
    """

    core_uuid: str
    """``Core-UUID``: made anew at each start."""
    switchname: str
    """``FreeSWITCH-Switchname``: that of switch.conf, else the host's; two may have the same."""


def origin_of(event: Event) -> Origin:
    """Return where an event, or a snapshot, is from."""
    return Origin(event.get("Core-UUID", ""), event.get("FreeSWITCH-Switchname", ""))
