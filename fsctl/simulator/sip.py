"""SIP messages as a phone sees them: the record that stories assert on."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SIP_URI = re.compile(r"(?:sips?|tel|mailto|im|pres):(?P<rest>.*)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class SipMessage:
    """One message at one phone.

    ``direction`` is the phone's view: ``in`` was received, ``out`` was sent. ``method`` is the
    request's, also for a response (from its CSeq); ``status`` is 0 for a request.
    """

    time_s: float
    direction: str
    call_id: str
    method: str
    status: int = 0
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    uri: str = ""
    """The Request-URI, where a real phone has sent or received it."""

    def header(self, name: str) -> str:
        """The first value of a header, any case; empty when it is absent."""
        lower = name.lower()
        return next((value for key, value in self.headers if key.lower() == lower), "")

    @property
    def start_line(self) -> str:
        """``SIP/2.0 486 Busy Here`` or ``INVITE``, for ladders."""
        return f"SIP/2.0 {self.status} {self.reason}" if self.status else self.method

    @property
    def sipfrag(self) -> str:
        """The status line in the body of a NOTIFY (RFC 3515 2.4.5), without its line end."""
        return self.body.strip()

    @property
    def reports_refer(self) -> bool:
        """Whether this NOTIFY tells of a REFER, and not of a mailbox (RFC 3842)."""
        return self.matches("NOTIFY") and self.header("Event").startswith("refer")

    @property
    def media_direction(self) -> str:
        """Who may speak, as its session description says (RFC 4566 section 6): ``sendrecv``, …"""
        found = re.search(r"^a=(sendrecv|sendonly|recvonly|inactive)", self.body, re.MULTILINE)
        return found[1] if found else self.header("SDP-Direction") or "sendrecv"

    @property
    def codecs(self) -> list[str]:
        """The audio codecs that its session description offers, in order."""
        found = re.search(r"^m=audio \d+ \S+((?: \d+)+)", self.body, re.MULTILINE)
        if found is None:
            return self.header("SDP-Codecs").split()
        names = {"0": "PCMU", "8": "PCMA"} | dict(
            re.findall(r"^a=rtpmap:(\d+) ([^/\s]+)", self.body, re.MULTILINE)
        )
        offered = [names.get(number, number) for number in found[1].split()]
        return [name for name in offered if name not in ("telephone-event", "CN", "13")]

    def matches(self, what: str | int) -> bool:
        """Whether this is a request of that method, or a response of that status."""
        return self.status == what if isinstance(what, int) else self.start_line == what


@dataclass(frozen=True, slots=True)
class ReferTarget:
    """A Refer-To (RFC 3515) as Sofia parses it; ``user`` is None when the URI has none."""

    user: str | None
    host: str = ""
    port: str = ""
    params: str = ""
    headers: str = ""

    @property
    def replaces(self) -> str:
        """The Replaces parameter (RFC 3891) among the URI's headers, still escaped."""
        for item in self.headers.split("&"):
            name, _, value = item.partition("=")
            if name.lower() == "replaces":
                return value
        return ""


def parse_refer_to(text: str) -> ReferTarget:
    """What FreeSWITCH makes of a Refer-To; no user for all that it silently ignores.

    Those are an empty or garbled header, two values, a URI without user, and a raw ``|``.
    """
    bracket = re.search(r"<([^<>]*)>", text)
    if bracket is None and ("," in text or "<" in text):
        return ReferTarget(None)
    if bracket is not None and "<" in text[bracket.end() :]:
        return ReferTarget(None)
    match = _SIP_URI.match((bracket.group(1) if bracket else text.split(";", 1)[0]).strip())
    if match is None:
        return ReferTarget(None)
    rest, _, headers = match.group("rest").partition("?")
    user, host = _user_and_host(rest, text)
    host, _, params = host.partition(";")
    name, port = (host, "") if host.startswith("[") else (host.partition(":")[::2])
    return ReferTarget(user, name, port, params, headers)


def _user_and_host(rest: str, text: str) -> tuple[str | None, str]:
    if "@" in rest:
        user, host = rest.rsplit("@", 1)
        user = user.split(":", 1)[0]
        return (None if "|" in user else user), host
    if re.match(r"\s*<?\s*tel:", text, re.IGNORECASE):
        return rest.split(";", 1)[0] or None, ""
    return None, rest
