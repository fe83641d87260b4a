"""A controller and a simulated switch in one process, joined over TCP: for tests and the demo."""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from fsctl import dialplan
from fsctl.scenario import Scenario
from fsctl.scenario.loader import load_all
from fsctl.scenario.scenarios import Scenarios
from fsctl.service.worker import Worker
from fsctl.settings import Dialplan, Settings
from fsctl.simulator import Phone, RealClock, SimulatedSwitch, StoryTimeout, VirtualClock
from fsctl.story import SimulatedWorld

LIMIT_S = 120.0
_PORT: Final = "STAGE_PORT"
"""Stands for the controller's port in what is rendered: each stage has another."""
_RENDERED: Final[dict[str, Path]] = {}
"""Folders by the settings, in full: what does not differ between stages is made once."""

CALLS: Final = replace(Settings(), dialplan=Dialplan(scope="calls", inbound_match=".*"))
"""The default settings, in scope calls: every call comes to the scenario."""

PLAIN_CALLS: Final = """<include>
<extension name="everybody">
  <condition field="destination_number" expression="^(.+)$">
    <action application="bridge" data="user/$1"/>
  </condition>
</extension>
</include>
"""
"""In scope transfers: how the switch connects calls by itself (a file of a context)."""


class Stage(SimulatedWorld):
    """What a story plays on: parties, a switch with the rendered dialplan, and fsctl before it.

    ``settings`` are the controller's (default: :data:`CALLS`); addresses are chosen here. In scope
    transfers the switch connects calls by itself, and every number is a user. On a virtual clock
    (the default) a minute of ringing takes no time; with ``real_time`` a person can follow. To be
    ended with :meth:`close`, or used as a context manager.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        scenario: Scenario | None = None,
        *,
        real_time: bool = False,
    ) -> None:
        super().__init__()
        chosen = settings or CALLS
        # Its phones name the switch so, whatever the operator's is called.
        chosen = replace(
            chosen, call=replace(chosen.call, own_hosts=(*chosen.call.own_hosts, self.domain))
        )
        clock: VirtualClock | RealClock = RealClock() if real_time else VirtualClock()
        listening = replace(
            chosen,
            server=replace(chosen.server, listen="127.0.0.1:0", home="", drain_timeout_s=0.0),
            switches=(),
        )
        scenarios = Scenarios(scenario) if scenario else load_all(listening)
        self.worker = Worker(listening, scenarios, clock)
        host, port = self.worker.address
        plan = replace(
            chosen.dialplan,
            controllers=(f"{host}:{_PORT}",),
            event_socket=False,
            only_living=False,
        )
        rendered = _rendered(replace(listening, dialplan=plan))
        self.worker.start()
        self._switch = SimulatedSwitch(
            rendered,
            context=plan.inbound_contexts[0],
            clock=clock,
            global_variables={"domain": self.domain},
        )
        self._switch.dialplan = self._switch.dialplan.with_text(str(port), _PORT)

    @property
    def switch(self) -> SimulatedSwitch:
        return self._switch

    def phone(self, number: str, display_name: str = "") -> Phone:
        """The phone with this number, without its party; it answers calls until told otherwise."""
        return self.switch.phone(number, display_name)

    def until(self, condition: Callable[[], object], limit_s: float = LIMIT_S) -> None:
        """As :meth:`wait`, when there is nothing to say of it."""
        self.wait(condition, limit_s=limit_s)

    def wait(
        self,
        condition: Callable[[], object],
        what: str = "condition",
        limit_s: float | None = None,
    ) -> None:
        """Let time pass until ``condition()`` is true.

        Raises ``fsctl.simulator.StoryTimeout`` (an AssertionError), which says ``what``, with a
        ladder of all phones, when it does not become true within ``limit_s`` seconds of the
        switch's time (None: 120).
        """
        limit_s = LIMIT_S if limit_s is None else limit_s
        try:
            self.switch.run_until(condition, limit_s)
        except StoryTimeout:
            text = f"not within {limit_s:g} s: {what}\n{self.switch.ladder()}"
            raise StoryTimeout(text) from None

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.switch.advance(seconds)

    def close(self) -> None:
        """End everything: calls, switch, controller."""
        self.switch.stop()
        self.worker.stop()

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _rendered(settings: Settings) -> Path:
    """What FreeSWITCH is given. Templates of the operator's own may change between two stages."""
    key = repr(settings)
    if key in _RENDERED and not settings.dialplan.overrides:
        return _RENDERED[key]
    files = {each.path: each.text for each in dialplan.rendered(settings)}
    if settings.dialplan.scope == "transfers":
        files[f"dialplan/{settings.dialplan.inbound_contexts[0]}/everybody.xml"] = PLAIN_CALLS
    temporary = tempfile.TemporaryDirectory(prefix="fsctl-stage-")
    atexit.register(temporary.cleanup)
    folder = Path(temporary.name)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    _RENDERED[key] = folder
    return folder
