"""Asks the desk of a controller that runs, by its API."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException
from typing import Any

from fsctl.errors import FsctlError
from fsctl.settings import Settings

_TIMEOUT_S = 10.0


class DeskApi:
    """The API at ``[http] listen``."""

    def __init__(self, settings: Settings) -> None:
        """Raises FsctlError where there is none."""
        host, _, port = settings.http.listen.rpartition(":")
        if not host:
            raise FsctlError("there is no desk to ask: [http] listen is empty")
        if host in ("0.0.0.0", "[::]"):
            host = "127.0.0.1" if host == "0.0.0.0" else "[::1]"
        self._base = f"http://{host}:{port}"
        self._token = settings.http.token
        # A proxy that the environment names has no business here.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def get(self, path: str, **asked: str | int | list[str] | None) -> dict[str, Any]:
        """Return what the API answers. Raises FsctlError."""
        given = {name: text for name, text in asked.items() if text}
        query = urllib.parse.urlencode(given, doseq=True)
        return self._ask("GET", f"{path}?{query}" if query else path, None)

    def act(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Have something done; returns what the API answers. Raises FsctlError."""
        if not self._token:
            raise FsctlError("that needs [http] token_file, here and where fsctl serves")
        return self._ask(method, path, body)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(self._base + path, data, method=method)
        if data is not None:
            asked.add_header("Content-Type", "application/json")
        if self._token:
            asked.add_header("Authorization", f"Bearer {self._token}")
        try:
            with self._opener.open(asked, timeout=_TIMEOUT_S) as answer:
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            raise FsctlError(f"{self._base}: {_message(error)}") from error
        except (OSError, ValueError, HTTPException) as error:
            why = getattr(error, "reason", None) or error
            raise FsctlError(
                f"no desk answers at {self._base} ([http] listen; does fsctl serve?): {why}"
            ) from error
        if not isinstance(found, dict):
            raise FsctlError(f"{self._base} is no desk of fsctl's")
        return found


def _message(error: urllib.error.HTTPError) -> str:
    try:
        told = json.load(error)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        told = error.reason
    return f"{error.code} {told}"
