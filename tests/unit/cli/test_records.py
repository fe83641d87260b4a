"""``fsctl records``: what was kept, in each form."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fsctl.cli import main
from tests.unit.web.desk import A, ToldDesk


@pytest.fixture
def config(tmp_path: Path) -> Path:
    desk = ToldDesk(tmp_path)
    desk.call()
    desk.transfer("11111111-x", outcome="failed", code=486, reason="Gone\x1b]0;fishing", rule="r")
    desk.transfer("22222222-x")
    path = tmp_path / "fsctl.toml"
    path.write_text(f'[records]\nfolder = "{tmp_path}"\n')
    return path


def ask(config: Path, *arguments: str) -> int:
    return main(["records", *arguments, "--config", str(config)])


def test_a_table(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(config) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == "began kind transferor transferee target outcome told id".split()
    assert sorted(line.split()[-1] for line in lines) == ["11111111", "22222222"]
    assert "486 Gone\\x1b]0;fishing" in " ".join(lines)


def test_all_of_one(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(config, "1111") == 0
    told = capsys.readouterr().out
    for text in ("11111111-x: failed", "486 Gone", "<sip:1002@pbx>", "allowed by rule r", A):
        assert text in told
    assert "+0.000 s  the application calls the target -> calling target" in told
    assert "\x1b" not in told


def test_for_programs(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(config, "--json", "--outcome", "failed") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["id"], row["code"]) == ("11111111-x", 486)
    assert ask(config, "--format", "csv") == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert {row["id"]: row["code"] for row in rows} == {"11111111-x": "486", "22222222-x": ""}


def test_no_table_calculator_runs_what_a_phone_calls_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = ToldDesk(tmp_path)
    numbers = {"transferee": "=cmd|' /C calc'!A0", "transferor": "+4930123", "target": "-1+2"}
    desk.transfer("t", outcome="failed", code=500, reason="@x", numbers=numbers)
    path = tmp_path / "fsctl.toml"
    path.write_text(f'[records]\nfolder = "{tmp_path}"\n')
    assert ask(path, "--format", "csv") == 0
    (row,) = csv.DictReader(capsys.readouterr().out.splitlines())
    assert row["transferee_number"].startswith("'=") and row["reason"] == "'@x"
    assert (row["transferor_number"], row["target_number"]) == ("+4930123", "'-1+2")


@pytest.mark.parametrize("asked", [["nothing"], ["--number", "999"], ["--since", "2100-01-01"]])
def test_nothing_is_found(
    config: Path, asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(config, *asked) == 1
    told = capsys.readouterr()
    assert not told.out and "no " in told.err


@pytest.mark.parametrize("when", ["2027-01-15", "2027-01-15T07:59:00+00:00", "90m", "0d", "10:42"])
def test_since_when(config: Path, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, zone=None):  # type: ignore[no-untyped-def]
            return cls(2027, 1, 15, 8, 0, 0, tzinfo=UTC)

    monkeypatch.setattr("fsctl.cli.records.datetime", Later)
    monkeypatch.setenv("TZ", "UTC")
    found = 1 if when == "10:42" else 0  # that is later today
    assert ask(config, "--since", when) == found


@pytest.mark.parametrize("asked", [["--since", "noon"], ["--limit", "0"], ["--outcome", "x"]])
def test_what_is_not_understood(
    config: Path, asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        ask(config, *asked)
    assert ended.value.code == 2 and asked[1] in capsys.readouterr().err


def test_without_records(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "fsctl.toml"
    path.write_text(f'[records]\nfolder = "{tmp_path}/none"\n')
    assert ask(path) == 2
    assert "there are no records" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    (tmp_path / "bad.sqlite").write_bytes(b"no database at all" * 100)
    path.write_text(f'[records]\ndatabase = "sqlite:///{tmp_path}/bad.sqlite"\n')
    assert ask(path) == 2
    assert "cannot be read" in capsys.readouterr().err
