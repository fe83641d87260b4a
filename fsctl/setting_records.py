"""``[records]``: what is kept of calls and transfers, and where."""
# ruff: noqa: RUF009 - key() is dataclasses.field() with a kind: nothing is shared by its call.

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fsctl import setting_kinds as kinds
from fsctl.setting_kinds import key

_URL: Final = r"(sqlite:///|postgresql(\+psycopg)?://)[^\s\x00-\x1f\x7f]{1,1000}"
_SYSTEM: Final = Path("/var/lib/fsctl")


def _accept_database(raw: Any) -> str:
    # What it says may have a password in it, and is not shown.
    if not isinstance(raw, str) or (raw and not re.fullmatch(_URL, raw)):
        raise ValueError('must be "sqlite:///FILE" or "postgresql://USER:PASSWORD@HOST/NAME"')
    return raw


@dataclass(frozen=True, slots=True)
class Records:
    """``[records]``: what is kept of each call and each transfer.

    ``folder`` is made; what is not in the ``database`` yet waits there, up to ``backlog_mb``.
    ``database`` is a URL of SQLAlchemy's (empty: SQLite in the folder). What ended ``keep_days``
    ago is deleted; 0: nothing is.
    """

    keep: bool = key(True, kinds.FLAG)
    folder: Path | None = key(None, kinds.PATH)
    database: str = key("", kinds.Kind(_accept_database), show=False)
    database_file: Path | None = key(None, kinds.PATH)
    backlog_mb: int = key(256, kinds.integer(8, 100_000))
    keep_days: int = key(90, kinds.integer(0, 36_500))

    @property
    def place(self) -> Path:
        """The folder: what systemd has made for us (``StateDirectory=``), where none is named, else
        the system's or the user's own."""
        if self.folder is not None:
            return self.folder
        if given := os.environ.get("STATE_DIRECTORY", "").partition(":")[0]:
            return Path(given)
        home = os.environ.get("HOME", "")
        if os.geteuid() == 0 or not home:
            return _SYSTEM
        return Path(os.environ.get("XDG_STATE_HOME") or f"{home}/.local/state") / "fsctl"

    @property
    def journal(self) -> Path:
        """Where what has happened waits to be kept."""
        return self.place / "journal"

    @property
    def backlog_bytes(self) -> int:
        """So much may wait there."""
        return self.backlog_mb << 20

    @property
    def url(self) -> str:
        """The database, for SQLAlchemy."""
        if not self.database:
            return f"sqlite:///{self.place}/records.sqlite"
        return re.sub(r"^postgresql://", "postgresql+psycopg://", self.database)


def complete(origin: str, table: dict[str, Any]) -> None:
    """Read the file that holds the URL. Raises SettingsError."""
    kinds.read_file(f"{origin}: [records]", Records, table, "database")


def warnings(path: Path | None, table: dict[str, Any], in_file: bool) -> tuple[str, ...]:
    """Return what is to be said of the section; ``in_file``: the URL stands in the settings."""
    secret = in_file and re.match(r"[a-z+]+://[^/@]*:[^/@]+@", table.get("database") or "")
    if secret and path is not None and path.stat().st_mode & stat.S_IROTH:
        return (f"{path}: [records] database: everybody can read the file; use database_file",)
    return ()


def without_records(origin: str, values: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """Return what is to be said of settings that are for the process that keeps records."""
    if values["records"].get("keep") is not False:
        return ()
    asked = (("news", "url"), ("news", "lines"), ("http", "listen"), ("http", "token_file"))
    return tuple(
        f"{origin}: [{section}] {name}: has no effect, with [records] keep = false"
        for section, name in asked
        if values[section].get(name)
    )
