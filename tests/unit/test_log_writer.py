"""The thread that writes the log: nobody waits for a reader, and what is missing is counted."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from fsctl import log_writer
from fsctl.log_writer import LogWriter

LIMIT_S = 20.0


def gap(count: int) -> bytes:
    return b"(%d missing)\n" % count


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def until_end(descriptor: int) -> bytes:
    read = b""
    while chunk := os.read(descriptor, 65536):
        read += chunk
    return read


@pytest.mark.parametrize("left_nonblocking", [False, True], ids=["blocking", "non-blocking"])
def test_nobody_waits_for_a_reader_and_what_is_missing_is_said_where(left_nonblocking) -> None:
    reader, writer = os.pipe()
    # Full from the start: the thread writes nothing meanwhile, whoever else needs the machine.
    os.write(writer, b"\n" * fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ))
    os.set_blocking(writer, not left_nonblocking)  # as another process may have left it
    log = LogWriter(writer, gap, limit_bytes=20_000)
    lines = [b"%05d %s\n" % (number, b"x" * 90) for number in range(3000)]
    for line in lines:
        log.put(line)
    got: list[bytes] = []
    reading = threading.Thread(target=lambda: got.append(until_end(reader)))
    reading.start()
    wait_for(lambda: log._size == 0)
    log.put(b"afterwards\n")
    assert log.close()
    assert os.get_blocking(writer) is not left_nonblocking, "it is not ours alone"
    os.close(writer)
    reading.join(LIMIT_S)
    os.close(reader)
    fit = 20_000 // len(lines[0])
    expected = [*lines[:fit], gap(3000 - fit), b"afterwards\n"]
    assert got[0].lstrip(b"\n").splitlines(keepends=True) == expected


def test_a_gap_is_said_though_nothing_more_is_logged() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"\n" * fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ))
    log = LogWriter(writer, gap, limit_bytes=1000)
    for _ in range(1000):
        log.put(b"x" * 99 + b"\n")
    read = b""
    while b"missing" not in read:
        read += os.read(reader, 4096)
    assert read.lstrip(b"\n") == (b"x" * 99 + b"\n") * 10 + gap(990)
    assert log.close()


@pytest.mark.parametrize("where", ["full disk", "no reader", "stalled reader"])
def test_the_end_waits_for_nobody_who_takes_nothing(where, monkeypatch) -> None:
    monkeypatch.setattr(log_writer, "STALLED_S", 0.05)
    monkeypatch.setattr(log_writer, "RETRY_S", 0.01)
    reader, writer = os.pipe()
    if where == "full disk":
        writer = os.open("/dev/full", os.O_WRONLY)
    elif where == "no reader":
        os.close(reader)
    told: list[OSError] = []
    log = LogWriter(writer, gap, told.append)
    for _ in range(2000):
        log.put(b"x" * 99 + b"\n")
    if where != "stalled reader":
        wait_for(lambda: told)
    began = time.monotonic()
    assert not log.close()
    assert time.monotonic() - began < log_writer.AT_MOST_S
    assert len(told) == (where != "stalled reader"), "an outage is told once"


def test_it_goes_on_when_it_can_write_again(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(log_writer, "RETRY_S", 0.01)
    path = tmp_path / "log"
    descriptor = os.open("/dev/full", os.O_WRONLY)
    told: list[OSError] = []
    log = LogWriter(descriptor, gap, told.append)
    log.put(b"one\n")
    log.put(b"two\n")
    wait_for(lambda: told)
    there = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.dup2(there, descriptor)
    wait_for(lambda: path.read_bytes() == b"one\ntwo\n")
    assert log.close()


def test_a_line_waits_for_others_unless_it_is_to_be_written_at_once(monkeypatch) -> None:
    monkeypatch.setattr(log_writer, "LINGER_S", 3600.0)
    reader, writer = os.pipe()
    log = LogWriter(writer, gap)
    log.put(b"one\n")
    wait_for(lambda: log._rests)
    log.put(b"two\n")
    wait_for(lambda: not log._rests)
    log.put(b"three\n", at_once=True)
    wait_for(lambda: log._size == 0 and log._rests)
    log.put(b"four\n")
    assert log.close()
    os.close(writer)
    assert until_end(reader) == b"one\ntwo\nthree\nfour\n"
    os.close(reader)


def test_lines_do_not_wait_for_others_when_many_wait_already(monkeypatch) -> None:
    monkeypatch.setattr(log_writer, "LINGER_S", 3600.0)
    reader, writer = os.pipe()
    log = LogWriter(writer, gap, limit_bytes=800)
    log.put(b"one\n")
    wait_for(lambda: log._rests)
    log.put(b"two\n")
    wait_for(lambda: not log._rests)
    log.put(b"3" * 99 + b"\n")
    wait_for(lambda: log._size == 0 and log._rests)
    assert log.close()
    os.close(writer)
    os.close(reader)


_WRITES_LONG_LINES = """
import sys
from fsctl.log_writer import LogWriter
log = LogWriter(2, lambda count: b"")
for _ in range(20):
    log.put(sys.argv[1].encode() * 9000 + b"\\n")
print("all are put", flush=True)
log.close()
"""


def test_long_lines_of_several_processes_are_not_torn() -> None:
    reader, writer = os.pipe()
    command = [sys.executable, "-c", _WRITES_LONG_LINES]
    started = [
        subprocess.Popen([*command, letter], stderr=writer, stdout=subprocess.PIPE)
        for letter in "abc"
    ]
    os.close(writer)
    for process in started:
        assert process.stdout is not None and process.stdout.readline()
    read = b""
    while chunk := os.read(reader, 1024):  # all of them wait for room at every moment
        read += chunk
    os.close(reader)
    assert [process.wait(LIMIT_S) for process in started] == [0, 0, 0]
    for process in started:
        process.communicate()
    assert sorted(read.splitlines()) == [
        letter * 9000 for letter in (b"a", b"b", b"c") for _ in range(20)
    ]
