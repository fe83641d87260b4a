"""What a key of the settings may hold: its type, its range, and how it is said in a message.

Nothing that is accepted here can break out of a dial string or of a dialplan: no ``$``, no braces,
no quotes, no control characters.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from fsctl import setting_regex
from fsctl.errors import SettingsError
from fsctl.setting_tones import MUSIC, RINGING, SILENCE

T = TypeVar("T")

SAFE_NUMBER: Final = "[0-9A-Za-z+*._~-]{1,64}"
"""The only dialled numbers that a rendered dialplan may copy (Python and PCRE syntax)."""

NUMBER_CHARACTERS: Final = "0-9A-Za-z+*#._~-"
"""What a number that is shown or dialled may have in it: the inside of a character class."""
UNSAFE_IN_NAME: Final = r"""\x00-\x1f\x7f$"'<>\\,{}\[\]|^"""
"""What a display name may not; as that."""

PLACEHOLDERS: Final = ("transferee", "transferor", "dialled")
"""The parties that a template of an identity may name."""

OWN_HOSTS: Final = "own"
"""Among the hosts of a route: whatever names this switch."""

RECORDED: Final = (
    *("recordings_dir", "time", "what", "session"),
    *("transferee", "transferor", "target"),
)
"""What may name a recording."""

_HOST: Final = r"(?:[0-9A-Za-z][0-9A-Za-z._-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])"
_DIALLED_HOST: Final = r"[0-9A-Za-z][0-9A-Za-z.-]{0,252}"
_REGEX: Final = (
    r"(?:[^\\(\x00-\x20\x7f-\U0010ffff]"  # any printable ASCII character
    r"|\\[dDwWsSbB.+*?()\[\]{}|^/~-]"  # escapes that mean the same in both
    r"|\((?!\?)|\(\?(?:[:=!]|<[=!]))+"  # plain and non-capturing groups, look-around
)
_NOT_SHARED: Final = ("${", "$$", "[[", "{,")
"""Variables of FreeSWITCH; POSIX classes (PCRE only); ``{,n}`` (Python only)."""

SOUND_TEXT: Final = r"""[^\x00-\x1f\x7f$"'<>\\{}\[\]|^]{0,256}"""
_VARIABLE_VALUE: Final = r"""(?!.*:_)[^\x00-\x1f\x7f$"'<>\\,{}\[\]|^]{1,256}"""

_RESERVED_HEADERS: Final = frozenset(
    {"via", "from", "to", "call-id", "cseq", "contact", "max-forwards", "route", "record-route"}
    | {"content-type", "content-length", "content-encoding", "refer-to", "referred-by"}
    | {"replaces", "require", "supported", "authorization", "proxy-authorization"}
)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value.

    ``accept`` turns a TOML value into ours or raises ValueError (the message follows "KEY: ");
    ``read`` turns the text of an environment variable into a TOML value.
    """

    accept: Callable[[Any], Any]
    read: Callable[[str], Any] = str


def key(default: T, kind: Kind, *, show: bool = True) -> T:
    """One key of a schema dataclass; ``show=False`` keeps it out of every ``repr``."""
    declared: T = field(default=default, repr=show, metadata={"kind": kind})
    return declared


def _must(meaning: str, raw: object) -> ValueError:
    return ValueError(f"must be {meaning}, not {raw!r}")


def integer(low: int, high: int) -> Kind:
    """A whole number from ``low`` to ``high``."""

    def accept(raw: Any) -> int:
        if type(raw) is not int or not low <= raw <= high:
            raise _must(f"{low}..{high}", raw)
        return raw

    return Kind(accept, lambda text: int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else text)


def seconds(low: float, high: float) -> Kind:
    """A time in seconds, fractions allowed."""

    def accept(raw: Any) -> float:
        if type(raw) not in (int, float) or not low <= raw <= high:
            raise _must(f"{low:g}..{high:g}", raw)
        return float(raw)

    number = r"[0-9]{1,9}(\.[0-9]{1,6})?"
    return Kind(accept, lambda text: float(text) if re.fullmatch(number, text) else text)


def choice(*words: str) -> Kind:
    """One of a few words."""

    def accept(raw: Any) -> str:
        if raw not in words:
            raise _must("one of " + ", ".join(f'"{word}"' for word in words), raw)
        return cast(str, raw)

    return Kind(accept)


def text(pattern: str, meaning: str) -> Kind:
    """Text that matches ``pattern`` as a whole."""

    def accept(raw: Any) -> str:
        if not isinstance(raw, str) or not re.fullmatch(pattern, raw):
            raise _must(meaning, raw)
        return raw

    return Kind(accept)


def list_of(item: Kind, *, least: int = 1) -> Kind:
    """A list of so many at least; comma separated in the environment."""

    def accept(raw: Any) -> tuple[Any, ...]:
        if not isinstance(raw, list) or len(raw) < least:
            raise _must("a list of at least one" if least else "a list", raw)
        return tuple(item.accept(each) for each in raw)

    return Kind(accept, lambda line: [part.strip() for part in line.split(",") if part.strip()])


def template(plain: Kind, *placeholders: str) -> Kind:
    """As ``plain``, with ``{name}`` of these names in it."""

    def accept(raw: Any) -> str:
        for name in re.findall(r"\{([^{}]*)\}", raw) if isinstance(raw, str) else ():
            if name not in placeholders:
                known = ", ".join(f"{{{each}}}" for each in placeholders)
                raise ValueError(f"{{{name}}} is none of {known}")
        plain.accept(re.sub(r"\{[^{}]*\}", "", raw) if isinstance(raw, str) else raw)
        return cast(str, raw)

    return Kind(accept)


def _accept_flag(raw: Any) -> bool:
    if not isinstance(raw, bool):
        raise _must("true or false", raw)
    return raw


def _read_flag(line: str) -> Any:
    return {"true": True, "false": False}.get(line.strip().lower(), line)


def _accept_address(raw: Any) -> str:
    match = re.fullmatch(rf"{_HOST}:([0-9]{{1,5}})", raw if isinstance(raw, str) else "")
    if match is None or int(match[1]) > 65535:
        raise _must('"host:port"', raw)
    return cast(str, raw)


def _accept_dialled_address(raw: Any) -> str:
    match = re.fullmatch(rf"{_DIALLED_HOST}:([0-9]{{1,5}})", raw if isinstance(raw, str) else "")
    if match is None or not 1 <= int(match[1]) <= 65535:
        raise _must('"host:port" that FreeSWITCH can dial', raw)
    return cast(str, raw)


def _accept_capture_address(raw: Any) -> str:
    meaning = '"address:port", an IP address that FreeSWITCH can send to and a port from 1024 on'
    match = re.fullmatch(rf"({_HOST}):([0-9]{{4,5}})", raw if isinstance(raw, str) else "")
    if raw == "":
        return ""
    if match is None or not 1024 <= int(match[2]) <= 65535:
        raise _must(meaning, raw)
    try:
        address = ipaddress.ip_address(match[1].strip("[]"))
    except ValueError:
        raise _must(meaning, raw) from None
    if address.is_unspecified or (address.version == 6) != match[1].startswith("["):
        raise _must(meaning, raw)
    return cast(str, raw)


def _accept_ports(raw: Any) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,5})-([0-9]{1,5})", raw if isinstance(raw, str) else "")
    if match is None or not 1 <= int(match[1]) <= int(match[2]) <= 65535:
        raise _must('a range of ports, "8085-8100"', raw)
    return int(match[1]), int(match[2])


def _accept_regex(raw: Any) -> str:
    meaning = "a regular expression in the syntax that Python and PCRE share"
    line = raw if isinstance(raw, str) else ""
    if len(line) > 512 or not re.fullmatch(_REGEX, line) or any(s in line for s in _NOT_SHARED):
        raise _must(meaning, raw)
    try:
        re.compile(line, re.ASCII)
    except re.error as error:
        raise ValueError(f"must be {meaning}, not {raw!r} ({error})") from None
    try:
        setting_regex.check(line)
    except setting_regex.Ambiguous as error:
        raise ValueError(f"{raw!r} could take forever to answer: {error}") from None
    return line


def _accept_headers(raw: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(raw, dict):
        raise _must("a table of headers", raw)
    for name, value in raw.items():
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,63}", name):
            raise ValueError(f"{name!r} is not the name of a header")
        if name.lower() in _RESERVED_HEADERS:
            raise ValueError(f"{name} is a header that belongs to the call itself")
        if not isinstance(value, str) or not re.fullmatch(r"[^\x00-\x1f\x7f${}]{1,256}", value):
            raise ValueError(f"{name} must be text without controls, $ and braces, not {value!r}")
    return tuple(raw.items())


def _read_headers(line: str) -> Any:
    parts = [part.partition("=") for part in line.split(",") if part.strip()]
    if not all(equals for _, equals, _ in parts):
        return line
    return {name.strip(): value.strip() for name, _, value in parts}


def _accept_variables(raw: Any) -> tuple[tuple[str, str], ...]:
    """Those of fsctl itself are not the operator's to set."""
    if not isinstance(raw, dict):
        raise _must("a table of channel variables", raw)
    for name, value in raw.items():
        if not re.fullmatch(r"(?!fsctl_)[A-Za-z][A-Za-z0-9_-]{0,63}", name):
            raise ValueError(f"{name!r} is not the name of a variable")
        if not isinstance(value, str) or not re.fullmatch(_VARIABLE_VALUE, value):
            raise ValueError(
                f"{name} must be text without controls, quotes, commas, $, \\ and brackets,"
                f" not {value!r}"
            )
    return tuple(raw.items())


def _accept_reasons(raw: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(raw, dict):
        raise _must('a table, { FSC203 = "reason" }', raw)
    for code, reason in raw.items():
        if not re.fullmatch("FSC[0-9]{3}", code):
            raise ValueError(f"{code!r} is not the code of a finding")
        if not isinstance(reason, str) or not re.fullmatch(r"[^\x00-\x1f\x7f]{1,256}", reason):
            raise ValueError(f"{code} needs a reason, in printable characters")
    return tuple(raw.items())


def _accept_password(raw: Any) -> str:
    """The message never shows the value. ``$${`` would be expanded in FreeSWITCH's own files."""
    if not isinstance(raw, str) or not re.fullmatch(r"[^\x00-\x1f\x7f]{1,256}", raw) or "${" in raw:
        raise ValueError("must be 1 to 256 printable characters without ${")
    return raw


def _accept_path(raw: Any) -> Path:
    if not isinstance(raw, str) or not raw or "\0" in raw:
        raise _must("a path", raw)
    return Path(raw)


def _heard(*words: str) -> Kind:
    def accept(raw: Any) -> str:
        if raw in words:
            return cast(str, raw)
        if isinstance(raw, str) and re.fullmatch("[A-Za-z]{2}", raw):
            tone = RINGING.get(raw.lower())
            if tone is None:
                raise ValueError(f"of {raw!r} no ringing tone is known: {', '.join(RINGING)} are")
            return tone
        return cast(str, text(SOUND_TEXT, "a tone, a country or the path of a sound").accept(raw))

    return Kind(accept)


_RECORDING_FILE: Final = template(
    text(
        r"(?!.*\.\.)[0-9A-Za-z/_.+-]{1,200}\.[0-9a-z]{2,4}",
        "a path of letters, digits, / _ . + -, with an ending",
    ),
    *RECORDED,
)


def _accept_recording_file(raw: Any) -> str:
    path = cast(str, _RECORDING_FILE.accept(raw))
    if not path.startswith(("/", "{recordings_dir}/")):
        raise ValueError(f"must begin with / or {{recordings_dir}}/, not {raw!r}")
    return path


FLAG: Final = Kind(_accept_flag, _read_flag)
ADDRESS: Final = Kind(_accept_address)
"""``host:port``; IPv6 in brackets; port 0 lets the system choose."""
DIALLED_ADDRESS: Final = Kind(_accept_dialled_address)
"""``host:port`` as FreeSWITCH's ``socket`` takes it: it splits at colons, so no IPv6 address."""
CAPTURE_ADDRESS: Final = Kind(_accept_capture_address)
"""``address:port`` that sofia-sip's ``capture-server`` can name, or nothing."""
PORTS: Final = Kind(_accept_ports)
"""``first-last``."""
REGEX: Final = Kind(_accept_regex)
"""A regular expression that means the same in Python (``re.ASCII``) and in PCRE."""
PASSWORD: Final = Kind(_accept_password)
PATH: Final = Kind(_accept_path)
HEADERS: Final = Kind(_accept_headers, _read_headers)
REASONS: Final = Kind(_accept_reasons, _read_headers)
"""Why a finding is to be ignored, by its code."""
VARIABLES: Final = Kind(_accept_variables, _read_headers)
HOST: Final = text(_HOST, "a host name or address")
DOMAIN: Final = text(_DIALLED_HOST, "a domain")
IP_ADDRESS: Final = text(r"[0-9A-Fa-f:.]{2,45}", "an IP address")
NAME: Final = text(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}", "a name of letters, digits, '.', '_', '-'")
PREFIX: Final = text(rf"(?:{SAFE_NUMBER})?", "a number")
CALLER_NUMBER: Final = text(f"[{NUMBER_CHARACTERS}]{{0,64}}", "a number")
CALLER_NAME: Final = text(f"[^{UNSAFE_IN_NAME}]{{0,64}}", "a display name without quotes")
SHOWN_NUMBER: Final = template(CALLER_NUMBER, *PLACEHOLDERS)
SHOWN_NAME: Final = template(CALLER_NAME, *PLACEHOLDERS)
"""What a target sees; the parties of the transfer in braces."""
QUEUE: Final = text(
    r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}(?:@[0-9A-Za-z][0-9A-Za-z.-]{0,252})?", "a queue's name"
)
SAFE: Final = text(SAFE_NUMBER, "a number")
SOUND: Final = text(SOUND_TEXT, "a tone or the path of a sound")
RINGBACK: Final = _heard(MUSIC)
"""A sound, a country (its ringing tone is the value), or FreeSWITCH's hold music."""
MEANWHILE: Final = _heard(MUSIC, SILENCE)
"""As that, or nothing."""
RECORDING_FILE: Final = Kind(_accept_recording_file)
"""Where a recording is begun; what names it in braces."""
CODECS: Final = text(r"[0-9A-Za-z@,._-]{0,256}", "a list of codecs")
_HOST_GLOB: Final = text(r"[0-9A-Za-z.*?_-]{1,253}", "a host name, '*' and '?' allowed")
HOST_GLOBS: Final = list_of(_HOST_GLOB)
OWN_HOST_GLOBS: Final = list_of(_HOST_GLOB, least=0)
HEADER_GLOBS: Final = list_of(
    text(r"(?:[A-Za-z][A-Za-z0-9-]{0,62})?\*|[A-Za-z][A-Za-z0-9-]{0,63}", "a header, or 'X-*'"),
    least=0,
)
"""Names of headers; an asterisk at the end stands for any rest."""
PARAMETER_GLOBS: Final = list_of(
    text(r"(?!fs_)[A-Za-z][A-Za-z0-9_-]{0,62}\*?", "a parameter of a URI, or 'x-*'"), least=0
)
"""As that, of a SIP URI's parameters."""


def refuse_unknown(where: str, what: str, names: Iterable[str], known: list[str]) -> None:
    """Raise SettingsError for a name that is not ``known``, with the nearest one."""
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"
            raise SettingsError(f"{where}: unknown {what} {name}{hint}")


def kinds_of(schema: type[Any]) -> dict[str, Kind]:
    """Return the kinds of a schema's keys."""
    return {each.name: each.metadata["kind"] for each in fields(schema)}


def accept_table(where: str, schema: type[Any], table: Any, base: Path) -> dict[str, Any]:
    """Return what a table holds, for the keys of ``schema``; paths in it are relative to ``base``.

    Raises SettingsError.
    """
    if not isinstance(table, dict):
        raise SettingsError(f"{where}: must be a table, not {table!r}")
    known = kinds_of(schema)
    refuse_unknown(where, "key", table, list(known))
    accepted = {}
    for name, raw in table.items():
        value = accept(f"{where} {name}", known[name], raw)
        accepted[name] = base / value if isinstance(value, Path) else value
    return accepted


def accept_tables(
    origin: str, section: str, schema: type[Any], tables: Any, base: Path
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield for each ``[[section]]`` where it stands and what it holds, as `accept_table`.

    Where the schema has a ``name``, one without gets its number, and no two have the same.
    Raises SettingsError.
    """
    if not isinstance(tables, list):
        raise SettingsError(f"{origin}: {section}: must be written as [[{section}]]")
    taken: set[str] = set()
    for number, table in enumerate(tables, 1):
        where = f"{origin}: [[{section}]] {number}"
        accepted = accept_table(where, schema, table, base)
        if "name" in kinds_of(schema):
            name = accepted.setdefault("name", f"{section}{number}")
            if name in taken:
                raise SettingsError(f"{where} name: {name!r} is another {section}'s name")
            taken.add(name)
        yield where, accepted


def read_file(where: str, schema: type[Any], table: dict[str, Any], name: str) -> None:
    """Put what the file ``{name}_file`` holds into the table as ``name``, where one is named; line
    ends around it are not meant. Raises SettingsError."""
    file = table.get(f"{name}_file")
    if file is None:
        return
    if name in table:
        raise SettingsError(f"{where} {name}_file: {name} is set as well")
    try:
        text = file.read_text(encoding="utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{where} {name}_file: {file}: {error}") from error
    table[name] = accept(f"{file}: the {name}", kinds_of(schema)[name], text)


def accept(where: str, kind: Kind, raw: Any) -> Any:
    """Return the value of a key; raises SettingsError, which names the place."""
    try:
        return kind.accept(raw)
    except ValueError as error:
        raise SettingsError(f"{where}: {error}") from None
