"""The program under test as a process of its own: ``python -m fsctl serve``."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fsctl import dialplan, settings
from tests.live.lab import processes
from tests.live.lab.mortal import mortal
from tests.live.lab.ports import LOCALHOST, give_back, kept_port
from tests.live.lab.waiting import wait_for

REPOSITORY = Path(__file__).parents[3]
START_DEADLINE_S = 30.0  # two workers on a machine that does something else
STOP_DEADLINE_S = 10.0
# opened once on first use and kept: the resolver, the record store
DESK_DESCRIPTORS = 9
"""SQLite's three files, for who writes and who reads; what it answers by HTTP."""
LAZY_DESCRIPTORS = 3
# the kept link to the switch, in the making when the state is asked for the first time
LAZY_GREENLETS = 2

Scalar = str | int | float | bool | list[str] | dict[str, str]
Section = Mapping[str, Scalar]
Sections = Mapping[str, Section | list[Section]]

_RELOADED = re.compile("scenarios reloaded|scenarios stay as they are")
_WORKER = re.compile(r"worker \d+ \(pid (\d+)\) starts, home is (\S+)")
_STATE = re.compile(r"state: (\d+) sessions, (\d+) links, (\d+) greenlets")
_LISTENING = re.compile(r"listening on ([\d.]+):(\d+)")


def to_toml(sections: Sections) -> str:
    """Settings as TOML: a table for each section, an array of tables for a list of them."""
    blocks: list[str] = []
    for name, section in sections.items():
        rows = section if isinstance(section, list) else [section]
        heading = f"[[{name}]]" if isinstance(section, list) else f"[{name}]"
        for row in rows:
            lines = [f"{key} = {_toml_value(value)}" for key, value in row.items()]
            blocks.append("\n".join([heading, *lines]))
    return "\n\n".join(blocks) + "\n"


def _toml_value(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f'"{key}" = {_toml_value(item)}' for key, item in value.items()) + "}"
        )
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@dataclass(frozen=True, slots=True)
class State:
    """What goes on in a worker, as it says itself."""

    sessions: int = 0
    links: int = 0
    greenlets: int = 0


class Controller:
    """One running ``fsctl serve`` in a process group of its own.

    ``address`` is where it listens (HOST:PORT), ``config`` its configuration file.
    """

    def __init__(
        self,
        sections: Sections,
        environment: Mapping[str, str] | None = None,
        port: int = 0,
        scenario: str = "",
        repository: Path = REPOSITORY,
    ) -> None:
        """Write the configuration: ``sections``, with ``[server] listen`` on a free port.

        One worker, unless ``[server] workers`` says more.

        ``scenario`` is the text of a scenario file; without one the settings decide.
        ``environment`` is added to ours; a password belongs there, not into ``sections``.
        ``repository`` is the source that runs; another one than ours with its own ``.venv``.
        """
        self.port = port or kept_port()
        self.address = f"{LOCALHOST}:{self.port}"
        self.folder = Path(tempfile.mkdtemp(prefix="lab-fsctl-"))
        self.config = self.folder / "fsctl.toml"
        self._log = self.folder / "fsctl.log"
        server = sections.get("server", {})
        assert not isinstance(server, list), "[server] is one table"
        merged: Sections = {
            "policy": {"mode": "off"},  # these phones do not authenticate
            "records": {"keep": False},  # that is a process more
            **sections,
            "server": {"listen": self.address, "workers": 1, **server},
        }
        self.config.write_text(to_toml(merged), encoding="utf-8")
        self._has_desk = bool(merged["records"].get("keep", True))
        own = {name: text for name, text in os.environ.items() if not name.startswith("FSCTL_")}
        # What a scenario prints is to be one write, or another worker's log line gets into it.
        own.pop("PYTHONUNBUFFERED", None)
        # Where its configuration says nothing of records they are kept here, and not with those of
        # this machine's own fsctl.
        own["STATE_DIRECTORY"] = str(self.folder / "state")
        self._environment = {**own, **(environment or {})}
        self._repository = repository
        ours = repository == REPOSITORY
        self._python = sys.executable if ours else str(repository / ".venv/bin/python")
        self._arguments = ["--config", str(self.config)]
        if scenario:
            path = self.folder / "scenario.py"
            path.write_text(scenario, encoding="utf-8")
            self._arguments += ["--scenario", str(path)]
        self._process: subprocess.Popen[bytes] | None = None
        self.expected_error = ""
        self._first_descriptors = 0
        self._first_greenlets = 0

    # -- life

    def render(self) -> Path:
        """Render the dialplan of its settings; returns the folder with the files."""
        output = self.folder / "rendered"
        if self._repository != REPOSITORY:
            command = ["dialplan", "render", "--config", str(self.config), "--output", str(output)]
            subprocess.run(
                [self._python, "-m", "fsctl", *command],
                cwd=self._repository,
                env=self._environment,
                check=True,
                capture_output=True,
            )
            return output
        own = {name: text for name, text in self._environment.items() if name.startswith("FSCTL_")}
        dialplan.render(settings.load(self.config, own), output)
        return output

    def start(self) -> Controller:
        """Start it, and return when it says that it listens. Raises AssertionError else."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                mortal([self._python, "-m", "fsctl", "serve", *self._arguments]),
                cwd=self._repository,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_for(self._is_listening, START_DEADLINE_S, lambda: f"fsctl listens\n{self.log_text()}")
        if self._has_desk:
            self.wait_log("what goes on is shown at", START_DEADLINE_S)
        self._first_descriptors = self.open_fds()
        self._first_greenlets = self._greenlets()
        return self

    def reload(self, scenario: str) -> None:
        """Put this text into the scenario's file and send SIGHUP; returns when it was tried."""
        (self.folder / "scenario.py").write_text(scenario, encoding="utf-8")
        before = self._reloads()
        self._running().send_signal(signal.SIGHUP)
        wait_for(lambda: self._reloads() > before, START_DEADLINE_S, "the scenario is reloaded")

    def _reloads(self) -> int:
        return len(_RELOADED.findall(self.log_text()))

    def terminate(self) -> int:
        """SIGTERM, wait for an orderly end, and return the exit status; killed when it hangs."""
        process = self._running()
        process.terminate()
        try:
            return process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise AssertionError(f"fsctl did not end on SIGTERM\n{self.log_text()}") from None

    def kill9(self) -> None:
        """SIGKILL to the whole process group: supervisor and workers die at once."""
        process = self._running()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def finish(self) -> str:
        """End it if it runs, remove its files; returns what it left behind or did wrong."""
        problems: list[str] = []
        if self._process and self._process.poll() is None:
            status = self.terminate()
            if status != 0:
                problems.append(f"fsctl ended with status {status}\n{self.log_text()}")
        if left := self.processes():
            problems.append(f"fsctl left processes behind: {left}")
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        expected = self.expected_error and self.expected_error in self.log_text()
        if "Traceback (most recent call last)" in self.log_text() and not expected:
            problems.append(f"fsctl logged a traceback\n{self.log_text()}")
        shutil.rmtree(self.folder, ignore_errors=True)
        give_back(self.port)
        return "\n".join(problems)

    def _is_listening(self) -> bool:
        assert self._process
        if self._process.poll() is not None:
            raise AssertionError(f"fsctl ended: {self._process.returncode}\n{self.log_text()}")
        return bool(_LISTENING.search(self.log_text()))

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process, "fsctl was not started"
        return self._process

    # -- looking at it

    @property
    def pid(self) -> int:
        """Process id, which is also the id of its process group."""
        return self._running().pid

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def log_text(self, start: int = 0) -> str:
        """Everything it has printed, or what came after the first ``start`` bytes."""
        if not self._log.exists():
            return ""
        with self._log.open("rb") as log:
            log.seek(start)
            return log.read().decode(errors="replace")

    @property
    def log_size(self) -> int:
        """How many bytes it has printed."""
        return self._log.stat().st_size if self._log.exists() else 0

    def wait_log(self, text: str, timeout_s: float = 5.0) -> None:
        """Wait until it has printed ``text``."""
        wait_for(
            lambda: text in self.log_text(), timeout_s, lambda: f"{text!r} in\n{self.log_text()}"
        )

    def processes(self) -> list[int]:
        """Process ids of its group that are alive (not zombies)."""
        if self._process is None:
            return []
        return processes.group(self._process.pid)

    def homes(self) -> dict[str, int]:
        """Process id by private address, of all workers that a supervisor has ever started."""
        return {home: int(pid) for pid, home in _WORKER.findall(self.log_text())}

    def open_fds(self) -> int:
        """Open file descriptors, over all processes of its group."""
        return sum(map(processes.open_fds, self.processes()))

    def workers(self) -> list[int]:
        """Process ids that serve calls: the only process, or those that its supervisor watches."""
        serving = [pid for pid in self.processes() if processes.catches(pid, signal.SIGUSR1)]
        return [pid for pid in serving if pid != self.pid or len(serving) == 1]

    def state(self, pid: int) -> State:
        """Ask one worker how much is going on there; nothing when it is gone."""
        start = self.log_size
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGUSR1)
        told = wait_for(
            lambda: _STATE.search(self.log_text(start)) or not processes.resident_kb(pid),
            START_DEADLINE_S,
            lambda: f"it tells its state\n{self.log_text()}",
        )
        return State(*map(int, told.groups())) if isinstance(told, re.Match) else State()

    def states(self) -> dict[int, State]:
        """The state of every worker."""
        return {pid: self.state(pid) for pid in self.workers()}

    def _greenlets(self) -> int:
        return self.state(self.pid).greenlets if self.workers() == [self.pid] else 0

    def _is_idle(self) -> bool:
        """Without workers of its own that come and go, it has no more greenlets than before."""
        told = self.states()
        alone = told.get(self.pid, State())
        busy = any(state.sessions or state.links for state in told.values())
        return not busy and alone.greenlets <= self._first_greenlets + LAZY_GREENLETS

    def wait_no_growth(self, timeout_s: float = 5.0) -> None:
        """Wait until it has no more descriptors open than soon after its start."""
        allowed = self._first_descriptors + LAZY_DESCRIPTORS
        allowed += DESK_DESCRIPTORS if self._has_desk else 0
        wait_for(
            lambda: not self.is_running or self.open_fds() <= allowed,
            timeout_s,
            lambda: (
                f"at most {allowed} descriptors are open, not {self.open_fds()}\n{self.log_text()}"
            ),
        )
        wait_for(
            self._is_idle,
            timeout_s,
            lambda: f"no greenlet is left of {self._first_greenlets}\n{self.log_text()}",
            0.1,
        )
