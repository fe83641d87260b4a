"""What lies in the working directory is never run: not by the program, and not by its workers."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.service.supervised import LIMIT_S

TRAPS = ("tomllib", "pickle", "gevent", "logging", "greenswitch", "json")


@pytest.fixture
def trapped(tmp_path) -> Path:
    """A folder of modules that say so when somebody imports them."""
    for name in TRAPS:
        text = f"raise SystemExit('{name} of the working directory was run')\n"
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


_WITH_EMPTY_ENTRIES = """
import os, sys
os.environ["PYTHONPATH"] = ":." + os.environ.get("PYTHONPATH", "")
from fsctl.cli import main
sys.exit(main())
"""
WAYS = {
    "module": (1, ["-m", "fsctl"]),
    "script": (1, [str(Path(sys.executable).parent / "fsctl")]),
    "PYTHONPATH": (2, ["-P", "-c", _WITH_EMPTY_ENTRIES]),
}
"""How it is started, and with how many workers: these are started in one way, and are tempted the
most where the environment names the working directory."""


@pytest.mark.parametrize("way", WAYS)
def test_no_module_of_the_working_directory_is_run(trapped, way) -> None:
    workers, command = WAYS[way]
    config = trapped / "fsctl.toml"
    config.write_text('[server]\nlisten = "127.0.0.1:0"\ndrain_timeout_s = 0.1\n')
    process = subprocess.Popen(
        [sys.executable, *command, "serve", "--config", config, "--workers", str(workers)],
        cwd=trapped,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = ""
    assert process.stderr is not None
    for line in process.stderr:
        said += line
        if "fsctl: listening" in line:
            process.send_signal(signal.SIGTERM)
    assert process.wait(LIMIT_S) == 0, said
    assert "was run" not in said
