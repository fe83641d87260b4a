"""Databases to keep records in: SQLite, and PostgreSQL where Debian's is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine

from fsctl.records import store
from fsctl.records.schema import METADATA

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


class Postgres:
    """A server of our own, on a socket in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._has_tables = folder, False
        self._as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self._as_user:
            shutil.chown(folder, "postgres")
        self._run("initdb", "-D", str(folder / "data"), "-A", "trust", "-U", "fsctl", "--no-sync")
        self.start()

    def start(self) -> None:
        """Also after `stop`."""
        options = f"-c listen_addresses= -c unix_socket_directories={self.folder} -c fsync=off"
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-m", "immediate", "stop")

    @contextmanager
    def down(self) -> Iterator[None]:
        """Whoever is connected is cut off, and nobody finds it meanwhile: as if it was killed."""
        place, elsewhere = (self.folder / f".s.PGSQL.{port}" for port in (5432, 5433))
        place.rename(elsewhere)
        try:
            everybody = "FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            self._execute("postgres", f"SELECT pg_terminate_backend(pid) {everybody}", port=5433)
            yield
        finally:
            elsewhere.rename(place)

    def new_database(self) -> str:
        """Return the URL of one in which nothing is."""
        self._execute("postgres", "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        return self._url("postgres")

    def new_tables(self) -> str:
        """Return the URL of another one, whose tables are there, and empty."""
        if not self._has_tables:
            self._execute("postgres", "CREATE DATABASE tables")
            _make_tables(self._url("tables"))
            self._has_tables = True
        names = ", ".join(METADATA.tables)
        self._execute("tables", f"TRUNCATE {names} RESTART IDENTITY")
        return self._url("tables")

    def _url(self, name: str) -> str:
        return f"postgresql+psycopg://fsctl@/{name}?host={self.folder}"

    def _execute(self, name: str, statement: str, port: int = 5432) -> None:
        with psycopg.connect(
            host=str(self.folder), port=port, user="fsctl", dbname=name, autocommit=True
        ) as connection:
            connection.execute(statement)

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as_user, str(PROGRAMS[-1] / program), *arguments]
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, timeout=60)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    if not PROGRAMS:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="fsctl-pg-"))
    server = Postgres(folder)
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def new_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What an SQLite database holds whose tables are empty."""
    path = tmp_path_factory.mktemp("tables") / "records.sqlite"
    _make_tables(f"sqlite:///{path}")
    return path.read_bytes()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database: empty, or with tables where the test has them in ``engine``."""
    has_tables = "engine" in request.fixturenames
    if request.param == "sqlite":
        path = tmp_path / "records.sqlite"
        if has_tables:
            path.write_bytes(request.getfixturevalue("new_file"))
        return f"sqlite:///{path}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_tables() if has_tables else server.new_database()


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = store.open_engine(url)
    yield engine
    engine.dispose()


def _make_tables(url: str) -> None:
    engine = store.open_engine(url)
    METADATA.create_all(engine)  # as the migrations would: there is a test of that
    engine.dispose()
