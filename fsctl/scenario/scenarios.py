"""What the application gives to the sessions: handlers of events, by scenario."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from fsctl.scenario.events import SessionEvent


class Scenario(Protocol):
    """The handlers of an event, for every session of this scenario; ``name`` is for logs and for
    the channels, so that who takes a call over knows whose it was."""

    name: str

    def handlers(self, event: type[SessionEvent]) -> tuple[Callable[[Any], None], ...]: ...


class NoScenario:
    """Without a scenario the settings decide everything."""

    name = ""

    def handlers(self, event: type[SessionEvent]) -> tuple[Callable[[Any], None], ...]:
        """None."""
        return ()


@dataclass(frozen=True, slots=True)
class Scenarios:
    """The scenario of each route that has one of its own (by the route's name), and of all else."""

    default: Scenario = field(default_factory=NoScenario)
    """The scenario of every call whose route has none."""
    of_routes: Mapping[str, Scenario] = field(default_factory=dict)

    def of_route(self, name: str) -> Scenario:
        """The scenario of a route."""
        return self.of_routes.get(name, self.default)

    def named(self, name: str) -> Scenario:
        """The scenario that a channel says it belongs to; the default one when it is not there."""
        return next((each for each in self.of_routes.values() if each.name == name), self.default)
