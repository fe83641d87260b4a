"""The desk beside one worker, or several: it comes again, ends with them, and ends them."""

from __future__ import annotations

import json
import os
import re
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.service.supervised import LIMIT_S, Supervised, gone, wait_for

TOKEN = "0123456789abcdef"


class WithDesk(Supervised):
    """It keeps records, and shows them at a port of its own choice."""

    def __init__(self, folder: Path, workers: int) -> None:
        super().__init__(folder, workers=workers)
        self.environment = {
            "FSCTL_RECORDS_KEEP": "true",
            "FSCTL_RECORDS_FOLDER": str(folder / "state"),
            "FSCTL_HTTP_LISTEN": "127.0.0.1:0",
            "FSCTL_HTTP_TOKEN": TOKEN,
        }

    def desk(self) -> int:
        """Process id of the latest."""
        return int(re.findall(r"the desk \(pid (\d+)\) starts", self.log())[-1])

    def ask(self, path: str, method: str = "GET") -> tuple[int, dict[str, object]]:
        """What the latest desk answers; 0: none does."""
        shown = re.findall(r"shown at (http://\S+?)/", self.log())
        if not shown:
            return 0, {}
        asked = urllib.request.Request(shown[-1] + path, method=method)
        asked.add_header("Authorization", f"Bearer {TOKEN}")
        try:
            with urllib.request.urlopen(asked, timeout=LIMIT_S) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except OSError:
            return 0, {}


@pytest.fixture(params=[1, 2], ids=["alone", "several"])
def served(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[WithDesk]:
    made = WithDesk(tmp_path, request.param)
    made.start()
    yield made
    if made.process.poll() is None:
        os.killpg(made.process.pid, signal.SIGKILL)
        made.process.wait()


def test_the_desk(served: WithDesk) -> None:
    """Killed, it comes again; a wish of its own ends all; nothing is left of any process."""
    wait_for(lambda: served.ask("/readyz")[0] == 200, served.log)
    status = served.ask("/api/v1/status")[1]
    workers = status["workers"]
    assert isinstance(workers, list) and len(workers) == (2 if "worker 2" in served.log() else 1)
    first = served.desk()
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: served.desk() != first, served.log)
    wait_for(lambda: served.ask("/readyz")[0] == 200, served.log)
    second = served.desk()
    assert gone(first) and served.process.poll() is None
    assert served.ask("/api/v1/drain", "POST")[0] == 202
    assert served.process.wait(LIMIT_S) == 0, served.log()
    assert gone(second)
    assert "Traceback" not in served.log()


@pytest.mark.parametrize("served", [2], ids=["several"], indirect=True)
def test_it_ends_with_the_others_also_when_they_are_killed(served: WithDesk) -> None:
    wait_for(lambda: served.ask("/healthz")[0] == 200, served.log)
    served.process.kill()
    served.process.wait()
    wait_for(lambda: gone(served.desk()), "the desk ends")
    assert "Traceback" not in served.log()
