"""``show channels``: the rows of FreeSWITCH's core database."""

from __future__ import annotations

import json
from time import gmtime, strftime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel
    from fsctl.simulator.switch import SimulatedSwitch


def show(switch: SimulatedSwitch, arguments: str) -> str:
    """``show channels|calls [as json]``."""
    words = arguments.split()
    if words[:1] not in (["channels"], ["calls"]):
        return "-USAGE: codec|channels|calls ...\n"
    rows = [_row(channel) for channel in switch.channels.values()]
    if words[-1] == "json":
        document: dict[str, object] = {"row_count": len(rows)}
        if rows:
            document["rows"] = rows
        return json.dumps(document, separators=(",", ":"))
    lines = [",".join(row.values()) for row in rows]
    head = [",".join(rows[0])] if rows else []
    return "\n".join([*head, *lines]) + f"\n{len(rows)} total.\n"


def _row(channel: Channel) -> dict[str, str]:
    profile = channel.profile
    created_s = profile.times_us.get("Channel-Created", 0) // 1_000_000
    bridged = channel.bridged_to
    return {
        "uuid": channel.uuid,
        "direction": channel.direction,
        "created": strftime("%Y-%m-%d %H:%M:%S", gmtime(created_s)),
        "created_epoch": str(created_s),
        "name": channel.name,
        "state": channel.running_state,
        "cid_name": profile.caller_id_name,
        "cid_num": profile.caller_id_number,
        "ip_addr": profile.network_addr,
        "dest": profile.destination_number,
        "application": channel.application[0],
        "application_data": channel.application[1],
        "dialplan": profile.dialplan,
        "context": profile.context,
        **_codecs(channel),
        "secure": "",
        "hostname": "simulator",
        "presence_id": channel.get_variable("presence_id") or "",
        "presence_data": "",
        "accountcode": channel.get_variable("accountcode") or "",
        "callstate": channel.call_state,
        "callee_name": profile.callee_id_name,
        "callee_num": profile.callee_id_number,
        "callee_direction": "SEND" if bridged is not None else "",
        "call_uuid": channel.get_variable("call_uuid") or channel.uuid,
        "sent_callee_name": "",
        "sent_callee_num": "",
        **_initially(channel),
    }


def _codecs(channel: Channel) -> dict[str, str]:
    media = channel.answered or channel.early
    codec = {"codec": "PCMU", "rate": "8000", "bit_rate": "64000"}
    sides = [f"{side}_{kind}" for side in ("read", "write") for kind in codec]
    return {name: codec[name.partition("_")[2]] if media else "" for name in sides}


def _initially(channel: Channel) -> dict[str, str]:
    """As it is now: the simulator does not keep what a transfer changed."""
    profile = channel.profile
    return {
        "initial_cid_name": profile.caller_id_name,
        "initial_cid_num": profile.caller_id_number,
        "initial_ip_addr": profile.network_addr,
        "initial_dest": profile.destination_number,
        "initial_dialplan": profile.dialplan,
        "initial_context": profile.context,
    }
