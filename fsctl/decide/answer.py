"""What a web service answers: an untrusted text becomes a `Decision`, or an error. Pure.

Fields that are not known are ignored: a service may say more than an older fsctl understands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from fsctl import setting_kinds as kinds
from fsctl.setting_kinds import Kind
from fsctl.sip.refer import is_passable
from fsctl.sip.uri import Uri, parse_uri

MAX_BYTES: Final = 64 * 1024
MAX_TARGETS: Final = 20
MAX_HEADERS: Final = 16
Mode = Literal["in-turn", "at-once"]

_NUMBER: Final = kinds.text(f"[{kinds.NUMBER_CHARACTERS}]{{1,64}}", "a number or a SIP URI")
_MODE: Final = kinds.choice("in-turn", "at-once")
_RING: Final = kinds.integer(1, 600)
_CODE: Final = kinds.integer(400, 699)
_PHRASE: Final = kinds.text(".{0,200}", "up to 200 characters")
_SCHEMES: Final = ("sip:", "sips:", "tel:")


class AnswerError(ValueError):
    """The answer is no decision; the message says why, and shows nothing that cannot be printed."""


@dataclass(frozen=True, slots=True)
class Connect:
    """Call these for the transferee."""

    targets: tuple[str | Uri, ...]
    """Numbers and URIs; at least one."""
    mode: Mode = "in-turn"
    """One after the other until one answers, or all together."""
    caller_id: str | None = None
    """None, here and below: as the settings say."""
    display_name: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    """SIP headers for the target, besides those of the settings."""
    ring_timeout_s: int | None = None
    """Of each."""

    def __str__(self) -> str:
        targets = " ".join(str(each) for each in self.targets)
        return f"connect {targets}" + (" at once" if self.mode == "at-once" else "")


@dataclass(frozen=True, slots=True)
class Refuse:
    """Tell the transferor this failure; the first two talk on."""

    code: int = 603
    phrase: str = ""
    """Empty: the registered one."""

    def __str__(self) -> str:
        return f"refuse {self.code} {self.phrase}".strip()


@dataclass(frozen=True, slots=True)
class Leave:
    """The settings decide."""

    def __str__(self) -> str:
        return "settings"


Decision = Connect | Refuse | Leave


def read(body: bytes) -> Decision:
    """Return the decision in an answer. Raises AnswerError, and nothing else."""
    try:
        said = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise AnswerError(f"no JSON: {type(error).__name__}") from None
    if not isinstance(said, dict):
        raise AnswerError("not a JSON object")
    match said.get("decision"):
        case "connect":
            return _connect(said)
        case "refuse":
            code = _value(said, "code", _CODE, 603)
            return Refuse(code, _value(said, "phrase", _PHRASE, ""))
        case "settings":
            return Leave()
    raise AnswerError('decision: must be "connect", "refuse" or "settings"')


def _connect(said: Mapping[str, Any]) -> Connect:
    targets = said.get("targets")
    if not isinstance(targets, list) or not 0 < len(targets) <= MAX_TARGETS:
        raise AnswerError(f"targets: must be a list of 1 to {MAX_TARGETS}")
    return Connect(
        tuple(_target(each) for each in targets),
        _value(said, "mode", _MODE, "in-turn"),
        _value(said, "caller_id", kinds.CALLER_NUMBER, None),
        _value(said, "display_name", kinds.CALLER_NAME, None),
        _headers(said),
        _value(said, "ring_timeout_s", _RING, None),
    )


def _target(raw: Any) -> str | Uri:
    text = raw if isinstance(raw, str) else ""
    if text.lower().startswith(_SCHEMES):
        try:
            return parse_uri(text).request_uri()
        except ValueError as error:  # UriError
            raise AnswerError(f"targets: {str(error)!a}") from None
    return str(_accept("targets", _NUMBER, raw))


def _headers(said: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Only those that an operator may set as well."""
    headers: tuple[tuple[str, str], ...] = _value(said, "headers", kinds.HEADERS, ())
    if len(headers) > MAX_HEADERS:
        raise AnswerError(f"headers: more than {MAX_HEADERS}")
    for name, value in headers:
        if not is_passable(name) or not value.isprintable():
            raise AnswerError(f"headers: {name!a} cannot be sent")
    return headers


def _value(said: Mapping[str, Any], name: str, kind: Kind, otherwise: Any) -> Any:
    """``null`` stands for what is not there."""
    raw = said.get(name)
    return otherwise if raw is None else _accept(name, kind, raw)


def _accept(name: str, kind: Kind, raw: Any) -> Any:
    if isinstance(raw, str) and not raw.isprintable():
        raise AnswerError(f"{name}: has control characters")
    try:
        return kind.accept(raw)
    except ValueError as error:
        raise AnswerError(f"{name}: {ascii(str(error))[1:-1][:200]}") from None
