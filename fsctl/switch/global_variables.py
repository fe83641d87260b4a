"""FreeSWITCH's global variables, as ``global_getvar`` lists them, or set for a while (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fsctl.esl.commands import Command, GlobalSetvar, SchedApi, SchedDel
from fsctl.switch.marks import Mark

_LATE_S = 1


def listed(reply: str) -> dict[str, str]:
    """Return the variables in a reply to ``global_getvar``, by name."""
    pairs = (line.partition("=") for line in reply.splitlines())
    return {name: value for name, equals, value in pairs if equals}


def living(names: Iterable[str]) -> list[str]:
    """Return the addresses of the controllers that show signs of life, of variables' names."""
    return [name.removeprefix(Mark.LIVING) for name in names if name.startswith(Mark.LIVING)]


def late(address: str) -> list[Command]:
    """Return what keeps new calls from the controller at ``address`` (``HOST:PORT``) for 1 s to
    2.5 s; it says so again for as long as it is late."""
    name = f"{Mark.LATE}{address}"
    return set_for(_LATE_S, group_of(name), {name: "yes"})


def group_of(name: str) -> str:
    """Return the group of the timer that unsets this variable."""
    return name.replace("_", "-").replace(":", "-")


def set_for(seconds: int, group: str, variables: Mapping[str, str]) -> list[Command]:
    """Return what sets these, and has FreeSWITCH unset them in so many ``seconds`` at least, the
    last one first, if nobody sets them again by then. ``group``: of the timers."""
    made = [GlobalSetvar(name, value) for name, value in variables.items()]
    return [*made, *kept_for(seconds, group, variables)]


def kept_for(seconds: int, group: str, variables: Iterable[str]) -> list[Command]:
    """Return what gives these, which are set, so much time anew; see `set_for`. Where the reply to
    the first command is not `had_time`, they are unset, or somebody is about to unset them."""
    forget = [SchedApi(seconds, group, command) for command in unset(variables)]
    return [SchedDel(group), *forget]


def had_time(reply: str) -> bool:
    """Whether this reply to ``sched_del`` says that there was a timer (mod_commands.c)."""
    return reply.startswith("+OK") and not reply.startswith("+OK Deleted: 0")


def unset(variables: Iterable[str]) -> list[GlobalSetvar]:
    """Return what unsets these, the last one first."""
    return [GlobalSetvar(name, "") for name in reversed([*variables])]
