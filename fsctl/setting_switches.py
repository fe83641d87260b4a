"""``[switch]``, or one ``[[switch]]`` for each of several: FreeSWITCH's own event sockets."""
# ruff: noqa: RUF009 - key() is dataclasses.field() with a kind: nothing is shared by its call.

from __future__ import annotations

import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fsctl import setting_kinds as kinds
from fsctl.errors import SettingsError
from fsctl.setting_kinds import key

Table = dict[str, Any]
"""What has been accepted for one switch, by key."""
_VARIABLE: Final = "FSCTL_SWITCH_"


@dataclass(frozen=True, slots=True)
class Switch:
    """``[switch]``: a FreeSWITCH's own event socket; ``enabled`` follows from a password.

    ``name`` is what sessions, records and log lines call it; of several each has another one.
    """

    name: str = key("freeswitch", kinds.NAME)
    host: str = key("127.0.0.1", kinds.HOST)
    port: int = key(8021, kinds.integer(1, 65535))
    password: str = key("", kinds.PASSWORD, show=False)
    password_file: Path | None = key(None, kinds.PATH)
    enabled: bool = key(False, kinds.FLAG)


def read(origin: str, raw: Any, base: Path) -> list[Table]:
    """Read the section, a table or a list of tables; one switch where it says nothing.

    Raises SettingsError.
    """
    several = raw if isinstance(raw, list) and raw else [raw or {}]
    tables = [
        kinds.accept_table(f"{origin}: {_place(raw, number)}", Switch, table, base)
        for number, table in enumerate(several, 1)
    ]
    if len(tables) == 1:
        tables[0].setdefault("name", Switch().name)
    taken: set[str] = set()
    for number, table in enumerate(tables, 1):
        where = f"{origin}: {_place(raw, number)} name"
        if "name" not in table:
            raise SettingsError(f"{where}: is missing")
        if (variable := _password_variable(table)) in taken:
            raise SettingsError(f"{where}: {table['name']!r} is another switch's name")
        taken.add(variable)
    addresses = [(each.get("host", Switch().host), each.get("port", 8021)) for each in tables]
    if len(set(addresses)) < len(addresses):
        raise SettingsError(f"{origin}: [[switch]] port: two switches have the same host and port")
    return tables


def _place(raw: Any, number: int) -> str:
    return f"[[switch]] {number}" if isinstance(raw, list) else "[switch]"


def _password_variable(table: Table) -> str:
    return _VARIABLE + re.sub("[^0-9A-Z]", "_", table["name"].upper()) + "_PASSWORD"


def variables(
    tables: list[Table], environ: Iterable[str]
) -> dict[str, tuple[Table, str, kinds.Kind]]:
    """Return the environment variables that may be set: table, key and kind of each.

    Those without a name are the only switch's: raises SettingsError where ``environ`` has one and
    there are several.
    """
    known = kinds.kinds_of(Switch)
    named = {_password_variable(each): (each, "password", known["password"]) for each in tables}
    only = {f"{_VARIABLE}{name}".upper(): (tables[0], name, known[name]) for name in known}
    if len(tables) == 1:
        return only | named
    for name in environ:
        if name in only and name not in named:
            raise SettingsError(f"{name}: there are several switches; known are {', '.join(named)}")
    return named


def complete(origin: str, raw: Any, tables: list[Table]) -> tuple[Switch, ...]:
    """Read the files that hold passwords; return the enabled switches. Raises SettingsError."""
    for number, table in enumerate(tables, 1):
        _complete_password(f"{origin}: {_place(raw, number)}", table)
    return tuple(Switch(**table) for table in tables if table["enabled"])


def _complete_password(where: str, table: Table) -> None:
    kinds.read_file(where, Switch, table, "password")
    if table.setdefault("enabled", "password" in table) and "password" not in table:
        raise SettingsError(f"{where} enabled: needs password or password_file")


def warn_of_readable_password(path: Path | None, tables: list[Table]) -> tuple[str, ...]:
    """Return what is to be said of passwords in a file that everybody can read."""
    there = path is not None and any("password" in table for table in tables)
    if path is None or not there or not path.stat().st_mode & stat.S_IROTH:
        return ()
    return (f"{path}: [switch] password: the file can be read by everybody; use password_file",)
