"""Caller profiles: what FreeSWITCH knows of a call besides its variables."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

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

    def headers(self, prefix: str, is_other: bool = False) -> Iterator[tuple[str, str]]:
        """The event headers of the profile (``switch_caller_profile_event_set_data``)."""
        yield f"{prefix}-Direction", self.direction
        yield f"{prefix}-Logical-Direction", self.logical_direction
        yield f"{prefix}-Username", self.username
        yield f"{prefix}-Dialplan", self.dialplan
        yield f"{prefix}-Caller-ID-Name", self.caller_id_name
        yield f"{prefix}-Caller-ID-Number", self.caller_id_number
        yield f"{prefix}-Orig-Caller-ID-Name", self.orig_caller_id_name
        yield f"{prefix}-Orig-Caller-ID-Number", self.orig_caller_id_number
        yield f"{prefix}-Callee-ID-Name", self.callee_id_name
        yield f"{prefix}-Callee-ID-Number", self.callee_id_number
        yield f"{prefix}-Network-Addr", self.network_addr
        yield f"{prefix}-ANI", self.caller_id_number
        yield f"{prefix}-Destination-Number", self.destination_number
        yield f"{prefix}-Unique-ID", self.unique_id
        yield f"{prefix}-Source", self.source
        if not is_other:
            yield f"{prefix}-Transfer-Source", self.transfer_source
        yield f"{prefix}-Context", self.context
        yield f"{prefix}-RDNIS", self.rdnis
        yield f"{prefix}-Channel-Name", self.channel_name
        if not is_other:
            yield f"{prefix}-Profile-Index", str(self.index)
        yield f"{prefix}-Profile-Created-Time", "0" if is_other else str(self.created_us)
        for name in _TIMES:
            yield f"{prefix}-{name}-Time", str(self.times_us.get(name, 0))
        yield f"{prefix}-Channel-Last-Hold", "0"
        yield f"{prefix}-Channel-Hold-Accum", "0"
        yield f"{prefix}-Screen-Bit", "true"
        yield f"{prefix}-Privacy-Hide-Name", str(self.hide_name).lower()
        yield f"{prefix}-Privacy-Hide-Number", str(self.hide_number).lower()


_FIELDS = frozenset(
    """
    destination_number context username dialplan caller_id_name caller_id_number
    callee_id_name callee_id_number network_addr source rdnis transfer_source unique_id
    channel_name
    """.split()
)
