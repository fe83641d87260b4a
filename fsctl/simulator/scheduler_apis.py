"""API commands on the task scheduler (mod_commands): ``sched_*``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fsctl.simulator.causes import cause_name
from fsctl.simulator.progress import hang_up
from fsctl.simulator.words import leading_number, separate

if TYPE_CHECKING:
    from fsctl.simulator.switch import SimulatedSwitch

_NO_CHANNEL = "-ERR No such channel!\n"
_OK = "+OK\n"
_SYNTAX = "-ERR Invalid syntax. USAGE: [+@]<time> <group_name> <command_string>[&]\n"
_LEGS = {"aleg": "a", "bleg": "b", "both": "ab"}


def _sched_hangup(switch: SimulatedSwitch, arguments: str) -> str:
    words = separate(arguments, 4)
    if not words or not words[0]:
        return "-USAGE: [+]<time> <uuid> [<cause>]\n"
    channel = switch.locate(words[1]) if words[1:] else None
    if channel is None:
        return _NO_CHANNEL
    cause = cause_name(words[2]) if words[2:] else "ALLOTTED_TIMEOUT"
    if leading_number(words[0][1:]) == 0:
        # The first character is not looked at: `+0`, and any time of one digit, are now.
        hang_up(channel, cause)
    else:
        switch.scheduler.hangup(words[0], channel.uuid, cause)
    return _OK


def _sched_transfer(switch: SimulatedSwitch, arguments: str) -> str:
    words = separate(arguments, 6)
    if not 2 <= len(words) <= 5 or not words[0]:
        return "-USAGE: [+]<time> <uuid> <extension> [<dialplan>] [<context>]\n"
    if switch.locate(words[1]) is None:
        return _NO_CHANNEL
    switch.scheduler.transfer(words[0], words[1], *[*words[2:], "", "", ""][:3])
    return _OK


def _sched_broadcast(switch: SimulatedSwitch, arguments: str) -> str:
    """``[+|@]TIME UUID PATH [aleg|bleg|both]``; whether there is such a leg is seen at that time.

    Unlike ``uuid_broadcast``, it knows nothing but these three words.
    """
    words = separate(arguments, 4)
    if len(words) < 3 or not words[0]:
        return "-USAGE: [[+]<time>|@time] <uuid> <path> [aleg|bleg|both]\n"
    legs = _LEGS.get(words[3].lower(), "") if words[3:] else "a"
    switch.scheduler.broadcast(words[0], words[1], words[2], legs)
    return "+OK Message scheduled\n"


def _sched_api(switch: SimulatedSwitch, arguments: str) -> str:
    when, _, rest = arguments.partition(" ")
    group, found, command = rest.partition(" ")
    if not found:
        return _SYNTAX
    return f"+OK Added: {switch.scheduler.api(when, group, command.removesuffix('&'))}\n"


def _sched_del(switch: SimulatedSwitch, arguments: str) -> str:
    return f"+OK Deleted: {switch.scheduler.delete(arguments)}\n"


SCHEDULER_APIS: dict[str, Callable[[SimulatedSwitch, str], str]] = {
    "sched_hangup": _sched_hangup,
    "sched_transfer": _sched_transfer,
    "sched_broadcast": _sched_broadcast,
    "sched_api": _sched_api,
    "sched_del": _sched_del,
}
"""By name."""
