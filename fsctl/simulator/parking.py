"""Parking: how a leg waits under a controller's hand, and how it obeys ``sendmsg``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fsctl.simulator.causes import cause_name
from fsctl.simulator.dtmf import take_digit
from fsctl.simulator.progress import hang_up, partner_of
from fsctl.simulator.words import leading_number

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel

_SHORTEST_LOOP_S = 0.5
_LOCKS = {"event-lock": "event_lock", "event-lock-pri": "event_lock_pri"}


def park(channel: Channel) -> None:
    """``switch_ivr_park``: wait under somebody's control; ``park_timeout`` ends it."""
    if "controlled" in channel.flags:
        return
    timeout_s, cause = _park_timeout(channel)
    channel.flags |= {"controlled", "park"}
    channel.fire("CHANNEL_PARK")

    def released() -> bool:
        return not channel.ready or not {"controlled", "park"} <= channel.flags

    if not obey_until(channel, released, timeout_s):
        hang_up(channel, cause)
    channel.flags -= {"controlled", "park"}
    channel.fire("CHANNEL_UNPARK")


def park_session(channel: Channel) -> None:
    """``switch_ivr_park_session``: park whatever else the leg was to do."""
    channel.flags.add("transfer")
    channel.set_state("CS_PARK")


def _park_timeout(channel: Channel) -> tuple[float | None, str]:
    text = channel.get_variable("park_timeout")
    if not text:
        return None, "NORMAL_CLEARING"
    # Consumed with the wish to be parked after the bridge: every confirmed REFER erases that.
    channel.set_variable("park_timeout", None)
    channel.set_variable("park_after_bridge", None)
    seconds, _, cause = text.partition(":")
    timeout_s, now_s = leading_number(seconds), channel.switch.clock.now_s
    # It counts whole seconds, as the scheduler does.
    left_s = None if timeout_s < 0 else int(now_s) + timeout_s - now_s
    return left_s, cause_name(cause or "NORMAL_CLEARING")


def obey_until(
    channel: Channel,
    over: Callable[[], bool],
    timeout_s: float | None = None,
    on_digit: Callable[[str], bool] | None = None,
) -> bool:
    """Wait, obeying what ``sendmsg`` queues and taking digits; False when the time ran out.

    ``on_digit`` ends the wait when it returns True.
    """
    clock = channel.switch.clock
    deadline_s = None if timeout_s is None else clock.now_s + timeout_s
    while not over():
        left_s = None if deadline_s is None else deadline_s - clock.now_s
        if left_s is not None and left_s <= 0:
            return False
        channel.wait(lambda: over() or bool(channel.dtmf_queue) or has_message(channel), left_s)
        if over():
            break
        if has_message(channel):
            run_next_message(channel)
        elif channel.dtmf_queue:
            digit = take_digit(channel).char
            if on_digit is not None and on_digit(digit):
                break
    return True


def has_message(channel: Channel) -> bool:
    """Whether a ``sendmsg`` is due (``switch_core_session_dequeue_private_event``).

    ``event-lock: true`` on one keeps the next ones waiting for its end; without it they nest.
    """
    if channel.urgent:
        return "event_lock_pri" not in channel.flags
    return bool(channel.pending) and "event_lock" not in channel.flags


def run_next_message(channel: Channel) -> None:
    """Obey the next ``sendmsg`` in the channel's queue (``switch_ivr_parse_next_event``)."""
    message = (channel.urgent or channel.pending).popleft()
    asked = {flag for name, flag in _LOCKS.items() if message.get(name, "").lower() == "true"}
    locks = asked - channel.flags
    channel.flags |= locks
    command = message.get("call-command", "")
    if command == "hangup":
        hang_up(channel, cause_name(message.get("hangup-cause", ""), "NORMAL_CLEARING"))
    elif command == "execute" and message.get("execute-app-name"):
        _execute(channel, message)
    channel.flags -= locks


def _execute(channel: Channel, message: dict[str, str]) -> None:
    """``switch_ivr_parse_event``: a loop that took less than half a second is the last one."""
    argument = message.get("execute-app-arg") or message.get("_body", "")
    loops = leading_number(message.get("loops") or "1")
    outermost = "broadcast" not in channel.flags
    channel.flags.discard("stop_broadcast")
    channel.flags.add("broadcast")
    clock, loop = channel.switch.clock, 0
    while loops < 0 or loop < loops:
        loop, began_s = loop + 1, clock.now_s
        channel.set_variable("current_loop", str(loop))
        channel.set_variable("total_loops", str(loops))
        identity = message.get("event-uuid")
        channel.switch.execute(channel, message["execute-app-name"], argument, identity)
        stopped = not channel.ready or "stop_broadcast" in channel.flags
        if stopped or clock.now_s - began_s < _SHORTEST_LOOP_S:
            break
    channel.set_variable("current_loop", None)
    channel.set_variable("total_loops", None)
    if outermost or "stop_broadcast" in channel.flags:
        channel.flags.discard("broadcast")
    if "stop_broadcast" in channel.flags:
        channel.flags.add("break")


def broadcast(
    channel: Channel, path: str, *, legs: str = "a", loops: int = 1, urgent: bool = False
) -> None:
    """``switch_ivr_broadcast``: ``[application[!cause]::]argument`` into the legs' queues.

    ``legs`` is ``a`` for the leg itself, ``b`` for its partner, ``ab`` for both; with none of them
    nothing is executed. A cause after the ``!`` hangs the leg itself up, whoever executes.
    """
    application, found, argument = path.partition(":")
    if found and argument.startswith(":"):
        argument = argument[1:]
    else:
        # Only the first colon is looked at: a path with a `::` further on is played.
        application, argument = "playback", path
    application, hangs_up, cause = application.partition("!")
    lock = "event-lock-pri" if urgent else "event-lock"
    message = {"call-command": "execute", lock: "true", "loops": str(loops)}
    message |= {"execute-app-name": application, "execute-app-arg": argument}
    partner = partner_of(channel) if "b" in legs else None
    for leg in filter(None, (partner, channel if "a" in legs else None)):
        _queue(leg, message, urgent)
    if hangs_up:
        name = {"execute-app-name": "hangup", "execute-app-arg": cause or "normal_clearing"}
        _queue(channel, {**message, **name, "loops": "1"}, urgent)


def _queue(channel: Channel, message: dict[str, str], urgent: bool) -> None:
    (channel.urgent if urgent else channel.pending).append(message)
    channel.wake()


def stop_broadcast(channel: Channel) -> None:
    """``switch_channel_stop_broadcast``: end what a message plays on the leg."""
    if "broadcast" in channel.flags:
        channel.flags |= {"break", "stop_broadcast"}
        channel.wake()
