"""Joining two channels: the ``bridge`` application's second half, and ``uuid_bridge``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsctl.simulator.causes import cause_name
from fsctl.simulator.events import SimEvent
from fsctl.simulator.progress import hang_up, send_answer
from fsctl.simulator.signals import wait_for
from fsctl.simulator.transfer_report import report_bridged

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel
    from fsctl.simulator.switch import SimulatedSwitch

_MOVED = frozenset({"transfer", "redirect"})


def bridge_channels(caller: Channel, peer: Channel) -> None:
    """``switch_ivr_multi_threaded_bridge`` in the caller's greenlet; returns when they part."""
    if peer.answered:
        send_answer(caller)
    if not caller.up or caller.state != caller.running_state:
        hang_up(peer, "ORIGINATOR_CANCEL" if not peer.answered else "NORMAL_CLEARING")
        return
    _introduce(caller, peer)
    wait_for(
        [caller.signal, peer.signal],
        lambda: peer.answered or peer.early or not peer.up or not caller.up,
        caller.switch.clock,
    )
    if not peer.up:
        _give_up(caller, peer)
        return
    report_bridged(peer)
    report_bridged(caller)
    _bond(caller, peer)
    peer.set_state("CS_EXCHANGE_MEDIA")
    _talk(caller, peer)
    _part(caller, peer)


def _give_up(caller: Channel, peer: Channel) -> None:
    """The peer hung up before it was told of the bridge: nothing is reported (``abort_call``)."""
    caller.fire_event(_bridge_event("CHANNEL_UNBRIDGE", caller, peer))
    if not caller.flags & _MOVED and caller.up:
        _after_bridge(caller, peer)


def _introduce(caller: Channel, peer: Channel) -> None:
    peer.set_variable("call_uuid", caller.uuid)
    for channel in (caller, peer):
        channel.profile.times_us["Channel-Bridged"] = channel.switch.now_us
    caller.fire_event(_bridge_event("CHANNEL_BRIDGE", caller, peer))
    for one, other in ((caller, peer), (peer, caller)):
        one.set_variable("bridge_to", other.uuid)
        one.set_variable("last_bridge_to", other.uuid)


def _bond(caller: Channel, peer: Channel) -> None:
    caller.flags.add("bridge_originator")
    peer.flags.discard("bridge_originator")
    for one, other in ((caller, peer), (peer, caller)):
        one.set_variable("bridge_channel", other.name)
        one.set_variable("bridge_uuid", other.uuid)
        one.set_variable("signal_bond", other.uuid)
        one.bridged_to = other
        one.hears_tone = ""
        one.wake()


def _talk(caller: Channel, peer: Channel) -> None:
    """Both media threads: until a side is hung up or asked for another state."""

    def parted() -> bool:
        return (
            not caller.up
            or not peer.up
            or caller.state != caller.running_state
            or peer.state != "CS_EXCHANGE_MEDIA"
        )

    signals = [caller.signal, peer.signal]
    while not parted():
        wait_for(
            signals,
            lambda: parted() or bool(caller.pending) or (peer.answered and not caller.answered),
            caller.switch.clock,
        )
        if parted():
            break
        if caller.pending:
            caller.switch.run_next_message(caller)
        elif peer.answered:
            send_answer(caller)


def _part(caller: Channel, peer: Channel) -> None:
    for channel in (caller, peer):
        channel.bridged_to = None
        channel.set_variable("bridge_to", None)
        channel.wake()
    wait_for([peer.signal], lambda: peer.state != "CS_EXCHANGE_MEDIA", caller.switch.clock)
    if caller.hangup_cause:
        peer.set_variable("bridge_hangup_cause", caller.hangup_cause)
    if peer.hangup_cause:
        caller.set_variable("bridge_hangup_cause", peer.hangup_cause)
    peer.set_variable("call_uuid", peer.uuid)
    caller.fire_event(_bridge_event("CHANNEL_UNBRIDGE", caller, peer))
    if not caller.flags & _MOVED and caller.up:
        _after_bridge(caller, peer)
    elif "redirect" in caller.flags and caller.state == "CS_HIBERNATE":
        # uuid_bridge took it: the bridge itself moves it on.
        caller.set_state("CS_RESET")


def _after_bridge(caller: Channel, peer: Channel) -> None:
    """What the originator's own variables ask for when the peer has gone."""
    cause = peer.hangup_cause or "NORMAL_CLEARING"
    if not peer.answered:
        handle_cause(caller, cause)
    if not caller.up or not (peer.answered or peer.early):
        return
    if caller.state in {"CS_PARK", "CS_ROUTING"}:
        return
    if peer.answered and caller.is_true("park_after_bridge"):
        caller.set_state("CS_PARK")
    elif peer.answered and caller.get_variable("transfer_after_bridge"):
        _transfer_after_bridge(caller)
    elif peer.answered and caller.is_true("hangup_after_bridge"):
        hang_up(caller, cause)


def handle_cause(channel: Channel, cause: str) -> None:
    """``switch_channel_handle_cause``: go on with the dialplan, or hang up, after a failure."""
    if not channel.up:
        return
    wanted = channel.get_variable("continue_on_fail")
    if wanted is not None and cause != "ATTENDED_TRANSFER":
        if channel.is_true("continue_on_fail"):
            return
        listed = {cause_name(item.strip(), "") for item in wanted.split(",")}
        if cause in listed:
            return
    spared = {"transfer", "confirm_blind_transfer"} & channel.flags
    if not spared and channel.state != "CS_ROUTING":
        hang_up(channel, cause)


def leave_exchange_media(channel: Channel) -> None:
    """The peer's side of a bridge (``audio_bridge_on_exchange_media``): wait, then its fate."""
    channel.wait(lambda: channel.bridged_to is None or channel.state != "CS_EXCHANGE_MEDIA")
    if channel.state != "CS_EXCHANGE_MEDIA" or channel.flags & _MOVED:
        return
    if channel.is_true("park_after_bridge"):
        channel.set_state("CS_PARK")
    elif channel.get_variable("transfer_after_bridge"):
        _transfer_after_bridge(channel)
    else:
        hang_up(channel, "NORMAL_CLEARING" if channel.answered else "ORIGINATOR_CANCEL")


def _transfer_after_bridge(channel: Channel) -> None:
    number, _, rest = (channel.get_variable("transfer_after_bridge") or "").partition(":")
    dialplan, _, context = rest.partition(":")
    channel.set_variable("transfer_after_bridge", None)
    channel.switch.transfer(channel, number, dialplan, context)


def uuid_bridge(switch: SimulatedSwitch, originator_uuid: str, originatee_uuid: str) -> bool:
    """``switch_ivr_uuid_bridge``: take both out of what they do and join them; False if not."""
    first, second = switch.locate(originator_uuid), switch.locate(originatee_uuid)
    if first is None or second is None:
        return False
    for channel in (first, second):
        switch.unhold(channel)
    if not (first.answered or first.early):
        if not (second.answered or second.early):
            return False
        first, second = second, first
    first.set_variable("uuid_bridge", second.uuid)
    for one, other in ((first, second), (second, first)):
        _rewire(one, other)
    first.profile.other_type, second.profile.other_type = "originatee", "originator"
    first.profile.other, second.profile.other = second.profile.clone(), first.profile.clone()
    first.profile.other.logical_direction = "inbound"
    first.profile.callee_id_name = second.profile.callee_id_name
    first.profile.callee_id_number = second.profile.callee_id_number
    second.profile.caller_id_name = first.profile.caller_id_name
    second.profile.caller_id_number = first.profile.caller_id_number
    for channel in (first, second):
        channel.flags.discard("uuid_bridge_originator")
        channel.flags.add("uuid_bridging")
    first.next_flags.add("uuid_bridge_originator")
    for channel in (first, second):
        # Any state but the present one, so that the machine takes notice.
        hibernates = channel.state == "CS_HIBERNATE"
        channel.set_state("CS_CONSUME_MEDIA" if hibernates else "CS_HIBERNATE")
    return True


def _rewire(one: Channel, other: Channel) -> None:
    one.flags |= _MOVED
    one.set_variable("bridge_channel", other.name)
    one.set_variable("bridge_uuid", other.uuid)
    one.set_variable("signal_bond", other.uuid)
    one.set_variable("original_destination_number", one.profile.destination_number)
    one.set_variable("original_caller_id_name", one.profile.caller_id_name)
    one.set_variable("original_caller_id_number", one.profile.caller_id_number)
    profile = one.profile.clone()
    profile.index += 1
    seconds = int(one.switch.clock.now_s)
    profile.transfer_source = f"{seconds}:{profile.profile_uuid}:uuid_br:{other.uuid}"
    one.profile = profile
    one.add_to_variable("transfer_history", profile.transfer_source)
    one.set_variable("transfer_source", profile.transfer_source)


def soft_execute(channel: Channel) -> None:
    """CS_SOFT_EXECUTE: the originator of a ``uuid_bridge`` joins, the other one waits."""
    channel.flags.discard("uuid_bridging")
    if "uuid_bridge_originator" not in channel.flags:
        return
    uuid = channel.get_variable("uuid_bridge") or ""
    channel.set_variable("uuid_bridge", None)
    other = channel.switch.channels.get(uuid)
    if other is None:
        hang_up(channel, "DESTINATION_OUT_OF_ORDER")
        return
    _meet(channel, other)
    if channel.up and other.up:
        for one, two in ((channel, other), (other, channel)):
            one.fire(
                "CHANNEL_EXECUTE", ("Application", "uuid_bridge"), ("Application-Data", two.uuid)
            )
        bridge_channels(channel, other)
        if not channel.flags & _MOVED and channel.state not in {"CS_ROUTING", "CS_PARK"}:
            # The dialplan goes on behind the application that the bridge took it from.
            channel.set_state("CS_EXECUTE")
    else:
        hang_up(channel, "DESTINATION_OUT_OF_ORDER")
        hang_up(other, "DESTINATION_OUT_OF_ORDER")
    channel.flags.discard("uuid_bridge_originator")


def _meet(channel: Channel, other: Channel) -> None:
    clock = channel.switch.clock
    both = [channel.signal, other.signal]

    def other_is(state: str) -> bool:
        return not channel.up or not other.up or other.running_state == state

    wait_for(both, lambda: other_is("CS_RESET"), clock)
    if other.up and channel.up:
        other.set_state("CS_SOFT_EXECUTE")
        wait_for(both, lambda: other_is("CS_SOFT_EXECUTE"), clock)


def _bridge_event(name: str, caller: Channel, peer: Channel) -> SimEvent:
    event = SimEvent(name).add("Bridge-A-Unique-ID", caller.uuid)
    return event.add("Bridge-B-Unique-ID", peer.uuid)
