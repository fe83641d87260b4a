"""The web service's own tests: a process, asked as fsctl asks it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fsctl.decide.answer import Connect, Leave, Refuse
from fsctl.decide.client import Client
from fsctl.setting_decide import Decide, read_secret

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Where it is reached."""
    file = Path(__file__).with_name("decide_service.py")
    program = [sys.executable, str(file), "0"]
    environment = {**os.environ, "DECIDE_SECRET": SECRET, "PYTHONPATH": str(file.parents[1])}
    with subprocess.Popen(
        program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.kill()


@pytest.mark.parametrize(
    ("number", "decision"),
    [
        ("1002", Connect(("1003", "1004"), "at-once", ring_timeout_s=20)),
        ("0044123", Refuse(603, "No calls abroad")),
        ("1005", Leave()),
    ],
)
def test_it_decides(url: str, number: str, decision: object) -> None:
    client = Client(Decide(url=url, secret=(read_secret(SECRET),), timeout_s=10))
    assert client.ask("q1", json.dumps({"number": number}).encode()).decision == decision


def test_who_does_not_know_the_secret_is_not_answered(url: str) -> None:
    client = Client(Decide(url=url, secret=(b"s" * 32,), timeout_s=10))
    exchange = client.ask("q1", b'{"number": "1002"}')
    assert (exchange.decision, exchange.status) == (None, 401)
