"""What went over the wire: SIPp's message trace, parsed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from fsctl.simulator import SipMessage
from tests.live.lab.steps import COMMAND_PREFIX

Direction = Literal["in", "out"]

# ----- 2026-11-23 01:30:00.123456 / UDP message sent (500 bytes): / blank line / the message
_ENTRY = re.compile(
    rb"-{10,} (\d{4}-\d\d-\d\d)[ T\t](\d\d:\d\d:\d\d\.\d+)\r?\n"
    rb"(?:UDP|TCP) message (sent|received) [\[(](\d+)(?: bytes\)|\] bytes ?):\r?\n\r?\n"
)


def parse_message(text: str, direction: Direction, time_s: float) -> SipMessage:
    """Parse one message; ``time_s`` is the epoch time."""
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    start_line, *lines = head.split("\n")
    pairs = (line.partition(":") for line in lines if ":" in line)
    headers = tuple((name.strip(), value.strip()) for name, _, value in pairs)
    values = {name.lower(): value for name, value in reversed(headers)}
    call_id, cseq = values.get("call-id", ""), values.get("cseq", "")
    first, second, third = (*start_line.split(" ", 2), "", "")[:3]
    if first == "SIP/2.0":
        method, status, reason, uri = cseq.partition(" ")[2], int(second), third, ""
    else:
        method, status, reason, uri = first, 0, "", second
    return SipMessage(time_s, direction, call_id, method, status, reason, headers, body, uri=uri)


def in_words(message: SipMessage) -> str:
    """A line of a ladder."""
    arrow = "-->" if message.direction == "out" else "<--"
    clock = datetime.fromtimestamp(message.time_s).strftime("%H:%M:%S.%f")[:-3]
    line = " ".join(filter(None, (message.start_line, message.uri)))
    detail = f" [{message.sipfrag}]" if message.reports_refer else ""
    return f"{clock} {arrow} {line} (CSeq {message.header('CSeq')}){detail}"


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
            if not message.method.startswith(COMMAND_PREFIX):
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

        A refused re-INVITE leaves the call as it was (RFC 3261 14.1); a challenge ends it until
        the INVITE is sent again with credentials (22.2).
        """
        if message.matches("BYE"):
            self.over = True
        elif message.matches("INVITE") and not self.answered:
            self.over = False
        elif message.method == "INVITE" and message.status >= 300:
            self.over = self.over or not self.answered
        elif message.method == "INVITE" and message.status >= 200:
            self.answered = True
        elif message.matches("ACK"):
            self.acknowledged = self.answered
