"""Signs of life: FreeSWITCH dials only controllers that are known to be there, and arms its legs.

A host that has vanished does not refuse: ``socket`` would wait for it for more than two minutes
(mod_event_socket.c: no timeout of its own), and the caller hears nothing. So every address has a
global variable in FreeSWITCH, set while somebody serves there, and a timer in FreeSWITCH that
unsets it when it is not renewed. The rendered dialplan looks before it dials (``only_living``).

In scope transfers the variables that make a REFER ours are global, too, and renewed in the same way
by whoever is there: when nobody is, FreeSWITCH transfers by itself, as if nothing were installed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from time import monotonic

import gevent

from fsctl.errors import ChannelGone, LinkError
from fsctl.esl.client import client_of
from fsctl.esl.commands import Command, GlobalGetvar, SchedDel
from fsctl.esl.events import Reply
from fsctl.log import Field
from fsctl.session.core.clock import Clock, Pending, RealClock
from fsctl.settings import Settings, Switch
from fsctl.switch.armed import TIMERS, armed_everywhere
from fsctl.switch.global_variables import (
    group_of,
    had_time,
    kept_for,
    listed,
    living,
    set_for,
    unset,
)
from fsctl.switch.marks import Mark

log = logging.getLogger(__name__)

PERIOD_S = 1.0
EXPIRY_S = 3
"""So long, at least, FreeSWITCH knows a sign of life: for 4.5 s at most."""
_SURE_S = 2.0
"""So long after it was given time no timer can have begun to fire."""
_ANEW_S = 10.0
"""After so long all is set anew, whoever has unset it."""
_FIRST_S = 1.0
"""How long a start waits for FreeSWITCH, which may not be there yet."""


def variable_of(address: str) -> str:
    """Return the name of the global variable that says whether somebody serves ``address``."""
    return f"{Mark.LIVING}{address}"


def scope_of(settings: Settings) -> str:
    """Return, in one line, what FreeSWITCH sends us."""
    plan = settings.dialplan
    contexts = ", ".join(plan.inbound_contexts)
    if plan.scope == "calls":
        return f"scope calls: calls to {plan.inbound_match} in {contexts}, and their transfers"
    if settings.arms_everywhere and settings.observes:
        return "scope transfers: FreeSWITCH transfers by itself, and is observed"
    if settings.arms_everywhere:
        return "scope transfers: all legs of FreeSWITCH are armed for as long as we live"
    return f"scope transfers: the dialplan arms the calls that enter in {contexts}; no [switch]"


class SignsOfLife:
    """Renews the signs of life of what ``addresses`` returns, every second, by its own link."""

    def __init__(
        self,
        settings: Settings,
        switch: Switch,
        addresses: Callable[[], Iterable[str]],
        clock: Clock | None = None,
    ) -> None:
        self._name = Field("switch", switch.name)
        self._addresses = addresses
        self._armed: Mapping[str, str] = armed_everywhere(settings)
        """Further global variables, which all controllers share; none once we disarm."""
        self._shown: set[str] = set()
        self._set: dict[str, Mapping[str, str]] = {}
        """What is set there, by the group of its timer; nothing where that is not sure."""
        self._anew_s = self._sure_s = 0.0
        """Until when it is not all set anew; until when no timer can have fired; monotonic."""
        self._client = client_of(switch, on_connected=self._come_back)
        self._clock: Clock = clock or RealClock()
        self._next: Pending | None = None

    def start(self) -> None:
        """Begin; returns when the first signs have been given, or FreeSWITCH is not there."""
        self._client.start()
        try:
            self._client.wait_connected(_FIRST_S)
            self.show()
        except LinkError as error:
            log.warning("%s does not know of us yet, and will not dial us: %s", self._name, error)
        self._go_on()

    def stop(self) -> None:
        """Take the signs back and end."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        try:
            self.disarm()
            self._send([command for address in self._shown for command in _withdrawn(address)])
        finally:
            self._shown = set()
            self._client.stop()

    def disarm(self) -> None:
        """No transfer of a call that we do not know is to come to us any more: FreeSWITCH does it
        by itself from now on, unless another controller is there."""
        armed, self._armed = self._armed, {}
        if not armed or not self._client.connected.is_set():
            return
        try:
            if self._others():
                log.info("other controllers go on: %s sends them the transfers", self._name)
                return
            self._client.send_all([SchedDel(TIMERS), *unset(armed)])
            log.info("%s transfers by itself from now on", self._name)
        except (LinkError, ChannelGone) as error:
            log.warning("%s sends us transfers for some seconds more: %s", self._name, error)

    def _others(self) -> set[str]:
        """The addresses of controllers that are there besides us."""
        return {*living(listed(self._client.api(GlobalGetvar())))} - self._shown

    def _go_on(self) -> None:
        self._next = self._clock.call_later(PERIOD_S, lambda: gevent.spawn(self._again))

    def _again(self) -> None:
        if self._next is not None:
            self.show()
        if self._next is not None:
            self._next.cancel()
            self._go_on()

    def _come_back(self) -> None:
        self._set = {}
        self.show()

    def show(self) -> None:
        """Give the signs of those that serve now, and take back those of the others."""
        wanted = set(self._addresses())
        gone = sorted(self._shown - wanted)
        self._shown = wanted
        self._send([command for address in gone for command in _withdrawn(address)])
        signs = {group_of(name): {name: "yes"} for name in map(variable_of, sorted(wanted))}
        self._give({**signs, TIMERS: self._armed} if wanted and self._armed else signs)

    def _give(self, signs: Mapping[str, Mapping[str, str]]) -> None:
        """Have FreeSWITCH know these, by the group of their timer, for some seconds more.

        What is set needs but time: each of FreeSWITCH's API calls that is saved here is one for
        each second of a switch that has nothing to do.
        """
        now_s = monotonic()
        if now_s > min(self._sure_s, self._anew_s):
            self._set = {}
            self._anew_s = now_s + _ANEW_S
        self._sure_s = now_s + _SURE_S
        commands: list[Command] = []
        kept: dict[str, int] = {}
        for group, variables in signs.items():
            if self._set.get(group) == variables:
                kept[group] = len(commands)
                commands += kept_for(EXPIRY_S, group, variables)
            else:
                commands += set_for(EXPIRY_S, group, variables)
        replies = self._send(commands)
        self._set = dict(signs) if replies else {}
        lapsed = [group for group, at in kept.items() if replies and not had_time(replies[at].text)]
        self._send([each for group in lapsed for each in set_for(EXPIRY_S, group, signs[group])])

    def _send(self, commands: list[Command]) -> list[Reply]:
        """Nothing is returned, and this logged, when it was not done."""
        if not commands or not self._client.connected.is_set():
            return []
        try:
            return self._client.send_all(commands)
        except (LinkError, ChannelGone) as error:
            log.warning("no sign of life given, %s may dial others: %s", self._name, error)
            return []


def _withdrawn(address: str) -> list[Command]:
    name = variable_of(address)
    return [SchedDel(group_of(name)), *unset([name])]
