"""``fsctl scenario check``: good scenarios, and each kind of fault."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fsctl import rehearsal
from fsctl.cli import main
from fsctl.rehearsal import STORIES

EXAMPLES = Path(__file__).parents[3] / "examples"
HEAD = "from fsctl.scenario import *\nscenario = Scenario()\n"


@pytest.fixture
def check(tmp_path, capsys, monkeypatch):
    """Check the text of a scenario: exit status, standard output, standard error."""
    monkeypatch.setattr(rehearsal, "REAL_PATIENCE_S", 0.1)

    def run(text, *arguments):
        file = tmp_path / "mine.py"
        file.write_text(text)
        status = main(["scenario", "check", str(file), *arguments])
        output = capsys.readouterr()
        return status, output.out, output.err

    return run


EVERY = sorted(
    path for path in EXAMPLES.glob("*.py") if "scenario = Scenario()" in path.read_text()
)


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.stem)
def test_examples_are_good(path, capsys):
    assert main(["scenario", "check", str(path)]) == 0, capsys.readouterr().out


def test_says_what_happened(check):
    status, output, _ = check(HEAD)
    assert status == 0
    assert "no handlers: the settings decide" in output
    assert all(f"ok    {title}" in output for title in STORIES)
    assert "callee transfers to 1002 and is told SIP/2.0 486 Busy Here" in output
    assert "caller hears target; target hears caller" in output
    assert "The scenario has decided nothing" in output and "No problems" not in output


def test_what_is_tried_besides(check):
    text = HEAD + (
        "@scenario.on(CallAlerting)\n"
        "def alerting(event):\n"
        "    chosen = {'900': '2001', '901': '2002'}.get(event.destination, event.destination)\n"
        "    event.session.connect(event.call, chosen)\n"
    )
    refer_to = "<sip:2002@example.org?X-Account=42>"
    more = ["--call", "900", "--call", "901", "--transfer-to", "2001", "--transfer-to", refer_to]
    status, output, _ = check(text, *more, "--phone", "2001", "--phone", "2002:busy")
    assert status == 0 and "No problems" in output
    assert "caller calls 900 and is told 180 Ringing, 200 OK" in output
    assert re.search("caller calls 901 and is told .*486 Busy Here\n", output)
    assert "callee transfers to 2001 and is told SIP/2.0 200 OK" in output
    assert f"callee transfers to {refer_to} and is told SIP/2.0 486 Busy Here" in output


@pytest.mark.parametrize("event", ["CallAlerting", "BlindTransferRequested"])
def test_a_scenario_that_decides_nothing_is_not_called_good(check, event):
    status, output, _ = check(HEAD + f"@scenario.on({event})\ndef asked(event):\n    pass\n")
    assert status == 0 and "No problems" not in output
    assert "stories the scenario has not decided what it was asked: a deadline did" in output


def test_lists_the_handlers(check):
    text = HEAD + "@scenario.on(Failed)\ndef somebody_failed(event):\n    pass\n"
    assert "Failed: somebody_failed (line 3)" in check(text)[1]


def test_a_handler_that_raises(check):
    text = HEAD + "@scenario.on(Connected)\ndef connected(event):\n    return 1 / 0\n"
    status, output, _ = check(text)
    assert status == 1
    assert "WRONG a call is answered" in output
    assert "ok    the callee is busy" in output
    assert "mine.py" in output and "line 5" in output and "ZeroDivisionError" in output


def test_a_leg_that_is_left_behind(check, monkeypatch):
    monkeypatch.setattr(rehearsal, "PATIENCE_S", 20.0)
    text = HEAD + (
        "@scenario.on(Disconnected)\n"
        "def disconnected(event):\n"
        "    for call in event.session.calls.values():\n"
        "        if call.alive:\n"
        "            call.play('tone_stream://%(30000,0,400)', loop=True)\n"
        "@scenario.on(CallAlerting)\n"
        "def alerting(event):\n"
        "    callee = event.session.call_user(event.destination)\n"
        "    callee.wait_connected()\n"
        "    event.session.send_media_between(event.call, callee)\n"
    )
    status, output, _ = check(text)
    assert status == 1
    assert "20 s after the last hang-up legs are left behind: Caller (ringback)" in output


def test_a_transferor_that_is_never_told(check, tmp_path):
    """The scenario lets go of the transferor before it has been told."""
    text = HEAD + (
        "@scenario.on(BlindTransferRequested)\n"
        "def requested(event):\n"
        "    event.call.hangup()\n"
        "    event.session.connect(event.transferee, event.transfer_to)\n"
    )
    status, output, _ = check(text)
    assert status == 1
    assert "problem: callee has sent a REFER and got no NOTIFY" in output
    assert "problem: caller has sent a REFER and got no NOTIFY" in output


def test_a_scenario_that_does_not_decide_is_warned_of(check):
    text = HEAD + "@scenario.on(CallAlerting)\ndef alerting(event):\n    pass\n"
    status, output, _ = check(text)
    assert status == 0
    assert "warning: " in output and "has not decided on the call" in output


def test_numbers_and_settings(check, tmp_path):
    config = tmp_path / "fsctl.toml"
    config.write_text(
        '[dialplan]\nscope = "calls"\ninbound_match = ".*"\n'
        '[[route]]\nkind = "user"\nmatch = "2.*"\n'
    )
    arguments = ("--config", str(config), "--callee", "2001", "--target", "7")
    status, output, _ = check(HEAD, *arguments)
    assert status == 0
    assert "caller calls 2001 and is told 180 Ringing, 200 OK" in output
    assert "callee transfers to 7 and is told SIP/2.0 404 Not Found" in output


@pytest.mark.parametrize(
    ("text", "message"),
    [("x = 1\n1 +", "mine.py:2: SyntaxError"), ("x = 1\n\nnone()", "mine.py:3: NameError")],
)
def test_a_file_that_cannot_be_loaded(check, text, message):
    status, output, error = check(text)
    assert (status, output) == (2, "")
    assert message in error


def test_a_file_that_is_not_there(capsys):
    assert main(["scenario", "check", "/none.py"]) == 2
    assert "/none.py" in capsys.readouterr().err
