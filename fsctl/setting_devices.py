"""``[[device]]``: phones that must be told otherwise, by their User-Agent."""
# ruff: noqa: RUF009 - key() is dataclasses.field() with a kind: nothing is shared by its call.

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from fsctl import setting_kinds as kinds
from fsctl.errors import SettingsError
from fsctl.setting_kinds import key

Told = Literal["result", "trying"]


@dataclass(frozen=True, slots=True)
class Device:
    """``[[device]]``: a kind of phone; the first whose ``user_agent`` matches counts.

    ``user_agent`` is a glob, in any case, for its whole ``User-Agent`` (or ``Server``, where it
    answers with that). ``failure`` is what it is told of a transfer that has failed: the
    ``result``, or 100 ``trying`` with the end of its subscription, where it would hang up at a
    failure.
    """

    user_agent: str = key("", kinds.text(r"[^\x00-\x1f\x7f]{1,128}", "a User-Agent, '*' allowed"))
    failure: Told = key("result", kinds.choice("result", "trying"))


KNOWN: Final = (Device("baresip v[01].*", failure="trying"),)
"""What we have seen ourselves (docs/phones.md); the settings' own come first."""


def read_devices(origin: str, tables: Any, base: Path) -> tuple[Device, ...]:
    """Read the ``[[device]]``s. Raises SettingsError."""
    devices = []
    for where, accepted in kinds.accept_tables(origin, "device", Device, tables, base):
        if "user_agent" not in accepted:
            raise SettingsError(f"{where} user_agent: is missing")
        devices.append(Device(**accepted))
    return tuple(devices)
