"""What is noted lies in files until it has been read, whatever becomes of whoever writes."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fsctl import journal

MB = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "state" / "journal"
    journal.end()


def read_all(folder: Path) -> list[journal.Entry]:
    return [
        entry for file in journal.files(folder) for entry in journal.read(folder, file, 0, 64 * MB)
    ]


def test_nothing_is_noted_where_nobody_keeps_it(folder: Path) -> None:
    journal.note("leg", number="1001")
    assert not journal.is_kept() and journal.files(folder) == []


def test_what_is_noted_can_be_read_in_its_order(folder: Path) -> None:
    journal.begin(folder, MB)
    for number in range(1000):
        journal.note("leg", number=number, name="é\n\u2028")
    journal.end()
    entries = read_all(folder)
    assert [entry.fields["number"] for entry in entries] == list(range(1000))
    assert {entry.what for entry in entries} == {"leg"}
    assert entries[0].fields["name"] == "é\n\u2028" and entries[0].at <= entries[-1].at
    assert folder.stat().st_mode & 0o007 == 0
    assert {(folder / file).stat().st_mode & 0o007 for file in journal.files(folder)} == {0}


def test_it_is_read_on_from_where_it_was_left(folder: Path) -> None:
    journal.begin(folder, MB)
    for number in range(20):
        journal.note("leg", number=number, text="x" * 100)
    journal.end()
    (file,) = journal.files(folder)
    end, numbers = 0, []
    while entries := journal.read(folder, file, end, 250):
        numbers += [entry.fields["number"] for entry in entries]
        end = entries[-1].end
    assert numbers == list(range(20))


def test_a_line_longer_than_is_read_at_once_is_read(folder: Path) -> None:
    journal.begin(folder, MB)
    journal.note("leg", text="x" * 10_000)
    journal.end()
    (file,) = journal.files(folder)
    (entry,) = journal.read(folder, file, 0, 100)
    assert len(entry.fields["text"]) == 10_000


def test_a_full_file_is_followed_by_another(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "FILE_BYTES", 5000)
    journal.begin(folder, MB)
    for number in range(300):
        journal.note("leg", number=number, text="x" * (number % 7) * 900)
    journal.end()
    files = journal.files(folder)
    assert len(files) > 5
    for file in files:  # no line is divided
        assert (folder / file).read_bytes().endswith(b"\n")
    assert [entry.fields["number"] for entry in read_all(folder)] == list(range(300))


def test_only_what_nobody_writes_to_any_more_is_removed(folder: Path) -> None:
    journal.begin(folder, MB)
    journal.note("leg")
    wait_for(lambda: bool(read_all(folder)))
    (entry,) = read_all(folder)
    assert not journal.remove_read(folder, entry.file, entry.end)
    journal.end()
    assert not journal.remove_read(folder, entry.file, 0)  # it has not been read
    assert journal.remove_read(folder, entry.file, entry.end)
    assert journal.files(folder) == []


def test_a_new_file_that_was_taken_for_one_left_behind_costs_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader comes between the moment in which a file is there and that of its lock."""
    lock, removed = fcntl.flock, []

    def late(descriptor: int, operation: int) -> None:
        if operation == fcntl.LOCK_SH and not removed:
            (file,) = journal.files(folder)
            removed.append(journal.remove_read(folder, file, 0))
        lock(descriptor, operation)

    monkeypatch.setattr("fsctl.journal.fcntl.flock", late)
    monkeypatch.setattr("fsctl.log_writer.RETRY_S", 0.01)
    journal.begin(folder, MB)
    journal.note("leg", number=1)
    wait_for(lambda: bool(read_all(folder)))
    assert removed == [True] and [entry.fields["number"] for entry in read_all(folder)] == [1]


def test_a_process_that_is_killed_has_left_what_it_noted(folder: Path) -> None:
    """A line that it had begun is no entry, and goes with the file."""
    program = (
        "import sys, time; from pathlib import Path; from fsctl import journal\n"
        f"journal.begin(Path({str(folder)!r}), 1 << 20)\n"
        "for number in range(50): journal.note('leg', number=number)\n"
        "time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", program])
    try:
        wait_for(lambda: len(read_all(folder)) == 50)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    (file,) = journal.files(folder)
    with (folder / file).open("ab") as opened:
        opened.write(b'{"what": "leg", "at"')
    entries = read_all(folder)
    assert len(entries) == 50
    assert journal.remove_read(folder, file, entries[-1].end)


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"{", b"[]", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"at": 1}', b'{"what": "leg"}'),
        *(b'{"what": "leg", "at": 1e99}', b'{"what": "leg", "at": NaN}'),
    ],
    ids=lambda line: repr(line[:30]),
)
def test_a_damaged_line_costs_no_other(folder: Path, line: bytes) -> None:
    folder.mkdir(parents=True)
    good = json.dumps({"what": "leg", "at": 1.0, "n": 1}).encode()
    name = "1800000000000000000-1-000001.jsonl"
    (folder / name).write_bytes(good + b"\n" + line + b"\n" + good + b"\n")
    (folder / "stranger.jsonl").write_bytes(good)
    assert [entry.what for entry in read_all(folder)] == ["leg", "damaged", "leg"]


def test_a_disk_that_is_full_is_waited_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    room = threading.Event()
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if not room.is_set():
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data)

    monkeypatch.setattr("fsctl.log_writer.RETRY_S", 0.01)
    monkeypatch.setattr(journal.os, "write", full)
    journal.begin(folder, MB)
    for number in range(10):
        journal.note("leg", number=number)
    wait_for(lambda: "wait in memory: No space left on device" in caplog.text)
    assert read_all(folder) == []
    room.set()
    wait_for(lambda: len(read_all(folder)) == 10)


def test_above_the_bound_it_is_counted_and_the_count_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody reads: what lies there and what waits in memory are bounded, and all else goes on."""
    monkeypatch.setattr("fsctl.log_writer.RETRY_S", 0.01)
    monkeypatch.setattr(journal, "FILE_BYTES", 1000)
    monkeypatch.setattr(journal, "WAITING_BYTES", 20_000)
    journal.begin(folder, 10_000)
    for number in range(2000):
        journal.note("leg", number=number, text="x" * 100)
    wait_for(lambda: sum((folder / file).stat().st_size for file in journal.files(folder)) > 9000)
    kept: list[journal.Entry] = []

    def drained() -> bool:
        for file in journal.files(folder):
            entries = journal.read(folder, file, 0, MB)
            if entries and journal.remove_read(folder, file, entries[-1].end):
                kept.extend(entries)
        journal.note("end")
        return bool(kept) and kept[-1].what == "end"

    wait_for(drained)
    lost = sum(entry.fields["lines"] for entry in kept if entry.what == "lost")
    legs = [entry for entry in kept if entry.what == "leg"]
    assert lost and 100 < len(legs) < 1000
    assert len(legs) + lost >= 2000


def test_without_a_place_to_write_to_all_else_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    journal.begin_or_say(tmp_path / "file" / "journal", MB)
    assert "there are no records" in caplog.text
    journal.note("leg")


def wait_for(condition: Callable[[], bool]) -> None:
    waited = threading.Event()
    for _ in range(3000):
        if condition():
            return
        waited.wait(0.01)
    raise AssertionError("it has not come to pass")


def test_it_is_known_whether_there_is_room(tmp_path: Path) -> None:
    journal.begin(tmp_path / "journal", 1 << 20)
    journal.note("step")
    journal.end()
    (file,) = journal.files(tmp_path / "journal")
    assert journal.why_not_written(tmp_path / "journal", 1 << 20) == ""
    assert "nobody has read" in journal.why_not_written(tmp_path / "journal", 10)
    assert "No such file" in journal.why_not_written(tmp_path / "gone", 1 << 20)
    assert journal.files(tmp_path / "journal") == [file], "it leaves nothing"
