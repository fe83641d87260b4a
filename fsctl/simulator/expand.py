"""Expansion of ``${variable}`` and ``${api(arguments)}``, as ``switch_channel_expand_variables``.

FreeSWITCH expands the arguments of every executed application and the fields of conditions, and it
expands the *value* of each variable again: whoever lets text from the network into a variable or a
profile field that is referred to gives away the machine, because API calls in it are executed. The
simulator runs no shell; it records each such call in ``SimulatedSwitch.expanded_apis``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fsctl.simulator.words import leading_number

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel

_START = re.compile(r"(\\?)\$?\$\{")
_ESCAPED = re.compile(r"\\[\\nst']")
_ESCAPE = re.compile(r"\\[\\']")
_API = re.compile(r"([^ (]+)([ (])(.*)", re.DOTALL)
_BRACE = re.compile("[{}]")
_MAX_DEPTH = 100


def expand(channel: Channel, text: str, depth: int = 0) -> str:
    """``text`` with its references replaced; unknown variables become nothing.

    In a text that holds a reference or any escape, ``\\\\`` becomes one backslash and ``\\'`` goes.
    What stands right behind a reference is copied as it is: a backslash there escapes nothing.
    """
    if "$" not in text and "\\" not in text:
        return text
    if depth > _MAX_DEPTH or not (_START.search(text) or _ESCAPED.search(text)):
        return text
    out: list[str] = []
    position = 0
    while match := _START.search(text, position):
        out.append(_unescape(text[position : match.start()]))
        if match.group(1):
            out.append(match.group()[1:])
            position = match.end()
            continue
        inside, position = _braced(text, match.end())
        out.append(_value(channel, inside, depth + 1))
        if text[position : position + 1] != "$":
            out.append(text[position : position + 1])
            position += 1
    return "".join(out) + _unescape(text[position:])


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda match: "" if match[0] == "\\'" else "\\", text)


def _braced(text: str, start: int) -> tuple[str, int]:
    """What stands before the brace that closes, and the position behind it."""
    open_braces = 1
    for brace in _BRACE.finditer(text, start):
        open_braces += 1 if brace[0] == "{" else -1
        if open_braces == 0:
            return text[start : brace.start()], brace.end()
    return text[start:], len(text)


def _value(channel: Channel, inside: str, depth: int) -> str:
    api = _API.fullmatch(inside)
    if api is None:
        name, _, index = expand(channel, inside, depth).partition("[")
        found = channel.item(name, leading_number(index)) if index else channel.get_variable(name)
        return expand(channel, found or "", depth)
    command = expand(channel, api.group(1), depth)
    arguments = expand(channel, _arguments(*api.groups()[1:]), depth)
    channel.switch.expanded_apis.append((command, arguments))
    # A command that there is not says nothing here.
    return channel.switch.call_api(command, arguments) or ""


def _arguments(opening: str, rest: str) -> str:
    """What stands before the parenthesis that closes; behind a blank, before the first that does.

    So in ``${api arguments}`` a nested ``${api(...)}`` loses its end, and what follows it.
    """
    opened = int(opening == "(")
    for position, char in enumerate(rest):
        if char == ")" and opened == 1:
            return rest[:position]
        opened += {"(": 1, ")": -1 if opened > 1 else 0}.get(char, 0)
    return rest
