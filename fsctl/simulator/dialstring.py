"""Dial strings: ``{global=variables}[leg=variables]endpoint,endpoint|endpoint``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from fsctl.simulator.words import separate

_SIP = re.compile(r"(?:sips?:)?(?P<user>[^@;]*)(?:@(?P<host>[^;:]+)(?::(?P<port>\d+))?)?")


@dataclass(frozen=True, slots=True)
class DialledLeg:
    """One endpoint of a dial string with the variables its channel gets."""

    kind: str
    rest: str
    variables: tuple[tuple[str, str], ...] = ()
    contact: int = 0
    """Which of the user's phones, where it has several."""

    @property
    def number(self) -> str:
        """The user part that is dialled, percent-decoded; of a URI without one the host: whoever
        has that for a number answers there."""
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

    A comma inside a value needs quotes, ``\\,`` or the ``^^:`` delimiter; braces are only counted.
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
    while text.startswith(start) and (closing := _closing(text, start, end)):
        variables += _variables(text[1:closing])
        text = text[closing + 1 :].lstrip()
    return variables, text


def _closing(text: str, start: str, end: str) -> int:
    """Where the block that begins the text ends (``switch_find_end_paren``); 0: it does not."""
    depth = 0
    for position, char in enumerate(text):
        depth += (char == start) - (char == end)
        if depth == 0:
            return position
    return 0


def _variables(text: str) -> tuple[tuple[str, str], ...]:
    delimiter = ","
    if text.startswith("^^") and len(text) > 2:
        delimiter, text = text[2], text[3:]
    pairs = [separate(item, 2, "=") for item in separate(text, 1024, delimiter)]
    return tuple((pair[0], pair[1]) for pair in pairs if len(pair) == 2)


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
