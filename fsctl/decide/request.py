"""The question that a web service is asked: who wants to transfer whom where. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final, Literal

TYPE: Final = "transfer.requested"
Kind = Literal["blind", "attended"]


@dataclass(frozen=True, slots=True)
class Person:
    """A party, as far as it is known; texts are empty where it is not."""

    channel: str
    """The uuid of its channel."""
    number: str
    name: str
    call_id: str
    """Of its SIP dialog."""
    side: str
    """"inside" or "outside", by the policy; empty: that is off, and so are the next two."""
    user: str
    """Of the directory, whom FreeSWITCH vouches for; number and name are only claims."""
    why: str
    """Why it is on that side."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the policy says of the number that is asked for."""

    allowed: bool
    rule: str
    """Empty: no route leads there."""
    why: str


@dataclass(frozen=True, slots=True)
class Question:
    """One request for a transfer."""

    id: str
    """Also ``webhook-id``: the same when it is sent a second time."""
    session: str
    switch: str
    kind: Kind
    transferor: Person
    transferee: Person
    refer_to: str
    """The whole header."""
    number: str
    """The target's."""
    host: str
    """Of the URI that is asked for; empty: it has none (``tel:``)."""
    headers: Mapping[str, str]
    """Embedded in the Refer-To, those that the settings let pass to the target."""
    referred_by: str
    policy: Opinion | None
    """None: it is off, or has nothing to say."""
    observed: bool = False
    """FreeSWITCH carries the transfer out meanwhile: the answer is only noted."""

    def body(self) -> bytes:
        """Return it as JSON."""
        fields = asdict(self) | {"headers": dict(self.headers)}
        return json.dumps({"type": TYPE, **fields}, separators=(",", ":")).encode()
