"""``fsctl serve`` and its scenario files: faults are named, SIGHUP loads the files anew."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from fsctl.cli import main

GOOD = "from fsctl.scenario import Scenario\nscenario = Scenario()\n"


@pytest.fixture
def config(tmp_path):
    """Write a configuration that listens on any port."""

    def write(text):
        path = tmp_path / "fsctl.toml"
        path.write_text('[server]\nlisten = "127.0.0.1:0"\n' + text)
        return path

    return write


_OF_ALL = '[scenario]\nfile = "bad.py"\n'
_OF_A_ROUTE = '[[route]]\nkind = "user"\nscenario = "bad.py"\n'
_FAULTY = "x = 1\nx.y\n"


@pytest.mark.parametrize(
    ("text", "key", "content", "message"),
    [
        (_OF_ALL, "[scenario] file: ", _FAULTY, "bad.py:2: AttributeError"),
        (_OF_ALL, "[scenario] file: ", None, "bad.py: FileNotFoundError"),
        (_OF_A_ROUTE + 'name = "sales"\n', "[[route]] sales ", _FAULTY, "bad.py:2: Attribute"),
        (_OF_A_ROUTE, "[[route]] route1 scenario: ", None, "bad.py: FileNotFoundError"),
    ],
)
def test_a_file_that_cannot_be_loaded(config, tmp_path, capsys, text, key, content, message):
    if content is not None:
        (tmp_path / "bad.py").write_text(content)
    assert main(["serve", "--workers", "1", "--config", str(config(text))]) == 2
    said = capsys.readouterr().err
    assert key in said and message in said


def test_a_file_of_the_command_line(config, tmp_path, capsys):
    (tmp_path / "bad.py").write_text("raise OSError('no disk')")
    arguments = ["--config", str(config("")), "--scenario", str(tmp_path / "bad.py")]
    assert main(["serve", "--workers", "1", *arguments]) == 2
    assert "--scenario: " in capsys.readouterr().err


def test_sighup(config, tmp_path):
    """Loaded, broken, mended: it says so each time, and ends in order."""
    file = tmp_path / "mine.py"
    file.write_text(GOOD)
    arguments = ["--config", str(config('[scenario]\nfile = "mine.py"\n'))]
    command = [sys.executable, "-m", "fsctl", "serve", "--workers", "1", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        begun, scope, said = process.stderr.readline(), process.stderr.readline(), []
        for text in (GOOD, GOOD + "oops\n", GOOD):
            file.write_text(text)
            process.send_signal(signal.SIGHUP)
            said.append(process.stderr.readline())
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert "listening" in begun and "scope transfers" in scope
    assert "INFO" in said[0] and "scenarios reloaded" in said[0]
    assert "ERROR" in said[1] and "[scenario] file: " in said[1]
    assert "mine.py:3: NameError" in said[1]
    assert "scenarios reloaded" in said[2]
