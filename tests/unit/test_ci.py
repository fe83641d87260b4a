"""``.ci/run``: what has failed is run once more, and what passed only then is never hidden."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CI = Path(__file__).parents[2] / ".ci"
INSTALLED = (
    *("sipp", "kamailio", "baresip", "linphonec", "promtool", "chromium", "pg_ctlcluster"),
    *("logrotate", "systemd-analyze"),
)
ALWAYS = "def test_good():\n    pass\n"
FLAKY = """
from pathlib import Path

def test_second_time():
    here = Path(__file__).with_name("been_here")
    been, _ = here.exists(), here.touch()
    assert been
"""
BROKEN = "def test_broken():\n    assert False\n"


@pytest.mark.parametrize(
    ("tests", "mypy", "code", "told", "summary"),
    [
        (ALWAYS, 0, 0, [], "1 passed"),
        (ALWAYS + FLAKY, 0, 0, ["PASSED test_toy.py::test_second_time"], "1 passed"),
        (ALWAYS + BROKEN, 0, 1, ["FAILED test_toy.py::test_broken"], "1 failed"),
        (ALWAYS + FLAKY, 1, 1, ["PASSED test_toy.py::test_second_time"], "1 passed"),
        ("", 0, 5, [], "no tests ran"),
    ],
    ids=["good", "second try", "broken", "types", "none"],
)
def test_run(
    tmp_path: Path, tests: str, mypy: int, code: int, told: list[str], summary: str
) -> None:
    """With pytest itself; setup, ruff and mypy only succeed or fail here."""
    (tmp_path / "test_toy.py").write_text(tests, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -ra\n")
    shutil.copytree(CI, tmp_path / ".ci")
    run_file = tmp_path / ".ci/run"
    first = run_file.read_text(encoding="utf-8")
    assert "pytest -n 3 " in first
    run_file.write_text(first.replace("pytest -n 3 ", "pytest -n 0 "))  # a process is enough
    commands = {
        ".ci/setup": "exit 0",
        # so that the run installs none of them
        **dict.fromkeys((f"bin/{name}" for name in INSTALLED), "exit 0"),
        ".venv/bin/ruff": "exit 0",
        ".venv/bin/mypy": f"exit {mypy}",
        ".venv/bin/pytest": f'exec "{sys.executable}" -B -m pytest -p xdist.plugin "$@"',
    }
    for name, does in commands.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
        path.chmod(0o755)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    run = subprocess.run(
        ["sh", ".ci/run"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PATH": path,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONPYCACHEPREFIX": "",  # pytest itself has been compiled
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    lines = run.stdout.splitlines()
    assert (run.returncode, run.stderr) == (code, ""), run.stdout
    assert re.search(rf"={{3,}} {summary}.* in ", lines[-1]), lines[-1]
    last = max(at for at, line in enumerate(lines) if "session starts" in line)
    again = [line for line in lines[last:] if line.startswith(("PASSED", "FAILED"))]
    assert [line.split(" - ")[0] for line in again] == told
    assert any("this run fails" in line for line in lines) is bool(mypy)
