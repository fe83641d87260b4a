"""The files for systemd and logrotate, as these programs themselves take them."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from fsctl.settings import Server

DOCS = Path(__file__).parents[2] / "docs"
UNIT = DOCS / "fsctl.service"
EXPOSED_AT_MOST = 1.3
"""As `systemd-analyze security` of systemd 252 reckons; docs/operate.md says so."""

needs_systemd = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="needs Debian's package systemd"
)


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=60
    )


@needs_systemd
def test_systemd_knows_every_line(tmp_path: Path) -> None:
    unit = tmp_path / "fsctl.service"
    program = re.sub(r"(?m)^(ExecStart=)\S+", r"\1/bin/true", UNIT.read_text(encoding="utf-8"))
    unit.write_text(program)
    done = run("systemd-analyze", "verify", "--recursive-errors=no", unit)
    assert (done.returncode, [line for line in done.stderr.splitlines() if unit.name in line]) == (
        0,
        [],
    )


@needs_systemd
def test_the_unit_may_do_no_more_than_the_page_says() -> None:
    threshold = f"--threshold={round(EXPOSED_AT_MOST * 10)}"
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager", threshold, UNIT)
    assert done.returncode == 0, done.stdout
    assert f"`systemd-analyze security`: {EXPOSED_AT_MOST}" in (DOCS / "operate.md").read_text()


def test_the_unit_waits_for_the_drain_and_keeps_to_its_places() -> None:
    parser = configparser.RawConfigParser(strict=False, delimiters=["="])
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT, encoding="utf-8")
    service = parser["Service"]
    assert int(service["TimeoutStopSec"]) > Server().drain_timeout_s + 15
    assert service["ExecStart"].endswith("serve --config /etc/fsctl/fsctl.toml")
    assert service["StateDirectory"] == "fsctl" and service["OOMPolicy"] == "continue"


@pytest.mark.skipif(not shutil.which("logrotate"), reason="needs Debian's package logrotate")
def test_a_log_that_is_rotated_goes_on_in_the_same_file(tmp_path: Path) -> None:
    """As systemd has opened it: to append."""
    rules = (DOCS / "fsctl.logrotate").read_text(encoding="utf-8")
    folder = tmp_path / "log"
    folder.mkdir(mode=0o750)
    config = tmp_path / "fsctl.logrotate"
    config.write_text(rules.replace("/var/log/fsctl", str(folder)))
    config.chmod(0o644)
    if os.getuid() == 0:
        os.chown(config, 0, 0)
    log = folder / "fsctl.log"
    with log.open("a", buffering=1) as writer:
        writer.write(json.dumps({"message": "before"}) + "\n")
        done = run("logrotate", "--force", "--state", tmp_path / "state", config)
        assert (done.returncode, done.stderr) == (0, "")
        writer.write(json.dumps({"message": "after"}) + "\n")
    (rotated,) = folder.glob("fsctl.log-*")
    assert json.loads(rotated.read_text()) == {"message": "before"}
    assert json.loads(log.read_text()) == {"message": "after"}
