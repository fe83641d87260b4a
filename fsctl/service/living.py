"""Signs of life: FreeSWITCH dials only controllers that are known to be there.

A host that has vanished does not refuse: ``socket`` would wait for it for more than two minutes
(mod_event_socket.c: no timeout of its own), and the caller hears nothing. So every address has a
global variable in FreeSWITCH, set while somebody serves there, and a timer in FreeSWITCH that
unsets it when it is not renewed. The rendered dialplan looks before it dials (``only_living``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

import gevent

from fsctl.errors import ChannelGone, LinkError
from fsctl.esl.client import SwitchClient
from fsctl.esl.commands import Command, GlobalSetvar, SchedApi, SchedDel
from fsctl.switch.marks import Mark

log = logging.getLogger(__name__)

PERIOD_S = 1.0
EXPIRY_S = 4
"""FreeSWITCH's timers are good to a second: it forgets after 3 to 4.5 s."""
_FIRST_S = 1.0
"""How long a start waits for FreeSWITCH, which may not be there yet."""


def variable_of(address: str) -> str:
    """Return the name of the global variable that says whether somebody serves ``address``."""
    return f"{Mark.LIVING}{address}"


class SignsOfLife:
    """Renews the signs of life of what ``addresses`` returns, every second, by its own link."""

    def __init__(
        self, host: str, port: int, password: str, addresses: Callable[[], Iterable[str]]
    ) -> None:
        self._addresses = addresses
        self._shown: set[str] = set()
        self._client = SwitchClient(host, port, password, on_connected=self.show)
        self._runner: gevent.Greenlet[[], None] | None = None

    def start(self) -> None:
        """Begin; returns when the first signs have been given, or FreeSWITCH is not there."""
        self._client.start()
        try:
            self._client.wait_connected(_FIRST_S)
            self.show()
        except LinkError as error:
            log.warning("FreeSWITCH does not know of us yet, and will not dial us: %s", error)
        self._runner = gevent.spawn(self._run)

    def stop(self) -> None:
        """Take the signs back and end."""
        if self._runner is not None:
            self._runner.kill()
            self._runner = None
        self._send([command for address in self._shown for command in _withdrawn(address)])
        self._shown = set()
        self._client.stop()

    def _run(self) -> None:
        while True:
            gevent.sleep(PERIOD_S)
            self.show()

    def show(self) -> None:
        """Give the signs of those that serve now, and take back those of the others."""
        wanted = set(self._addresses())
        commands = [command for address in sorted(wanted) for command in _renewed(address)]
        for address in sorted(self._shown - wanted):
            commands += _withdrawn(address)
        self._shown = wanted
        self._send(commands)

    def _send(self, commands: list[Command]) -> None:
        if not commands or not self._client.connected.is_set():
            return
        try:
            self._client.send_all(commands)
        except (LinkError, ChannelGone) as error:
            log.warning("no sign of life given, FreeSWITCH may dial others: %s", error)


def _group(address: str) -> str:
    return "fsctl-living-" + address.replace(":", "-")


def _renewed(address: str) -> list[Command]:
    forget = SchedApi(EXPIRY_S, _group(address), GlobalSetvar(variable_of(address), ""))
    return [GlobalSetvar(variable_of(address), "yes"), SchedDel(_group(address)), forget]


def _withdrawn(address: str) -> list[Command]:
    return [SchedDel(_group(address)), GlobalSetvar(variable_of(address), "")]
