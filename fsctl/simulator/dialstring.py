"""Dial strings: ``{global=variables}[leg=variables]endpoint,endpoint|endpoint``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

_SIP = re.compile(r"(?:sips?:)?(?P<user>[^@;]*)(?:@(?P<host>[^;:]+)(?::(?P<port>\d+))?)?")


@dataclass(frozen=True, slots=True)
class DialledLeg:
    """One endpoint of a dial string with the variables its channel gets."""

    kind: str
    rest: str
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def number(self) -> str:
        """The user part that is dialled, percent-decoded."""
        return unquote(self._sip_part("user"))

    @property
    def host(self) -> str:
        """The host that is dialled; empty when the dial string names none."""
        return self._sip_part("host")

    @property
    def port(self) -> int:
        """The port that is dialled; 0 when the dial string names none."""
        return int(self._sip_part("port") or 0)

    @property
    def profile(self) -> str:
        """The Sofia profile (or ``gateway``) that is dialled through."""
        return self.rest.split("/", 1)[0]

    @property
    def address(self) -> str:
        """What follows the profile or gateway name."""
        if self.kind == "sofia" and self.profile == "gateway":
            return self.rest.split("/", 2)[-1]
        return self.rest.split("/", 1)[-1] if self.kind == "sofia" else self.rest

    def _sip_part(self, group: str) -> str:
        match = _SIP.match(self.address)
        return (match.group(group) or "") if match else ""


@dataclass(frozen=True, slots=True)
class DialString:
    """A parsed dial string: groups are tried one after another, legs of a group together."""

    variables: tuple[tuple[str, str], ...]
    groups: tuple[tuple[DialledLeg, ...], ...]


def parse_dial_string(text: str) -> DialString:
    """Parse as ``switch_ivr_originate`` does.

    Quotes protect nothing; a comma inside a value needs ``\\,`` or the ``^^:`` delimiter.
    """
    variables, rest = _block(text.strip(), "{", "}")
    groups = tuple(
        tuple(_leg(leg) for leg in _split(group, ",") if leg) for group in _split(rest, "|")
    )
    return DialString(variables, tuple(group for group in groups if group))


def _leg(text: str) -> DialledLeg:
    variables, rest = _block(text, "[", "]")
    kind, _, address = rest.partition("/")
    return DialledLeg(kind, address, variables)


def _block(text: str, start: str, end: str) -> tuple[tuple[tuple[str, str], ...], str]:
    variables: tuple[tuple[str, str], ...] = ()
    while text.startswith(start) and end in text:
        inside, text = text[1:].split(end, 1)
        variables += _variables(inside)
        text = text.lstrip()
    return variables, text


def _variables(text: str) -> tuple[tuple[str, str], ...]:
    delimiter = ","
    if text.startswith("^^") and len(text) > 2:
        delimiter, text = text[2], text[3:]
    pairs = [item.split("=", 1) for item in _split(text, delimiter) if "=" in item]
    return tuple((name.strip(), _unquote(value)) for name, value in pairs)


def _unquote(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == "'":
        return value[1:-1]
    return value


def _split(text: str, delimiter: str) -> list[str]:
    """Split outside brackets; a backslash before the delimiter keeps it."""
    parts, current, depth, index = [], "", 0, 0
    while index < len(text):
        char = text[index]
        if char == "\\" and text[index + 1 : index + 2] == delimiter:
            current += delimiter
            index += 2
            continue
        depth += (char == "[") - (char == "]")
        if char == delimiter and depth <= 0:
            parts.append(current)
            current = ""
        else:
            current += char
        index += 1
    return [*parts, current]
