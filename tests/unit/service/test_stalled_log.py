"""``fsctl serve`` and its log, with real processes: whoever reads it, or does not, calls go on."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.unit.service.supervised import (
    LIMIT_S,
    dial,
    gone,
    is_served,
    supervised,
    wait_for,
)

CHILDREN = "/proc/{0}/task/{0}/children"
BRIEFLY = """
import sys
from fsctl import log_writer
from fsctl.cli import main
log_writer.STALLED_S = 0.1
sys.exit(main())
"""
FSCTL = [sys.executable, "-c", BRIEFLY]
"""In the end it waits less for who reads nothing."""


def full_pipe() -> tuple[int, int]:
    """Reader and writer of a pipe that takes nothing more; both blocking."""
    reader, writer = os.pipe()
    _fill(writer)
    return reader, writer


def _fill(writer: int) -> None:
    os.set_blocking(writer, False)
    for size in (4096, 1):
        with suppress(BlockingIOError):
            while True:
                os.write(writer, b"\n" * size)
    os.set_blocking(writer, True)


def make_stderr(kind: str) -> tuple[int | None, int | None]:
    """What is kept open, and a descriptor of this kind that nobody reads; None: a closed one."""
    if kind == "pipe":
        return full_pipe()
    if kind == "no reader":
        reader, writer = os.pipe()
        os.close(reader)
        return None, writer
    if kind == "full disk":
        return None, os.open("/dev/full", os.O_WRONLY)
    if kind in ("terminal", "socket"):
        ours, theirs = pty.openpty() if kind == "terminal" else _sockets()
        _fill(theirs)
        return ours, theirs
    return None, None


def _sockets() -> tuple[int, int]:
    ours, theirs = socket.socketpair()
    return ours.detach(), theirs.detach()


class Serving:
    """``fsctl serve`` at a port that was free, with this standard error."""

    def __init__(self, folder: Path, stderr: int | None, server: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as found:
            self.port = found.getsockname()[1]
        config = folder / "fsctl.toml"
        config.write_text(f'[server]\nlisten = "127.0.0.1:{self.port}"\n{server}\n')
        command = [*FSCTL, "serve", "--config", str(config)]
        told = str(folder / "notify")
        self._told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._told.bind(told)
        self._told.settimeout(LIMIT_S)
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=os.environ | {"NOTIFY_SOCKET": told},
            preexec_fn=None if stderr is not None else lambda: os.close(2),
            start_new_session=True,
        )

    def wait_ready(self) -> None:
        """Wait until it says by systemd's protocol that all of it accept calls."""
        assert self._told.recv(64) == b"READY=1"
        self._told.close()

    @property
    def children(self) -> list[int]:
        return [int(n) for n in Path(CHILDREN.format(self.process.pid)).read_text().split()]


@pytest.fixture
def serve(tmp_path) -> Iterator[object]:
    running: list[Serving] = []

    def begin(stderr: int | None, server: str = "") -> Serving:
        running.append(Serving(tmp_path, stderr, server))
        running[-1].wait_ready()
        return running[-1]

    yield begin
    for each in running:
        with suppress(ProcessLookupError):
            os.killpg(each.process.pid, signal.SIGKILL)
        each.process.wait()
        each.process.stdout.close()


@pytest.mark.parametrize("kind", ["pipe", "no reader", "full disk", "terminal", "socket", "closed"])
def test_it_serves_and_ends_whatever_becomes_of_its_log(serve, kind) -> None:
    kept, descriptor = make_stderr(kind)
    served = serve(descriptor, 'workers = 1\nlog_level = "debug"\ndrain_timeout_s = 0.1')
    links = [dial(served.port) for _ in range(5)]
    assert all(is_served(link) for link in links)
    if descriptor is not None:
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        assert not flags & os.O_NONBLOCK, "others share the description"
    for link in links:
        link.close()
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(LIMIT_S) == 0
    for each in (kept, descriptor):
        if each is not None:
            os.close(each)


def test_workers_are_watched_and_ended_while_nobody_reads_the_log(serve) -> None:
    reader, writer = full_pipe()
    settings = 'workers = 2\nhang_timeout_s = 1\nlog_format = "json"\ndrain_timeout_s = 0.1'
    served = serve(writer, settings)
    assert is_served(dial(served.port))
    frozen = served.children[0]
    os.kill(frozen, signal.SIGSTOP)
    wait_for(lambda: gone(frozen), "it is killed")
    wait_for(lambda: len(served.children) == 2 and frozen not in served.children, "replaced")
    assert is_served(dial(served.port))
    os.close(writer)
    served.process.send_signal(signal.SIGTERM)
    with open(reader, "rb") as lines:
        entries = [json.loads(line) for line in lines.read().split(b"\n") if line]
    assert served.process.wait(LIMIT_S) == 0
    said = [entry["message"] for entry in entries]
    assert any(f"(pid {frozen}) has been silent" in message for message in said)
    assert any(f"(pid {frozen}) ended with status -9" in message for message in said)
    assert said.count(f"listening on 127.0.0.1:{served.port}") == 1


@pytest.mark.parametrize(
    ("kind", "form"),
    [("full disk", "json"), ("closed", "text"), ("closed", "json"), ("pipe", "text")],
)
def test_what_prevents_its_start_is_said_where_it_can_be(tmp_path, kind, form) -> None:
    kept, descriptor = make_stderr(kind)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "{}:{}".format(*taken.getsockname())
        config = tmp_path / "fsctl.toml"
        config.write_text(f'[server]\nlisten = "{address}"\nworkers = 1\nlog_format = "{form}"\n')
        process = subprocess.Popen(
            [*FSCTL, "serve", "--config", str(config)],
            stdout=subprocess.PIPE,
            stderr=descriptor,
            preexec_fn=None if descriptor is not None else lambda: os.close(2),
        )
        said = process.communicate(timeout=LIMIT_S)[0].decode()
    assert process.returncode == 2
    message = f"[Errno 98] Address already in use: '{address}'"
    assert (json.loads(said)["message"] if form == "json" else said) in (
        message,
        f"fsctl: {message}\n",
    )
    for each in (kept, descriptor):
        if each is not None:
            os.close(each)


_NOISY = """
import logging, sys, threading, warnings
import gevent
from fsctl.scenario import Scenario
scenario = Scenario()
print("printed")
print("on", "stderr", file=sys.stderr)
warnings.warn("warned")
logging.getLogger("mine").info("logged")
gevent.spawn(lambda: 1 / 0)
threading.Thread(target=lambda: [][0]).start()
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_every_line_is_json(tmp_path, workers) -> None:
    settings = 'log_format = "json"\ndrain_timeout_s = 0.1'
    with supervised(tmp_path, server=settings, scenario=_NOISY, workers=workers) as served:
        served.wait_log('"message": "listening on')
        served.wait_log("ZeroDivisionError", workers)
        served.signal(signal.SIGTERM)
        assert served.wait() == 0
        entries = [json.loads(line) for line in served.log().splitlines()]
    said = [entry["message"] for entry in entries]
    for line in ("printed", "on stderr", "logged"):
        assert said.count(line) == workers
    assert sum("UserWarning: warned" in line for line in said) == workers
    for error in ("ZeroDivisionError", "IndexError"):
        traces = [each["traceback"] for each in entries if error in each.get("traceback", "")]
        assert len(traces) == workers and all("Traceback" in each for each in traces)


def test_strangers_cost_a_line_and_then_a_count(tmp_path) -> None:
    with supervised(tmp_path, server="drain_timeout_s = 0.1", workers=1) as served:
        port = served.port
        replies = [b"", b"GET / HTTP/1.1\r\n\r\n", b"Content-Type: command/reply\n\n"] * 20
        for reply in replies:
            link = dial(port)
            assert is_served(link)
            with suppress(ConnectionError), link:
                link.sendall(reply)
                link.shutdown(socket.SHUT_WR)
                while link.recv(4096):
                    pass
        served.signal(signal.SIGTERM)
        assert served.wait() == 0
        told = [line for line in served.log().splitlines() if "handshake" in line]
    assert len(told) == 2, told
    assert "no switch has opened: 59 more, the last: [127.0.0.1:" in told[1]
    assert "Traceback" not in served.log()
