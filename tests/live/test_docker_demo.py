"""The demonstration in docker/, run without Docker: same files, same commands, other addresses.

Its network is moved to addresses 127.x.y.*, which all belong to this machine, so that its fixed
ports meet nobody else's.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.lab import ports, wait_for
from tests.live.lab.esl_client import EslClient
from tests.live.lab.mortal import mortal
from tests.live.lab.switch import launch

REPOSITORY = Path(__file__).parents[2]
NETWORK = "172.28.84"
PASSWORD = "only-for-this-test"


class Demo:
    """The services of compose.yaml as processes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        own = ports.block().first
        self.network = f"127.{own // 250}.{own % 250}"
        shutil.copytree(REPOSITORY / "docker", root, dirs_exist_ok=True)
        for path in root.rglob("*.*"):
            if path.suffix in {".xml", ".toml", ".yaml"}:
                path.write_text(self._moved(path.read_text()))
        self._environment = {**os.environ, "FSCTL_SWITCH_PASSWORD": PASSWORD}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def _moved(self, text: str) -> str:
        text = text.replace(NETWORK, self.network).replace('"/rendered', f'"{self.root}/rendered')
        text = text.replace('listen = "0.0.0.0:8084"', f'listen = "{self.network}.20:8084"')
        return text.replace('"0.0.0.0"', f'"{self.network}.10"')

    def command(self, service: str) -> list[str]:
        """The command of a service in compose.yaml."""
        text = (self.root / "compose.yaml").read_text()
        found = re.search(
            rf"^  {service}:\n.*?command:\s*(\[.*?\])", text, re.DOTALL | re.MULTILINE
        )
        assert found, f"no command for {service}"
        return list(map(str, json.loads(found[1])))

    def run_fsctl(self, name: str, arguments: list[str]) -> subprocess.Popen[bytes]:
        config = str(self.root / "fsctl.toml")
        moved = [config if word == "/etc/fsctl/fsctl.toml" else word for word in arguments]
        return self._start(name, [sys.executable, "-m", "fsctl", *moved], REPOSITORY)

    def run_phone(self, name: str) -> subprocess.Popen[bytes]:
        dockerfile = (self.root / "phones" / "Dockerfile").read_text()
        entry = re.search(r"^ENTRYPOINT (\[.*\])", dockerfile, re.MULTILINE)
        assert entry
        control = ["-cp", str(ports.free_port())]
        command = [*json.loads(entry[1]), *control, *self.command(name)]
        return self._start(name, command, self.root / "phones")

    def start_freeswitch(self) -> None:
        binary = shutil.which("freeswitch")
        assert binary
        (self.root / "fs").mkdir()
        self._processes["freeswitch"] = launch(
            Path(binary), self.root / "fs", self.root / "freeswitch" / "conf"
        )
        wait_for(self._is_healthy, 20.0, lambda: f"FreeSWITCH is healthy\n{self.output()}", 0.1)

    def _is_healthy(self) -> bool:
        try:
            with EslClient(f"{self.network}.10", 8021, PASSWORD) as client:
                return "RUNNING" in client.api("sofia status")
        except OSError:
            return False

    def _start(self, name: str, command: list[str], folder: Path) -> subprocess.Popen[bytes]:
        with (self.root / f"{name}.out").open("wb") as output:
            process = subprocess.Popen(
                mortal(command),
                cwd=folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._processes[name] = process
        return process

    def output(self) -> str:
        """What every process has printed, and what the phones found wrong."""
        paths = [*self.root.glob("*.out"), *self.root.glob("phones/*.log")]
        texts = [f"-- {path.name}\n{path.read_text(errors='replace')[-4000:]}" for path in paths]
        return "\n".join(texts)

    def stop(self) -> None:
        """Kill whatever still runs."""
        for process in self._processes.values():
            if process.poll() is None:
                process.kill()
            process.wait()


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    made = Demo(tmp_path)
    yield made
    made.stop()


def test_alice_is_transferred_from_bob_to_carol(demo: Demo) -> None:
    assert demo.run_fsctl("dialplan", demo.command("dialplan")).wait(30) == 0, demo.output()
    demo.start_freeswitch()
    demo.run_fsctl("fsctl", ["serve", "--config", "/etc/fsctl/fsctl.toml"])
    wait_for(lambda: "listening on" in demo.output(), 10.0, demo.output)
    phones = [demo.run_phone(name) for name in ("bob", "carol", "alice")]
    wait_for(lambda: all(phone.poll() is not None for phone in phones), 30.0, demo.output)
    assert [phone.returncode for phone in phones] == [0, 0, 0], demo.output()
