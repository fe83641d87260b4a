"""The state machine of a channel (``switch_core_session_run``): one greenlet each."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from fsctl.simulator.bridge import leave_exchange_media
from fsctl.simulator.caller_id import sort_cid
from fsctl.simulator.causes import CAUSE_NUMBERS
from fsctl.simulator.dialplan import Action
from fsctl.simulator.parking import has_message, park, run_next_message
from fsctl.simulator.progress import hang_up
from fsctl.simulator.recording import stop_recording
from fsctl.simulator.transfer_report import acknowledge, report_from_dialplan_end
from fsctl.simulator.uuid_bridge import soft_execute

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsctl.simulator.channel import Channel


def run(channel: Channel) -> None:
    """Live through all states of a channel, to its end."""
    if channel.profile.source == "mod_sofia" and channel.direction == "inbound":
        channel.fire("CHANNEL_STATE")
    channel.set_state("CS_INIT")
    while channel.up:
        state = channel.state
        _enter(channel, state)
        _HANDLERS[state](channel)
        # A handler that changed nothing leaves the channel where it is until somebody does.
        channel.wait(lambda state=state: channel.state != state)  # type: ignore[misc]
    _end(channel)


def _enter(channel: Channel, state: str) -> None:
    channel.flags -= {"transfer", "redirect"}
    channel.flags |= channel.next_flags
    channel.next_flags.clear()
    channel.running_state = state
    if channel.direction == "inbound":
        # An inbound channel rings again, for a moment, whenever it is routed.
        if state == "CS_ROUTING":
            channel.set_call_state("RINGING")
        elif state == "CS_EXECUTE" and channel.answered:
            channel.set_call_state("ACTIVE")
    channel.fire("CHANNEL_STATE")
    channel.wake()


def _init(channel: Channel) -> None:
    channel.set_state("CS_ROUTING")
    channel.fire("CHANNEL_CREATE")
    if channel.direction == "outbound":
        channel.fire("CHANNEL_ORIGINATE")


def _routing(channel: Channel) -> None:
    if channel.on_routing is not None:
        handler, channel.on_routing = channel.on_routing, None
        handler()
        return
    profile = channel.profile
    if profile.dialplan == "inline":
        found = _inline(profile.destination_number)
        # The leg has its former number back (inline_dialplan_hunt).
        profile.destination_number, profile.rdnis = profile.rdnis, ""
    else:
        found = channel.switch.dialplan.hunt(channel, profile.destination_number, profile.context)
    if channel.direction == "inbound":
        channel.hit_dialplan = True
    if not channel.up or channel.state != "CS_ROUTING":
        return
    if not found:
        if not acknowledge(channel, success=False):
            hang_up(channel, "NO_ROUTE_DESTINATION")
        return
    sort_cid(channel)
    channel.actions = deque(found)
    channel.set_state("CS_EXECUTE")


def _inline(number: str) -> list[Action]:
    steps = [step.partition(":") for step in number.split(",")]
    return [Action(application, argument) for application, _, argument in steps]


def _execute(channel: Channel) -> None:
    channel.set_variable("call_uuid", channel.uuid)
    while channel.state == "CS_EXECUTE" and channel.actions:
        action = channel.actions.popleft()
        channel.switch.execute(channel, action.application, action.argument)
    if channel.state == "CS_EXECUTE":
        report_from_dialplan_end(channel)
    if channel.state == "CS_EXECUTE":
        hang_up(channel, "NORMAL_CLEARING")


def _park_state(channel: Channel) -> None:
    park(channel)
    if channel.state == "CS_PARK" and channel.up:
        # The link that held it went: now the thread sleeps, with no end to its parking any more,
        # and obeys what it is told meanwhile only when another state is asked for.
        channel.wait(lambda: channel.state != "CS_PARK")
        while has_message(channel) and channel.up:
            run_next_message(channel)


def _hibernate(channel: Channel) -> None:
    if channel.state == "CS_HIBERNATE":
        channel.set_state("CS_RESET")


def _reset(channel: Channel) -> None:
    if "uuid_bridge_originator" in channel.flags and channel.state == "CS_RESET":
        channel.set_state("CS_SOFT_EXECUTE")


def _consume_media(channel: Channel) -> None:
    """Wait for whoever put the channel here; a second ``uuid_bridge`` passes through."""
    if "uuid_bridging" in channel.flags and channel.state == "CS_CONSUME_MEDIA":
        channel.set_state("CS_RESET")


def _end(channel: Channel) -> None:
    channel.running_state = "CS_HANGUP"
    channel.fire("CHANNEL_STATE")
    stop_recording(channel, "all")
    channel.set_variable("hangup_cause", channel.hangup_cause)
    number = CAUSE_NUMBERS[channel.hangup_cause]
    channel.set_variable("hangup_cause_q850", str(number if number < 128 else 16))
    channel.profile.times_us["Channel-Hangup"] = channel.switch.now_us
    channel.set_call_state("HANGUP")
    if channel.endpoint is not None:
        channel.endpoint.hang_up(channel.hangup_cause)
    channel.set_state("CS_REPORTING")
    channel.running_state = "CS_REPORTING"
    channel.fire("CHANNEL_STATE")
    channel.fire("CHANNEL_HANGUP_COMPLETE")
    channel.reported = True
    for link in list(channel.links):
        link.wake()
    # A link that lingers holds the session: its last event waits for the link's end.
    channel.wait(lambda: not channel.links)
    channel.set_state("CS_DESTROY")
    channel.fire("CHANNEL_DESTROY")
    channel.running_state = "CS_DESTROY"
    channel.fire("CHANNEL_STATE")
    channel.switch.forget(channel)


_HANDLERS: dict[str, Callable[[Channel], None]] = {
    "CS_INIT": _init,
    "CS_ROUTING": _routing,
    "CS_SOFT_EXECUTE": soft_execute,
    "CS_EXECUTE": _execute,
    "CS_EXCHANGE_MEDIA": leave_exchange_media,
    "CS_PARK": _park_state,
    "CS_CONSUME_MEDIA": _consume_media,
    "CS_HIBERNATE": _hibernate,
    "CS_RESET": _reset,
}
