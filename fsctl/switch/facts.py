"""What FreeSWITCH itself knows of who is at a leg, by which the policy takes sides."""

from __future__ import annotations

from fsctl.esl.events import Event
from fsctl.policy.parties import FACTS, SEPARATOR, Facts
from fsctl.switch.variables import Asked, read_several


def of_event(event: Event) -> Facts:
    """Return what an event of a leg, with its variables, says."""
    facts = {name: event.variable(name) for name in FACTS}
    return facts | {"direction": event.get("Call-Direction")}


def of_channel(link: Asked, channel_uuid: str) -> Facts:
    """Return what a channel says, which is asked; nothing when it has gone. Raises LinkError."""
    return dict(zip(FACTS, read_several(link, channel_uuid, *FACTS), strict=True))


def noted(mark: str | None) -> Facts | None:
    """Return what the dialplan has noted of a transferor before that could leave (`Mark.ASKER`)."""
    values = (mark or "").split(SEPARATOR)
    if len(values) != len(FACTS):
        return None
    return {
        name: None if value in ("", "_undef_") else value
        for name, value in zip(FACTS, values, strict=True)
    }
