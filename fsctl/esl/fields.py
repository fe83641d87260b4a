"""What all ESL commands share: the checks of their fields, quoting, and encoding (pure).

Nothing that came from the network may end a line (a blank line would start a second command), be
expanded, or be taken for an option. A command that exists has passed these checks.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import lru_cache
from typing import Any, ClassVar

from fsctl.errors import CommandError

_LINE_BREAKERS = re.compile(r"[\x00\r\n]")
_UUID = re.compile(r"[0-9A-Za-z_.-]{1,64}")
_NAME = re.compile(r"[0-9A-Za-z_.:-]{1,128}")
_CAUSE = re.compile(r"[A-Z0-9_]{1,64}")
_PLAIN_TOKEN = re.compile(r"[^\s'\"\\]+")
_SELF = re.compile("mod_event_socket", re.IGNORECASE)
EARLY_S = 1.0
"""By so much FreeSWITCH may wait shorter than it is told, see `no_sooner`."""
_JOB_UUID_CHARS = 36  # es.c copies Job-UUID into a buffer of this size and cuts the rest


def check_text(field: str, value: str) -> None:
    """Refuse what cannot stand in a header's value: CR, LF, NUL, lone surrogates."""
    if value.isprintable():
        return  # nothing of these is
    if _LINE_BREAKERS.search(value):
        raise CommandError(f"{field} contains CR, LF or NUL: {value!r}")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise CommandError(f"{field} contains a lone surrogate: {value!r}") from None


def check_uuid(field: str, value: str) -> None:
    """A channel's or an application's uuid; ours may be any short token."""
    if not _UUID.fullmatch(value):
        raise CommandError(f"{field} is no uuid: {value!r}")


def check_job_uuid(field: str, value: str) -> None:
    """A job's uuid, which FreeSWITCH would cut at 36 characters."""
    check_uuid(field, value)
    if len(value) > _JOB_UUID_CHARS:
        raise CommandError(f"{field} is longer than {_JOB_UUID_CHARS} characters: {value!r}")


@lru_cache(maxsize=1024)
def _is_name(value: str) -> bool:
    return _NAME.fullmatch(value) is not None


def check_name(field: str, value: str) -> None:
    """The name of a variable, header, application or context."""
    if not _is_name(value):
        raise CommandError(f"{field} is no name: {value!r}")


def check_cause(field: str, value: str) -> None:
    """A hangup cause as FreeSWITCH names it, such as ``USER_BUSY``."""
    if not _CAUSE.fullmatch(value):
        raise CommandError(f"{field} is no hangup cause: {value!r}")


def check_seconds(field: str, value: int) -> None:
    """A whole number of seconds, at least 1 and at most a day."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 86_400:
        raise CommandError(f"{field} is not a number of seconds from 1 to 86400: {value!r}")


def check_delay(field: str, value: float) -> None:
    """A number of seconds above 0, and at most a day."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 86_400:
        raise CommandError(f"{field} is not a number of seconds up to 86400: {value!r}")


def no_sooner(after_s: float) -> int:
    """Return how many seconds FreeSWITCH is told to wait, that it waits ``after_s`` at least.

    For its timers (switch_scheduler.c) and for ``park_timeout`` (switch_ivr.c) it counts whole
    seconds, of which the one that goes on already is the first. It looks every half second: so it
    waits 1.5 s longer at most.
    """
    return math.ceil(after_s + EARLY_S)


def check_choice(field: str, value: str, choices: tuple[str, ...]) -> None:
    """One of a few words."""
    if value not in choices:
        raise CommandError(f"{field} is none of {', '.join(choices)}: {value!r}")


def quote(value: str, *, always: bool = False) -> str:
    """One argument of an ``api`` command that FreeSWITCH splits by `switch_separate_string`.

    Spaces separate there, ``'`` quotes, and a backslash escapes (switch_utils.c,
    ``cleanup_separated_string``); the end of the whole line is stripped of white space. So
    anything but a simple word is put in quotes, and quotes and backslashes in it are escaped;
    with `always` a simple word too, for commands that split at another character.
    """
    names_module = "mod_event_socket" in value.lower()
    if not always and _PLAIN_TOKEN.fullmatch(value) and not names_module:
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    if names_module:
        escaped = _SELF.sub(_break_word, escaped)
    return f"'{escaped}'"


def _break_word(match: re.Match[str]) -> str:
    # See Command.encode: '' ends and reopens the quotes, which changes nothing for the reader.
    return match[0][:4] + "''" + match[0][4:]


class Command:
    """One command; frozen subclasses say their `lines` and their `body`.

    Every text is checked, and the command encoded, once, when the object is made: raises
    CommandError.
    """

    __slots__ = ("_encoded",)
    __dataclass_fields__: ClassVar[dict[str, Any]]
    _encoded: bytes

    def __post_init__(self) -> None:
        checks = _KNOWN.get(type(self))
        for name, check in _checks_of(type(self)) if checks is None else checks:
            value = getattr(self, name)
            if isinstance(value, str):
                check(name, value)
            elif isinstance(value, tuple):
                for text in value:
                    if isinstance(text, str):
                        check(name, text)
        self.check()
        head, body = "\n".join(self.lines()).encode(), self.body()
        _refuse_reload(head)
        length = b"\ncontent-length: %d" % len(body) if body else b""
        object.__setattr__(self, "_encoded", b"%b%b\n\n%b" % (head, length, body))

    def check(self) -> None:
        """Checks beyond those that follow from a field's name."""

    def lines(self) -> tuple[str, ...]:
        """The command's line and its headers."""
        raise NotImplementedError

    def body(self) -> bytes:
        """What follows the empty line."""
        return b""

    def encode(self) -> bytes:
        """The exact bytes for the wire."""
        return self._encoded

    @property
    def label(self) -> str:
        """The command's name for logs and errors; never its values."""
        return type(self).__name__


def _refuse_reload(head: bytes) -> None:
    # es.c parse_command: a head that contains "unload" or "reload" and "mod_event_socket"
    # anywhere, even inside a display name, is replaced by an (un)load of the whole module.
    head = head.lower()
    if b"mod_event_socket" in head and (b"unload" in head or b"reload" in head):
        raise CommandError("FreeSWITCH would take this command for a reload of mod_event_socket")


_CHECKS: Mapping[str, Callable[[str, str], None]] = {
    "channel_uuid": check_uuid,
    "other_uuid": check_uuid,
    "event_uuid": check_uuid,
    "job_uuid": check_job_uuid,
    "task": check_uuid,
    "hangup_cause": check_cause,
    "application": check_name,
    "variable": check_name,
    "header": check_name,
    "names": check_name,
    "subclasses": check_name,
    "context": check_name,
    "dialplan": check_name,
}


_KNOWN: dict[type[Command], tuple[tuple[str, Callable[[str, str], None]], ...]] = {}


def _checks_of(kind: type[Command]) -> tuple[tuple[str, Callable[[str, str], None]], ...]:
    """The fields of a command, and how each of their texts is checked."""
    checks = _KNOWN[kind] = tuple(
        (each.name, _CHECKS.get(each.name, check_text)) for each in fields(kind)
    )
    return checks
