"""The controllers that are compared, each as a process on a core of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.processes import listens, pin
from bench.replay.recording import Recording, load
from bench.replay.switch import ReplaySwitch, background
from tests.live.lab import Controller, free_port, wait_for
from tests.live.lab.fsctl_process import REPOSITORY, Section, Sections
from tests.live.lab.mortal import mortal
from tests.live.lab.ports import give_back, kept_port

_WAITS_S = 20.0
CORES = sorted(os.sched_getaffinity(0))


class Contestant:
    """A controller and the replay that it serves. ``workers``: whose time and memory count."""

    def __init__(self, name: str, scope: str, repository: Path = REPOSITORY) -> None:
        self.name, self._scope, self._repository = name, scope, repository
        self.port = kept_port()
        self.switch = ReplaySwitch(self._load())
        self.switch.controller = ("127.0.0.1", self.port)
        self.workers: list[int] = []

    def _load(self) -> Recording:
        return load(self._scope, f"127.0.0.1:{self.port}", self._repository)

    def start(self) -> None:
        """Start it, and give it the first core."""

    def end(self) -> None:
        """End it; it can be started again."""

    def stop(self) -> None:
        """End it for good."""
        self.end()
        self.switch.close()
        give_back(self.port)


class Other(Contestant):
    """A module of ours that is given the port."""

    def __init__(self, name: str, scope: str, arguments: Sequence[str]) -> None:
        super().__init__(name, scope)
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and give it the first core."""
        module, *rest = self._arguments
        self._process = subprocess.Popen(
            mortal([sys.executable, "-m", module, str(self.port), *rest]),
            cwd=REPOSITORY,
            stderr=subprocess.DEVNULL,  # greenswitch writes a traceback for each call that fails
        )
        wait_for(lambda: listens(self.port), _WAITS_S, f"{self.name} listens")
        self.workers = [self._process.pid]
        pin(self.workers, CORES[:1])

    def end(self) -> None:
        """End it; it can be started again."""
        if self._process:
            self._process.kill()
            self._process.wait()


class Fsctl(Contestant):
    """fsctl as shipped; its desk and supervisor are on the replay's core."""

    def __init__(
        self, name: str, scope: str, repository: Path = REPOSITORY, *, workers: int = 1
    ) -> None:
        super().__init__(name, scope, repository)
        self._count = workers
        self._controller: Controller | None = None

    def start(self) -> None:
        """Start it, and give its workers the first core."""
        numbers: Section = {"inbound_match": ".*"} if self._scope == "calls" else {}
        dialplan: Section = {"scope": self._scope, "inbound_contexts": ["public"], **numbers}
        self._folder = tempfile.TemporaryDirectory(prefix="bench-replay-")
        sections: Sections = {
            "server": {"workers": self._count, "max_calls": 100000, "max_delay_ms": 5000},
            "switch": {"host": "127.0.0.1", "port": self.switch.port},
            "dialplan": {"sofia_profile": "lab", **dialplan},
            "policy": {},
            "records": {"folder": self._folder.name},
            "http": {"listen": f"127.0.0.1:{free_port()}"},
            "route": [
                {"name": "users", "match": "[0-9]{4}", "kind": "user", "domain": "127.0.0.1"}
            ],
        }
        secrets = {"FSCTL_SWITCH_PASSWORD": "replayed"}
        made = self._controller = Controller(
            sections, secrets, self.port, repository=self._repository
        )
        with background(self.switch):
            made.start()
        self.workers = made.workers()
        others = [pid for pid in made.processes() if pid not in self.workers]
        pin(others, CORES[-1:])
        pin(self.workers, CORES[:1])
        self.switch.run_for(1.5)

    def end(self) -> None:
        """End it; it can be started again."""
        if self._controller:
            with background(self.switch):
                self._controller.finish()
            self._folder.cleanup()
            self._controller = None
