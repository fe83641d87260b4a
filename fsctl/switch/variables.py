"""Reading a channel's variables, exactly: by ``uuid_getvar``, never from a plain event."""

from __future__ import annotations


def value_of(text: str) -> str | None:
    """Return the value in a reply to ``uuid_getvar``; None when unset or the channel is gone."""
    text = text.strip("\r\n")
    return None if not text or text == "_undef_" or text.startswith("-ERR") else text
