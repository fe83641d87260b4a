"""How ``fsctl check`` learns whether copies come while ``fsctl serve`` listens for them (pure).

The port can be bound once. So the check asks whoever has it, by a datagram to that port, whether
the copy of a certain OPTIONS has come; and a controller answers.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from fsctl.hep.message import Reading

USER: Final = "fsctl-check"
"""Whom the OPTIONS are from."""
_ASKS: Final = b"fsctl? "
_SAYS: Final = {True: b"fsctl: came ", False: b"fsctl: not yet "}
_LONGEST: Final = 200


def question(call_id: str) -> bytes:
    """Whether the copy of the message with this Call-ID has come."""
    return _ASKS + call_id.encode()


def answer_to(data: bytes, came: Container[str]) -> bytes:
    """Return what is to be answered to a datagram; empty: it is no question."""
    if not data.startswith(_ASKS) or len(data) > _LONGEST:
        return b""
    call_id = data[len(_ASKS) :].decode("ascii", "replace")
    return _SAYS[call_id in came] + data[len(_ASKS) :]


def says(answer: bytes, call_id: str) -> bool | None:
    """Whether it has come, by that answer; None: it is none."""
    return next((came for came, words in _SAYS.items() if answer == words + call_id.encode()), None)


def is_proof(reading: Reading) -> bool:
    """Whether a message is one that the check has sent, or its response."""
    return reading.method == "OPTIONS" and reading.from_user == USER
