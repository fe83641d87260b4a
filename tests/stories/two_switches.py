"""Two simulated switches with phones of their own, and one controller for both."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent

from fsctl import dialplan, story
from fsctl.scenario import load
from fsctl.scenario.scenarios import Scenarios
from fsctl.service.worker import Worker
from fsctl.settings import Settings
from fsctl.settings import load as load_settings
from fsctl.simulator import SimulatedSwitch, StoryTimeout, VirtualClock
from fsctl.simulator.quiet import until_quiet
from fsctl.stage import PLAIN_CALLS
from tests.live.lab.fsctl_process import to_toml
from tests.stories.relay import Relay
from tests.stories.world import DOMAIN, LIMIT_S
from tests.unit.records import Records

NAMES = ("pbx-1", "pbx-2")


class Side(story.SimulatedWorld):
    """One of the switches, with its phones."""

    domain = DOMAIN

    def __init__(self, pair: Pair, name: str) -> None:
        super().__init__()
        self.name = name
        self.esl = Relay()
        """Its own event socket, as the controller knows it."""
        self._pair = pair
        self._switch: SimulatedSwitch | None = None

    @property
    def switch(self) -> SimulatedSwitch:
        assert self._switch is not None
        return self._switch

    @property
    def is_there(self) -> bool:
        """Whether it has ever been started."""
        return self._switch is not None

    def starts(self) -> None:
        """It is there, anew if it was before: no call, no phone."""
        self.parties.clear()
        self._switch = self._pair.make_switch()
        self._switch.listen()
        self.esl.open(self._switch.esl_address)

    def dies(self) -> None:
        """All its links end, and its calls; nobody is at its address."""
        self.esl.cut()
        self.switch.stop()

    def knows(self, address: str) -> set[bool]:
        """Whether it takes the controller at that address for living; and whether it is armed."""
        known = self.switch.global_variables
        living = known.get(f"fsctl_living_{address}") == "yes"
        return {living, known.get("force_transfer_context") == "fsctl_refer"}

    def wait(
        self,
        condition: Callable[[], object],
        what: str = "condition",
        limit_s: float | None = None,
    ) -> None:
        self._pair.wait(condition, what, limit_s)


class Pair:
    """Both of them, in scope transfers, and the controller.

    ``attended`` is the setting of that name; ``scenario`` the text of a scenario file.
    """

    def __init__(self, folder: Path, attended: str = "switch", scenario: str = "") -> None:
        self.clock = VirtualClock()
        self.records = Records()
        self._logs = logging.getLogger("fsctl.session.record")
        self._logs.addHandler(self.records)
        self._level = self._logs.level
        self._logs.setLevel(logging.INFO)
        self._relay = Relay()
        self.one, self.other = self.sides = [Side(self, name) for name in NAMES]
        self._folder = folder
        self.settings = self._written(attended)
        if scenario:
            (folder / "scenario.py").write_text(scenario, encoding="utf-8")
        self._worker: Worker | None = None

    @property
    def address(self) -> str:
        """The controller's, as both switches know it."""
        return self._relay.address

    @property
    def worker(self) -> Worker:
        """The controller that runs."""
        assert self._worker is not None
        return self._worker

    def _written(self, attended: str) -> Settings:
        config = self._folder / "fsctl.toml"
        switches = [
            {"name": side.name, "port": side.esl.port, "password": "ClueCon"} for side in self.sides
        ]
        users = {"match": "[0-9]{4}", "kind": "user", "domain": DOMAIN, "ring_timeout_s": 5}
        sections: dict[str, Any] = {
            "server": {"listen": "127.0.0.1:0", "home": self.address, "drain_timeout_s": 0.0},
            "transfer": {"release_transferor_after_s": 1, "attended": attended},
            "route": [users],
            "switch": switches,
        }
        config.write_text(to_toml(sections), encoding="utf-8")
        return load_settings(config, {})

    def make_switch(self) -> SimulatedSwitch:
        """One with the rendered dialplan, that connects calls by itself."""
        rendered = self._folder / "rendered"
        if not rendered.exists():
            dialplan.render(self.settings, rendered)
            (rendered / "dialplan/default").mkdir()
            (rendered / "dialplan/default/plain.xml").write_text(PLAIN_CALLS, encoding="utf-8")
        return SimulatedSwitch(rendered, clock=self.clock, global_variables={"domain": DOMAIN})

    def serve(self) -> None:
        """The controller begins."""
        path = self._folder / "scenario.py"
        scenarios = Scenarios(load(path)) if path.exists() else None
        self._worker = Worker(self.settings, scenarios, self.clock)
        self._worker.start()
        self._relay.open(self._worker.address)

    def kill(self) -> None:
        """It is gone, with nothing said to either switch."""
        for side in self.sides:
            side.esl.sever()
        self._relay.cut()
        worker, self._worker = self.worker, None
        gevent.spawn(worker.stop).join()

    def wait(
        self,
        condition: Callable[[], object],
        what: str = "condition",
        limit_s: float | None = None,
    ) -> None:
        """Let time pass on both until it is true."""
        end_s = self.clock.now_s + (LIMIT_S if limit_s is None else limit_s)
        with gevent.Timeout(60, StoryTimeout(f"{what}: real time\n{self._ladders()}")):
            while not condition():
                self._settle()
                due_s = self.clock.next_due_s()
                if condition():
                    return
                if due_s is not None and due_s > end_s:
                    raise StoryTimeout(f"{what}\n{self._ladders()}")
                if due_s is not None:
                    self.clock.fire_next()

    def let_pass(self, seconds: float) -> None:
        """Let so much time pass on both."""
        end_s = self.clock.now_s + seconds
        self._settle()
        while (due_s := self.clock.next_due_s()) is not None and due_s <= end_s:
            self.clock.fire_next()
            self._settle()
        self.clock.move_to(end_s)

    def _ladders(self) -> str:
        there = [side for side in self.sides if side.is_there]
        return "\n".join(f"-- {side.name}\n{side.switch.ladder()}" for side in there)

    def _settle(self) -> None:
        until_quiet(
            lambda: (
                [self._relay.passed]
                + [(side.esl.passed, side.switch.activity) for side in self.sides if side.is_there]
            )
        )

    def close(self) -> None:
        """End everything."""
        if self._worker is not None:
            self.kill()
        for side in self.sides:
            if side.is_there:
                side.switch.stop()
            side.esl.close()
        self._relay.close()
        self._logs.removeHandler(self.records)
        self._logs.setLevel(self._level)
