"""API commands (mod_commands): what ``api`` and ``bgapi`` run."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from fsctl.simulator.bridge import uuid_bridge
from fsctl.simulator.causes import cause_name
from fsctl.simulator.commands import channel_dump
from fsctl.simulator.dialplan import Action
from fsctl.simulator.events import SimEvent
from fsctl.simulator.originate import originate
from fsctl.simulator.progress import hang_up
from fsctl.simulator.words import separate

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel
    from fsctl.simulator.switch import SimulatedSwitch

Api = Callable[["SimulatedSwitch", str], str]
"""An API command: its arguments in, its answer out."""

NO_CHANNEL = "-ERR No such channel!\n"
_OK = "+OK\n"


def _uuid_getvar(switch: SimulatedSwitch, arguments: str) -> str:
    words = separate(arguments, 2)
    if len(words) < 2:
        return "-USAGE: <uuid> <var>\n"
    channel = switch.locate(words[0])
    if channel is None:
        return NO_CHANNEL
    value = channel.get_variable(words[1])
    return "_undef_" if value is None else value


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
    if "all" in words[1:]:
        channel.pending.clear()
    channel.flags.add("break")
    channel.wake()
    return _OK


def _uuid_broadcast(switch: SimulatedSwitch, arguments: str) -> str:
    words = arguments.split(" ")
    channel = switch.locate(words[0]) if words else None
    if channel is None:
        return "-ERR invalid uuid\n"
    legs = words[2] if len(words) > 2 else "aleg"
    wanted = [channel] if legs in {"aleg", "both"} else []
    if legs in {"bleg", "both"} and channel.bridged_to is not None:
        wanted.append(channel.bridged_to)
    for leg in wanted:
        leg.pending.append(_broadcast_message(words[1]))
        leg.wake()
    return "+OK Message sent\n"


def _broadcast_message(path: str) -> dict[str, str]:
    application, found, argument = path.partition("::")
    if not found:
        application, argument = "playback", path
    return {
        "call-command": "execute",
        "execute-app-name": application,
        "execute-app-arg": argument,
    }


def _uuid_transfer(switch: SimulatedSwitch, arguments: str) -> str:
    words = separate(arguments, 5)
    channel = switch.locate(words[0]) if words else None
    if channel is None:
        return NO_CHANNEL
    legs = [channel]
    rest = words[1:]
    if rest and rest[0] in {"-bleg", "-both"}:
        flag = rest.pop(0)
        other = switch.locate(channel.get_variable("signal_bond") or "")
        legs = [leg for leg in (other, channel if flag == "-both" else None) if leg is not None]
    number, dialplan, context = [*rest, "", "", ""][:3]
    for leg in legs:
        if len(legs) > 1:
            leg.set_variable("park_after_bridge", "true")
        switch.transfer(leg, number, dialplan, context)
    return _OK


def _uuid_park(switch: SimulatedSwitch, arguments: str) -> str:
    channel = switch.locate(arguments.strip())
    if channel is None:
        return NO_CHANNEL
    switch.transfer(channel, "park:", "inline", "")
    return _OK


def _uuid_dump(switch: SimulatedSwitch, arguments: str) -> str:
    words = arguments.split()
    channel = switch.locate(words[0]) if words else None
    if channel is None:
        return NO_CHANNEL
    event = SimEvent("CHANNEL_DATA")
    event.headers.extend(switch.base_headers(event))
    channel.fill(event)
    return channel_dump(event, as_json=words[1:] == ["json"])


def _uuid_answer(switch: SimulatedSwitch, arguments: str) -> str:
    channel = switch.locate(arguments.strip())
    if channel is None:
        return NO_CHANNEL
    channel.pending.append({"call-command": "execute", "execute-app-name": "answer"})
    channel.wake()
    return "+OK Success\n"


def _sched_hangup(switch: SimulatedSwitch, arguments: str) -> str:
    words = arguments.split()
    if len(words) < 2:
        return "-USAGE: [+]<time> <uuid> [<cause>]\n"
    if switch.locate(words[1]) is None:
        return NO_CHANNEL
    switch.scheduler.hangup(words[0], words[1], cause_name(words[2] if words[2:] else ""))
    return _OK


def _sched_transfer(switch: SimulatedSwitch, arguments: str) -> str:
    words = arguments.split()
    if len(words) < 3:
        return "-USAGE: [+]<time> <uuid> <extension> [<dialplan>] [<context>]\n"
    if switch.locate(words[1]) is None:
        return NO_CHANNEL
    switch.scheduler.transfer(words[0], words[1], *[*words[2:5], "", ""][:3])
    return _OK


def _sched_del(switch: SimulatedSwitch, arguments: str) -> str:
    return f"+OK Deleted: {switch.scheduler.delete(arguments.strip())}\n"


def _originate(switch: SimulatedSwitch, arguments: str) -> str:
    """``<dial string> <extension>|&<application>(<arguments>) [<dialplan>] [<context>]``."""
    words = separate(arguments, 7)
    if len(words) < 2:
        return "-USAGE: <call url> <exten>|&<application_name>(<app_args>) ...\n"
    given_s = float(words[6]) if len(words) > 6 and words[6].isdigit() else None
    result = originate(switch, words[0], timeout_s=given_s)
    channel = result.channel
    if channel is None:
        return f"-ERR {result.hangup_cause}\n"
    if words[1].startswith("&"):
        application, _, argument = words[1][1:].partition("(")
        channel.actions.append(Action(application, argument.removesuffix(")")))
        channel.set_state("CS_EXECUTE")
    else:
        switch.transfer(channel, words[1], *[*words[2:4], "", ""][:2])
    return f"+OK {channel.uuid}\n"


def _show(switch: SimulatedSwitch, arguments: str) -> str:
    words = arguments.split()
    if words[:1] not in (["channels"], ["calls"]):
        return "-USAGE: codec|channels|calls ...\n"
    rows = [_row(channel) for channel in switch.channels.values()]
    if "count" in words:
        if words[-1] == "json":
            return json.dumps({"row_count": len(rows)}, separators=(",", ":"))
        return f"\n{len(rows)} total.\n"
    if words[-1] == "json":
        document: dict[str, object] = {"row_count": len(rows)}
        if rows:
            document["rows"] = rows
        return json.dumps(document, separators=(",", ":"))
    lines = [",".join(row.values()) for row in rows]
    head = [",".join(_row_names())] if rows else []
    return "\n".join([*head, *lines]) + f"\n{len(rows)} total.\n"


def _row(channel: Channel) -> dict[str, str]:
    profile = channel.profile
    values = (
        channel.uuid,
        channel.direction,
        str(profile.times_us.get("Channel-Created", 0) // 1_000_000),
        channel.name,
        channel.running_state,
        profile.caller_id_name,
        profile.caller_id_number,
        profile.network_addr,
        profile.destination_number,
        channel.get_variable("current_application") or "",
        channel.get_variable("current_application_data") or "",
        profile.dialplan,
        profile.context,
        channel.call_state,
        channel.get_variable("call_uuid") or channel.uuid,
    )
    return dict(zip(_row_names(), values, strict=True))


def _row_names() -> list[str]:
    return (
        "uuid direction created_epoch name state cid_name cid_num ip_addr dest application "
        "application_data dialplan context callstate call_uuid"
    ).split()


def _status(switch: SimulatedSwitch, arguments: str) -> str:
    return (
        "UP 0 years, 0 days, 0 hours, 0 minutes, 1 second, 0 milliseconds, 0 microseconds\n"
        "FreeSWITCH (Version 1.10.12-release 64bit) is ready\n"
        f"{switch.sessions_made} session(s) since startup\n"
        f"{len(switch.channels)} session(s) - peak {len(switch.channels)}, last 5min 0 \n"
        "0 session(s) per Sec out of max 100, peak 0, last 5min 0 \n"
        "1000 session(s) max\nmin idle cpu 0.00/99.00\nCurrent Stack Size/Max 240K/8192K\n"
    )


def _global_setvar(switch: SimulatedSwitch, arguments: str) -> str:
    name, _, value = arguments.partition("=")
    switch.global_variables[name.strip()] = value
    return "+OK"


def _global_getvar(switch: SimulatedSwitch, arguments: str) -> str:
    return switch.global_variables.get(arguments.strip(), "")


APIS: dict[str, Api] = {
    "uuid_getvar": _uuid_getvar,
    "uuid_setvar": _uuid_setvar,
    "uuid_setvar_multi": _uuid_setvar_multi,
    "uuid_exists": _uuid_exists,
    "uuid_kill": _uuid_kill,
    "uuid_bridge": _uuid_bridge,
    "uuid_break": _uuid_break,
    "uuid_broadcast": _uuid_broadcast,
    "uuid_transfer": _uuid_transfer,
    "uuid_park": _uuid_park,
    "uuid_dump": _uuid_dump,
    "uuid_answer": _uuid_answer,
    "sched_hangup": _sched_hangup,
    "sched_transfer": _sched_transfer,
    "sched_del": _sched_del,
    "originate": _originate,
    "show": _show,
    "status": _status,
    "global_setvar": _global_setvar,
    "global_getvar": _global_getvar,
    "reloadxml": lambda switch, arguments: "+OK [Success]\n",
    "create_uuid": lambda switch, arguments: str(uuid.uuid4()),
    "hostname": lambda switch, arguments: "simulator",
    "version": lambda switch, arguments: "FreeSWITCH Version 1.10.12-release~64bit\n",
}
"""The API commands by name."""
