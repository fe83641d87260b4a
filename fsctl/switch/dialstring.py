r"""Dial strings: the one place that builds what ``bridge`` and ``originate`` are given.

A dial string is ``{name=value,...}endpoint``. Whatever came from the network may be in it, and
everything in it means something to FreeSWITCH, so all of it is escaped, replaced or refused here.
What FreeSWITCH 1.10 does with the text, in order (every step is a parser of its own):

1. ``bridge``, executed on a channel: the argument is expanded (switch_core_session.c:
   switch_core_session_exec). ``${..}`` is a variable or an API call that runs; with any escaped
   character in the text ``\\`` becomes ``\`` and ``\'`` disappears.
   ``originate``: the line is split at spaces (mod_commands.c), with quotes and backslashes.
2. ``:_:`` anywhere makes it several dial strings (switch_ivr_originate.c).
3. ``{`` to its ``}``: braces are only counted, neither quotes nor backslashes protect one.
4. The block is split at commas, each part at its first ``=`` (switch_event.c:
   switch_event_create_brackets): each time quotes go, spaces at the ends go, and ``\n \r \t \s``
   and a backslash before a quote, a backslash or the separator are undone (switch_utils.c:
   cleanup_separated_string).
5. The rest is split at ``|`` and ``,`` into endpoints: these never occur in ours.

Braces, not brackets: FreeSWITCH reads ``originate_timeout``, ``ignore_early_media`` and the like
only from ``{}``, and turns commas inside ``[]`` into bytes 1 and 2 first. Both win over channel A:
its exported variables are put in before, and are replaced by those of the block (the event has
unique headers); its ``sip_h_*`` are copied to the new channel before the block is installed (so an
empty value hides an exported variable, but not a ``sip_h_*``: set ``sip_copy_custom_headers`` to
false on A for that).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from fsctl.sip.uri import Uri, encode
from fsctl.switch.marks import Mark

MAX_VARIABLES: Final = 200
MAX_USER_BYTES: Final = 1024


class DialStringError(ValueError):
    """A destination that cannot be dialled safely, or a variable that cannot be named."""


# --- endpoints ---------------------------------------------------------------------------------

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
# Not percent-decoded by FreeSWITCH, but looked up or matched as they are: only what is plain.
_PLAIN_NUMBER = re.compile(r"[A-Za-z0-9_.+*#~-]{1,128}")
_PLAIN_HOST = re.compile(r"[A-Za-z0-9_.:\[\]-]{1,255}")
# Fewer than RFC 3261 allows raw: sofia looks for "port=", "fs_path=" and "/" anywhere in the text.
_RAW_IN_USER: Final = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~+*"
)
_RAW_IN_VALUE: Final = _RAW_IN_USER | {":"}
_PARAMETER = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MEANT_FOR_SOFIA = re.compile(
    r"fs_|transport|port=|maddr|ttl=|(?:^|;)(?:lr|method)(?=[;=]|$)", re.I
)
"""mod_sofia looks for these anywhere in a URI, sofia-sip among its parameters."""
_TRANSPORTS: Final = frozenset({"udp", "tcp", "tls"})


def _require(pattern: re.Pattern[str], text: str, what: str) -> None:
    if not pattern.fullmatch(text):
        raise DialStringError(f"{what} cannot be part of a dial string: {text[:64]!r}")


def _encoded_user(user: str) -> str:
    """Percent-encode a SIP user part. Raises :class:`DialStringError` if it cannot be dialled."""
    if not user:
        raise DialStringError("there is no user to dial")
    if any(c < " " or c == "\x7f" or "\ud800" <= c <= "\udfff" for c in user):
        raise DialStringError(f"a control character in the user part {user[:64]!r}")
    encoded = encode(user, _RAW_IN_USER)
    if len(encoded) > MAX_USER_BYTES:
        raise DialStringError(f"a user part of more than {MAX_USER_BYTES} bytes")
    return encoded


@dataclass(frozen=True, slots=True)
class SofiaEndpoint:
    """A SIP URI (``sip:`` or ``sips:``) dialled through a profile: ``sofia/<profile>/<uri>``.

    Of the URI only user (which may be missing), host, port and a ``transport`` of udp, tcp or tls
    are dialled: other parameters (``fs_path``, ``maddr``) would let the phone that wrote the URI
    choose the way. Those whose names match one of ``passed`` (``x-*``) go along, unless FreeSWITCH
    would find a word of its own in them. ``transport`` counts more than the URI's own.
    Raises :class:`DialStringError` for another scheme and for what cannot be carried.
    """

    profile: str
    uri: Uri
    passed: tuple[str, ...] = ()
    transport: str = ""

    def __post_init__(self) -> None:
        _require(_NAME, self.profile, "a profile")
        if self.profile.lower() == "gateway":
            raise DialStringError("a profile cannot be called gateway")
        if self.uri.scheme not in ("sip", "sips"):
            raise DialStringError(f"sofia cannot dial {self.uri.scheme}:")
        _require(_PLAIN_HOST, self.uri.host, "a host")
        self._address()
        self._parameters()

    def format(self) -> str:
        """Return the endpoint as text."""
        uri = self.uri
        transport = self.transport or (uri.parameter("transport") or "").lower()
        transport = "tls" if uri.scheme == "sips" else transport
        suffix = f";transport={transport}" if transport in _TRANSPORTS else ""
        return f"sofia/{self.profile}/{uri.scheme}:{self._address()}{suffix}{self._parameters()}"

    def _address(self) -> str:
        uri = self.uri
        return f"{_encoded_user(uri.user)}@{uri.host_port()}" if uri.user else uri.host_port()

    def _parameters(self) -> str:
        """Raises DialStringError."""
        kept = []
        for name, value in self.uri.parameters:
            if any(fnmatchcase(name.lower(), glob.lower()) for glob in self.passed):
                _require(_PARAMETER, name, "a parameter of a URI")
                kept.append(name if value is None else f"{name}={encode(value, _RAW_IN_VALUE)}")
        text = "".join(f";{each}" for each in kept)
        if len(text) > MAX_USER_BYTES or _MEANT_FOR_SOFIA.search(text):
            raise DialStringError(f"parameters of a URI cannot be dialled: {text[:64]!r}")
        return text

    def variables(self) -> Mapping[str, str]:
        """Return what the endpoint itself needs in the block.

        Otherwise mod_sofia strips the scheme, so that ``sips:`` becomes ``sip:``, and encodes the
        user once more by its own list, so that the channel and its records say ``%2B1555`` for
        ``+1555`` (mod_sofia.c: protect_dest_uri).
        """
        return MappingProxyType({"sofia_suppress_url_encoding": "true"})


@dataclass(frozen=True, slots=True)
class UserEndpoint:
    """A user of FreeSWITCH's directory: ``user/<user>@<domain>``; its own dial string is used."""

    user: str
    domain: str

    def __post_init__(self) -> None:
        _require(_PLAIN_NUMBER, self.user, "a user")
        _require(_PLAIN_HOST, self.domain, "a domain")

    def format(self) -> str:
        """Return the endpoint as text."""
        return f"user/{self.user}@{self.domain}"

    def variables(self) -> Mapping[str, str]:
        """Return what the endpoint itself needs in the block.

        Of several phones the first to send 183 with media would be taken, and the others cancelled
        (switch_ivr_originate.c, ``early_ok``): so its media is played to whoever waits, and all go
        on ringing. With ``ignore_early_media`` it has no effect.
        """
        return MappingProxyType({"bridge_early_media": "true"})


@dataclass(frozen=True, slots=True)
class GatewayEndpoint:
    """A number at a gateway of mod_sofia: ``sofia/gateway/<gateway>/<number>``."""

    gateway: str
    number: str

    def __post_init__(self) -> None:
        _require(_NAME, self.gateway, "a gateway")
        _encoded_user(self.number)

    def format(self) -> str:
        """Return the endpoint as text; the number is percent-encoded, as it becomes a user part."""
        return f"sofia/gateway/{self.gateway}/{_encoded_user(self.number)}"

    def variables(self) -> Mapping[str, str]:
        """Return what the endpoint itself needs in the block: nothing."""
        return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class LoopbackEndpoint:
    """An extension of the dialplan: ``loopback/<extension>/<context>``.

    mod_loopback makes two channels, back to back: one is dialled, the other one executes the
    extension. Both get the variables of the block, and so does ``own``.
    """

    extension: str
    context: str
    own: Mapping[str, str] = field(default_factory=dict)
    dialplan: str = ""
    """Empty: that of the leg that waits."""

    def __post_init__(self) -> None:
        _require(_PLAIN_NUMBER, self.extension, "an extension")  # no "=": "app=x" would run x
        _require(_NAME, self.context, "a context")

    def format(self) -> str:
        """Return the endpoint as text."""
        dialplan = f"/{self.dialplan}" if self.dialplan else ""
        return f"loopback/{self.extension}/{self.context}{dialplan}"

    def variables(self) -> Mapping[str, str]:
        """Return what the endpoint itself needs in the block."""
        return MappingProxyType(self.own)


Endpoint = SofiaEndpoint | UserEndpoint | GatewayEndpoint | LoopbackEndpoint


# --- values ------------------------------------------------------------------------------------

_FULL_WIDTH: Final = 0xFEE0
"""What lies between an ASCII character and its full-width form, which looks the same."""


def _full_width(characters: str) -> dict[int, int]:
    return {ord(c): ord(c) + _FULL_WIDTH for c in characters}


# Lines end commands of the event socket, and headers of SIP; the others have no use in a value.
_CONTROLS: Final = dict.fromkeys((*range(0x20), 0x7F), " ")
_CARRIED: Final = str.maketrans(_CONTROLS | _full_width("$"))
# mod_sofia cuts a caller's name at "@", "/" and ":" (switch_sanitize_number), percent-decodes it
# (check_decode), and puts it between quotation marks without escaping it.
_NAME_CARRIED: Final = str.maketrans(_full_width('"\\/:@<>%'))
_AS_IT_IS = re.compile(r"[A-Za-z0-9_.+*~-]+")
"""What needs neither replacing nor escaping, as nearly all values."""
_NOT_IN_NUMBER = re.compile(r"[^A-Za-z0-9_.+*~-]")

_CALLER_NAMES: Final = frozenset({"origination_caller_id_name", "effective_caller_id_name"})
_CALLER_NUMBERS: Final = frozenset({"origination_caller_id_number", "effective_caller_id_number"})


def carried_value(value: str) -> str:
    """Return what of ``value`` a channel variable can carry.

    Everything is kept but: a control character becomes a space, ``$`` its full-width form
    (nothing is ever expanded), a lone surrogate ``?``; a leading ``ARRAY::``, which makes a list
    of the value, loses its second colon to a space.
    """
    if not (value.isascii() and value.isprintable() and "$" not in value):
        value = value.encode("utf-8", "replace").decode("utf-8").translate(_CARRIED)
    return f"ARRAY: {value[7:]}" if value.startswith("ARRAY::") else value


def carried_caller_name(name: str) -> str:
    r"""Return a caller's display name as FreeSWITCH can carry it to the SIP From header.

    As :func:`carried_value`; and ``" \ / : @ < > %`` become their full-width forms, for FreeSWITCH
    cuts the name there or would break the header.
    """
    return carried_value(name).translate(_NAME_CARRIED)


def carried_caller_number(number: str) -> str:
    """Return a caller's number as FreeSWITCH can carry it to a SIP URI.

    Whatever is no letter or digit of ASCII and not one of ``_ . + * ~ -`` becomes ``_``.
    """
    return _NOT_IN_NUMBER.sub("_", number)


def _carried(name: str, value: str) -> str:
    if name in _CALLER_NAMES:
        return carried_caller_name(value)
    return carried_caller_number(value) if name in _CALLER_NUMBERS else carried_value(value)


# --- escaping ----------------------------------------------------------------------------------


def _escape_value(value: str) -> str:
    r"""Escape for the split at ``=`` (step 4, second).

    An empty value is written as two quotes: ``name=`` alone would be ignored, and so would not
    hide what channel A exports. ``=`` is escaped to break ``origination_nested_vars=true``, for
    which FreeSWITCH searches the whole text; ``:_`` is broken by an empty quotation (step 2).
    """
    if not value:
        return "''"
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("=", "\\=")
    escaped = escaped.replace(":_", ":''_")
    body = escaped.strip(" ")
    before = len(escaped) - len(escaped.lstrip(" "))
    after = len(escaped) - len(body) - before if body else 0
    return "\\s" * before + body + "\\s" * after


def _assigned(name: str, value: str) -> str:
    """One variable among those of a dial string."""
    if _AS_IT_IS.fullmatch(value):
        return f"{name}={value}"
    if not value:
        return f"{name}={_NOTHING}"
    return _escape_part(f"{name}={_escape_value(_carried(name, value))}")


def _escape_part(part: str) -> str:
    """Escape for the split at commas (step 4, first)."""
    return part.replace("\\", "\\\\").replace("'", "\\'").replace(",", "\\,")


_NOTHING: Final = _escape_part(_escape_value(""))
_BRACE = re.compile("[{}]")


def _balance(block: str) -> tuple[int, int]:
    """Return how many ``{`` are missing before ``block``, and how many ``}`` after it."""
    depth = lowest = 0
    for brace in _BRACE.findall(block):
        depth += 1 if brace == "{" else -1
        lowest = min(lowest, depth)
    return -lowest, depth - lowest


# --- the dial string ---------------------------------------------------------------------------

PADDING_VARIABLE: Final = Mark.BRACE
_VARIABLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,127}")


@lru_cache(maxsize=1024)
def _is_variable_name(name: str) -> bool:
    return _VARIABLE_NAME.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class DialString:
    """One endpoint with the variables of the channel that is made for it.

    Values may be anything: see :func:`carried_value` for the little that is replaced, and
    :func:`carried_caller_name` and :func:`carried_caller_number`, which are applied to
    ``origination_caller_id_*`` and ``effective_caller_id_*`` by themselves. An empty value makes
    sure that the new channel does not get the variable from channel A's exports.
    Unbalanced braces are carried by a variable :data:`PADDING_VARIABLE` that balances them.
    Raises :class:`DialStringError` for a name that is no plain one, and for too many variables.
    """

    endpoint: Endpoint
    variables: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.variables) > MAX_VARIABLES:
            raise DialStringError(f"more than {MAX_VARIABLES} variables")
        for name in self.variables:
            if not _is_variable_name(name):
                _require(_VARIABLE_NAME, name, "a variable name")

    def format(self) -> str:
        """Return the argument of ``bridge`` executed on a channel: it survives one expansion.

        The channel must not have ``app_disable_expand_variables`` set.
        """
        return self._plain().replace("\\", "\\\\")

    @staticmethod
    def together(dial_strings: Iterable[DialString], first: str = "") -> str:
        """Return the argument of ``bridge`` that has all of these ring at once.

        ``first``: a `fsctl.esl.commands.reference`, done as the argument is expanded, that is in
        the thread of the channel that executes it, and before anybody is called.

        By ``:_:`` each is dialled as it would be alone (`switch_ivr_enterprise_originate`), with
        variables and time of its own. Behind a comma FreeSWITCH calls but the first phone of a user
        that has several (mod_dptools.c, ``SOF_NOBLOCK``).
        """
        text = ":_:".join(each.format() for each in dial_strings)
        if not first:
            return text
        block = f"{{{PADDING_VARIABLE}={first}"
        return f"{block},{text[1:]}" if text.startswith("{") else f"{block}}}{text}"

    @staticmethod
    def together_for_originate(dial_strings: Iterable[DialString]) -> str:
        """As `together`, for `fsctl.esl.commands.Originate`: it adds the API's own quoting."""
        return ":_:".join(each.format_for_originate() for each in dial_strings)

    def format_for_originate(self) -> str:
        """Return what `fsctl.esl.commands.Originate` is given: it adds the API's own quoting."""
        return self._plain()

    def __str__(self) -> str:
        return self.format()

    def _plain(self) -> str:
        """Return the dial string as FreeSWITCH's originate proper must see it (steps 2 to 5)."""
        variables = {**self.endpoint.variables(), **self.variables}
        parts = [_assigned(name, value) for name, value in variables.items()]
        opening, closing = _balance("".join(parts))
        if opening:
            parts.insert(0, f"{PADDING_VARIABLE}={'{' * opening}")
        if closing:
            parts.append(f"{PADDING_VARIABLE}={'}' * closing}")
        block = ",".join(parts)
        return (f"{{{block}}}" if block else "") + self.endpoint.format()
