"""``[news]``: who is told of each transfer that has ended."""
# ruff: noqa: RUF009 - key() is dataclasses.field() with a kind: nothing is shared by its call.

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fsctl import setting_decide
from fsctl import setting_kinds as kinds
from fsctl.errors import SettingsError
from fsctl.setting_decide import SECRETS, URL
from fsctl.setting_kinds import key


@dataclass(frozen=True, slots=True)
class News:
    """``[news]``: the record of each transfer is sent to ``url`` (POST, empty: nowhere), signed
    with the keys in ``secret``, and appended to the file ``lines``.

    What is not taken is sent again, later and later, for ``give_up_after_h`` hours. ``ca_file``:
    who may vouch for it, in place of the system's authorities.
    """

    url: str = key("", URL)
    secret: tuple[bytes, ...] = key((), SECRETS, show=False)
    secret_file: Path | None = key(None, kinds.PATH)
    ca_file: Path | None = key(None, kinds.PATH)
    give_up_after_h: int = key(24, kinds.integer(1, 24 * 30))
    lines: Path | None = key(None, kinds.PATH)


def complete(origin: str, table: dict[str, Any]) -> None:
    """Read the file of secrets, and check what belongs together. Raises SettingsError."""
    where = f"{origin}: [news]"
    kinds.read_file(where, News, table, "secret")
    if table.get("url") and not table.get("secret"):
        raise SettingsError(f"{where} secret_file: must be set: all that is sent is signed")
    ca_file = table.get("ca_file")
    if ca_file is not None and not ca_file.is_file():
        raise SettingsError(f"{where} ca_file: {ca_file}: no such file")


def warnings(path: Path | None, table: dict[str, Any], in_file: bool) -> tuple[str, ...]:
    """Return what is to be said of the section; ``in_file``: its secret stands in the settings."""
    return setting_decide.warnings(path, table, in_file, "news")
