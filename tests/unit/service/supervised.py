"""``fsctl serve`` with several workers as a process, and a caller that dials it like FreeSWITCH."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path

LIMIT_S = 60.0
STARTS = r"worker {} \(pid (\d+)\) starts, home is 127\.0\.0\.1:(\d+)"


def wait_for(condition: Callable[[], object], what: str | Callable[[], str]) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not in time: {what if isinstance(what, str) else what()}")
        time.sleep(0.005)


def gone(pid: int) -> bool:
    """Whether a process has ended (a zombie has)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


class Supervised:
    """The process; ``[server]`` lines of the configuration are the test's."""

    def __init__(
        self, folder: Path, server: str = "", scenario: str = "", workers: int = 2, port: int = 0
    ) -> None:
        self.config, self.scenario = folder / "fsctl.toml", folder / "scenario.py"
        self._log, self._forgotten = folder / "log.txt", 0
        self.configure(f'listen = "127.0.0.1:{port}"\nworkers = {workers}\n{server}')
        self._command = [sys.executable, "-m", "fsctl", "serve", "--config", str(self.config)]
        if scenario:
            self.scenario.write_text(scenario)
            self._command += ["--scenario", str(self.scenario)]
        self.environment: dict[str, str] = {}

    def configure(self, server: str) -> None:
        """Write the configuration anew."""
        self.config.write_text(f"[server]\n{server}\n")

    def start(self) -> None:
        """Start it; it may not listen yet."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=log,
                env=os.environ | self.environment,
                start_new_session=True,
            )

    def log(self) -> str:
        """All that it has printed, but for what is forgotten."""
        return self._log.read_bytes()[self._forgotten :].decode()

    def forget(self) -> None:
        """What it has printed until now is another test's."""
        self._forgotten = self._log.stat().st_size

    def living(self) -> dict[int, tuple[int, int]]:
        """Process id and private port of the workers that live, by number."""
        starts = re.findall(STARTS.format(r"(\d+)"), self._log.read_text())
        each = [(int(number), int(pid), int(port)) for number, pid, port in starts]
        return {number: (pid, port) for number, pid, port in each if not gone(pid)}

    def wait_log(self, pattern: str, times: int = 1) -> re.Match[str]:
        """Wait until a line matches so many times; the last match."""

        def matches() -> list[re.Match[str]]:
            return list(re.finditer(pattern, self.log()))

        wait_for(lambda: len(matches()) >= times, lambda: f"{times} x {pattern}\n{self.log()}")
        return matches()[times - 1]

    @cached_property
    def port(self) -> int:
        """The shared port, once all workers accept."""
        return int(self.wait_log(r"fsctl: listening on 127\.0\.0\.1:(\d+)")[1])

    def started(self, number: int, times: int = 1) -> tuple[int, int]:
        """Process id and private port of worker ``number``, started for the ``times``-th time."""
        match = self.wait_log(STARTS.format(number), times)
        return int(match[1]), int(match[2])

    def signal(self, number: signal.Signals) -> None:
        """Send the supervisor a signal."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end; the exit status."""
        return self.process.wait(LIMIT_S)

    def finish(self) -> None:
        """End whatever is left of it."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def supervised(folder: Path, **options: object) -> Iterator[Supervised]:
    """A running one, ended afterwards."""
    made = Supervised(folder, **options)  # type: ignore[arg-type]
    made.start()
    try:
        yield made
    finally:
        made.finish()


def dial(port: int) -> socket.socket:
    """Open a link, as ``socket`` does."""
    return socket.create_connection(("127.0.0.1", port), LIMIT_S)


def is_served(link: socket.socket) -> bool:
    """Whether somebody begins to speak, as a controller must; False: it was closed on us."""
    try:
        return link.recv(7) == b"connect"
    except ConnectionError:
        return False


def refused(port: int) -> bool:
    """Whether nobody listens there."""
    try:
        dial(port).close()
    except ConnectionRefusedError:
        return True
    return False
