"""``[decide]``: the web service that decides on transfers."""
# ruff: noqa: RUF009 - key() is dataclasses.field() with a kind: nothing is shared by its call.

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import SplitResult, urlsplit

from fsctl import setting_kinds as kinds
from fsctl.errors import SettingsError
from fsctl.setting_kinds import key

OnFailure = Literal["settings", "refuse"]

_URL: Final = r"https?://[!#-;=?-\[\]_a-z~]{1,2000}"
"""Printable ASCII without what no URL may have: quotes, angles, backslashes (RFC 3986)."""
_PREFIX: Final = "whsec_"
_LEAST, _MOST = 24, 64


def read_secret(text: str) -> bytes:
    """Return the key in a secret as Standard Webhooks writes it: ``whsec_`` and base64 of 24 to 64
    bytes. Raises ValueError, which does not show it."""
    try:
        secret = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not _LEAST <= len(secret) <= _MOST:
        raise ValueError(f'must be "{_PREFIX}" and base64 of {_LEAST} to {_MOST} bytes')
    return secret


def _accept_secrets(raw: Any) -> tuple[bytes, ...]:
    several = raw.split() if isinstance(raw, str) else raw
    if not isinstance(several, list) or not all(isinstance(each, str) for each in several):
        raise ValueError("must be a secret, or a list of secrets")
    return tuple(read_secret(each) for each in several)


def _accept_url(raw: Any) -> str:
    url = raw if isinstance(raw, str) else None
    if url != "":
        _split(url or "")
    return url or ""


def _split(url: str) -> SplitResult:
    """Raises ValueError. A URL with a password in it would stand in logs."""
    meaning = f"must be http://… or https://… without user and fragment, not {url!r}"
    try:
        parts = urlsplit(url)
        known = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ValueError(meaning) from None
    if not known or not re.fullmatch(_URL, url) or "@" in parts.netloc or "#" in url:
        raise ValueError(meaning)
    return parts


URL: Final = kinds.Kind(_accept_url)
"""Of a web service; empty: none."""
SECRETS: Final = kinds.Kind(_accept_secrets)
"""Keys of Standard Webhooks."""


@dataclass(frozen=True, slots=True)
class Decide:
    """``[decide]``: a web service decides on transfers where no scenario does.

    ``url`` is asked (POST); empty: nobody is. ``secret``: the keys of the signatures, the file has
    one a line; each question is signed with all of them, so that the service may change from one to
    the next. ``timeout_s`` is for everything together, a second try too. ``on_failure``: what
    follows when no answer comes that can be obeyed. ``may_open``: what it connects may pass our
    own refusals of ``[policy]``. ``ca_file``: who may vouch for it, in place of the system's.
    """

    url: str = key("", URL)
    secret: tuple[bytes, ...] = key((), SECRETS, show=False)
    secret_file: Path | None = key(None, kinds.PATH)
    timeout_s: float = key(2.0, kinds.seconds(0.1, 30))
    on_failure: OnFailure = key("settings", kinds.choice("settings", "refuse"))
    may_open: bool = key(False, kinds.FLAG)
    ca_file: Path | None = key(None, kinds.PATH)


def complete(origin: str, table: dict[str, Any], decision_timeout_s: float) -> None:
    """Read the file of secrets, and check what belongs together. Raises SettingsError."""
    where = f"{origin}: [decide]"
    kinds.read_file(where, Decide, table, "secret")
    if not table.get("url"):
        return
    if not table.get("secret"):
        raise SettingsError(f"{where} secret_file: must be set: each question is signed")
    if table.get("timeout_s", Decide().timeout_s) >= decision_timeout_s:
        raise SettingsError(
            f"{where} timeout_s: must be below [transfer] decision_timeout_s ="
            f" {decision_timeout_s:g}, by which all must be decided"
        )
    ca_file = table.get("ca_file")
    if ca_file is not None and not ca_file.is_file():
        raise SettingsError(f"{where} ca_file: {ca_file}: no such file")


def warnings(
    path: Path | None, table: dict[str, Any], in_file: bool, section: str = "decide"
) -> tuple[str, ...]:
    """Return what is to be said of the section; ``in_file``: its secret stands in the settings."""
    said = []
    if in_file and path is not None and path.stat().st_mode & stat.S_IROTH:
        said.append(f"{path}: [{section}] secret: everybody can read the file; use secret_file")
    url = table.get("url") or ""
    if url.startswith("http:") and not _is_here(urlsplit(url).hostname or ""):
        said.append(f"[{section}] url: without TLS others can read and change what is said")
    return tuple(said)


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
