"""fsctl.service.readiness: what systemd hears."""

from __future__ import annotations

import signal

import gevent
import pytest

from fsctl.service import readiness
from tests.unit.service.supervised import supervised


def test_states(heard) -> None:
    for tell, said in (
        (readiness.ready, "READY=1"),
        (readiness.stopping, "STOPPING=1"),
        (readiness.reloading, "RELOADING=1\nMONOTONIC_USEC="),
    ):
        tell()
        assert heard().startswith(said)


def test_watchdog_beats_twice_in_its_time(heard, monkeypatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    told, tell = [], readiness._tell
    monkeypatch.setattr(readiness, "_tell", lambda text: (told.append(text), tell(text)))
    beat = readiness.keep_watchdog()
    assert beat is not None
    with gevent.Timeout(30):
        while len(told) < 3:
            gevent.sleep(0.005)
    beat.kill()
    assert [heard() for _ in range(3)] == ["WATCHDOG=1"] * 3


@pytest.mark.parametrize("usec", ["", "0", "soon"])
def test_no_watchdog_is_wanted(monkeypatch, usec) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    assert readiness.keep_watchdog() is None


@pytest.mark.parametrize("path", [None, "", "relative", "/nowhere/at/all"])
def test_nobody_listens(monkeypatch, path) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if path is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", path)
    readiness.ready()


@pytest.mark.parametrize("heard", ["path"], indirect=True)
def test_a_service_tells_its_whole_life(heard, tmp_path) -> None:
    with supervised(tmp_path, workers=1) as served:
        assert heard() == "READY=1"
        assert served.port
        served.signal(signal.SIGTERM)
        assert heard() == "STOPPING=1"
        assert served.wait() == 0
