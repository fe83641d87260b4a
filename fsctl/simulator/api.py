"""API commands (mod_commands): what ``api`` and ``bgapi`` run."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from fsctl.simulator.caller_id import sort_cid
from fsctl.simulator.causes import cause_name
from fsctl.simulator.dialplan import Action
from fsctl.simulator.events import SimEvent
from fsctl.simulator.global_apis import GLOBAL_APIS
from fsctl.simulator.leg_apis import LEG_APIS
from fsctl.simulator.originate import originate
from fsctl.simulator.parking import stop_broadcast
from fsctl.simulator.progress import hang_up, partner_of
from fsctl.simulator.scheduler_apis import SCHEDULER_APIS
from fsctl.simulator.show import show
from fsctl.simulator.uuid_bridge import uuid_bridge
from fsctl.simulator.words import separate

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel
    from fsctl.simulator.switch import SimulatedSwitch

Api = Callable[["SimulatedSwitch", str], str]
"""An API command: its arguments in, its answer out."""

NO_CHANNEL = "-ERR No such channel!\n"
_OK = "+OK\n"
_CALLER_ID = ("origination_caller_id_name", "origination_caller_id_number")


def _uuid_getvar(switch: SimulatedSwitch, arguments: str) -> str:
    words = separate(arguments, 2)
    if len(words) < 2:
        return "-USAGE: <uuid> <var>\n"
    channel = switch.locate(words[0])
    if channel is None:
        return NO_CHANNEL
    value = channel.get_variable(words[1])
    return "_undef_" if value is None else value


def _uuid_dump(switch: SimulatedSwitch, arguments: str) -> str:
    """As JSON, which alone is exact."""
    channel = switch.locate(arguments.partition(" ")[0])
    if channel is None:
        return NO_CHANNEL
    event = SimEvent("CHANNEL_DATA")
    channel.fill(event)
    known = {
        name: value.removeprefix("ARRAY::").split("|:") if value.startswith("ARRAY::") else value
        for name, value in reversed(event.headers)
    }
    return json.dumps(known, separators=(",", ":"))


def _uuid_setvar(switch: SimulatedSwitch, arguments: str) -> str:
    words = separate(arguments, 3)
    if len(words) < 2 or not words[1]:
        return "-USAGE: <uuid> <var> [value]\n"
    channel = switch.locate(words[0])
    if channel is None:
        return NO_CHANNEL
    value = words[2] if len(words) > 2 else ""
    channel.set_variable(words[1], None)
    if value:
        # The one way by which a value with ${ gets in: whatever refers to it will execute it.
        channel.variables[words[1]] = value
    return _OK


def _uuid_setvar_multi(switch: SimulatedSwitch, arguments: str) -> str:
    channel_uuid, _, rest = arguments.partition(" ")
    channel = switch.locate(channel_uuid)
    if channel is None:
        return NO_CHANNEL
    for item in separate(rest, 64, ";"):
        name, found, value = item.partition("=")
        if found:
            channel.set_variable(name.strip(), value)
    return _OK


def _uuid_exists(switch: SimulatedSwitch, arguments: str) -> str:
    return "true" if switch.locate(arguments.strip()) else "false"


def _uuid_kill(switch: SimulatedSwitch, arguments: str) -> str:
    channel_uuid, _, cause = arguments.partition(" ")
    channel = switch.locate(channel_uuid)
    if channel is None:
        return NO_CHANNEL
    hang_up(channel, cause_name(cause.strip(), "NORMAL_CLEARING"))
    return _OK


def _hupall(switch: SimulatedSwitch, arguments: str) -> str:
    """``CAUSE [VAR VALUE ...]``: hang up whoever has these variables, or everybody."""
    words = arguments.split()
    cause = cause_name(words[0] if words else "", "MANAGER_REQUEST")
    wanted = list(zip(words[1::2], words[2::2], strict=False))
    for channel in list(switch.channels.values()):
        if all(channel.get_variable(name) == value for name, value in wanted):
            hang_up(channel, cause)
    if not wanted:
        return f"+OK hangup all channels with cause {cause}\n"
    more = "..." if len(wanted) > 1 else ""
    matching = f"[{wanted[0][0]}]=[{wanted[0][1]}]{more}"
    return f"+OK hangup all channels matching {matching} with cause: {cause}\n"


def _uuid_bridge(switch: SimulatedSwitch, arguments: str) -> str:
    words = arguments.split()
    if len(words) != 2:
        return "-USAGE: <uuid> <other_uuid>\n"
    return f"+OK {words[1]}\n" if uuid_bridge(switch, *words) else "-ERR Invalid uuid\n"


def _uuid_break(switch: SimulatedSwitch, arguments: str) -> str:
    words = arguments.split()
    channel = switch.locate(words[0]) if words else None
    if channel is None:
        return NO_CHANNEL
    partner = partner_of(channel) if "both" in words[1:] else None
    for leg in filter(None, (channel, partner)):
        if "all" in words[1:]:
            leg.pending.clear()
            leg.urgent.clear()
        stop_broadcast(leg)
        leg.flags.add("break")
        leg.wake()
    return _OK


def _uuid_transfer(switch: SimulatedSwitch, arguments: str) -> str:
    words = separate(arguments, 5)
    channel = switch.locate(words[0]) if words else None
    if channel is None:
        return NO_CHANNEL
    rest = words[1:]
    if rest and rest[0].startswith("-"):
        channel = _other_legs(switch, channel, rest.pop(0)[1:].lower(), rest)
    switch.transfer(channel, *[*rest, "", "", ""][:3])
    return _OK


def _other_legs(switch: SimulatedSwitch, channel: Channel, wanted: str, rest: list[str]) -> Channel:
    """``-both`` moves the partner at once; ``-bleg`` moves it instead, if there is one."""
    other = switch.locate(channel.get_variable("bridge_to") or "")
    if other is None or wanted not in {"bleg", "both"}:
        return channel
    if wanted == "bleg":
        return other
    for leg in (other, channel):
        leg.flags.add("redirect")
    switch.transfer(other, *[*rest, "", "", ""][:3])
    return channel


def _uuid_park(switch: SimulatedSwitch, arguments: str) -> str:
    channel = switch.locate(arguments.strip())
    if channel is None:
        return NO_CHANNEL
    switch.transfer(channel, "park:", "inline", "")
    return _OK


def _originate(switch: SimulatedSwitch, arguments: str) -> str:
    """``<dial string> <extension>|&<application>(<arguments>) [<dialplan>] [<context>]``.

    Then ``[<caller's name>] [<number>] [<timeout>]``. ``force_transfer_*`` never count here, and
    the first ``)`` ends the application's arguments, as in the source.
    """
    words = ["" if word.lower() == "undef" else word for word in separate(arguments, 10)]
    if not 2 <= len(words) <= 7 or not words[0] or not words[1]:
        return "-USAGE: <call url> <exten>|&<application_name>(<app_args>) ...\n"
    given_s = float(words[6]) if len(words) > 6 and words[6].isdigit() else None
    shown = zip(_CALLER_ID, words[4:6], strict=False)
    extra = {name: value for name, value in shown if value}
    result = originate(switch, words[0], timeout_s=given_s, extra=extra)
    channel = result.channel
    if channel is None:
        return f"-ERR {result.hangup_cause}\n"
    if words[1].startswith("&"):
        application, _, argument = words[1][1:].partition(")")[0].partition("(")
        sort_cid(channel)
        channel.actions.append(Action(application, argument))
        channel.set_state("CS_EXECUTE")
    else:
        dialplan, context = [*words[2:4], "", ""][:2]
        switch.transfer(channel, words[1], dialplan or "XML", context or "default")
    return f"+OK {channel.uuid}\n"


def _bgapi(switch: SimulatedSwitch, arguments: str) -> str:
    """``COMMAND [ARGUMENTS]``, in a thread of its own; the answer is the job's name."""
    name, _, rest = arguments.partition(" ")

    def work() -> None:
        switch.run_api(name, rest)

    switch.spawn(work)
    return f"+OK Job-UUID: {uuid.uuid4()}\n"


def _status(switch: SimulatedSwitch, arguments: str) -> str:
    return (
        "UP 0 years, 0 days, 0 hours, 0 minutes, 1 second, 0 milliseconds, 0 microseconds\n"
        "FreeSWITCH (Version 1.10.12-release 64bit) is ready\n"
        f"{switch.sessions_made} session(s) since startup\n"
        f"{len(switch.channels)} session(s) - peak {len(switch.channels)}, last 5min 0 \n"
        "0 session(s) per Sec out of max 100, peak 0, last 5min 0 \n"
        "1000 session(s) max\nmin idle cpu 0.00/99.00\nCurrent Stack Size/Max 240K/8192K\n"
    )


APIS: dict[str, Api] = {
    "uuid_getvar": _uuid_getvar,
    "uuid_dump": _uuid_dump,
    "uuid_setvar": _uuid_setvar,
    "uuid_setvar_multi": _uuid_setvar_multi,
    "uuid_exists": _uuid_exists,
    "uuid_kill": _uuid_kill,
    "hupall": _hupall,
    "uuid_bridge": _uuid_bridge,
    "uuid_break": _uuid_break,
    "uuid_transfer": _uuid_transfer,
    "uuid_park": _uuid_park,
    "originate": _originate,
    "bgapi": _bgapi,
    "show": show,
    "status": _status,
    "reloadxml": lambda switch, arguments: "+OK [Success]\n",
    "create_uuid": lambda switch, arguments: str(uuid.uuid4()),
    **LEG_APIS,
    **SCHEDULER_APIS,
    **GLOBAL_APIS,
}
"""The API commands by name."""
