"""The demo: every story goes well, in words and as JSON; a failure shows in the exit code."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
from dataclasses import replace

import pytest

from fsctl.cli import demo, main
from fsctl.demo.stories import STORIES


def test_every_story_as_a_ladder(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["demo", "--fast"]) == 0
    shown = capsys.readouterr().out
    assert "SIMULATED" in shown
    assert f"{len(STORIES)} of {len(STORIES)} stories" in shown
    assert "NOTIFY 486 Busy Here" in shown and "REFER 1002" in shown


def test_one_story_as_json(capsys):
    assert main(["demo", "--fast", "--json", "busy"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    result = json.loads(line)
    assert result["ok"] and result["simulated"] and result["story"] == "busy"
    bodies = [message["body"] for message in result["messages"] if message["message"] == "NOTIFY"]
    assert bodies == ["SIP/2.0 486 Busy Here"]


@pytest.mark.parametrize("lines", [1, 20])
def test_whoever_reads_may_have_seen_enough(lines: int) -> None:
    """As `fsctl demo | head -20`: no complaint, also where the calls' own greenlets print."""
    command = [sys.executable, "-m", "fsctl", "demo", "--fast"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        # It cannot have printed all before we have gone.
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        for _ in range(lines):
            process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_a_story_that_goes_wrong(capsys, monkeypatch):
    def wrong(cast):
        cast.call()
        assert cast.carol.in_call, "Carol is not in a call"

    monkeypatch.setattr(demo, "STORIES", (replace(STORIES[0], play=wrong),))
    assert main(["demo", "--fast"]) == 1
    assert "FAILED: Carol is not in a call" in capsys.readouterr().out


def test_an_unknown_story(capsys):
    assert main(["demo", "nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().err


@pytest.mark.parametrize("width", [60, 100, 200])
def test_the_ladder_fits_the_terminal(capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    main(["demo", "--fast", "answered"])
    ladder = [line for line in capsys.readouterr().out.splitlines() if "│" in line]
    assert ladder and max(map(len, ladder)) <= max(width, 80)
