"""Signatures of Standard Webhooks (version 1 of its specification, symmetric). Pure.

A request has the headers ``webhook-id``, ``webhook-timestamp`` (seconds of Unix time) and
``webhook-signature``: ``v1,BASE64`` of the HMAC-SHA256 of ``id.timestamp.body``, one for each
secret, with a space between them. A service in Python checks them with :func:`verify`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Final

from fsctl.setting_decide import read_secret as read_secret

TOLERANCE_S: Final = 300
"""So old, or so far ahead, may a question be: whoever has recorded one cannot ask it later."""
_VERSION: Final = "v1"


class SignatureError(ValueError):
    """Nobody who knows a secret has signed this, or not now."""


def sign(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the three headers of a request with this ``body``."""
    signatures = [_signature(secret, message_id, str(timestamp), body) for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[bytes], now: float) -> None:
    """Raise SignatureError unless one of ``secrets`` has signed these ``headers`` and ``body``.

    ``headers`` by name, in any case. ``now`` is Unix time, in seconds. How long it takes does not
    tell how much of a signature was right.
    """
    known = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, timestamp = known["webhook-id"], known["webhook-timestamp"]
        signatures = known["webhook-signature"].split()
    except KeyError as error:
        raise SignatureError(f"{error.args[0]} is missing") from None
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) < 16):
        raise SignatureError("webhook-timestamp is no time")
    if abs(now - int(timestamp)) > TOLERANCE_S:
        raise SignatureError("webhook-timestamp is too far from now")
    right = [_signature(secret, message_id, timestamp, body).encode() for secret in secrets]
    given = [each.encode("utf-8", "replace") for each in signatures]
    if not any([hmac.compare_digest(one, other) for one in right for other in given]):
        raise SignatureError("no signature is right")


def _signature(secret: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(secret, signed, hashlib.sha256).digest()
    return f"{_VERSION},{base64.b64encode(digest).decode()}"
