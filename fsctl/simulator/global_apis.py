"""API commands on variables and values (mod_commands, ``switch_core_set_variable``)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote

from fsctl.simulator.words import separate

if TYPE_CHECKING:
    from fsctl.simulator.switch import SimulatedSwitch

_REFERENCE = re.compile(r"\$(?=\\*\{)")
_HEADER = re.compile(r"\$\{variable_(\w+)\}")
_COND = re.compile(r"\$\{cond\(([^()]*)\)\}")


def _global_setvar(switch: SimulatedSwitch, arguments: str) -> str:
    """``NAME=VALUE[=OLD]``: with a third part only where the variable has that value now.

    An empty value removes the variable. A value is cut at its own ``=``, then, and set only if the
    rest is what the variable had; the answer never tells.
    """
    name, value, old = [*separate(arguments, 3, "="), "", "", ""][:3]
    if not name:
        return "-USAGE: <var>=<value> [=<value2>]\n"
    known = switch.global_variables
    if not old or known.get(name) == old:
        known.pop(name, None)
        if value:
            # No reference gets in (switch_string_var_check): it would be executed later.
            known[name] = _REFERENCE.sub("%", value)
    return "+OK"


def _global_getvar(switch: SimulatedSwitch, arguments: str) -> str:
    if not arguments:
        return "".join(f"{name}={value}\n" for name, value in switch.global_variables.items())
    return switch.global_variables.get(arguments, "")


def _sofia(switch: SimulatedSwitch, arguments: str) -> str:
    """``xmlstatus profile|gateway NAME``: of all that it says, the context of their calls."""
    kind, _, name = arguments.removeprefix("xmlstatus ").partition(" ")
    known = {"profile": switch.sofia_profiles, "gateway": switch.gateways}.get(kind, set())
    if name not in known:
        return f"Invalid {kind.capitalize()}!\n"
    context = f"<context>{switch.context}</context>"
    return f"<{kind}>\n  <name>{name}</name>\n  {context}\n</{kind}>\n"


def _expand(switch: SimulatedSwitch, arguments: str) -> str:
    """``[uuid:UUID ]COMMAND``: the headers of that channel's event are filled in, here and now."""
    first, _, rest = arguments.partition(" ")
    uuid, command = (first[5:], rest) if first.startswith("uuid:") else ("", arguments)
    channel = switch.locate(uuid)

    def value(match: re.Match[str]) -> str:
        return (channel.get_variable(match[1]) or "") if channel is not None else ""

    word, _, rest = command.partition(" ")
    expanded = _COND.sub(lambda match: _cond(switch, match[1]), _HEADER.sub(value, rest))
    output = switch.call_api(word, expanded)
    return "-ERR Cannot execute command\n" if output is None else output


def _cond(switch: SimulatedSwitch, arguments: str) -> str:
    """``A == B ? YES : NO``, of words; others than that are not played."""
    found = re.fullmatch(r"(\S*) == (\S*) \? (\S*) : (\S*)", arguments)
    if found is None:
        return "-ERR"
    one, other, yes, no = found.groups()
    return yes if one == other else no


GLOBAL_APIS: dict[str, Callable[[SimulatedSwitch, str], str]] = {
    "global_setvar": _global_setvar,
    "global_getvar": _global_getvar,
    "expand": _expand,
    "cond": _cond,
    "sofia": _sofia,
    "switchname": lambda switch, arguments: switch.switchname,
    "url_decode": lambda switch, arguments: unquote(arguments),
}
"""By name."""
