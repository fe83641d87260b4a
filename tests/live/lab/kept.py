"""A controller that keeps records, and what it says of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from contextlib import suppress
from typing import Any

from tests.live.lab.fsctl_process import Controller
from tests.live.lab.waiting import wait_for

TOKEN = "0123456789abcdef"

Row = dict[str, Any]


class Kept:
    """A controller that keeps records, and the command that shows them."""

    def __init__(self, served: Controller, http: str) -> None:
        self.served, self.http = served, http

    def says(self, *arguments: str) -> str:
        """Return what this command of ``fsctl`` prints."""
        command = [sys.executable, "-m", "fsctl", *arguments, "--config", str(self.served.config)]
        own = {name: text for name, text in os.environ.items() if not name.startswith("FSCTL_")}
        told = subprocess.run(command, env=own, capture_output=True, timeout=30)
        return told.stdout.decode()

    def ask(self, *arguments: str) -> list[Row]:
        """Return what ``fsctl records --json`` says."""
        told = self.says("records", "--json", *arguments)
        return json.loads(told) if told else []

    def wait(self, count: int, *arguments: str) -> list[Row]:
        """Wait until so many have ended; return them, the newest first."""
        return wait_for(
            lambda: (rows := self.ask(*arguments)) and len(ended(rows)) == count and rows,
            15.0,
            lambda: f"{count} have ended, of {self.ask()}\n{self.served.log_text()}",
        )

    def get(self, path: str, method: str = "GET") -> str:
        """What the API answers."""
        asked = urllib.request.Request(f"http://{self.http}{path}", method=method)
        asked.add_header("Authorization", f"Bearer {TOKEN}")
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return answer.read().decode()

    def calls(self) -> list[dict[str, str]]:
        """Those that go on, with the states of their legs by number."""
        found = json.loads(self.get("/api/v1/calls"))["calls"]
        return [{leg["number"]: leg["state"] for leg in call["legs"].values()} for call in found]

    def shows(self, *metrics: str) -> bool:
        """Whether these lines are what is scraped now."""
        return {*metrics} <= {*self.get("/metrics").splitlines()}

    def problems(self) -> str:
        """What ``/readyz`` says, where calls are served all the same."""
        return " ".join(json.loads(self.get("/readyz"))["problems"])

    def desk(self) -> int:
        """Process id of the one that keeps them."""
        log = self.served.log_text()
        return int(log.rpartition("the desk (pid ")[2].partition(")")[0])

    def connected(self) -> list[bool]:
        """Of each worker, whether it is connected to FreeSWITCH; nothing where all is not well."""
        status = json.loads(self.get("/api/v1/status"))
        there = [worker["switches"]["freeswitch"] for worker in status["workers"]]
        return [] if status["problems"] else there

    def kill_desk(self) -> None:
        """Unless it is dead already, and another is waited for."""
        with suppress(ProcessLookupError):
            os.kill(self.desk(), signal.SIGKILL)

    def logged(self) -> dict[str, Row]:
        """The records that stand in the log, by their transfers."""
        lines = [
            line for line in self.served.log_text().splitlines() if "session.record: {" in line
        ]
        told = [json.loads(line[line.index("{") :]) for line in lines]
        return {record["id"]: record for record in told}


def ended(rows: list[Row]) -> list[Row]:
    """Of records those of transfers that are over."""
    return [row for row in rows if row["outcome"]]
