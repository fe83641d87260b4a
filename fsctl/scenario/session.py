"""The session as a scenario sees it: the verbs, and the handlers who are told.

Verbs are called from handlers, which have greenlets of their own and take turns with the session's
(:mod:`fsctl.scenario.turns`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeVar, overload

from fsctl.errors import ChannelGone
from fsctl.esl.connection import Connection
from fsctl.scenario.call import Call, as_call
from fsctl.scenario.events import SessionEvent
from fsctl.scenario.handlers import Handlers
from fsctl.scenario.outlet import Outlet
from fsctl.scenario.scenarios import Scenario, Scenarios
from fsctl.scenario.turns import verb
from fsctl.session.calling import bridging
from fsctl.session.calling.bridged import connect
from fsctl.session.calling.originated import call_out
from fsctl.session.calling.plan import CallOptions, route, sip_uri_of
from fsctl.session.calling.routing import NoRoute
from fsctl.session.core import branches
from fsctl.session.core import session as core
from fsctl.session.core.board import Board
from fsctl.session.core.clock import Timer
from fsctl.session.core.leg import Leg
from fsctl.sip.uri import Uri
from fsctl.switch.origin import Origin

E = TypeVar("E", bound=SessionEvent)


class Sessions:
    """Makes the sessions of one worker: each has its scenario's handlers."""

    def __init__(self, scenarios: Scenarios | None = None) -> None:
        self.scenarios = scenarios or Scenarios()
        """The scenarios of new sessions; one that runs keeps its own. Set anew by a reload."""
        self.verbs_used = 0
        """Verbs that handlers have used, of all sessions: while none has, the settings decide."""

    def __call__(self, board: Board, session_id: str, link: Connection, origin: Origin) -> Session:
        """Make one."""
        return Session(self, board, session_id, link, origin)


class Session(core.Session):
    """The calls that one scenario controls; it ends with its last call."""

    leg_type = Call

    def __init__(
        self,
        sessions: Sessions,
        board: Board,
        session_id: str,
        link: Connection,
        origin: Origin,
    ) -> None:
        super().__init__(board, session_id, link, origin)
        self.scenario: Scenario = sessions.scenarios.default
        """The scenario whose handlers are called. Set to another by the route of the dialled
        number, or by the channels of a call that is taken over."""
        self._sessions = sessions
        self._handlers = Handlers(self)
        self.tell = Outlet(self, self._handlers)

    def looked(self) -> None:
        """Something has happened: whoever waits may look again."""
        self._handlers.turns.look()

    def closed(self, error: ChannelGone) -> None:
        """Nobody waits any more: the session has ended."""
        self._handlers.turns.end(error)

    # -- the scenario -----------------------------------------------------------------------

    def choose_scenario(self, destination: str) -> None:
        """From now on: the scenario of the route that the dialled number takes."""
        try:
            routed = route(self, destination)
        except NoRoute:
            return
        self.scenario = self._sessions.scenarios.of_route(routed.route.name)

    def resume_scenario(self, name: str) -> None:
        """It was this one's before we took it over."""
        self.scenario = self._sessions.scenarios.named(name)

    @property
    def scenario_name(self) -> str:
        """By which a worker that takes over finds the same scenario; empty: the default."""
        return self.scenario.name

    @overload
    def on(self, event: type[E]) -> Callable[[Callable[[E], None]], Callable[[E], None]]: ...

    @overload
    def on(self, event: type[E], handler: Callable[[E], None]) -> Callable[[E], None]: ...

    def on(self, event: type[E], handler: Callable[[E], None] | None = None) -> Any:
        """Call ``handler`` for every ``event`` of the session or of any call in it."""
        return self._handlers.on(event, handler)

    def wait(self, met: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """In a handler: wait until ``met()``; False when ``timeout_s`` have passed before.

        ``met`` is asked whenever something has happened in the session: it only looks, and uses no
        verb. Raises what ``met`` raises, ChannelGone when the session ends, RuntimeError outside
        of a handler.
        """
        return self._handlers.turns.wait(met, timeout_s)

    def turn(self) -> AbstractContextManager[None]:
        """What a verb is done in; see :func:`fsctl.scenario.turns.verb`."""
        if self._handlers.turns.in_handler:
            self._sessions.verbs_used += 1
        return self._handlers.turns.verb()

    @property
    def waits(self) -> bool:
        """Whether a handler waits for something: it may be about to decide."""
        return bool(self._handlers.turns.waiting)

    # -- verbs ------------------------------------------------------------------------------

    @verb
    def connect(
        self,
        call: Call,
        destination: str | Uri,
        *,
        caller_id: str | None = None,
        display_name: str | None = None,
        headers: Mapping[str, str] | None = None,
        ring_timeout_s: int | None = None,
        codecs: str | None = None,
    ) -> Call:
        """Have FreeSWITCH call ``destination`` for ``call``, and join the two on answer.

        The sturdiest way: ringback, early media, the caller's CANCEL and the join itself go on when
        this process dies. ``destination`` is a user, a number or a SIP or tel URI; the routes
        decide where it is dialled. ``call`` is a leg that came to us: the caller of a new call, or
        the transferee of a requested transfer. Caller ID and name default to those of the settings.
        Returns the called party's call at once; ``Ringing``, ``Connected`` and ``Failed`` follow. A
        failed call is passed on to ``call`` (or ends the transfer) with the callee's own code and
        phrase, unless the scenario calls somebody else or uses ``call``, in a handler of ``Failed``
        or after ``wait_connected``. Source: application ``bridge``.

        Raises :class:`~fsctl.session.calling.routing.NoRoute`, ChannelGone, ValueError.
        """
        options = CallOptions(caller_id, display_name, headers, ring_timeout_s, codecs)
        return as_call(connect(self, call, destination, options))

    @verb
    def call_user(
        self,
        username: str,
        *,
        caller_id: str | None = None,
        display_name: str | None = None,
        headers: Mapping[str, str] | None = None,
        ring_timeout_s: int | None = None,
        codecs: str | None = None,
        scheme: str = "",
    ) -> Call:
        """Call a user, or whatever the routes make of this name; a call of the scenario's own.

        It is joined with nobody until :meth:`send_media_between`. Returns at once; ``Ringing``,
        ``Connected`` or ``Failed`` (also when no route admits it) follow. While a party waits to be
        transferred, it hears ringback, and the call is the transfer's target. ``caller_id`` and
        ``display_name`` may be a whole Referred-By, and default as those of :meth:`connect`;
        ``headers`` are sent as they are named; ``codecs`` lists FreeSWITCH's names, the preferred
        first, and nothing else is offered then. ``scheme``, that of another call, is offered first,
        before the profile's own, where neither ``codecs`` nor the settings say what is offered.
        Source: API ``originate``.

        Raises LinkError, ValueError (a header that cannot be sent).
        """
        options = CallOptions(caller_id, display_name, headers, ring_timeout_s, codecs, scheme)
        return as_call(call_out(self, username, options))

    @verb
    def call_sip(
        self,
        to: str | Uri,
        *,
        caller_id: str | None = None,
        display_name: str | None = None,
        headers: Mapping[str, str] | None = None,
        ring_timeout_s: int | None = None,
        codecs: str | None = None,
        scheme: str = "",
    ) -> Call:
        """Call a SIP URI, or the one in a whole Refer-To or Referred-By, as :meth:`call_user`.

        The routes decide which hosts are dialled, for the URI may come from a phone. Raises
        ValueError for what is no SIP URI.
        """
        options = CallOptions(caller_id, display_name, headers, ring_timeout_s, codecs, scheme)
        return as_call(call_out(self, sip_uri_of(to), options))

    @verb
    def call_pstn(
        self,
        number: str,
        *,
        caller_id: str | None = None,
        display_name: str | None = None,
        headers: Mapping[str, str] | None = None,
        ring_timeout_s: int | None = None,
        codecs: str | None = None,
        scheme: str = "",
    ) -> Call:
        """Call a telephone number by a route of kind ``gateway``, as :meth:`call_user`."""
        options = CallOptions(caller_id, display_name, headers, ring_timeout_s, codecs, scheme)
        return as_call(call_out(self, number, options, "gateway"))

    @verb
    def send_media_between(self, one: Call, other: Call) -> None:
        """Let two answered calls talk; a caller that still alerts is answered.

        Who talks with somebody else is taken from there. A transfer's target joined with its
        transferee completes the transfer. When one of them hangs up, so is the other, unless the
        scenario does something with it by then. Source: API ``uuid_bridge``.

        Raises ChannelGone, ValueError for a call that is not answered.
        """
        bridging.send_media_between(self, one, other, _answered)

    @verb
    def send_media_to(self, one: Call, other: Call) -> None:
        """See ``Call.send_media_to``."""
        bridging.send_media_to(self, one, other, _answered)

    @verb
    def stop_media_to(self, one: Call, other: Call) -> None:
        """See ``Call.stop_media_to``."""
        bridging.stop_media_to(self, one, other)

    def set_timeout(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call ``callback`` in ``seconds``, as a handler; the timer can be cancelled."""
        return self._handlers.set_timeout(seconds, callback)

    def sleep(self, seconds: float) -> None:
        """In a handler: let ``seconds`` pass; other handlers run meanwhile."""
        self.wait(lambda: False, seconds)

    @verb
    def terminate(self) -> None:
        """Hang up every call of this session."""
        self.tell.terminating()
        alive = [call for call in self.calls.values() if call.alive]
        self.link.send_all([branches.stopping(self, call) for call in alive])


def _answered(leg: Leg) -> None:
    as_call(leg).answer()
