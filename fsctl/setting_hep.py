"""``[hep]``: copies of FreeSWITCH's SIP messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fsctl import setting_kinds as kinds
from fsctl.errors import SettingsError
from fsctl.setting_kinds import key


@dataclass(frozen=True, slots=True)
class Hep:
    """``[hep]``: copies of FreeSWITCH's SIP messages (HEP 3, UDP), for ladders.

    ``listen`` is where FreeSWITCH is to send them; empty: none are asked for. They are taken from
    this host, the hosts of ``[switch]`` and ``sources``, and each goes on to ``forward``.
    ``memory_mb`` bounds what is kept of all calls together, for ``keep_s``; what belongs to a call
    that fsctl does not know waits ``wait_s`` for that. ``transfer_kb``: so much is kept with the
    record of a transfer that has failed.
    """

    listen: str = key("", kinds.CAPTURE_ADDRESS)
    sources: tuple[str, ...] = key((), kinds.list_of(kinds.IP_ADDRESS, least=0))
    forward: str = key("", kinds.CAPTURE_ADDRESS)
    memory_mb: int = key(64, kinds.integer(4, 16_384))
    keep_s: int = key(3600, kinds.integer(10, 604_800))
    wait_s: int = key(120, kinds.integer(5, 86_400))
    transfer_kb: int = key(512, kinds.integer(16, 65_536))


def complete(origin: str, table: Mapping[str, Any]) -> None:
    """Check what belongs together. Raises SettingsError."""
    forward, listen = table.get("forward"), table.get("listen")
    if forward and not listen:
        raise SettingsError(f"{origin}: [hep] forward: nothing comes without [hep] listen")
    if forward and forward == listen:
        raise SettingsError(f"{origin}: [hep] forward: must be another's address than listen")


def warnings(origin: str, table: Mapping[str, Any], records: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is to be said of the section."""
    if table.get("listen") and records.get("keep") is False:
        return (f"{origin}: [hep] listen: nothing is heard, with [records] keep = false",)
    return ()
