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
    "module": ["-m", "fsctl"],
    "script": [str(Path(sys.executable).parent / "fsctl")],
    "PYTHONPATH": ["-P", "-c", _WITH_EMPTY_ENTRIES],
}


@pytest.mark.parametrize("way", WAYS)
def test_no_module_of_the_working_directory_is_run(trapped, way) -> None:
    config = trapped / "fsctl.toml"
    config.write_text('[server]\nlisten = "127.0.0.1:0"\nworkers = 2\ndrain_timeout_s = 0.1\n')
    process = subprocess.Popen(
        [sys.executable, *WAYS[way], "serve", "--config", str(config)],
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
