"""Which events a link gets: names and filters (``event_handler`` in the source)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from fsctl.simulator.events import SimEvent

EVENT_NAMES = frozenset(
    "CHANNEL_ANSWER CHANNEL_APPLICATION CHANNEL_BRIDGE CHANNEL_CREATE CHANNEL_DATA CHANNEL_DESTROY "
    "CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE "
    "CHANNEL_ORIGINATE CHANNEL_UUID CHANNEL_OUTGOING CHANNEL_PARK CHANNEL_PROGRESS "
    "CHANNEL_STATE CHANNEL_UNBRIDGE CHANNEL_UNPARK DETECTED_SPEECH DTMF NOTALK TALK "
    "CUSTOM CLONE CHANNEL_CALLSTATE CHANNEL_HOLD CHANNEL_UNHOLD CHANNEL_PROGRESS_MEDIA "
    "API LOG INBOUND_CHAN OUTBOUND_CHAN STARTUP SHUTDOWN PUBLISH UNPUBLISH MODULE_LOAD "
    "MODULE_UNLOAD RELOADXML NOTIFY NOTIFY_IN PRESENCE_IN PRESENCE_OUT PRESENCE_PROBE MESSAGE "
    "MESSAGE_WAITING MESSAGE_QUERY ROSTER CODEC BACKGROUND_JOB DETECTED_TONE PRIVATE_COMMAND "
    "HEARTBEAT TRAP ADD_SCHEDULE DEL_SCHEDULE EXE_SCHEDULE RE_SCHEDULE COMMAND CALL_UPDATE "
    "PLAYBACK_START PLAYBACK_STOP RECORD_START RECORD_STOP SESSION_HEARTBEAT CALL_SECURE "
    "CHANNEL_GLOBAL ALL".split()
)
"""The event names that the simulator takes for known ones."""


@dataclass(slots=True)
class Subscription:
    """The event state of one link."""

    active: bool = False
    names: set[str] = field(default_factory=set)
    subclasses: set[str] = field(default_factory=set)
    filters: list[tuple[str, str]] = field(default_factory=list)

    def subscribe(self, words: list[str]) -> bool:
        """``event plain NAME ... CUSTOM subclass ...``; False without a known name."""
        known = 0
        custom = False
        for word in words:
            if custom:
                self.subclasses.add(word)
            elif word.upper() in EVENT_NAMES:
                known += 1
                self.names.add(word.upper())
                custom = word.upper() == "CUSTOM"
        self.active = self.active or known > 0
        return known > 0

    def clear(self) -> bool:
        """``noevents``; False when nothing was subscribed."""
        was_active, self.active = self.active, False
        self.names.clear()
        self.subclasses.clear()
        return was_active

    def remove_filter(self, header: str, value: str) -> None:
        """``filter delete``: one value, all of one header, or ``all``."""
        if header.lower() == "all":
            self.filters.clear()
        self.filters = [
            (name, wanted)
            for name, wanted in self.filters
            if name.lower() != header.lower() or (value and wanted != value)
        ]

    def wants(self, event: SimEvent) -> bool:
        """Whether the link gets the event."""
        return self.names_it(event) and (not self.filters or self._passes(event))

    def names_it(self, event: SimEvent) -> bool:
        """Whether events of this name are subscribed to; a filter may still keep it back."""
        if not self.active:
            return False
        if "ALL" in self.names:
            return True
        if event.name not in self.names:
            return False
        return event.name != "CUSTOM" or event.subclass in self.subclasses

    def _passes(self, event: SimEvent) -> bool:
        """Positive filters are OR-ed; one that matches with ``-`` in front refuses at once."""
        send = False
        for header, wanted in self.filters:
            value = event.get(header)
            if value is None:
                continue
            text = wanted.lstrip("+- ")
            negative = wanted.lstrip(" ").startswith("-")
            if send and not negative:
                continue
            if _compare(value, text):
                if negative:
                    return False
                send = True
        return send


def _compare(value: str, wanted: str) -> bool:
    if wanted.startswith("/"):
        try:
            return re.search(wanted.strip("/"), value) is not None
        except re.error:
            return False
    return value.lower() == wanted.lower()
