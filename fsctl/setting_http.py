"""``[http]``: where the desk shows what goes on, and takes orders."""
# ruff: noqa: RUF009 - key() is dataclasses.field() with a kind: nothing is shared by its call.

from __future__ import annotations

import ipaddress
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fsctl import setting_kinds as kinds
from fsctl.errors import SettingsError
from fsctl.setting_kinds import key

_TOKEN: Final = r"[!-~]{16,256}"


def _accept_listen(raw: Any) -> str:
    if raw != "":
        kinds.ADDRESS.accept(raw)
    return str(raw)


def _accept_token(raw: Any) -> str:
    # What it is, is not shown.
    if not isinstance(raw, str) or (raw and not re.fullmatch(_TOKEN, raw)):
        raise ValueError("must be 16 to 256 printable characters without blanks")
    return raw


@dataclass(frozen=True, slots=True)
class Http:
    """``[http]``: the page, the API and the metrics of the desk.

    ``listen`` is where they are (empty: nowhere), ``hosts`` the names by which browsers may ask for
    them besides ``localhost`` and addresses. ``token`` is asked of who has something done, and with
    ``token_reads`` of who reads as well; without one nothing can be done.
    """

    listen: str = key("127.0.0.1:8090", kinds.Kind(_accept_listen))
    hosts: tuple[str, ...] = key((), kinds.list_of(kinds.HOST, least=0))
    token: str = key("", kinds.Kind(_accept_token), show=False)
    token_file: Path | None = key(None, kinds.PATH)
    token_reads: bool | None = key(None, kinds.FLAG)

    @property
    def guards_reading(self) -> bool:
        """Whether who reads must say the token: if nothing is said, only who is on another host."""
        if self.token_reads is not None:
            return self.token_reads
        return not _is_here(self.listen)


def complete(origin: str, table: dict[str, Any]) -> None:
    """Read the file that holds the token, and check what belongs together. Raises SettingsError."""
    where = f"{origin}: [http]"
    kinds.read_file(where, Http, table, "token")
    listen = table.get("listen", Http().listen)
    if not listen or table.get("token"):
        return
    if table.get("token_reads"):
        raise SettingsError(f"{where} token_file: must be set for token_reads = true")
    if not _is_here(listen) and table.get("token_reads") is None:
        raise SettingsError(
            f'{where} token_file: must be set, others than this host can reach listen = "{listen}";'
            " or set token_reads = false, and everybody reads"
        )


def warnings(path: Path | None, table: dict[str, Any], in_file: bool) -> tuple[str, ...]:
    """Return what is to be said of the section; ``in_file``: its token stands in the settings."""
    if in_file and path is not None and table.get("token") and path.stat().st_mode & stat.S_IROTH:
        return (f"{path}: [http] token: everybody can read the file; use token_file",)
    return ()


def _is_here(listen: str) -> bool:
    host = listen.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
