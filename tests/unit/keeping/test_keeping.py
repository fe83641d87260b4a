"""From the journal into the database: each thing once, whatever fails in between."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.util import CommandError
from sqlalchemy import Engine, event, func, select

from fsctl import journal
from fsctl.desk import keeping
from fsctl.desk.keeping import Keeping
from fsctl.records import store
from fsctl.records.schema import CALLS, STEPS
from fsctl.settings import Records
from tests.unit.keeping.conftest import Postgres


@pytest.fixture
def settings(tmp_path: Path, url: str) -> Iterator[Records]:
    made = Records(folder=tmp_path, database=url)
    journal.begin(made.journal, made.backlog_bytes)
    yield made
    journal.end()


def note_steps(first: int, last: int) -> None:
    """Steps are rows without a key: one that were kept twice would be two."""
    for number in range(first, last):
        journal.note("step", transfer="t-1", step=f"step {number}", state="s")


def kept(settings: Records) -> list[str]:
    engine = store.open_engine(settings.url)
    with engine.connect() as connection:
        rows = connection.execute(select(STEPS.c.what).order_by(STEPS.c.id)).all()
    engine.dispose()
    return [row.what for row in rows]


def expected(last: int) -> list[str]:
    return [f"step {number}" for number in range(last)]


def keep_all(desk: Keeping, settings: Records, last: int) -> None:
    """As the process does, without its pauses."""
    for _ in range(2000):
        while desk.keep():
            pass
        if not desk.failing and kept(settings) == expected(last):
            return
        time.sleep(0.005)
    raise AssertionError(f"kept: {kept(settings)}")


def test_what_is_noted_is_kept_and_its_file_goes(settings: Records) -> None:
    desk = Keeping(settings)
    note_steps(0, 100)
    keep_all(desk, settings, 100)
    note_steps(100, 200)
    keep_all(desk, settings, 200)
    assert len(journal.files(settings.journal)) == 1
    journal.end()
    keep_all(desk, settings, 200)
    assert journal.files(settings.journal) == []
    engine = store.open_engine(settings.url)
    assert store.places(engine) == {}
    engine.dispose()


def test_another_goes_on_where_one_was_killed(settings: Records) -> None:
    note_steps(0, 50)
    keep_all(Keeping(settings), settings, 50)
    note_steps(50, 60)
    journal.end()
    keep_all(Keeping(settings), settings, 60)


def test_an_answer_that_was_lost_has_nothing_kept_twice(
    settings: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database has kept it, and the connection broke before it said so."""
    monkeypatch.setattr(keeping, "FIRST_DELAY_S", 0.001)
    keep = store.keep

    def answer_lost(engine: Engine, entries: list[journal.Entry], *, news: bool) -> None:
        keep(engine, entries, news=news)
        monkeypatch.setattr(store, "keep", keep)
        raise OSError("connection reset")

    monkeypatch.setattr(store, "keep", answer_lost)
    note_steps(0, 20)
    keep_all(Keeping(settings), settings, 20)


def test_tables_of_a_newer_fsctl_are_waited_for(
    settings: Records, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(keeping, "FIRST_DELAY_S", 0.001)
    note_steps(0, 20)

    def version(engine: Engine) -> None:
        raise CommandError("Can't locate revision identified by 'v9999'")

    with monkeypatch.context() as newer:
        newer.setattr(store, "upgrade", version)
        desk = Keeping(settings)
        assert not desk.keep() and desk.failing and "v9999" in caplog.text
    keep_all(desk, settings, 20)


def test_a_file_that_cannot_be_read_holds_up_no_other(
    settings: Records, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As one of root's, to who serves as another user."""
    theirs = "1000000000000000000-1-000001.jsonl"
    (settings.journal / theirs).touch()
    read = journal.read

    def denied(folder: Path, file: str, start: int, most: int) -> list[journal.Entry]:
        if file == theirs:
            raise PermissionError(errno.EACCES, "Permission denied")
        return read(folder, file, start, most)

    monkeypatch.setattr(journal, "read", denied)
    note_steps(0, 20)
    keep_all(Keeping(settings), settings, 20)
    assert caplog.text.count(theirs) == 1


def test_what_the_database_never_takes_costs_no_other(
    settings: Records, caplog: pytest.LogCaptureFixture
) -> None:
    note_steps(0, 5)
    journal.note("leg", leg="a", outgoing={"not": "a flag"})
    note_steps(5, 9)
    journal.end()
    keep_all(Keeping(settings), settings, 9)
    assert "for good" in caplog.text


def test_a_full_disk_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(keeping, "FIRST_DELAY_S", 0.001)
    monkeypatch.setattr(keeping, "LAST_DELAY_S", 0.002)
    settings = Records(folder=tmp_path)
    journal.begin(settings.journal, settings.backlog_bytes)
    engine = store.open_engine(settings.url)
    store.upgrade(engine)
    engine.dispose()
    full = True
    opened = store.open_engine

    def small(url: str) -> Engine:
        engine = opened(url)

        def bound(connection, _) -> None:  # type: ignore[no-untyped-def]
            if full:
                pages = connection.execute("PRAGMA page_count").fetchone()[0]
                connection.execute(f"PRAGMA max_page_count={pages}")

        event.listen(engine, "connect", bound)
        return engine

    monkeypatch.setattr(store, "open_engine", small)
    desk = Keeping(settings)
    note_steps(0, 600)
    journal.end()
    for _ in range(20):
        desk.keep()
        time.sleep(0.002)
    assert desk.failing and caplog.text.count("the database cannot be used: database or disk") == 1
    assert journal.files(settings.journal)
    full = False
    keep_all(desk, settings, 600)


def test_a_database_that_is_down_loses_nothing(
    postgres: Postgres,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(keeping, "FIRST_DELAY_S", 0.001)
    monkeypatch.setattr(keeping, "LAST_DELAY_S", 0.002)
    settings = Records(folder=tmp_path, database=postgres.new_database())
    journal.begin(settings.journal, settings.backlog_bytes)
    desk = Keeping(settings)
    note_steps(0, 30)
    keep_all(desk, settings, 30)
    with postgres.down():
        note_steps(30, 60)
        for _ in range(2000):
            desk.keep()
            if desk.failing:  # what was noted is written in a moment
                break
            time.sleep(0.005)
        for _ in range(20):
            desk.keep()
            time.sleep(0.002)
        assert desk.failing and caplog.text.count("the database cannot be used") == 1
    journal.end()
    keep_all(desk, settings, 60)
    assert "records are kept again" in caplog.text


def test_what_is_old_is_deleted(settings: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    journal.note("session", session="young")
    now = time.time()
    monkeypatch.setattr(journal.time, "time", lambda: now - 100 * 86_400)
    journal.note("session", session="old")
    monkeypatch.undo()
    desk = Keeping(settings)
    journal.end()
    for _ in range(3):
        desk.keep()
    engine = store.open_engine(settings.url)
    with engine.connect() as connection:
        assert connection.execute(select(CALLS.c.id)).scalars().all() == ["young"]
        assert connection.execute(select(func.count()).select_from(STEPS)).scalar() == 0
    engine.dispose()
