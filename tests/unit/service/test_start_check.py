"""A start says in one line whether calls and transfers will reach it, and waits for nobody."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
from gevent import socket

from fsctl.service import start_check
from fsctl.settings import Settings
from tests.unit.check.changes import NONE, answer, calls, dead, no_profile
from tests.unit.check.peers import Healthy, freeswitch, listening, saying
from tests.unit.esl.peer import wait_until


def line(caplog: pytest.LogCaptureFixture) -> str:
    """The one line, when it is there."""
    wait_until(lambda: caplog.records, "the line")
    (record,) = caplog.records
    return f"{record.levelname} {record.getMessage()}"


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only lines of the start's check; a busy machine has time for it."""
    caplog.set_level("CRITICAL")
    caplog.set_level("INFO", "fsctl.service.start_check")
    monkeypatch.setattr(import_module("fsctl.check.examine"), "QUICK_DEADLINE_S", 20.0)
    monkeypatch.setattr(start_check, "_DEADLINE_S", 30.0)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (NONE, "INFO transfers will reach us: FreeSWITCH is set up for it"),
        (calls(), "INFO calls and their transfers will reach us: FreeSWITCH is set up for it"),
        (dead, "WARNING transfers may not reach us: FSC601 no controller is alive ("),
        (
            answer("version short", "mine"),
            "WARNING it is not known whether transfers reach us: FSC201 ",
        ),
        (no_profile, "WARNING transfers may not reach us: FSC301 no sofia profile internal runs"),
    ],
)
def test_the_line(
    change: Callable[[Healthy], None], expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    healthy = Healthy()
    change(healthy)
    with listening(freeswitch(healthy.answers()), healthy.settings) as settings:
        start_check.begin(settings)
        assert not caplog.records
        assert line(caplog).startswith(expected)


def test_a_silent_freeswitch(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fsctl.check.event_socket.GREETING_S", 0.2)
    with listening(saying(b"")) as settings:
        begun = time.monotonic()
        start_check.begin(settings)
        assert time.monotonic() - begun < 0.5
        assert line(caplog).startswith("WARNING it is not known whether transfers reach us: FSC102")


def test_a_fault_of_the_check_harms_nobody(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr("fsctl.check.examine", fail)
    with listening(saying(b"")) as settings:
        start_check.begin(settings)
        assert line(caplog).startswith("ERROR it is not known whether")


def test_without_a_switch_nothing_is_asked_and_nothing_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(start_check, "_tell", lambda settings: pytest.fail("asked"))
    start_check.begin(Settings())


def test_a_start_tells_it_once_after_it_listens(tmp_path: Path) -> None:
    """One process alone and a supervisor of two: both wait for FreeSWITCH, at the same time."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        config = tmp_path / "fsctl.toml"
        config.write_text(
            f'[server]\nlisten = "127.0.0.1:0"\n[switch]\nport = {port}\npassword = "x"\n'
            '[dialplan]\ncontrollers = ["127.0.0.1:8084"]\n',
            encoding="utf-8",
        )
        command = [sys.executable, "-m", "fsctl", "serve", "--config", str(config), "--workers"]
        started = [
            subprocess.Popen([*command, workers], stderr=subprocess.PIPE, text=True)
            for workers in ("1", "2")
        ]
        for process in started:
            with process:
                tells_once(process, f"FSC101 FreeSWITCH's event socket at 127.0.0.1:{port}")


def tells_once(process: subprocess.Popen[str], what: str) -> None:
    """It says so after it listens; then it is ended."""
    assert process.stderr is not None
    lines: list[str] = []
    for each in process.stderr:
        lines.append(each)
        if "reach us" in each:
            process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    places = [n for n, each in enumerate(lines) if "reach us" in each]
    listens = [n for n, each in enumerate(lines) if each.startswith("fsctl: listening")]
    assert len(places) == 1 and listens[0] < places[0], lines
    assert what in lines[places[0]]
