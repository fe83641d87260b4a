"""FreeSWITCH's global variables, as ``global_getvar`` lists them, or set for a moment (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from fsctl.esl.commands import Command, GlobalSetvar, SchedApi, SchedDel
from fsctl.switch.marks import Mark

_LATE_S = 2


def listed(reply: str) -> dict[str, str]:
    """Return the variables in a reply to ``global_getvar``, by name."""
    pairs = (line.partition("=") for line in reply.splitlines())
    return {name: value for name, equals, value in pairs if equals}


def living(names: Iterable[str]) -> list[str]:
    """Return the addresses of the controllers that show signs of life, of variables' names."""
    return [name.removeprefix(Mark.LIVING) for name in names if name.startswith(Mark.LIVING)]


def late(address: str) -> list[Command]:
    """Return what keeps new calls from the controller at ``address`` (``HOST:PORT``) for 2 s."""
    name = f"{Mark.LATE}{address}"
    group = name.replace("_", "-").replace(":", "-")
    return [
        SchedDel(group),
        GlobalSetvar(name, "yes"),
        SchedApi(_LATE_S, group, GlobalSetvar(name, "")),
    ]
