"""``fsctl records``: what was kept, in each form."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fsctl.cli import main, records
from fsctl.journal import Entry
from fsctl.records import store
from tests.unit.web.desk import AT, A, ToldDesk


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


@pytest.mark.parametrize(("hours", "how"), [(1, "open"), (5, "unknown")])
def test_an_end_that_nobody_has_told(
    config: Path,
    hours: int,
    how: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its worker was killed, and there was no [switch] by which to see what became of it."""

    class Later(datetime):
        @classmethod
        def now(cls, zone=None):  # type: ignore[no-untyped-def]
            return cls.fromtimestamp(AT + hours * 3600, UTC)

    monkeypatch.setattr(records, "datetime", Later)
    assert ask(config, "--outcome", "open") == 0
    assert f" {how} " in capsys.readouterr().out
    assert ask(config, "2222") == 0
    assert ("its end is not known" in capsys.readouterr().out) == (how == "unknown")


def test_too_little_is_said_of_an_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    desk, path = ToldDesk(tmp_path), tmp_path / "fsctl.toml"
    for number in range(6):
        desk.transfer(f"abc{number}-x")
    path.write_text(f'[records]\nfolder = "{tmp_path}"\n')
    assert ask(path, "abc") == 0
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 7 and "abc may be any of these" in told.err


def test_for_programs(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(config, "--json", "--outcome", "failed") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["id"], row["code"]) == ("11111111-x", 486)
    assert ask(config, "--format", "csv") == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert {row["id"]: row["code"] for row in rows} == {"11111111-x": "486", "22222222-x": ""}


def test_no_table_calculator_or_terminal_runs_what_a_phone_calls_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = ToldDesk(tmp_path)
    numbers = {"transferee": "=cmd|' /C calc'!A0", "transferor": "+4930123", "target": "-1+2"}
    reason = "a;=1+1\r=2\x1b[2J"
    desk.transfer("u", outcome="failed", code=500, reason=reason, numbers={"target": "＝1"})
    desk.transfer("t", outcome="failed", code=500, reason="@x", numbers=numbers)
    path = tmp_path / "fsctl.toml"
    path.write_text(f'[records]\nfolder = "{tmp_path}"\n')
    assert ask(path, "--format", "csv") == 0
    text = capsys.readouterr().out
    assert r'"a;=1+1\r=2\x1b[2J"' in text and '"\'＝1"' in text
    (row, _) = csv.DictReader(text.split("\n"))
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


@contextmanager
def in_zone(name: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TZ", name)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--since", "noon"], "'noon' is no time: as"),
        (["--since", "25:61"], "is no time"),
        (["--until", "9999-12-31T23:59"], "is no time"),  # west of Greenwich that is no date
        (["--limit", "0"], "must be 1..100000"),
        (["--limit", "many"], "must be 1..100000"),
        (["--outcome", "x"], "'x'"),
    ],
)
def test_what_is_not_understood(
    config: Path,
    asked: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with in_zone("America/Los_Angeles"), pytest.raises(SystemExit) as ended:
        ask(config, *asked)
    assert ended.value.code == 2 and said in capsys.readouterr().err


def test_a_time_of_day_is_that_of_its_own_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the afternoon of the day on which summer time has ended, half past one was before it."""

    class Afternoon(datetime):
        @classmethod
        def now(cls, zone=None):  # type: ignore[no-untyped-def]
            return cls(2026, 10, 25, 15, 0, tzinfo=UTC)

    monkeypatch.setattr(records, "datetime", Afternoon)
    with in_zone("Europe/Berlin"):
        found = [records._moment(text) for text in ("01:30", "16:30", "12h")]
    assert [each.strftime("%d %H:%M") for each in found] == ["24 23:30", "25 15:30", "25 03:00"]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_narrow_terminal_cuts_nothing_off(
    config: Path, width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    assert ask(config, "--outcome", "failed") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert all(
        each in told for each in ("11111111", "1001", "2000", "failed", "Gone\\x1b]0;fishing")
    )


def test_a_moment_is_written_alike_by_each_command(
    tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = store.open_engine(f"sqlite:///{tmp_path}/records.sqlite")
    entry = Entry("1-9-1", 10, "record", AT + 0.1239, {"id": "33333333-x", "outcome": "failed"})
    store.keep(engine, [entry], news=True)
    (tmp_path / "secret").write_text(f"whsec_{'A' * 43}=")
    news = '[news]\nurl = "https://crm.example.com/"\nsecret_file = "secret"\n'
    config.write_text(config.read_text() + news)
    for command in ("records", "news"):
        assert main([command, "--config", str(config)]) == 0
        assert ":00.123  " in capsys.readouterr().out
        assert main([command, "--json", "--config", str(config)]) == 0
        assert "2027-01-15T08:00:00.123+00:00" in capsys.readouterr().out


def test_what_was_only_observed_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    desk, path = ToldDesk(tmp_path), tmp_path / "fsctl.toml"
    refused = {"would": "refuse", "code": 403, "reason": "No", "why": "rule abroad: +44"}
    called = {"would": "connect", "number": "1002", "route": "inside", "caller_id": "2000"}
    # Nobody was called for it: the number is the one that was asked for.
    desk.transfer("0-x", outcome="failed", code=403, reason="No", rule="r", allowed=False)
    web = {"host": "crm.example.com", "ms": 12, "status": 200, "decision": "connect"}
    desk.transfer("1-x", outcome="succeeded", code=200, shadow=refused, start="keys")
    desk.transfer("2-x", outcome="succeeded", code=200, shadow=called, exchange=web)
    path.write_text(f'[records]\nfolder = "{tmp_path}"\n')
    assert ask(path) == 0
    assert capsys.readouterr().out.count(" 1002 ") == 3
    assert ask(path, "1-x") == 0
    told = capsys.readouterr().out
    assert "would have  refused it with 403 No (rule abroad: +44)" in told and "by    keys" in told
    assert ask(path, "2-x") == 0
    told = capsys.readouterr().out
    assert "would have  called 1002 by route inside, as 2000" in told
    assert "web service crm.example.com, 12 ms, HTTP 200: connect" in told


def test_what_is_no_text_is_refused(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(config, "--number", os.fsdecode(b"\xff")) == 2
    assert "no UTF-8" in capsys.readouterr().err


def test_nobody_has_to_be_there_to_read(config: Path) -> None:
    command = f'exec "$0" -m fsctl records --config "{config}" >&-'
    done = subprocess.run(["sh", "-c", command, sys.executable], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


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
