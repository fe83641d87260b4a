"""SIP, SIPS and tel URIs, and the name-addr of Refer-To, Referred-By and From. Pure.

RFC 3261 §19.1 and §25.1 (URIs), §20.10 (what belongs to the header when there are no angle
brackets), RFC 3966 (tel). Everything parsed here may come from a hostile phone: what could mean
something to FreeSWITCH (``${...}``, control characters) is refused, sizes are bounded, and the
time is linear in the length. Lenient where the target is plain: what is unusable beside it (an
embedded header without a value, a parameter without a name) is left out, see `Uri.dropped`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from ipaddress import AddressValueError, IPv6Address
from typing import Final

MAX_URI_BYTES: Final = 4096
MAX_ADDRESS_BYTES: Final = 8192

Parameters = tuple[tuple[str, str | None], ...]
Headers = tuple[tuple[str, str], ...]

BAD_REQUEST: Final = 400
UNSUPPORTED_SCHEME: Final = 416


class UriError(ValueError):
    """The text is no URI that we can use; ``sip_status`` (400 or 416) says so to the sender."""

    def __init__(self, message: str, sip_status: int = BAD_REQUEST) -> None:
        super().__init__(message)
        self.sip_status = sip_status


@dataclass(frozen=True, slots=True)
class Uri:
    """A SIP, SIPS or tel URI; all parts are percent-decoded.

    ``scheme`` is lower case. ``user`` is empty when there is none; for tel it is the number
    without visual separators. ``host`` is lower case, an IPv6 address without its brackets, and
    empty for tel. A parameter without ``=`` has the value None.
    """

    scheme: str
    user: str
    password: str | None
    host: str
    port: int | None
    parameters: Parameters = ()
    headers: Headers = ()
    dropped: tuple[str, ...] = field(default=(), compare=False)
    """What the parser has left out because nobody could use it: for a log line."""

    def parameter(self, name: str) -> str | None:
        """Return a parameter's value (empty if it has none), or None if it is absent."""
        return _parameter(self.parameters, name)

    @property
    def number(self) -> str:
        """The user as a number that can be dialled, see :func:`telephone`; else as it is."""
        return self.numbers()[0]

    def numbers(self) -> tuple[str, ...]:
        """What the user may mean to a dial plan, the likelier first; never empty.

        A telephone-subscriber (RFC 3261 section 19.1.6) is its number. A user part that is written
        like one, but may as well be a name with dots or dashes (``10.20``), is both.
        """
        if self.scheme == "tel":
            return (self.user,)
        return telephone(self.user, phone=(self.parameter("user") or "").lower() == "phone")

    def request_uri(self) -> Uri:
        """Return what may stand in a request line: no headers, no ``method`` (RFC 3261 §19.1.1)."""
        kept = tuple(p for p in self.parameters if p[0].lower() != "method")
        return replace(self, parameters=kept, headers=())

    def format(self) -> str:
        """Return the URI as text, percent-encoded; it never contains ``$`` or white space."""
        if self.scheme == "tel":
            return f"tel:{encode(self.user, _TEL)}{_format_parameters(self.parameters)}"
        parts = [self.scheme, ":"]
        if self.user or self.password is not None:
            parts.append(encode(self.user, _USER))
            if self.password is not None:
                parts += (":", encode(self.password, _PASSWORD))
            parts.append("@")
        parts.append(self.host_port())
        parts.append(_format_parameters(self.parameters))
        headers = (f"{encode(n, _HEADER)}={encode(v, _HEADER)}" for n, v in self.headers)
        parts += ("?", "&".join(headers)) if self.headers else ()
        return "".join(parts)

    def host_port(self) -> str:
        """Return ``host[:port]``, an IPv6 address in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def __str__(self) -> str:
        return self.format()


@dataclass(frozen=True, slots=True)
class Address:
    """A name-addr or addr-spec with its header parameters (RFC 3261 §25.1).

    ``display_name`` is unquoted, its control characters are spaces; it may hold anything else.
    """

    display_name: str
    uri: Uri
    parameters: Parameters = ()

    def parameter(self, name: str) -> str | None:
        """Return a header parameter's value (empty if it has none), or None if it is absent."""
        return _parameter(self.parameters, name)

    def format(self) -> str:
        """Return the address as a header value, always with angle brackets."""
        name = f"{_quote(self.display_name)} " if self.display_name else ""
        parameters = "".join(_format_header_parameter(n, v) for n, v in self.parameters)
        return f"{name}<{self.uri}>{parameters}"

    def __str__(self) -> str:
        return self.format()


_SEPARATORS = "-.()"
_VISUAL_SEPARATORS = str.maketrans("", "", _SEPARATORS)
_GLOBAL_NUMBER = re.compile(r"\+[0-9]+")
_LOCAL_NUMBER = re.compile(r"[0-9A-Fa-f*#]+")
_DIGITS = re.compile(r"[0-9*#]+")


def telephone(user: str, *, phone: bool = False) -> tuple[str, ...]:
    """Return what a user part (decoded) may mean to a dial plan, the likelier first; never empty.

    ``4435550123;phone-context=na`` is 4435550123, ``+1-555-555-0123`` is +15555550123 (RFC 3966
    section 3): parameters and visual separators are no part of the number. A ``phone-context``
    says where a local number is valid and is never put in front of it (section 5.1.5: "this cannot
    be relied upon"), ``rn`` and ``npdi`` (RFC 4694) say how a number is reached, not which it is.
    ``phone`` says that the URI has ``user=phone``.
    """
    text, semicolon, _ = user.partition(";")
    number = text.translate(_VISUAL_SEPARATORS)
    if _GLOBAL_NUMBER.fullmatch(number) or (phone and _LOCAL_NUMBER.fullmatch(number)):
        return (number,)
    if not _DIGITS.fullmatch(number):
        return (user,)
    sure = phone or semicolon or "(" in text or number == text
    return (number,) if sure else (user, number)


UNRESERVED: Final = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()"
)
# The sets of RFC 3261 §25.1, without "$": no text of ours may hold the start of "${".
_USER: Final = UNRESERVED | set("&=+,;?/")
_PASSWORD: Final = UNRESERVED | set("&=+,")
_PARAMETER: Final = UNRESERVED | set("[]/:&+")
_HEADER: Final = UNRESERVED | set("[]/?:+")
_TEL: Final = frozenset("+0123456789ABCDEFabcdef*")


def encode(text: str, keep: frozenset[str]) -> str:
    """Percent-encode every character of ``text`` that is not in ``keep``, as UTF-8."""
    return "".join(c if c in keep else _escape(c) for c in text)


def _escape(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8"))


_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PERCENT_RUN = re.compile(r"(?:%[0-9A-Fa-f]{2})+")


def decode(text: str) -> str:
    """Percent-decode ``text``. Raises UriError for a stray ``%`` and for what is not UTF-8."""
    if "%" not in text:
        return text
    if _BAD_PERCENT.search(text):
        raise UriError("a % that starts no percent-encoded octet")
    try:
        return _PERCENT_RUN.sub(_decode_run, text)
    except UnicodeDecodeError as error:
        raise UriError("percent-encoded octets that are not UTF-8") from error


def _decode_run(match: re.Match[str]) -> str:
    return bytes.fromhex(match[0].replace("%", "")).decode("utf-8")


# --- parsing -----------------------------------------------------------------------------------

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_HOSTNAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]|\.(?=[A-Za-z0-9_]))*\.?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# switch_string_var_check_const lets backslashes stand between the dollar and the brace.
_VARIABLE = re.compile(r"\$\\*\{")
_NEVER_RAW = re.compile(r'[\s<>"]')


def parse_uri(text: str) -> Uri:
    """Parse a ``sip:``, ``sips:`` or ``tel:`` URI.

    Raises :class:`UriError` with 416 for any other scheme, and with 400 for everything else that
    is wrong: bad syntax, control characters or ``${`` (raw or percent-encoded), octets that are
    not UTF-8, more than :data:`MAX_URI_BYTES`. Lenient where phones are: characters that RFC 3261
    wants encoded may stand raw in the user part.
    """
    _refuse_dangerous(text, MAX_URI_BYTES)
    scheme, colon, rest = text.partition(":")
    if not colon or not _SCHEME.fullmatch(scheme):
        raise UriError("not a URI: no scheme")
    scheme = scheme.lower()
    if scheme not in ("sip", "sips", "tel"):
        raise UriError(f"unsupported URI scheme {scheme[:32]}", UNSUPPORTED_SCHEME)
    if _NEVER_RAW.search(rest):
        raise UriError("white space, quotation marks or angle brackets inside a URI")
    return _parse_tel(rest) if scheme == "tel" else _parse_sip(scheme, rest)


def _refuse_dangerous(text: str, limit: int) -> None:
    if len(text) > limit:
        raise UriError(f"more than {limit} bytes")
    try:
        octets = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UriError("a lone surrogate") from error
    if len(octets) > limit:
        raise UriError(f"more than {limit} bytes")
    # What stands raw in the text stands in here too.
    decoded = _PERCENT_RUN.sub(_decode_leniently, text)
    if _CONTROL.search(decoded):
        raise UriError("a control character")
    if _VARIABLE.search(decoded):
        raise UriError("a variable reference ${")


def _decode_leniently(match: re.Match[str]) -> str:
    return bytes.fromhex(match[0].replace("%", "")).decode("utf-8", "replace")


def _parse_sip(scheme: str, rest: str) -> Uri:
    # In the user part "?", ";" and ":" are allowed, so the first "@" is looked for first. A header
    # value with a raw "@" (Replaces from careless phones) has a user part before it in practice.
    userinfo, at, after = rest.partition("@")
    if not at:
        userinfo, after = "", rest
    user, colon, password = userinfo.partition(":")
    place, question, header_text = after.partition("?")
    host_port, semicolon, parameter_text = place.partition(";")
    host, port = _parse_host_port(host_port)
    dropped: list[str] = []
    return Uri(
        scheme,
        decode(user),
        decode(password) if colon else None,
        host,
        port,
        _parse_parameters(parameter_text, dropped) if semicolon else (),
        _parse_headers(header_text, dropped) if question else (),
        tuple(dropped),
    )


def _parse_host_port(text: str) -> tuple[str, int | None]:
    if text.startswith("["):
        host, bracket, after = text[1:].partition("]")
        if not bracket or (after and not after.startswith(":")):
            raise UriError("bad IPv6 reference")
        return _ipv6(host), _port(after[1:]) if after[1:] else None
    host, _, port = text.partition(":")
    if len(host) > 255 or not _HOSTNAME.fullmatch(host):
        raise UriError("bad host")
    return host.lower(), _port(port) if port else None


def _ipv6(text: str) -> str:
    try:
        address = IPv6Address(text)
    except AddressValueError as error:
        raise UriError("bad IPv6 address") from error
    if address.scope_id is not None:
        raise UriError("an IPv6 address with a zone")
    return text.lower()


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise UriError("bad port")
    return int(text)


def _parse_parameters(text: str, dropped: list[str]) -> Parameters:
    """Of a parameter that is given twice (RFC 3261 section 19.1.1 forbids it) the first counts."""
    parameters: dict[str, tuple[str, str | None]] = {}
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if "@" in part:
            raise UriError("bad URI parameter")  # where the host begins is anybody's guess
        try:
            decoded = decode(name), decode(value) if equals else None
        except UriError:
            decoded = "", None
        if decoded[0] and decoded[0].lower() not in parameters:
            parameters[decoded[0].lower()] = decoded
        else:
            _drop(dropped, part)
    return tuple(parameters.values())


def _parse_headers(text: str, dropped: list[str]) -> Headers:
    headers: list[tuple[str, str]] = []
    for part in text.split("&"):
        name, equals, value = part.partition("=")
        try:
            decoded = decode(name), decode(value)
        except UriError:
            decoded = "", ""
        if decoded[0] and equals:
            headers.append(decoded)
        else:
            _drop(dropped, part)
    return tuple(headers)


_MAX_DROPPED: Final = 8


def _drop(dropped: list[str], part: str) -> None:
    if part and len(dropped) < _MAX_DROPPED:
        dropped.append(part[:64])


def _parse_tel(rest: str) -> Uri:
    """RFC 3966. A local number without phone-context is let pass: phones send it."""
    rest, _, headers = rest.partition("?")  # RFC 3966 knows no headers
    number_text, semicolon, parameter_text = rest.partition(";")
    number = decode(number_text).translate(_VISUAL_SEPARATORS)
    if not _GLOBAL_NUMBER.fullmatch(number) and not _LOCAL_NUMBER.fullmatch(number):
        raise UriError("bad telephone number")
    dropped: list[str] = []
    _drop(dropped, headers)
    parameters = _parse_parameters(parameter_text, dropped) if semicolon else ()
    return Uri("tel", number, None, "", None, parameters, (), tuple(dropped))


# --- addresses ---------------------------------------------------------------------------------

_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")
_QUOTED_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_TOKEN_OR_HOST = re.compile(r"[A-Za-z0-9.!%*_+`'~:\[\]/@-]+")


def parse_address(text: str) -> Address:
    """Parse a name-addr or addr-spec with header parameters, as in Refer-To, Referred-By, From.

    Without angle brackets ``;`` starts the header's parameters (RFC 3261 §20.10), but for one in
    the user part; ``,`` is refused, for it could begin another address: exactly one is accepted.
    What stands behind the address and is no parameter is ignored.
    Raises :class:`UriError` as :func:`parse_uri` does; a display name alone is never an error.
    """
    if len(text) > MAX_ADDRESS_BYTES or len(text.encode("utf-8", "replace")) > MAX_ADDRESS_BYTES:
        raise UriError(f"more than {MAX_ADDRESS_BYTES} bytes")
    text = text.strip(" \t")
    if text.startswith('"'):
        display_name, end = _quoted_string(text, 0)
        end = _skip_space(text, end)
        if not text.startswith("<", end):
            raise UriError("a display name without <URI>")
        return _bracketed(display_name, text[end + 1 :])
    before, bracket, after = text.partition("<")
    if bracket:
        return _bracketed(before.strip(" \t"), after)
    # The parameters of a telephone-subscriber stand before the "@", those of the header behind it.
    user, at, after = text.partition("@")
    before, semicolon, parameter_text = (after if at else text).partition(";")
    spec = f"{user}@{before}" if at else before
    spec = spec.rstrip(" \t")
    if "," in spec:
        raise UriError("a URI with , must stand in angle brackets")
    return Address("", parse_uri(spec), _header_parameters(semicolon + parameter_text))


def _bracketed(display_name: str, after: str) -> Address:
    uri_text, bracket, parameter_text = after.partition(">")
    if not bracket:
        raise UriError("no closing angle bracket")
    uri = parse_uri(uri_text.strip(" \t"))
    return Address(_printable(display_name), uri, _header_parameters(parameter_text))


def _printable(text: str) -> str:
    """Return a display name that can be passed on: no control characters, valid Unicode."""
    return _CONTROL.sub(" ", text.encode("utf-8", "replace").decode("utf-8"))


def _quoted_string(text: str, start: int) -> tuple[str, int]:
    """Return the unescaped content of the quoted string at ``start``, and where it ends."""
    match = _QUOTED_STRING.match(text, start)
    if not match:
        raise UriError("an unterminated quoted string")
    return _QUOTED_PAIR.sub(r"\1", match[1]), match.end()


_ANOTHER_ADDRESS = re.compile(r"[,<>\r\n]")


def _header_parameters(text: str) -> Parameters:
    """Return those before what is no parameter. Raises UriError when that may be an address."""
    parameters: list[tuple[str, str | None]] = []
    try:
        for parameter in _each_header_parameter(text.strip(" \t")):
            parameters.append(parameter)
    except UriError:
        if _ANOTHER_ADDRESS.search(text):
            raise
    return tuple(parameters)


def _each_header_parameter(text: str) -> Iterator[tuple[str, str | None]]:
    position = 0
    while position < len(text):
        if text[position] != ";":
            raise UriError("something after the address that is no parameter")
        name, position = _scan(_TOKEN, text, _skip_space(text, position + 1))
        if position >= len(text) or text[position] != "=":
            yield name, None
            continue
        position = _skip_space(text, position + 1)
        if text.startswith('"', position):
            value, position = _quoted_string(text, position)
            position = _skip_space(text, position)
            yield name, _printable(value)
        else:
            value, position = _scan(_TOKEN_OR_HOST, text, position)
            yield name, value


def _scan(pattern: re.Pattern[str], text: str, position: int) -> tuple[str, int]:
    match = pattern.match(text, position)
    if not match:
        raise UriError("bad header parameter")
    return match[0], _skip_space(text, match.end())


def _skip_space(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t":
        position += 1
    return position


def _parameter(parameters: Parameters, name: str) -> str | None:
    for each, value in parameters:
        if each.lower() == name.lower():
            return value or ""
    return None


def _format_parameters(parameters: Parameters) -> str:
    return "".join(
        f";{encode(n, _PARAMETER)}" + ("" if v is None else f"={encode(v, _PARAMETER)}")
        for n, v in parameters
    )


def _format_header_parameter(name: str, value: str | None) -> str:
    if value is None:
        return f";{name}"
    if _TOKEN_OR_HOST.fullmatch(value):
        return f";{name}={value}"
    return f";{name}={_quote(value)}"


def _quote(text: str) -> str:
    escaped = _printable(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
