"""A recording as templates: what each leg's events say in each phase, for calls with other names.

What a controller sets on a leg is not in a template: the replay adds what the controller under test
has set itself, so that names, values and their number may change.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from bench.replay import record
from bench.replay.frames import value
from tests.live.lab.fsctl_process import REPOSITORY

PHASES = ("new", "answer", "refer", "target", "released", "end")
"""``new``: until the link is dialled; ``answer``: the callee is called and answers; ``refer``: it
sends its REFER, until the transferee's link is dialled; ``target``: the same of the target;
``released``: the transferor's BYE; ``end``: the transferee's."""
_REFERENCE = re.compile(r"\$\{(\w+)\((.*?)\)\}")
_ASSIGNED = re.compile(r"([\w.-]+)=(?:'((?:[^'\\]|\\.)*)'|([^;]*))(?:;|$)")
_NUMBERS = ("108153", "2153", "3153")


@dataclass(frozen=True, slots=True)
class Template:
    """Text with gaps; ``leg`` is 0, 1, 2: caller, callee, target."""

    name: bytes
    subclass: bytes
    leg: int
    _text: bytes
    _gaps: tuple[int, ...]

    def fill(self, names: tuple[bytes, ...]) -> bytes:
        """The text with a call's own names."""
        if len(self._gaps) == 1:
            return self._text % names[self._gaps[0]]
        return self._text % itemgetter(*self._gaps)(names) if self._gaps else self._text % ()


@dataclass(slots=True)
class Recording:
    """One scope's."""

    scope: str
    phases: dict[str, list[Template]]
    snapshots: list[Template]
    """What ``connect`` is answered with, on the first link and the next."""
    taken_over: frozenset[str]
    """What the dialplan sets anew on the transferee after a controller had set it."""
    commands: list[list[tuple[str, bool]]]
    """By link: a command, and whether it came without waiting for what answers the one before."""
    asked: Mapping[str, str]
    names: tuple[bytes, ...]
    """The recording's own: what the gaps were filled with."""
    settings: dict[str, str] = field(default_factory=dict)


def load(scope: str, home: str, repository: Path = REPOSITORY) -> Recording:
    """The recording of that scope, for a controller whose home address is ``home``."""
    found: Any = record.load(scope, repository)
    events = [_bytes(step["event"]) for step in found["steps"] if "event" in step]
    legs = _legs(events)
    names = [legs[0], legs[1], legs[2]]
    names += [number.encode() for number in _NUMBERS]
    names += [_call_id(events, leg) for leg in legs]
    homes = {found["home"].encode(): home.encode()}
    homes |= {quote(old).encode(): quote(new).encode() for old, new in _texts(homes)}
    maker = _Maker(tuple(names), homes)
    commands = _commands(found["steps"], found["home"], home)
    first_dial = [_dialled(link) for link in commands]
    set_by = _set_by_controller(commands, first_dial, legs)
    phases: dict[str, list[Template]] = {phase: [] for phase in PHASES}
    phase = "new"
    for event in events:
        phase = _phase(phase, event, legs)
        stripped = _without(event, set_by[phase].get(value(event, b"Unique-ID"), {}))
        phases[phase].append(maker.template(stripped, legs))
    snapshots = [_bytes(step["snapshot"]) for step in found["steps"] if "snapshot" in step]
    before = set_by["refer"].get(legs[0], {})
    taken = [name for name, text in before.items() if _variable(snapshots[-1], name) != text]
    made = [maker.template(_without(snapshot, before) + b"\n", legs) for snapshot in snapshots]
    return Recording(scope, phases, made, frozenset(taken), commands, found["asked"], tuple(names))


@lru_cache(maxsize=65536)
def line(name: str, text: str) -> bytes:
    """A variable as it stands in an event."""
    return f"variable_{name}: {quote(text, safe='/,()!*;=@<>')}\n".encode()


def assigned(text: str) -> dict[str, str]:
    """What ``uuid_setvar_multi`` sets."""
    found = {}
    for match in _ASSIGNED.finditer(text):
        found[match[1]] = match[2] if match[2] is not None else match[3]
    return found


def done_by(argument: str) -> list[str]:
    """The commands of the API that FreeSWITCH carries out as it expands an argument."""
    return [f"{found[1]} {found[2]}" for found in _REFERENCE.finditer(argument)]


def dialled_variables(dial_string: str) -> dict[str, str]:
    """What stands in the braces at the front of a dial string."""
    dial_string = _REFERENCE.sub("+OK", dial_string)
    if not dial_string.startswith("{"):
        return {}
    inner = dial_string[1:].partition("}")[0]
    found = {}
    for part in re.split(r"(?<!\\),", inner):
        name, _, text = part.partition("=")
        found[name] = text.replace("\\'", "").replace("\\", "").strip("'")
    return found


class _Maker:
    def __init__(self, names: tuple[bytes, ...], homes: Mapping[bytes, bytes]) -> None:
        self._places = {name: place for place, name in enumerate(names)}
        self._homes = homes
        whole = [re.escape(name) for name in names if not name.isdigit()]
        parts = [rb"(?<![0-9])" + name + rb"(?![0-9])" for name in names if name.isdigit()]
        self._names = re.compile(b"|".join([*whole, *parts]))

    def template(self, text: bytes, legs: list[bytes]) -> Template:
        for old, new in self._homes.items():
            text = text.replace(old, new)
        gaps: list[int] = []

        def gap(match: re.Match[bytes]) -> bytes:
            gaps.append(self._places[match[0]])
            return b"\0"

        marked = self._names.sub(gap, text)
        filled = marked.replace(b"%", b"%%").replace(b"\0", b"%b")
        leg = legs.index(value(text, b"Unique-ID"))
        name, subclass = value(text, b"Event-Name"), value(text, b"Event-Subclass")
        return Template(name, subclass, leg, filled, tuple(gaps))


def _legs(events: list[bytes]) -> list[bytes]:
    """The uuids, in the order of their creation."""
    return list(dict.fromkeys(value(event, b"Unique-ID") for event in events))


def _call_id(events: list[bytes], leg: bytes) -> bytes:
    found = [value(e, b"variable_sip_call_id") for e in events if value(e, b"Unique-ID") == leg]
    # before the host, which may be encoded or not
    return next(call_id for call_id in found if call_id).partition(b"@")[0]


def _phase(phase: str, event: bytes, legs: list[bytes]) -> str:
    name, leg = value(event, b"Event-Name"), value(event, b"Unique-ID")
    if name == b"CHANNEL_OUTGOING":
        if leg == legs[1] and phase == "new":
            return "answer"
        if leg == legs[2] and phase == "refer":
            return "target"
    if value(event, b"Event-Subclass") == b"sofia::transferor":
        return "refer"
    if name == b"CHANNEL_HANGUP" and phase in ("target", "released"):
        return "released" if leg == legs[1] else "end"
    return phase


def _commands(steps: list[Any], old: str, new: str) -> list[list[tuple[str, bool]]]:
    links: dict[int, list[tuple[str, bool]]] = {}
    for step in steps:
        if "command" in step:
            said = (step["command"].replace(old, new), step["together"])
            links.setdefault(step["link"], []).append(said)
    return list(links.values())


def _dialled(link: list[tuple[str, bool]]) -> int:
    """Which of a link's commands dials."""
    return next(place for place, (text, _) in enumerate(link) if "execute-app-name: bridge" in text)


def _set_by_controller(
    commands: list[list[tuple[str, bool]]], dials: list[int], legs: list[bytes]
) -> dict[str, dict[bytes, dict[str, str]]]:
    """By phase and leg: what the controller has set until then."""
    state: dict[bytes, dict[str, str]] = {leg: {} for leg in legs}
    found: dict[str, dict[bytes, dict[str, str]]] = {"new": {}}
    called = legs[1:] if len(commands) > 1 else legs[2:]
    for link, dial, leg in zip(commands, dials, called, strict=True):
        for text, _ in link[: dial + 1]:
            _apply(text, state, leg)
        now = {leg: dict(variables) for leg, variables in state.items()}
        if leg == legs[1]:
            found["answer"] = found["refer"] = now
        else:
            found.setdefault("answer", {})
            found.setdefault("refer", {})
            found["target"] = now
    for text, _ in commands[-1][dials[-1] + 1 :]:
        _apply(text, state, legs[2])
    found["released"] = found["target"]
    found["end"] = state
    return found


def _apply(text: str, state: dict[bytes, dict[str, str]], called: bytes) -> None:
    words = text.split(" ", 3)
    if text.startswith("api uuid_setvar_multi "):
        state[words[2].encode()] |= assigned(words[3])
    elif text.startswith("api uuid_setvar "):
        name, _, given = words[3].partition(" ")
        state[words[2].encode()][name] = given.strip("'")
    elif "execute-app-name: bridge" in text:
        argument = text.partition("\n\n")[2] or text.partition("execute-app-arg: ")[2]
        for command in done_by(argument):
            _apply(f"api {command}", state, called)
        state[called] |= dialled_variables(argument)


def _without(event: bytes, variables: Mapping[str, str]) -> bytes:
    """The event without the lines that say what the controller has set, and its last empty line."""
    kept = []
    for each in event.rstrip(b"\n").split(b"\n"):
        name, _, text = each.partition(b": ")
        known = variables.get(name.removeprefix(b"variable_").decode())
        if name.startswith(b"variable_") and known is not None and unquote(text.decode()) == known:
            continue
        kept.append(each)
    return b"\n".join(kept) + b"\n"


def _variable(event: bytes, name: str) -> str:
    return value(event, f"variable_{name}".encode()).decode()


def _bytes(text: str) -> bytes:
    return text.encode("latin-1")


def _texts(pairs: Mapping[bytes, bytes]) -> list[tuple[str, str]]:
    return [(old.decode(), new.decode()) for old, new in pairs.items()]
