"""The commands that ask a desk that runs: over real HTTP, what it is told and shows."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gevent.server import StreamServer
from gevent.threadpool import ThreadPool

from fsctl.cli import main
from fsctl.settings import Http
from fsctl.web.server import serve
from tests.unit.web.desk import A, ToldDesk

TOKEN = "0123456789abcdef"

Run = Callable[..., int]


@pytest.fixture
def desk(tmp_path: Path) -> ToldDesk:
    return ToldDesk(tmp_path)


@pytest.fixture
def run(desk: ToldDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run a command against the desk; returns its status."""
    said: list[str] = []
    monkeypatch.setattr("fsctl.web.server.say", said.append)
    end = serve(desk, Http(listen="127.0.0.1:0", token=TOKEN))
    port = said[0].rpartition(":")[2].rstrip("/")
    config = tmp_path / "fsctl.toml"
    config.write_text(f'[http]\nlisten = "127.0.0.1:{port}"\ntoken = "{TOKEN}"\n')
    config.chmod(0o600)
    pool = ThreadPool(1)  # the desk answers in this thread meanwhile

    def command(*arguments: str) -> int:
        status: int = pool.apply(main, ([*arguments, "--config", str(config)],))
        return status

    yield command
    pool.kill()
    end()


def test_calls(desk: ToldDesk, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("calls") == 0
    assert "no calls" in capsys.readouterr().err
    desk.call(number="20\x1b[31m00")
    assert run("calls") == 0
    told = capsys.readouterr().out
    assert "20\\x1b[31m00" in told and "1001" in told and A in told
    assert run("calls", "--number", "1001", "--json") == 0
    assert json.loads(capsys.readouterr().out)["total"] == 1


def test_transfers(desk: ToldDesk, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    desk.call()
    desk.transfer("11111111-x")
    desk.transfer("22222222-x", outcome="failed", code=486, reason="Gone fishing")
    assert run("transfers") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "failed 486 Gone fishing" in lines[1] and "22222222" in lines[1]
    assert "calling target" in lines[2] and "1001" in lines[2]


def test_status(desk: ToldDesk, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    desk.note("worker", number=1, pid=7, sessions=3, links=6, late_ms=1.6, switches={"pbx": True})
    assert run("status") == 0
    told = capsys.readouterr().out
    assert "0 calls, 0 transfers" in told and "pbx" in told
    desk.wrong.append("the database cannot be used: records wait")
    assert run("status") == 1
    assert desk.wrong[0] in capsys.readouterr().err
    assert run("status", "--json") == 1


def test_what_can_be_done(desk: ToldDesk, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    desk.call()
    assert run("hangup", A) == run("log-level", "debug") == run("drain") == 0
    assert desk.done == [("hang up", "pbx", A), ("log level", "debug"), ("drain",)]
    with pytest.raises(SystemExit) as ended:
        run("hangup", "../../drain")
    assert ended.value.code == 2 and len(desk.done) == 3
    assert "'../../drain' is no uuid of a channel" in capsys.readouterr().err


def test_counts(desk: ToldDesk, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("policy", "counts") == 0
    assert "nobody has asked lately" in capsys.readouterr().err
    desk.counts.add("1001@pbx")
    assert run("policy", "counts") == 0
    assert capsys.readouterr().out.split()[-2:] == ["1001@pbx", "1"]
    assert run("policy", "counts", "--reset", "1001@pbx") == 0 and not desk.counts.listed()
    assert run("policy", "counts", "--reset", "1001@pbx") == 2


def test_without_a_token_nothing_is_asked(
    desk: ToldDesk, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "fsctl.toml"
    config.write_text(config.read_text().replace(f'token = "{TOKEN}"', ""))
    assert run("drain") == 2
    assert "token_file" in capsys.readouterr().err and not desk.done


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('[http]\nlisten = ""', "[http] listen is empty"),
        ('[http]\nlisten = "127.0.0.1:1"', "no desk answers at http://127.0.0.1:1"),
    ],
)
def test_where_no_desk_is(
    tmp_path: Path, text: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "fsctl.toml"
    config.write_text(text)
    assert main(["status", "--config", str(config)]) == 2
    assert why in capsys.readouterr().err


@pytest.mark.parametrize(
    "says",
    [
        b"connect\n\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<ht>",
        b"HTTP/1.1 999 \xff\r\n\r\n",
        b"",
    ],
)
@pytest.mark.parametrize("command", ["calls", "transfers", "status"])
def test_where_somebody_else_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, says: bytes
) -> None:
    """Say fsctl's own port for calls."""

    def answer(peer: socket.socket, _: object) -> None:
        peer.recv(4096)
        peer.sendall(says)
        peer.close()

    server = StreamServer(("127.0.0.1", 0), answer)
    server.start()
    config = tmp_path / "fsctl.toml"
    config.write_text(f'[http]\nlisten = "127.0.0.1:{server.server_port}"\n')
    pool = ThreadPool(1)
    assert pool.apply(main, ([command, "--config", str(config)],)) == 2
    pool.kill()
    server.stop()
    assert capsys.readouterr().err.startswith("fsctl: ")
