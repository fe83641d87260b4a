"""Messages one below the other, as sngrep saves them into a ``.txt`` file."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fsctl.hep.message import Message
from fsctl.log import printable


def write(messages: Iterable[Message], clock: Callable[[float], str]) -> str:
    """Return the text; what could be a terminal's control character is escaped."""
    return "".join(_one(message, clock) for message in messages)


def _one(message: Message, clock: Callable[[float], str]) -> str:
    source, target = (_end(*end) for end in message.ends)
    marks = " [gap before]" * message.gap + " [truncated]" * message.truncated
    lines = message.text.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
    text = "\n".join(printable(line) for line in lines).rstrip("\n")
    head = f"{clock(message.time_s)} {message.transport} {source} -> {target}{marks}"
    return f"{head}\n{text}\n\n"


def _end(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
