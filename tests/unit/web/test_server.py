"""The server: what becomes of connections that do not move."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.unit.service.supervised import wait_for
from tests.unit.web.desk import ToldDesk
from tests.unit.web.served import Served

STREAM = b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr("fsctl.web.server._IDLE_S", 0.2)
    served = Served(tmp_path, "")
    yield served
    served.stop()


def connected(served: Served, says: bytes) -> socket.socket:
    parts = urlsplit(served.address)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(20.0)
    sock.connect((parts.hostname, parts.port))
    sock.sendall(says)
    return sock


@pytest.mark.parametrize("says", [b"", b"GET /healthz HTTP/1.1\r\n", STREAM[:20]])
def test_who_says_nothing_more_is_not_waited_for(served: Served, says: bytes) -> None:
    with connected(served, says) as sock:
        while sock.recv(4096):
            pass


def test_who_does_not_read_its_stream_is_not_waited_for(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("fsctl.web.streams.MOST_STREAMS", 1)

    def is_listened_to(desk: ToldDesk) -> bool:
        (streams,) = desk.live.listeners
        return bool(getattr(streams, "full"))  # noqa: B009

    def much_happens(desk: ToldDesk) -> None:
        for _ in range(400):
            desk.note("worker", pid=1, text="x" * 50_000)

    with connected(served, STREAM) as sock:
        assert sock.recv(5)
        assert served.do(is_listened_to)
        served.do(much_happens)
        wait_for(lambda: not served.do(is_listened_to), "the stream has ended")
    assert not caplog.records


def test_what_is_no_http_is_logged_seldom(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        with connected(served, b"\x16\x03\x01\r\n\r\n") as sock:
            while sock.recv(4096):
                pass
    assert caplog.records
    assert {getattr(record, "seldom", "") for record in caplog.records} == {"http"}


def test_half_requests_leave_room_for_whole_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fsctl.web.server._MOST_CONNECTIONS", 12)
    served = Served(tmp_path, "")
    body = b"POST /api/v1/drain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n{"
    with ExitStack() as open_ones:
        stream = open_ones.enter_context(connected(served, STREAM))
        assert stream.recv(5)
        for says in (b"GET / HTTP/1.1\r\nHost: local", b"G", b"", body) * 6:
            open_ones.enter_context(connected(served, says))
        with connected(served, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n") as sock:
            assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")
        served.do(lambda desk: desk.note("worker", pid=1))
        wait_for(lambda: b"event: worker" in stream.recv(4096), "who is answered is left alone")
    served.stop()
