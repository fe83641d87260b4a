"""For tests of services: who hears what they tell systemd."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture(params=["path", "abstract"])
def heard(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], str]]:
    """A socket in systemd's place."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        name = f"@fsctl-{os.getpid()}" if request.param == "abstract" else str(tmp_path / "notify")
        sock.bind(name.replace("@", "\0"))
        sock.settimeout(15)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        yield lambda: sock.recv(4096).decode()
