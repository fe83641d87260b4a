"""The calls that have joined two parties, while one of them is transferred to a third."""

from __future__ import annotations

from fsctl.esl.events import Event
from fsctl.session.calling.calls import Calls
from fsctl.session.calling.dial import Dial
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session


class DialsAside:
    """Those of one transfer: their end is not the end of a call, unless nobody is moved after
    all."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._dials: dict[str, Dial] = {}
        """By the Event-UUID of their ``bridge``. Filled when the two are to be parted, given back
        when they talk on."""
        self._ends: list[Event] = []
        """What has been heard of the end of those."""

    def take(self, one: Leg, other: Leg | None) -> None:
        """These two are going to be parted."""
        pair, dials = (one, other), self._session.part(Calls).dials
        for execution, dial in list(dials.items()):
            if dial.waiting in pair and dial.outgoing in pair:
                self._dials[execution] = dials.pop(execution)

    def note(self, event: Event) -> None:
        """An event of the session's link: the end of one of these counts later, or never."""
        if event.get("Application-UUID") in self._dials:
            self._ends.append(event)

    def give_back(self) -> None:
        """They talk on: the end of what joins them is the end of a call again."""
        self._session.part(Calls).dials.update(self._dials)
        for event in self._ends:
            self._session.hear(event)
        self._dials, self._ends = {}, []
