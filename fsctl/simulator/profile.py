"""Caller profiles: what FreeSWITCH knows of a call besides its variables."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache

_TIMES = (
    "Channel-Created",
    "Channel-Answered",
    "Channel-Progress",
    "Channel-Progress-Media",
    "Channel-Hangup",
    "Channel-Transfer",
    "Channel-Resurrect",
    "Channel-Bridged",
)


@dataclass(slots=True)
class CallerProfile:
    """One ``switch_caller_profile_t``; times are microseconds since the epoch."""

    unique_id: str
    channel_name: str
    destination_number: str
    context: str
    direction: str
    logical_direction: str
    username: str = ""
    dialplan: str = "XML"
    caller_id_name: str = ""
    caller_id_number: str = ""
    callee_id_name: str = ""
    callee_id_number: str = ""
    network_addr: str = "127.0.0.1"
    source: str = "mod_sofia"
    transfer_source: str = ""
    rdnis: str = ""
    index: int = 1
    created_us: int = 0
    times_us: dict[str, int] = field(default_factory=dict)
    profile_uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    other_type: str = ""
    other: CallerProfile | None = None
    # What ``execute_extension`` puts before this one while it executes (hunt_caller_profile).
    hunt: CallerProfile | None = None
    hide_name: bool = False
    hide_number: bool = False
    orig_caller_id_name: str = ""
    orig_caller_id_number: str = ""

    def __post_init__(self) -> None:
        self.orig_caller_id_name = self.orig_caller_id_name or self.caller_id_name
        self.orig_caller_id_number = self.orig_caller_id_number or self.caller_id_number

    def clone(self) -> CallerProfile:
        """A copy without the other leg, as ``switch_caller_profile_clone`` makes it."""
        return replace(
            self,
            times_us=dict(self.times_us),
            profile_uuid=str(uuid.uuid4()),
            other=None,
            other_type="",
            hunt=None,
        )

    def field_named(self, name: str) -> str | None:
        """A field as dialplan conditions and variable lookups call it; None if there is none."""
        if name in _FIELDS:
            return str(getattr(self, name))
        if name in {"privacy_hide_name", "privacy_hide_number"}:
            return str(getattr(self, name.removeprefix("privacy_"))).lower()
        return {"ani": self.caller_id_number, "uuid": self.unique_id}.get(name)

    def headers(self, prefix: str, is_other: bool = False) -> Iterable[tuple[str, str]]:
        """The event headers of the profile (``switch_caller_profile_event_set_data``)."""
        times = self.times_us
        values = [
            self.direction,
            self.logical_direction,
            self.username,
            self.dialplan,
            self.caller_id_name,
            self.caller_id_number,
            self.orig_caller_id_name,
            self.orig_caller_id_number,
            self.callee_id_name,
            self.callee_id_number,
            self.network_addr,
            self.caller_id_number,
            self.destination_number,
            self.unique_id,
            self.source,
            "" if is_other else self.transfer_source,
            self.context,
            self.rdnis,
            self.channel_name,
            "" if is_other else str(self.index),
            "0" if is_other else str(self.created_us),
            *(str(times.get(name, 0)) for name in _TIMES),
            "0",
            "0",
            "true",
            "true" if self.hide_name else "false",
            "true" if self.hide_number else "false",
        ]
        return zip(_header_names(prefix), values, strict=True)


@cache
def _header_names(prefix: str) -> tuple[str, ...]:
    times = " ".join(f"{name}-Time" for name in _TIMES)
    return tuple(f"{prefix}-{name}" for name in _HEADERS.format(times=times).split())


_HEADERS = """
    Direction Logical-Direction Username Dialplan Caller-ID-Name Caller-ID-Number
    Orig-Caller-ID-Name Orig-Caller-ID-Number Callee-ID-Name Callee-ID-Number Network-Addr ANI
    Destination-Number Unique-ID Source Transfer-Source Context RDNIS Channel-Name Profile-Index
    Profile-Created-Time {times} Channel-Last-Hold Channel-Hold-Accum Screen-Bit Privacy-Hide-Name
    Privacy-Hide-Number
"""
"""What `CallerProfile.headers` gives, in this order; what is empty is not sent."""

_FIELDS = frozenset(
    """
    destination_number context username dialplan caller_id_name caller_id_number
    callee_id_name callee_id_number network_addr source rdnis transfer_source unique_id
    channel_name
    """.split()
)
