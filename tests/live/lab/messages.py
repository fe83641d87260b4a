"""What went over the wire: SIPp's message trace, parsed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from tests.live.lab.steps import COMMAND_PREFIX

Direction = Literal["in", "out"]

# ----- 2026-11-23 01:30:00.123456 / UDP message sent (500 bytes): / blank line / the message
_ENTRY = re.compile(
    rb"-{10,} (\d{4}-\d\d-\d\d)[ T\t](\d\d:\d\d:\d\d\.\d+)\r?\n"
    rb"UDP message (sent|received) [\[(](\d+)(?: bytes\)|\] bytes ?):\r?\n\r?\n"
)


@dataclass(frozen=True, slots=True)
class SipMessage:
    """One SIP message that a phone sent or received; ``time_s`` is the epoch time."""

    time_s: float
    direction: Direction
    start_line: str
    headers: tuple[tuple[str, str], ...]
    body: str

    def header(self, name: str) -> str:
        """The first header of that name, empty when there is none."""
        return next(iter(self.all(name)), "")

    def all(self, name: str) -> list[str]:
        """Every value of that header, in order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def call_id(self) -> str:
        """Call-ID of the dialog."""
        return self.header("Call-ID")

    @property
    def method(self) -> str:
        """Method of a request, or of the request that a response answers."""
        return self.header("CSeq").partition(" ")[2] if self.status else self.start_line.split()[0]

    @property
    def status(self) -> int:
        """Status of a response; 0 for a request."""
        return int(self.start_line.split()[1]) if self.start_line.startswith("SIP/2.0 ") else 0

    @property
    def reason(self) -> str:
        """Phrase of a response; empty for a request."""
        return self.start_line.split(" ", 2)[2] if self.status else ""

    @property
    def sipfrag(self) -> str:
        """The status line in the body of a NOTIFY (RFC 3515), without its line end."""
        return self.body.strip()

    def is_request(self, method: str) -> bool:
        """Whether this is a request of that method."""
        return not self.status and self.method == method

    def __str__(self) -> str:
        arrow = "-->" if self.direction == "out" else "<--"
        clock = datetime.fromtimestamp(self.time_s).strftime("%H:%M:%S.%f")[:-3]
        detail = f" [{self.sipfrag}]" if self.is_request("NOTIFY") else ""
        return f"{clock} {arrow} {self.start_line} (CSeq {self.header('CSeq')}){detail}"


def parse_message(text: str, direction: Direction, time_s: float) -> SipMessage:
    """Parse one message."""
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    start_line, *lines = head.split("\n")
    pairs = (line.partition(":") for line in lines if ":" in line)
    headers = tuple((name.strip(), value.strip()) for name, _, value in pairs)
    return SipMessage(time_s, direction, start_line, headers, body)


class TraceReader:
    """Reads a SIPp trace file that still grows; commands of the laboratory are left out."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._rest = b""

    def read(self) -> list[SipMessage]:
        """The messages that are complete and were not returned before."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as trace:
            trace.seek(self._offset)
            new = trace.read()
        self._offset += len(new)
        self._rest += new
        found: list[SipMessage] = []
        while (entry := _ENTRY.search(self._rest)) is not None:
            end = entry.end() + int(entry[4])
            if len(self._rest) < end:
                break
            message = self._message(entry, self._rest[entry.end() : end])
            self._rest = self._rest[end:]
            if not message.start_line.startswith(COMMAND_PREFIX):
                found.append(message)
        return found

    @staticmethod
    def _message(entry: re.Match[bytes], text: bytes) -> SipMessage:
        stamp = f"{entry[1].decode()}T{entry[2].decode()[:15]}"
        direction: Direction = "out" if entry[3] == b"sent" else "in"
        time_s = datetime.fromisoformat(stamp).timestamp()
        return parse_message(text.decode(errors="replace"), direction, time_s)


@dataclass(slots=True)
class CallProgress:
    """How far one call of a phone has come, told by its messages in order."""

    answered: bool = False
    acknowledged: bool = False
    over: bool = False

    def follow(self, message: SipMessage) -> None:
        """Take one more message of the call into account.

        A refused re-INVITE leaves the call as it was (RFC 3261 14.1).
        """
        if message.is_request("BYE"):
            self.over = True
        elif message.method == "INVITE" and message.status >= 300:
            self.over = self.over or not self.answered
        elif message.method == "INVITE" and message.status >= 200:
            self.answered = True
        elif message.is_request("ACK"):
            self.acknowledged = self.answered
