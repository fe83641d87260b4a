"""Playing the stories: a fresh stage for each, its messages written down as they happen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fsctl.demo.stories import SETTINGS, Cast, Story
from fsctl.errors import FsctlError
from fsctl.simulator import SipMessage
from fsctl.stage import Stage
from fsctl.story import SimulatedParty

Watch = Callable[[str, SipMessage], None]
"""Told of each message: the phone's display name and the message."""


class _Tape(list[SipMessage]):
    """A phone's record that also tells a watcher, so that all phones share one order."""

    def __init__(self, name: str, watch: Watch) -> None:
        super().__init__()
        self._name, self._watch = name, watch

    def append(self, message: SipMessage) -> None:
        super().append(message)
        self._watch(self._name, message)


@dataclass(slots=True)
class Performance:
    """One story as it went."""

    story: Story
    failure: str = ""
    messages: list[tuple[str, SipMessage]] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.failure

    def as_json(self) -> dict[str, Any]:
        """The performance as JSON can hold it."""
        first_s = self.messages[0][1].time_s if self.messages else 0.0
        return {
            "story": self.story.name,
            "ok": self.ok,
            "failure": self.failure,
            "simulated": True,
            "messages": [
                {
                    "at_s": round(message.time_s - first_s, 3),
                    "phone": name,
                    "direction": "received" if message.direction == "in" else "sent",
                    "message": message.start_line,
                    "body": message.body.strip(),
                }
                for name, message in self.messages
            ],
        }


def perform(story: Story, watch: Watch, *, real_time: bool) -> Performance:
    """Play one story; what goes wrong is in the result, never raised."""
    performance = Performance(story)

    def note(name: str, message: SipMessage) -> None:
        performance.messages.append((name, message))
        watch(name, message)

    with Stage(SETTINGS, real_time=real_time) as stage:
        cast = _cast(stage, story, note)
        try:
            story.play(cast)
        except (AssertionError, FsctlError) as error:
            performance.failure = str(error) or type(error).__name__
    return performance


def _cast(stage: Stage, story: Story, watch: Watch) -> Cast:
    people = [("1000", "Alice"), (story.bob, "Bob"), (story.carol, "Carol"), ("1003", "Dave")]
    parties: list[SimulatedParty] = []
    for number, name in people:
        party = stage.party(number, name)
        party.phone.messages = _Tape(name, watch)
        party.phone.answers(after_s=0.8, ring_after_s=0.1)
        parties.append(party)
    return Cast(stage, *parties)
