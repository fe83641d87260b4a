"""One SIP message that was sent or received, and what can be read in it, however damaged it is."""

from __future__ import annotations

import base64
import dataclasses
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from ipaddress import AddressValueError, IPv6Address
from typing import Any, Final

UNKNOWN: Final = "::"
"""An IPv6 address that nobody knows."""
_HEAD_BYTES: Final = 65535
_HEADERS: Final = 512
"""Of one message; what follows is not read."""
_COMPACT: Final = {
    **{"i": "call-id", "f": "from", "t": "to", "v": "via", "m": "contact", "l": "content-length"},
    **{"c": "content-type", "r": "refer-to", "b": "referred-by", "o": "event", "s": "subject"},
}
"""RFC 3261 section 7.3.3, RFC 3515, RFC 3892, RFC 6665."""
_END_OF_HEAD: Final = re.compile(rb"\r?\n\r?\n")
_RESPONSE: Final = re.compile(r"SIP/2\.0 ([1-6][0-9]{2}) ?(.*)", re.DOTALL)
_REQUEST: Final = re.compile(r"([A-Za-z0-9.!%*_+`'~-]{1,64}) (\S+) SIP/2\.0")
_TAG: Final = re.compile(r";\s*tag\s*=\s*([^\s;,>]+)", re.IGNORECASE)
_USER: Final = re.compile(r"(?:sips?:([^@;>:\s]*)(?::[^@>\s]*)?@|tel:([^;>\s]*))", re.IGNORECASE)
_VIA: Final = re.compile(
    r"SIP\s*/\s*2\.0\s*/\s*(\w{1,10})\s+(\[[0-9A-Fa-f:.]+\]|[^\s;:,]+)", re.IGNORECASE
)
_RECEIVED: Final = re.compile(r";\s*received\s*=\s*\[?([0-9A-Fa-f:.]+)\]?", re.IGNORECASE)
_BRANCH: Final = re.compile(r";\s*branch\s*=\s*([^\s;,]+)", re.IGNORECASE)
_REQUEST_HOST: Final = re.compile(r"sips?:(?:[^@>\s]*@)?\[([0-9A-Fa-f:.]+)\]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Message:
    """A copy of one message, as `fsctl.hep.reassembly` makes it.

    Addresses as in `Packet`; ``::`` stands for an IPv6 address that nobody knows. ``transport`` is
    udp, tcp, tls, sctp, ws or wss. ``time_s``: when its first byte came, in seconds since 1970.
    ``truncated``: its end is missing. ``gap``: something that came before it, in the same stream or
    dialog, is missing.
    """

    time_s: float
    source: str
    source_port: int
    destination: str
    destination_port: int
    transport: str
    text: bytes
    truncated: bool = False
    gap: bool = False

    def fields(self) -> dict[str, Any]:
        """Return it for JSON; :meth:`of_fields` makes it again."""
        return {**asdict(self), "text": base64.b64encode(self.text).decode()}

    @classmethod
    def of_fields(cls, fields: Mapping[str, Any]) -> Message:
        """Raises ValueError, KeyError, TypeError."""
        named = {each.name: fields[each.name] for each in dataclasses.fields(cls)}
        return cls(**{**named, "text": base64.b64decode(named["text"], validate=True)})

    @property
    def ends(self) -> tuple[tuple[str, int], tuple[str, int]]:
        """Who has sent it, and to whom."""
        return (self.source, self.source_port), (self.destination, self.destination_port)


@dataclass(frozen=True, slots=True)
class Reading:
    """What stands in a message; made by `read`. ``headers`` have lower case names."""

    start: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """Return the first of that name (lower case); empty: there is none."""
        return next((value for key, value in self.headers if key == name), "")

    @property
    def status(self) -> int:
        """Of a response; 0: it is a request, or nothing that we know."""
        found = _RESPONSE.fullmatch(self.start)
        return int(found[1]) if found else 0

    @property
    def reason(self) -> str:
        """Phrase of a response."""
        found = _RESPONSE.fullmatch(self.start)
        return found[2].strip() if found else ""

    @property
    def method(self) -> str:
        """Of the request, or of that which is responded to; empty: not known."""
        if found := _REQUEST.fullmatch(self.start):
            return found[1].upper()
        return self.header("cseq").partition(" ")[2].strip().upper()

    @property
    def cseq(self) -> str:
        """The number alone."""
        return self.header("cseq").partition(" ")[0]

    @property
    def call_id(self) -> str:
        """Empty: it has none."""
        return self.header("call-id")

    @property
    def branch(self) -> str:
        """Of the topmost Via: the transaction."""
        return _found(_BRANCH, self.header("via"))

    @property
    def from_user(self) -> str:
        """Whom it says it is from: a user part."""
        return _user(self.header("from"))

    @property
    def to_user(self) -> str:
        """As `from_user`."""
        return _user(self.header("to"))

    @property
    def from_tag(self) -> str:
        """Of whoever has sent the request, in a response to it as well."""
        return _found(_TAG, self.header("from"))

    @property
    def to_tag(self) -> str:
        """Empty: the request begins a dialog, or is outside of any."""
        return _found(_TAG, self.header("to"))

    @property
    def begins_call(self) -> bool:
        """Whether it is the INVITE that begins a call; it may be one that is sent again."""
        return self.method == "INVITE" and not self.status and not self.to_tag

    @property
    def sipfrag(self) -> str:
        """First line of a NOTIFY's ``message/sipfrag`` (RFC 3515); empty: it has none."""
        if not self.header("content-type").lower().startswith("message/sipfrag"):
            return ""
        return self.body.lstrip().partition(b"\n")[0].decode("utf-8", "replace").strip()


def read(text: bytes) -> Reading:
    """Read a message, or as much as there is of it; never raises."""
    end = _END_OF_HEAD.search(text, 0, _HEAD_BYTES)
    head, body = (text[: end.start()], text[end.end() :]) if end else (text, b"")
    start, *lines = re.split("\r?\n", head.decode("utf-8", "replace"))
    headers: list[tuple[str, str]] = []
    for line in lines[:_HEADERS]:
        if line[:1] in (" ", "\t") and headers:
            name, value = headers[-1]
            headers[-1] = name, f"{value} {line.strip()}"
            continue
        name, colon, value = line.partition(":")
        if colon:
            key = name.strip().lower()
            headers.append((_COMPACT.get(key, key), value.strip()))
    return Reading(start.strip(), tuple(headers), body)


def told_by_via(message: Message) -> Message:
    """Return it with what its topmost Via knows better than FreeSWITCH's copy: WebSockets look like
    TCP there, and of an IPv6 address only 4 bytes, which belong to another field, are written."""
    reading = read(message.text)
    via = reading.header("via")
    found = _VIA.match(via)
    told = found[1].lower() if found else ""
    if told in ("ws", "wss") or (told == "tls" and message.transport == "tcp"):
        message = replace(message, transport=told)
    if not (_is_wrong(message.source) or _is_wrong(message.destination)):
        return message
    host = _found(_RECEIVED, via) or (found[2].strip("[]") if found else "")
    near = _six(host)
    if reading.status:  # it goes back to who has sent the request
        return replace(message, source=UNKNOWN, destination=near)
    return replace(message, source=near, destination=_six(_found(_REQUEST_HOST, reading.start)))


def _is_wrong(address: str) -> bool:
    return ":" in address and int(IPv6Address(address)) % (1 << 96) == 0


def _six(host: str) -> str:
    try:
        return str(IPv6Address(host))
    except AddressValueError:
        return UNKNOWN


def _found(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""


def _user(address: str) -> str:
    found = _USER.search(address)
    return (found[1] or found[2] or "") if found else ""
