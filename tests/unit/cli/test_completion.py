"""Shells complete fsctl's commands and their options."""

from __future__ import annotations

import subprocess

import pytest

from fsctl.cli import main


def test_bash_completes_commands_and_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    ask = 'COMP_WORDS=({}); COMP_CWORD={}; _shtab_fsctl; echo "${{COMPREPLY[@]}}"'
    for words, place, expected in (
        ('fsctl "reco"', 1, {"records"}),
        ('fsctl records "--outc"', 2, {"--outcome"}),
        ('fsctl records --outcome "fa"', 3, {"failed"}),
    ):
        told = subprocess.run(
            ["bash", "-c", script + "\n" + ask.format(words, place)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert set(told.stdout.split()) == expected, told.stderr


def test_another_shell(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["completion", "fish"])
    assert "bash" in capsys.readouterr().err
