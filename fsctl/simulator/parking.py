"""Parking: how a leg waits under a controller's hand, and how it obeys ``sendmsg``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsctl.simulator.causes import cause_name
from fsctl.simulator.progress import hang_up

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel


def park(channel: Channel) -> None:
    """``switch_ivr_park``: wait under somebody's control; ``park_timeout`` ends it."""
    if "controlled" in channel.flags:
        return
    timeout_s, cause = _park_timeout(channel)
    channel.flags |= {"controlled", "park"}
    channel.fire("CHANNEL_PARK")
    deadline_s = channel.switch.clock.now_s + timeout_s if timeout_s is not None else None

    def released() -> bool:
        return not channel.ready or not {"controlled", "park"} <= channel.flags

    while not released():
        left_s = None if deadline_s is None else deadline_s - channel.switch.clock.now_s
        if left_s is not None and left_s <= 0:
            hang_up(channel, cause)
            break
        channel.wait(lambda: released() or bool(channel.pending), left_s)
        if channel.pending and not released():
            run_next_message(channel)
    channel.flags -= {"controlled", "park"}
    channel.fire("CHANNEL_UNPARK")


def _park_timeout(channel: Channel) -> tuple[float | None, str]:
    text = channel.get_variable("park_timeout")
    if not text:
        return None, "NORMAL_CLEARING"
    # Consumed with the wish to be parked after the bridge: every confirmed REFER erases that.
    channel.set_variable("park_timeout", None)
    channel.set_variable("park_after_bridge", None)
    seconds, _, cause = text.partition(":")
    return float(seconds or 0), cause_name(cause or "NORMAL_CLEARING")


def run_next_message(channel: Channel) -> None:
    """Obey the next ``sendmsg`` in the channel's queue (``switch_ivr_parse_next_event``)."""
    message = channel.pending.popleft()
    command = message.get("call-command", "")
    if command == "hangup":
        hang_up(channel, cause_name(message.get("hangup-cause", ""), "NORMAL_CLEARING"))
    elif command == "execute" and message.get("execute-app-name"):
        argument = message.get("execute-app-arg") or message.get("_body", "")
        loops = int(message.get("loops") or 1)
        for loop in range(1, max(1, loops) + 1):
            channel.set_variable("current_loop", str(loop))
            channel.set_variable("total_loops", str(loops))
            channel.switch.execute(
                channel, message["execute-app-name"], argument, message.get("event-uuid")
            )
            channel.set_variable("current_loop", None)
            channel.set_variable("total_loops", None)
            if not channel.up:
                break
