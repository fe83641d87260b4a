"""What the desk says of the whole controller."""

from __future__ import annotations

import errno
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, cast

import gevent
import pytest
from sqlalchemy import func, select

from fsctl import journal
from fsctl.journal import Entry
from fsctl.policy.counts import Counts
from fsctl.records.schema import CALLS
from fsctl.service import desk_main, desk_process
from fsctl.service.desk_main import Desk
from fsctl.service.shared import make_shared
from fsctl.settings import Http, Records, Settings, Switch


def test_it_is_ready_once_a_worker_is_connected(tmp_path: Path) -> None:
    settings = Settings(records=Records(folder=tmp_path), switches=(Switch(name="pbx"),))
    desk = Desk(settings, cast(Any, None), Counts())

    def tells(connected: bool) -> list[str]:
        fields = {"pid": 7, "number": 1, "switches": {"pbx": connected}}
        desk.live.take(Entry("1-7-1", 1, "worker", time.time(), fields))
        return desk.problems()

    assert desk.problems() == ["no worker has said lately that it lives"]
    assert tells(False) == ["no worker is connected to pbx"]
    assert tells(True) == []
    for ago, problems in ((0, ["9 records were lost: there was no room"]), (3600, [])):
        desk.live.lost = 0
        said = {"lines": 9, "clock": time.monotonic() - ago}
        desk.live.take(Entry("1-7-1", 1, "lost", time.time(), said))
        assert desk.problems() == problems


def test_an_entry_that_is_wrong_costs_no_other(tmp_path: Path) -> None:
    """It is damaged, and JSON all the same."""
    desk = Desk(Settings(records=Records(folder=tmp_path)), cast(Any, None), Counts())
    journal.begin(tmp_path / "journal", 1 << 20)
    journal.note("session", session="s-1", switch="pbx")
    journal.note("leg", session="s-1", began=["not a time"])
    journal.note("session", session="s-2", switch="pbx")
    journal.end()
    desk._look()
    assert list(desk.live.calls) == ["s-1", "s-2"]


def test_one_that_cannot_be_started_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The system has no memory for it, or no process, just then."""
    popen, started = subprocess.Popen, list[str]()

    def start(program: list[str], **others: Any) -> subprocess.Popen[bytes]:
        started.append("started" if len(started) % 2 else "not")
        if started[-1] == "not":
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        lives = "0" if len(started) < 4 else "60"
        return popen(["sleep", lives], **others)

    monkeypatch.setattr(desk_process.subprocess, "Popen", start)
    monkeypatch.setattr(desk_process, "_NOT_STARTED_S", 0.01)
    monkeypatch.setattr(desk_process, "LEAVES_S", 0.0)
    desk = desk_process.DeskProcess(
        Settings(), make_shared(), lambda failures: 0.0, lambda wish: None
    )
    with gevent.Timeout(30.0):
        while len(started) < 4:
            gevent.sleep(0.005)
    desk.stop()
    assert started == ["not", "started"] * 2, "the first time, too: a reload goes on without it"
    assert caplog.text.count("temporarily unavailable") == 2


def test_another_folder_after_a_reload_loses_nothing(tmp_path: Path) -> None:
    """Workers that drain write to the one that was: the desk looks there as well."""
    old, new = Records(folder=tmp_path / "old"), Records(folder=tmp_path / "new")
    settings = Settings(records=new)
    desk = Desk(settings, cast(Any, None), Counts(), (old.journal,))
    desk.live.take(Entry("1-7-1", 1, "worker", time.time(), {"pid": 7}))
    for number, folder in enumerate((old, new)):
        journal.begin(folder.journal, 1 << 20)
        journal.note("session", session=f"s-{number}", switch="pbx")
        journal.end()
    assert desk.keeping.waiting_bytes() > 0
    desk._look()
    assert sorted(desk.live.calls) == ["s-0", "s-1"]
    while desk.keeping.keep():
        pass
    with desk.keeping.reader().connect() as connection:
        assert connection.execute(select(func.count()).select_from(CALLS)).scalar() == 2
    assert desk.keeping.waiting_bytes() == 0 and not journal.files_of(desk.keeping.folders)


def test_a_port_that_is_anothers_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(desk_main, "_AGAIN_S", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as other:
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        settings = Settings(records=Records(folder=tmp_path), http=Http(listen=listen))
        desk = Desk(settings, cast(Any, None), Counts())
        serving = gevent.spawn(desk._serve)
        with gevent.Timeout(30.0):
            while "nothing is shown" not in caplog.text:
                gevent.sleep(0.005)
        assert not desk.live.listeners
    serving.join(30.0)
    assert serving.successful() and len(desk.live.listeners) == 1
    desk._end_serving()
    assert caplog.text.count("nothing is shown") == 1


def test_a_folder_that_is_gone_for_a_moment_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = list[int]()

    def files(folder: Path) -> list[str]:
        looks.append(1)
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(journal, "files", files)
    monkeypatch.setattr(desk_main, "LOOK_S", 0.001)
    desk = Desk(Settings(records=Records(folder=tmp_path)), cast(Any, None), Counts())
    watcher = gevent.spawn(desk._watch)
    with gevent.Timeout(30.0):
        while len(looks) < 3 and not watcher.ready():
            gevent.sleep(0.005)
    assert not watcher.ready()
    watcher.kill()
