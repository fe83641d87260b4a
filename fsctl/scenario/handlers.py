"""The handlers of a session: who is told of an event, in turns, and what happens when one fails."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, TypeVar

from fsctl.errors import CallFailed, ChannelGone, LinkError, LinkLost
from fsctl.scenario import events
from fsctl.scenario.call import as_call
from fsctl.scenario.events import CallEvent, SessionEvent
from fsctl.scenario.turns import Turns
from fsctl.session.calling.routing import NoRoute
from fsctl.session.core.clock import Timer
from fsctl.session.core.told import OnError

if TYPE_CHECKING:
    from fsctl.scenario.session import Session

log = logging.getLogger(__name__)

E = TypeVar("E", bound=SessionEvent)
Handler = Callable[[Any], None]
_KINDS = [
    each
    for each in vars(events).values()
    if isinstance(each, type) and issubclass(each, SessionEvent)
]


class Handlers:
    """Those of the calls, of the session and of its scenario, called in this order."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._own: dict[type[SessionEvent], list[Handler]] = {}
        self._timers: list[Timer] = []
        self.turns = Turns(session.after, lambda: session.post(lambda: None), session.id)
        """The order in which handlers run; the session looks for those that wait."""

    def on(self, event: type[E], handler: Callable[[E], None] | None = None) -> Any:
        """Call ``handler`` for every ``event``; without a handler, a decorator."""
        if handler is None:
            return lambda function: self.on(event, function)
        self._own.setdefault(event, []).append(handler)
        return handler

    def of(self, event: SessionEvent) -> tuple[Handler, ...]:
        """The handlers of this event."""
        kind = type(event)
        of_call = event.call.handlers(type(event)) if isinstance(event, CallEvent) else ()
        scenario = self._session.scenario
        return (*of_call, *self._own.get(kind, ()), *scenario.handlers(kind))

    def listen(self, kind: type[SessionEvent]) -> bool:
        """Whether the session or its scenario has a handler of such events."""
        return bool(self._own.get(kind) or self._session.scenario.handlers(kind))

    def listen_to(self, kinds: Collection[type[CallEvent]]) -> bool:
        """Whether the session, its scenario or one of its calls has a handler of one of these."""
        calls = self._session.calls.values()
        return any(
            self.listen(kind) or any(as_call(leg).handlers(kind) for leg in calls) for kind in kinds
        )

    def listen_at_all(self) -> bool:
        """Whether there is a handler of anything. Those of single calls are set by others only."""
        return bool(self._own) or any(map(self._session.scenario.handlers, _KINDS))

    def emit(self, event: SessionEvent, on_error: OnError | None = None) -> None:
        """Give the event to its handlers; each has a turn.

        What a handler raises is logged with the session's id, and given to ``on_error``, now or
        later: the safe answer is its matter. A lost link ends the session.
        """
        for handler in self.of(event):
            self._run(handler, event, on_error)

    def set_timeout(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Give a callback of the scenario a turn in ``seconds``, unless it is cancelled."""
        timer = self._session.after(seconds, lambda: self.run(callback))
        self._timers = [*filter(lambda each: each.is_pending, self._timers), timer]
        return timer

    @property
    def has_timers(self) -> bool:
        """Whether one of these may still call back."""
        return any(timer.is_pending for timer in self._timers)

    def run(self, callback: Callable[[], None]) -> None:
        """Give a callback of the scenario a turn, as a timer's."""
        self._run(lambda _: callback(), None, None)

    def _run(self, handler: Handler, event: SessionEvent | None, on_error: OnError | None) -> None:
        self.turns.run(lambda: self._guarded(handler, event, on_error))

    def _guarded(
        self, handler: Handler, event: SessionEvent | None, on_error: OnError | None
    ) -> None:
        session = self._session
        what = f"handler of {type(event).__name__}" if event else "handler"
        follows = "; the safe answer follows" if on_error is not None else ""
        try:
            try:
                handler(event)
            except (LinkLost, ChannelGone, CallFailed, NoRoute) as error:
                if isinstance(error, LinkLost) and session.is_cut_off:
                    raise
                log.info("%s: %s ended: %s%s", session.id, what, error, follows)
                if on_error is not None:
                    on_error(error)
            except Exception as error:
                call = f" for {event.call}" if isinstance(event, CallEvent) else ""
                log.exception("%s: %s failed%s%s", session.id, what, call, follows)
                if on_error is not None:
                    on_error(error)
        except LinkLost as error:
            self._session.lose(f"{what}: {error}")
        except (LinkError, ChannelGone) as error:  # its hang-up is on its way to us
            log.info("%s: %s: no safe answer is given: %s", session.id, what, error)
        except Exception:
            log.exception("%s: %s: the safe answer failed, its call may wait", session.id, what)
