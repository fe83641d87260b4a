"""Stories on the real FreeSWITCH, with SIPp phones and the controller as a process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fsctl.settings import Keys, Settings
from fsctl.story import Party
from fsctl.switch.armed import armed
from tests.live.lab import Controller, Controllers, Phones, Switch
from tests.live.lab.esl_client import Events
from tests.live.lab.fsctl_process import REPOSITORY
from tests.stories.world import LIMIT_S, Asked, World

DRAIN_S = 1.0


def _cut(port: int) -> None:
    """Cut all connections whose end on this port is of this machine."""
    subprocess.run(["ss", "-K", "-t", f"sport = :{port}"], check=True, stdout=subprocess.DEVNULL)


class RealAsked(Asked):
    """The command as a process."""

    world: RealWorld

    def __init__(self, world: RealWorld, arguments: list[str]) -> None:
        self.world = world
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fsctl", *arguments],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._printed: str | None = None

    def takes_back(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def loses_link(self) -> None:
        self.world.cut_links_of(lambda pid: pid == self._process.pid)

    @property
    def ended(self) -> tuple[int, str] | None:
        status = self._process.poll()
        if status is not None and self._printed is None:
            self._printed = self._process.communicate()[0]
        return None if status is None else (status, self._printed or "")


class RealWorld(World):
    """The laboratory. Its fixtures clean up and look for what was left behind."""

    def __init__(
        self, folder: Path, switch: Switch, controllers: Controllers, phones: Phones
    ) -> None:
        super().__init__(folder)
        self.phones = phones
        self.phones.limit_s = LIMIT_S
        self._switch = switch
        self._controllers = controllers
        self._sections: dict[str, Any] = {}
        self._scenario = ""
        self._running: Controller | None = None
        self._changes_profile = False
        self._events: Events | None = None

    @property
    def controller(self) -> Controller:
        """The controller that was started last."""
        assert self._running is not None, "serve() was not called"
        return self._running

    def _serve(self, sections: dict[str, Any], scenario: str) -> None:
        self._changes_profile = "overrides" in sections.get("dialplan", {})
        self._sections = {
            **sections,
            "server": {"log_level": "debug", "drain_timeout_s": DRAIN_S},
        }
        self._scenario = scenario
        self._running = self._controllers(self._sections, scenario=scenario)

    def _reload(self, scenario: str) -> None:
        self._scenario = scenario
        self.controller.reload(scenario)

    def restart(self) -> None:
        self._running = self._controllers(
            self._sections, install=False, port=self.controller.port, scenario=self._scenario
        )

    def kill(self) -> None:
        self.controller.kill9()

    def pass_turns(self, turns: int) -> None:
        time.sleep(turns / 200)

    def cut_links(self) -> None:
        _cut(self.controller.port)
        self.cut_kept_links()

    def cut_kept_links(self) -> None:
        own = self.controller.pid
        self.cut_links_of(lambda pid: os.getpgid(pid) == own)

    def cut_links_of(self, process: Callable[[int], bool]) -> None:
        """Cut what such a process has opened to the switch's event socket."""
        asked = ["ss", "-tnpH", f"dport = :{self._switch.esl_port}"]
        found = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
        for port, pid in re.findall(r":(\d+) +\S+ +users:.*pid=(\d+)", found):
            if process(int(pid)):
                _cut(int(port))

    def freeze(self) -> None:
        os.killpg(self.controller.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.killpg(self.controller.pid, signal.SIGCONT)

    def terminate(self) -> None:
        assert self.controller.terminate() == 0

    def expect_error(self, text: str) -> None:
        self.controller.expected_error = text

    def log(self) -> str:
        return self._controllers.logs()

    def wait_really(self, condition: Callable[[], object], what: str) -> None:
        self.wait(condition, what)

    def forgive(self) -> None:
        pass  # only a traceback in a log is a fault here

    def party(self, number: str, name: str = "") -> Party:
        return self.phones.party(number, name)

    def line(self, party: Party) -> Party:
        return self.phones.line(party)

    def device(self, party: Party, joined_by: str = ",") -> Party:
        return self.phones.device(party, joined_by)

    def legs(self) -> int:
        return self.phones.legs()

    def leg(self, party: Party) -> str:
        return self.phones.leg(party)

    def host_of(self, party: Party) -> str:
        return party.contact.rpartition("@")[2]

    @property
    def context(self) -> str:
        return self._switch.context

    def api(self, command: str) -> str:
        reply = self._switch.esl(command)
        assert not reply.startswith("-"), f"{command}: {reply}"
        return reply

    def keep_cdrs(self) -> None:
        switch, name = self._switch, "CHANNEL_HANGUP_COMPLETE"
        self._events = Events("127.0.0.1", switch.esl_port, switch.password, name)

    def _hung_up(self) -> list[dict[str, str]]:
        assert self._events is not None
        return list(self._events.heard)

    def asks_for(self, channel: str, *arguments: str) -> Asked:
        switch = self._switch
        return RealAsked(
            self, self._operator(switch.esl_port, switch.password, channel, *arguments)
        )

    def uri(self, number: str) -> str:
        return self.phones.uri(number)

    def wait(
        self,
        condition: Callable[[], object],
        what: str = "condition",
        limit_s: float | None = None,
    ) -> None:
        self.phones.wait(condition, what, limit_s)

    def applications(self) -> list[str]:
        return [str(row.get("application")) for row in self._switch.channels()]

    def finish(self, passed: bool) -> None:
        if self._events is not None:
            self._events.close()
        for name in armed("in-session", Settings(keys=Keys(blind="*1"))):
            self._switch.esl(f"global_setvar {name}=")  # also of one that was killed
        if self._changes_profile:
            self._switch.restore_profile()
