"""The way to FreeSWITCH is looked at first, and what is wrong there explains all else."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module

import pytest
from gevent import socket

from fsctl.check import State, event_socket, examine
from fsctl.check.text import lines
from fsctl.cli import main
from fsctl.settings import Settings
from tests.unit.check.peers import (
    GREETING,
    PASSWORD,
    Healthy,
    freeswitch,
    listening,
    saying,
    settings,
    switch,
)

RUDE = b"Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n"
MODULE = import_module("fsctl.check.examine")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is waited for as long as in life."""
    monkeypatch.setattr(event_socket, "GREETING_S", 0.1)
    monkeypatch.setattr(MODULE, "DEADLINE_S", 0.25)


def only(settings_: Settings) -> tuple[str, State]:
    """The one finding that there is."""
    (finding,) = examine(settings_).findings
    assert finding.consequence and finding.command
    return finding.code, finding.state


def test_a_host_that_is_none() -> None:
    wanted = settings(8021)
    odd = replace(wanted, switches=(replace(wanted.switches[0], host="a..b"),))
    assert only(odd) == ("FSC101", State.PROBLEM)


def test_nobody_listens() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        assert only(settings(sock.getsockname()[1])) == ("FSC101", State.PROBLEM)


@pytest.mark.parametrize(
    ("serve", "code", "state"),
    [
        (saying(b""), "FSC102", State.UNKNOWN),
        (saying(b"SSH-2.0-OpenSSH_9.2\r\n"), "FSC102", State.UNKNOWN),
        (saying(b"HTTP/1.1 400 Bad Request\n\n" * 9), "FSC102", State.PROBLEM),
        (saying(bytes(range(256)) * 4096, endless=True), "FSC102", State.PROBLEM),
        (saying(GREETING), "FSC102", State.UNKNOWN),
        (saying(RUDE), "FSC104", State.PROBLEM),
    ],
    ids=["silent", "ssh", "http", "garbage", "greets only", "not admitted"],
)
def test_something_else_or_nothing_is_said(
    serve: Callable[[socket.socket], None], code: str, state: State
) -> None:
    begun = time.monotonic()
    with listening(serve) as wanted:
        assert only(wanted) == (code, state)
    assert time.monotonic() - begun < 3


def test_wrong_password() -> None:
    with listening(freeswitch({})) as wanted:
        wrong = settings(wanted.switches[0].port, Settings(switches=(switch(password="wrong"),)))
        assert only(wrong) == ("FSC103", State.PROBLEM)


def test_an_answer_without_end_is_unknown() -> None:
    with listening(freeswitch({})) as wanted:
        report = examine(wanted)
    assert [(f.code, f.state) for f in report.findings] == [
        ("FSC102", State.UNKNOWN),
        ("FSC101", State.OK),
    ]
    assert report.exit_status == 2


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("1.10.12-release", State.OK),
        ("1.11.3-dev+git~20260101", State.OK),
        ("1.10.11-release", State.PROBLEM),
        ("1.12.0", State.UNKNOWN),
        ("custom build \x1b[31m", State.UNKNOWN),
    ],
)
def test_version(text: str, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODULE, "DEADLINE_S", 20.0)  # all is answered
    healthy = Healthy(changed={"version short": text})
    served = freeswitch(healthy.answers(), healthy.settings.switches[0].password)
    with listening(served, healthy.settings) as wanted:
        found = {finding.code: finding for finding in examine(wanted).findings}
    assert found["FSC201"].state is state
    assert "\x1b" not in repr(found["FSC201"].as_json())


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--config", "missing.toml"], "FSC001"),
        (["--config", "wrong.toml"], "FSC001"),
        (["--config", "."], "FSC001"),
        (["--config", "deep.toml"], "FSC001"),
        (["--no-such-option"], "FSC000"),
        ([], "FSC002"),
    ],
)
def test_json_is_one_document_whatever_is_wrong(
    arguments: list[str],
    code: str,
    tmp_path: os.PathLike[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with open("wrong.toml", "w", encoding="utf-8") as file:
        file.write("[swich]\n")
    with open("deep.toml", "w", encoding="utf-8") as file:
        file.write("a = " + "[" * 100_000)
    try:
        status = main(["check", "--json", *arguments])
    except SystemExit as ended:
        status = ended.code
    document = json.loads(capsys.readouterr().out)
    assert [finding["code"] for finding in document["findings"]] == [code]
    assert status == (2 if code in ("FSC000", "FSC002") else 1)


def test_the_text_is_grouped_and_without_colour(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(freeswitch({"version short": "1.10.2"})) as wanted:
        monkeypatch.setenv("FSCTL_SWITCH_PORT", str(wanted.switches[0].port))
        monkeypatch.setenv("FSCTL_SWITCH_PASSWORD", PASSWORD)
        assert main(["check"]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "FreeSWITCH and its host:"
    assert printed[1].startswith("  PROBLEM FSC201 FreeSWITCH 1.10.2 is too old")
    assert printed[-1] == "1 problem, 1 unknown, 3 ok"
    assert "\x1b" not in "".join(printed)


def test_a_terminal_has_colours() -> None:
    assert "\x1b[31mPROBLEM" in "".join(lines(examine(settings(1)), colour=True))
