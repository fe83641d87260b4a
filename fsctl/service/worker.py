"""One worker: the server that FreeSWITCH dials, the switchboard behind it, and its signals."""

from __future__ import annotations

import gc
import logging
import signal
from collections import Counter
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

import gevent
from gevent import socket
from gevent.event import Event as Flag

from fsctl import log as logs
from fsctl.errors import SettingsError
from fsctl.esl.server import EslServer
from fsctl.scenario.events import BlindTransferRequested
from fsctl.scenario.scenarios import Scenarios
from fsctl.scenario.session import Sessions
from fsctl.service import readiness, start_check
from fsctl.service.counted import tell_counts
from fsctl.service.living import scope_of
from fsctl.service.observer import Observer
from fsctl.service.ports import PrivatePort, dialled_host, split
from fsctl.service.presence import Presence
from fsctl.service.rescue import Rescue
from fsctl.service.switches import Switches
from fsctl.session.arrivals.switchboard import Switchboard
from fsctl.session.calling.judging import Policed
from fsctl.session.core.clock import Clock
from fsctl.session.core.siblings import Siblings
from fsctl.session.transfers.record import Records, TransferRecord, write
from fsctl.settings import Settings

log = logging.getLogger(__name__)

LINKS_PER_CALL = 8
"""Every leg that comes home opens one more; the calls themselves are limited by the switchboard."""

_GREENLETS: WeakSet[gevent.Greenlet] = WeakSet()
"""All that are there. Not asked of the garbage collector: what another thread builds just then
would fail with a SystemError there (a tuple of a generator, as in many an import)."""
gevent.Greenlet.add_spawn_callback(_GREENLETS.add)

_SWITCH_GONE_S = 1.0
"""When FreeSWITCH itself has gone, the kept link to it ends in that time, too."""


def keep_loaded() -> None:
    """To be called by a process that serves once all is loaded: that stays, and the search for
    garbage, which stops everything, need not walk over it again and again."""
    gc.collect()
    gc.freeze()


class Worker:
    """Serves calls until it is told to stop. Listens once it is made; raises OSError then.

    One of several workers gets its sockets from the supervisor: ``listener``, which they share, and
    its ``private`` port, where its running calls come home to. Of several the ``first`` observes
    FreeSWITCH's own transfers, where that is asked for.
    ``load_scenarios`` loads the scenarios anew, for :meth:`reload`.
    """

    def __init__(
        self,
        settings: Settings,
        scenarios: Scenarios | None = None,
        clock: Clock | None = None,
        *,
        listener: socket.socket | None = None,
        private: PrivatePort | None = None,
        first: bool = True,
        load_scenarios: Callable[[], Scenarios] | None = None,
    ) -> None:
        self._settings = settings
        self._load_scenarios = load_scenarios
        self._reload_asked = Flag()
        self._stop = Flag()
        public = listener or split(settings.server.listen)
        self._server = self._serving(public, alternates=listener is not None)
        self._homes = [self._serving(private.listener)] if private else []
        self.address = self._server.address
        """The (host, port) where it really listens."""
        home = private.home if private else settings.server.home or "{}:{}".format(*self.address)
        self._switches = Switches(settings, home)
        self._signs: Presence | None = None
        if private is None and settings.switches:  # those of several are their supervisor's
            self._signs = Presence(settings, lambda: (home,), clock)
        self.sessions = Sessions(scenarios)
        """The maker of sessions, with the scenarios of new ones."""
        self.switchboard = Switchboard(settings, home, self.sessions, clock)
        self._only_controller = len(settings.dialplan.controllers) <= 1
        self.switchboard.alone = private is None and self._only_controller
        if private is not None:
            shared = f"{dialled_host(settings.server)}:{self.address[1]}"
            self.switchboard.public = settings.server.home or shared
        self.switchboard.on_stranded = self._stranded
        self.switchboard.name_switch = self._switches.name_of
        self.switchboard.share = self._switches.share
        self._rescue = Rescue(settings, self.legs)
        self._stays, self._others_accept = True, False
        self._observers = self._observing() if first else []
        if settings.switches:
            self.switchboard.part(Records).owe = self._owe_record

    def has_siblings(self, siblings: Siblings | None) -> None:
        """Tell it of the parties of the workers beside it, before it starts; None: nobody knows."""
        if self._only_controller:
            self.switchboard.siblings = siblings

    def _serving(
        self, listen: tuple[str, int] | socket.socket, *, alternates: bool = False
    ) -> EslServer:
        return EslServer(
            listen,
            lambda link, snapshot: self.switchboard.handle(link, snapshot),
            max_links=LINKS_PER_CALL * self._settings.server.max_calls,
            alternates=alternates,
        )

    def _observing(self) -> list[Observer]:
        """Where calls are ours their sessions see their transfers."""
        settings = self._settings
        if not settings.observes or not settings.arms_everywhere:
            return []

        def decides() -> bool:
            return bool(self.sessions.scenarios.default.handlers(BlindTransferRequested))

        return [Observer(self.switchboard, switch, decides) for switch in settings.switches]

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; then drain: running calls go on to the deadline.

        SIGHUP reloads the scenarios.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            gevent.signal_handler(number, self._stop.set)
        gevent.signal_handler(signal.SIGHUP, self._reload_asked.set)
        reloading = gevent.spawn(self._reload_when_asked)
        gevent.signal_handler(signal.SIGUSR1, self.tell_state)
        self.start()
        logs.say("listening on {}:{}".format(*self.address))
        logs.say(scope_of(self._settings))
        readiness.ready()
        start_check.begin(self._settings)
        watchdog = readiness.keep_watchdog()  # noqa: F841 - it runs for as long as we do
        self._stop.wait()
        reloading.kill()
        readiness.stopping()
        self.stop()

    def vitals(self) -> dict[str, Any]:
        """How much is going on here, for the desk."""
        return {
            "sessions": len(self.switchboard.sessions),
            "links": sum(server.link_count for server in (self._server, *self._homes)),
            "switches": {
                switch.name: self._switches.is_connected(switch.name)
                for switch in self._settings.switches
            },
        }

    def end(self) -> None:
        """Have :meth:`run` end as by SIGTERM."""
        self._stop.set()

    def tell_state(self) -> None:
        """Log how much is going on here: for whoever looks for something that is left behind."""
        alive = sum(not each.dead for each in _GREENLETS)
        links = sum(server.link_count for server in (self._server, *self._homes))
        sessions = self.switchboard.sessions.values()
        running = self._switches.state(Counter(session.switch for session in sessions))
        log.info(
            "state: %d sessions, %d links, %d greenlets%s",
            len(sessions),
            links,
            alive,
            f"; {running}" if running else "",
        )
        if not self._homes:  # of several the supervisor has them all
            tell_counts(self.switchboard.part(Policed).counts)

    def reload(self) -> None:
        """Load the scenarios anew, for new calls: a session that runs keeps its own.

        What cannot be loaded is logged, and changes nothing.
        """
        if self._load_scenarios is None:
            log.warning("there are no scenarios to be reloaded")
            return
        try:
            self.sessions.scenarios = self._load_scenarios()
        except SettingsError as error:
            log.error("the scenarios stay as they are: %s", error)
        else:
            log.info("scenarios reloaded, for new calls")

    def _reload_when_asked(self) -> None:
        while True:
            self._reload_asked.wait()
            self._reload_asked.clear()
            self.reload()

    def start(self) -> None:
        """Begin to accept links, and to look after FreeSWITCH's own event sockets."""
        self._switches.start()
        for observer in self._observers:
            observer.start()
        for server in (self._server, *self._homes):
            server.start()
        if self._signs is not None:
            self._signs.start()
            self._rescue.look_for_records()

    def legs(self) -> set[str]:
        """The channels of running sessions and of open links."""
        held = self._server.channels.union(*(server.channels for server in self._homes))
        for session in self.switchboard.sessions.values():
            held.update(uuid for uuid, call in session.calls.items() if call.alive)
        return held

    def _owe_record(self, record: TransferRecord) -> None:
        """Where other workers go on, their supervisor sees to it; else nobody sees its end."""
        if self._stays:
            self._rescue.owe(record)
        elif not self._others_accept:
            write(record)

    def _stranded(self, home: str, switch: str) -> None:
        """FreeSWITCH goes on alone; what it would leave standing is settled as after a death."""
        gevent.spawn_later(_SWITCH_GONE_S, self._look_after_legs, home, switch)

    def _look_after_legs(self, home: str, switch: str) -> None:
        if self._switches.is_connected(switch):
            self._rescue.look_after_legs(home, switch)

    def stop(self, others_accept: bool = False) -> None:
        """Drain and stop. Legs of running calls can still come home meanwhile.

        With a private port for these, the shared address is left at once: to the other workers, or
        (unless ``others_accept``) to nobody.
        """
        self._stays, self._others_accept = False, others_accept
        log.info("draining: %d sessions", len(self.switchboard.sessions))
        for observer in self._observers:
            observer.stop()
        if self._signs is not None:
            self._signs.disarm()
        if self._homes:
            self._server.stop_accepting(others_accept)
        self.switchboard.drain(self._settings.server.drain_timeout_s)
        if self._signs is not None:
            self._signs.stop()
        for server in (self._server, *self._homes):
            server.stop()
        self._rescue.stop()
        self._switches.stop()
