"""A controller and a simulated switch in one process, joined over TCP: for tests and the demo."""

from __future__ import annotations

import shutil
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
        home = "{}:{}".format(*self.worker.address)
        self._rendered = Path(tempfile.mkdtemp(prefix="fsctl-stage-"))
        plan = replace(chosen.dialplan, controllers=(home,), event_socket=False, only_living=False)
        dialplan.render(replace(listening, dialplan=plan), self._rendered)
        (context, *_) = plan.inbound_contexts
        if plan.scope == "transfers":
            everybody = self._rendered / "dialplan" / context / "everybody.xml"
            everybody.write_text(PLAIN_CALLS, encoding="utf-8")
        self.worker.start()
        self._switch = SimulatedSwitch(
            self._rendered,
            context=context,
            clock=clock,
            global_variables={"domain": self.domain},
        )

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
        shutil.rmtree(self._rendered, ignore_errors=True)

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
