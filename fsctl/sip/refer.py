"""What a REFER asks for: Refer-To, Referred-By, Replaces, and headers embedded in the URI. Pure.

RFC 3515 (REFER), RFC 3892 (Referred-By), RFC 3891 (Replaces), RFC 3261 §19.1.5 (headers in URIs).
FreeSWITCH keeps nothing of a REFER but these two headers, so a phone's own headers can only
travel inside the Refer-To URI.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fsctl.sip.uri import Address, Headers, Uri, UriError, parse_address

METHOD_NOT_ALLOWED: Final = 405


class ReferError(UriError):
    """The REFER asks for what cannot be done; ``sip_status`` is what the transferor is told."""


@dataclass(frozen=True, slots=True)
class Replaces:
    """The dialog that the new call takes the place of (RFC 3891 §6.1)."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False


@dataclass(frozen=True, slots=True)
class ReferTo:
    """A parsed Refer-To.

    ``target`` is what is to be called: the URI without headers and without ``method``. Its user
    part may be empty: the routing decides. ``embedded_headers`` are percent-decoded and come from
    the transferor: pass on only what :func:`allowed_headers` keeps.
    """

    address: Address
    target: Uri
    embedded_headers: Headers
    replaces: Replaces | None
    method: str


def parse_refer_to(value: str) -> ReferTo:
    """Parse the value of Refer-To.

    Raises :class:`UriError` (400, 416) as :func:`fsctl.sip.uri.parse_address`, with 400 also for a
    malformed or repeated Replaces; :class:`ReferError` with 405 for a ``method`` that is not
    INVITE. RFC 3515 §2.1 lets a Refer-To ask for any method and RFC 4579 §5.11 removes a party
    from a conference by BYE, but a transfer calls somebody: FreeSWITCH ignores the parameter and
    would *call* whom it was asked to release, so that is refused. The methods are well known, only
    not for this resource, hence 405 and not 501 (RFC 3261 §21.4.6, §21.5.2).
    """
    address = parse_address(value)
    uri = address.uri
    method = (uri.parameter("method") or "INVITE").upper()
    if method != "INVITE":
        raise ReferError(f"Refer-To with method {method[:32]}", METHOD_NOT_ALLOWED)
    return ReferTo(address, uri.request_uri(), uri.headers, _find_replaces(uri.headers), method)


def _find_replaces(headers: Headers) -> Replaces | None:
    values = [value for name, value in headers if name.lower() == "replaces"]
    if len(values) > 1:
        raise ReferError("more than one Replaces")
    return parse_replaces(values[0]) if values else None


_CALL_ID_END = re.compile(r"[\s;,]")


def parse_replaces(value: str) -> Replaces:
    """Parse ``call-id;to-tag=..;from-tag=..[;early-only]``. Raises :class:`ReferError` (400)."""
    call_id, *parts = (part.strip(" \t") for part in value.split(";"))
    pairs = (part.partition("=") for part in parts)
    parameters = {name.strip(" \t").lower(): text.strip(" \t") for name, _, text in pairs}
    to_tag, from_tag = parameters.get("to-tag"), parameters.get("from-tag")
    if not call_id or _CALL_ID_END.search(call_id) or not to_tag or not from_tag:
        raise ReferError("malformed Replaces")
    return Replaces(call_id, to_tag, from_tag, "early-only" in parameters)


# --- headers that may be passed on -------------------------------------------------------------

# A name becomes part of a channel variable's name (sip_h_<name>): a subset of RFC 3261's token.
_HEADER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

_NEVER = frozenset((
    "accept", "accept-encoding", "allow", "allow-events", "authentication-info", "authorization",
    "body", "call-id", "contact", "cseq", "date", "event", "expires", "from", "identity",
    "identity-info", "in-reply-to", "join", "max-breadth", "max-forwards", "mime-version",
    "min-expires", "min-se",
    "p-asserted-identity", "p-preferred-identity", "path", "priv-answer-mode", "privacy",
    "proxy-authenticate", "proxy-authorization", "proxy-require", "rack", "record-route",
    "refer-events-at", "refer-sub", "refer-to", "referred-by", "remote-party-id", "replaces",
    "request-disposition", "require", "route", "rseq", "security-client", "security-server",
    "security-verify", "service-route", "session-expires", "subscription-state", "supported",
    "target-dialog", "timestamp", "to", "unsupported", "via", "warning", "www-authenticate",
))  # fmt: skip
_NEVER_PREFIXES = ("x-fs-", "content-")
NEVER_PASSED: Final = "|".join(
    (*(f"{name}(?!.)" for name in sorted(_NEVER)), *_NEVER_PREFIXES, ".(?!.)")
)
"""The same as a regular expression (Python and PCRE; any case), for FreeSWITCH's own calls."""


def allowed_headers(embedded: Sequence[tuple[str, str]], allow: Sequence[str]) -> Headers:
    """Return the headers that may go to the transfer target.

    ``allow`` lists names; ``*`` at the end stands for any rest (``X-*``); case does not matter.
    Whatever it says, a header that forms the dialog, the transaction, the body, or an identity is
    never kept, nor are FreeSWITCH's own ``X-FS-*``, compact forms (one letter), and names that
    are no plain token. Of a repeated header the first is kept: a channel variable holds one.
    """
    kept: dict[str, tuple[str, str]] = {}
    for name, value in embedded:
        lowered = name.lower()
        if lowered not in kept and is_passable(lowered) and _is_allowed(lowered, allow):
            kept[lowered] = (name, value)
    return tuple(kept.values())


def is_passable(name: str) -> bool:
    """Whether any list may let a header of this name through; see :func:`allowed_headers`."""
    name = name.lower()
    forbidden = name in _NEVER or name.startswith(_NEVER_PREFIXES) or len(name) == 1
    return not forbidden and _HEADER_NAME.fullmatch(name) is not None


def _is_allowed(name: str, allow: Sequence[str]) -> bool:
    return any(
        name.startswith(pattern[:-1].lower()) if pattern.endswith("*") else name == pattern.lower()
        for pattern in allow
    )
