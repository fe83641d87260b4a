"""``fsctl dialplan render``: what it prints, and how it refuses."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from fsctl.cli import dialplan as command


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    args = parser.parse_args(["dialplan", "render", *arguments])
    assert args.run is command.run
    return command.run(args)


def test_the_command_prints_what_it_wrote(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FSCTL_DIALPLAN_INBOUND_CONTEXTS", "public")
    assert run("--output", str(tmp_path)) == 0
    printed = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert printed[0] == tmp_path / "dialplan/public/00_fsctl.xml"
    assert all(path.is_file() for path in printed)


def test_the_command_explains_a_wrong_setting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "fsctl.toml"
    file.write_text("[transfer]\nring_timeout_s = 0", encoding="utf-8")
    assert run("--config", str(file), "--output", str(tmp_path / "out")) == 2
    streams = capsys.readouterr()
    assert streams.err == f"fsctl: {file}: [transfer] ring_timeout_s: must be 1..600, not 0\n"
    assert not streams.out
    assert not (tmp_path / "out").exists()


def test_the_command_warns_of_a_readable_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "fsctl.toml"
    file.write_text("[switch]\npassword = 'x'", encoding="utf-8")
    file.chmod(0o644)
    assert run("--config", str(file), "--output", str(tmp_path / "out")) == 0
    assert "fsctl: warning: " in capsys.readouterr().err
