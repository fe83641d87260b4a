"""The links of a worker to every FreeSWITCH that is configured, and which leg is whose."""

from __future__ import annotations

import logging
from collections import Counter
from functools import partial

from fsctl.errors import CommandFailed, LinkLost
from fsctl.esl.client import SwitchClient, client_of
from fsctl.esl.commands import Filter, GlobalGetvar, Status, Switchname
from fsctl.esl.common import CommonLink
from fsctl.settings import Settings
from fsctl.switch.ahead import QUIET, SUBSCRIBED
from fsctl.switch.marks import Mark
from fsctl.switch.origin import Origin

log = logging.getLogger(__name__)


class Switches:
    """One kept link for each; a switch that is slow, or not there, is nothing to the others.

    ``home``: the worker's address, which the channels bear that rest (`session.arrivals.resting`).
    """

    def __init__(self, settings: Settings, home: str) -> None:
        self._clients = {
            switch.name: client_of(
                switch,
                events=SUBSCRIBED,
                filters=(Filter(f"variable_{Mark.RESTS}", home), *QUIET),
                on_connected=partial(self._learn, switch.name),
            )
            for switch in settings.switches
        }
        self._by_core: dict[str, str] = {}
        """The switch's name by the Core-UUID of each life of it that we have seen."""
        self._switchnames: dict[str, str] = {}
        """By what name it has called itself, by ours. Learnt anew with each connection."""
        self._asked: set[str] = set()
        """Those that have told who they are since they were connected last."""

    def start(self) -> None:
        """Connect to each, and stay connected."""
        for client in self._clients.values():
            client.start()

    def stop(self) -> None:
        """End the links."""
        for client in self._clients.values():
            client.stop()

    def name_of(self, origin: Origin) -> str:
        """Return by what name the settings know this FreeSWITCH, else by what it calls itself.

        One that has started anew, and is not connected again yet, is known by the latter: if of
        all that are not connected only one has called itself so.
        """
        known = self._by_core.get(origin.core_uuid)
        if known is not None:
            return known
        away = (name for name in self._switchnames if not self._is_known(name))
        same = [name for name in away if self._switchnames[name] == origin.switchname]
        return same[0] if len(same) == 1 else origin.switchname

    def _is_known(self, name: str) -> bool:
        return self.is_connected(name) and name in self._asked

    def is_connected(self, name: str) -> bool:
        """Whether the switch of this name can be asked now; False for one that is not ours."""
        client = self._clients.get(name)
        return client is not None and client.connected.is_set()

    def share(self, origin: Origin, name: object) -> CommonLink | None:
        """A part of the link to this FreeSWITCH; None: there is none now."""
        known = self._by_core.get(origin.core_uuid)
        if known is None or not self._is_known(known):
            return None
        try:
            return self._clients[known].share(name)
        except LinkLost:
            return None

    def state(self, running: Counter[str]) -> str:
        """Say of each whether it is connected, and how many of ``running`` sessions are its own."""
        names = [*self._clients, *(running.keys() - self._clients.keys())]
        said = (f"{name} {self._link_of(name)}, {running[name]} sessions" for name in names)
        return "; ".join(said)

    def _link_of(self, name: str) -> str:
        if name not in self._clients:
            return "not configured"
        return "connected" if self.is_connected(name) else "not connected"

    def _learn(self, name: str) -> None:
        self._asked.discard(name)
        client = self._clients[name]
        state = client.api(Status()).splitlines()
        log.info("FreeSWITCH is there: %s: %s", name, "; ".join(state[:2]))
        core_uuid = client.api(GlobalGetvar("core_uuid")).strip()
        known = self._by_core.setdefault(core_uuid, name)
        if known != name:
            log.error("[switch] %s and %s are one FreeSWITCH: leave one out", known, name)
        self._switchnames[name] = _switchname(client)
        self._asked.add(name)


def _switchname(client: SwitchClient) -> str:
    try:
        return client.api(Switchname()).strip()
    except CommandFailed:
        return ""
