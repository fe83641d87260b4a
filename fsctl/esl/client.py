"""An inbound link to a switch that is kept connected."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence

import gevent
from gevent.event import Event as Flag

from fsctl.errors import AuthError, LinkError, LinkLost
from fsctl.esl.commands import ApiCommand, Command, Events, Filter, FilterOut, FilterSet
from fsctl.esl.common import Common, CommonLink
from fsctl.esl.connection import DEFAULT_TIMEOUT_S, Connection
from fsctl.esl.events import Event, Reply
from fsctl.esl.loss import ignore_event
from fsctl.esl.sockets import connect_to
from fsctl.log import Field
from fsctl.settings import Switch

FIRST_DELAY_S = 0.2
LAST_DELAY_S = 3.0
_log = logging.getLogger(__name__)


def retry_delay_s(attempt: int, chance: float) -> float:
    """How long to wait after failed `attempt` (from 0): doubles up to a limit; `chance` (0 to 1)
    spreads it over the upper half, so that many clients do not come back in one moment."""
    full = min(LAST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(attempt, 16))
    return full * (0.5 + 0.5 * chance)


class SwitchClient:
    """FreeSWITCH's own event socket: connects, authenticates, subscribes, and does so again.

    `on_event` is called by the hub and must not block. `on_connected` is called
    in the client's greenlet after each (re)connection, when commands may be sent: when it raises
    LinkError, the link is given up and another one tried. While there
    is no connection every command raises LinkLost at once. The password is never logged; `name`
    is what log lines call the switch.
    """

    def __init__(
        self,
        host: str,
        port: int,
        password: str,
        *,
        events: Events | None = None,
        filters: tuple[Filter | FilterOut | FilterSet, ...] = (),
        on_event: Callable[[Event], None] = ignore_event,
        on_connected: Callable[[], None] | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        name: str = "",
    ) -> None:
        self.on_event = on_event
        self.on_connected = on_connected
        self.connected = Flag()
        """Set while commands can be sent: authenticated, and subscribed."""
        self.last_error: LinkError | None = None
        """The reason why the latest attempt to connect has failed; None: it has not."""
        self._address = (host.strip("[]"), port)
        self._name = Field("switch", name or "FreeSWITCH")
        self._password = password
        self._wanted: list[Command] = [*filters, *([events] if events else [])]
        self._timeout_s = timeout_s
        self._link: Connection | None = None
        self._common: Common | None = None
        self._runner: gevent.Greenlet[[], None] | None = None
        self._attempted = Flag()

    def __repr__(self) -> str:
        state = "connected" if self.connected.is_set() else "not connected"
        return f"<SwitchClient {self._address[0]}:{self._address[1]} {state}>"

    def start(self) -> None:
        """Connect, and stay connected until `stop`."""
        if self._runner is None:
            self._runner = gevent.spawn(self._run)

    def stop(self) -> None:
        """End the link and do not come back."""
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.kill()
        self._forget_link()

    def wait_connected(self, timeout_s: float) -> None:
        """Wait for the connection; raises the last attempt's error (AuthError at once)."""
        deadline = gevent.Timeout(timeout_s)
        with deadline:
            try:
                self._wait_for_verdict()
                return
            except gevent.Timeout as expired:
                if expired is not deadline:
                    raise
        raise self.last_error or LinkLost(f"{self!r} within {timeout_s:g} s")

    def _wait_for_verdict(self) -> None:
        while not self.connected.is_set():
            self._attempted.clear()
            self._attempted.wait()
            if isinstance(self.last_error, AuthError) and not self.connected.is_set():
                raise self.last_error

    def send(self, command: Command, timeout_s: float | None = None) -> Reply:
        """Send one command; see `Connection.send`."""
        return self._require_link().send(command, timeout_s or self._timeout_s)

    def send_all(self, commands: Sequence[Command], timeout_s: float | None = None) -> list[Reply]:
        """Send several in one write; see `Connection.send_all`."""
        return self._require_link().send_all(commands, timeout_s or self._timeout_s)

    def api(self, command: ApiCommand, timeout_s: float | None = None) -> str:
        """The output of an API command; see `Connection.api`."""
        return self._require_link().api(command, timeout_s or self._timeout_s)

    def share(self, name: object) -> CommonLink:
        """A part of the link, for one user among many; see `Common.open`. Raises LinkLost."""
        if self._common is None or not self.connected.is_set():
            raise LinkLost(repr(self))
        return self._common.open(name)

    def _require_link(self) -> Connection:
        if self._link is None or not self.connected.is_set():
            raise LinkLost(repr(self))
        return self._link

    # -- staying connected --------------------------------------------------------------------

    def _run(self) -> None:
        attempt = 0
        while True:
            try:
                link = self._connect()
            except (LinkError, OSError) as error:
                self._note_failure(error)
            else:
                attempt = 0
                self._serve(link)
            gevent.sleep(retry_delay_s(attempt, random.random()))
            attempt += 1

    def _note_failure(self, error: LinkError | OSError) -> None:
        known = error if isinstance(error, LinkError) else LinkLost(f"cannot connect: {error}")
        if str(known) != str(self.last_error):
            _log.warning(
                "no link to %s at %s:%s, trying again: %s", self._name, *self._address, known
            )
        self.last_error = known
        self._forget_link()
        self._attempted.set()

    def _connect(self) -> Connection:
        sock = connect_to(self._address, self._timeout_s)
        link = Connection(sock, self._address, log_id=f"{self._address[0]}:{self._address[1]}")
        self._link, self._common = link, Common(link)
        link.on_event = self._take_event
        link.start()
        link.authenticate(self._password, self._timeout_s)
        for reply in link.send_all(self._wanted, self._timeout_s):
            reply.raise_for_error()
        return link

    def _take_event(self, event: Event) -> None:
        if self._common is not None:
            self._common.take(event)
        self.on_event(event)

    def _serve(self, link: Connection) -> None:
        self.last_error = None
        link.on_lost = self._lost
        if link.closed:
            return
        self.connected.set()
        self._attempted.set()
        _log.info("connected to %s at %s:%s", self._name, *self._address)
        self._tell_connected(link)
        link.wait_closed()
        _log.warning("lost the link to %s at %s:%s: connecting again", self._name, *self._address)
        self._forget_link()

    def _lost(self) -> None:
        self.connected.clear()
        if self._common is not None:
            self._common.lost()

    def _tell_connected(self, link: Connection) -> None:
        try:
            if self.on_connected is not None:
                self.on_connected()
        except LinkError as error:
            # A switch that hangs: what it was to be asked or told is done when it goes on.
            _log.warning("%s has not answered: %s", self._name, error)
            link.close()
        except Exception:
            _log.exception("what was to follow the connection has failed")

    def _forget_link(self) -> None:
        link, self._link = self._link, None
        self._lost()
        self._common = None
        if link is not None:
            link.close()


def client_of(
    switch: Switch,
    *,
    events: Events | None = None,
    filters: tuple[Filter | FilterOut | FilterSet, ...] = (),
    on_event: Callable[[Event], None] = ignore_event,
    on_connected: Callable[[], None] | None = None,
) -> SwitchClient:
    """Make the client of a switch as it is configured; it has not begun."""
    return SwitchClient(
        switch.host,
        switch.port,
        switch.password,
        events=events,
        filters=filters,
        on_event=on_event,
        on_connected=on_connected,
        name=switch.name,
    )
