"""The handlers of one scenario file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from fsctl.scenario.events import SessionEvent

E = TypeVar("E", bound=SessionEvent)


class Scenario:
    """A registry of handlers that every session of this scenario shares."""

    def __init__(self, name: str = "") -> None:
        """``name`` stands in logs and on channels; the loader gives that of the file."""
        self.name = name
        self._handlers: dict[type[SessionEvent], list[Callable[[Any], None]]] = {}

    def on(self, event: type[E]) -> Callable[[Callable[[E], None]], Callable[[E], None]]:
        """Decorator: call the function for every ``event`` of every session."""

        def register(handler: Callable[[E], None]) -> Callable[[E], None]:
            self._handlers.setdefault(event, []).append(handler)
            return handler

        return register

    def handlers(self, event: type[SessionEvent]) -> tuple[Callable[[Any], None], ...]:
        """The handlers of ``event`` in the order of their registration."""
        return tuple(self._handlers.get(event, ()))

    def all_handlers(self) -> dict[type[SessionEvent], tuple[Callable[[Any], None], ...]]:
        """Every event that has handlers, and these."""
        return {event: tuple(handlers) for event, handlers in self._handlers.items()}
