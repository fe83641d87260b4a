"""``uuid_bridge``: take two legs out of whatever they do, and join them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsctl.simulator.bridge import MOVED, bridge_channels, transfer_after_bridge
from fsctl.simulator.caller_id import sort_cid
from fsctl.simulator.flags import ORIGINATING
from fsctl.simulator.holding import check_hold
from fsctl.simulator.parking import park_session, stop_broadcast
from fsctl.simulator.progress import hang_up
from fsctl.simulator.signals import wait_for

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel
    from fsctl.simulator.switch import SimulatedSwitch

_ORIGINATOR = "uuid_bridge_originator"
_MEET_S = 20.0
_ANSWER_S = 60.0


def uuid_bridge(switch: SimulatedSwitch, originator_uuid: str, originatee_uuid: str) -> bool:
    """``switch_ivr_uuid_bridge``: take both out of what they do and join them; False if not."""
    first, second = switch.locate(originator_uuid), switch.locate(originatee_uuid)
    if first is None or second is None:
        return False
    for channel in (first, second):
        check_hold(channel)
        switch.unhold(channel)
    if not (first.answered or first.early):
        if not (second.answered or second.early):
            return False
        first, second = second, first
    sort_cid(first)
    if second.direction == "outbound":
        second.hit_dialplan = False
    first.set_variable("uuid_bridge", second.uuid)
    for one, other in ((first, second), (second, first)):
        _rewire(one, other)
    if first.direction == "outbound":
        first.profile.logical_direction = "inbound"
    first.profile.other_type, second.profile.other_type = "originatee", "originator"
    first.profile.other, second.profile.other = second.profile.clone(), first.profile.clone()
    first.profile.other.logical_direction = "inbound"
    first.profile.callee_id_name = second.profile.callee_id_name
    first.profile.callee_id_number = second.profile.callee_id_number
    second.profile.caller_id_name = first.profile.caller_id_name
    second.profile.caller_id_number = first.profile.caller_id_number
    for channel in (first, second):
        stop_broadcast(channel)
        channel.flags -= {_ORIGINATOR, ORIGINATING}
        channel.flags.add("uuid_bridging")
    first.next_flags.add(_ORIGINATOR)
    for channel in (first, second):
        # Any state but the present one, so that the machine takes notice.
        hibernates = channel.state == "CS_HIBERNATE"
        channel.set_state("CS_CONSUME_MEDIA" if hibernates else "CS_HIBERNATE")
    return True


def _rewire(one: Channel, other: Channel) -> None:
    one.flags |= MOVED
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
    """CS_SOFT_EXECUTE (``uuid_bridge_on_soft_execute``): the originator joins, the other waits."""
    channel.flags.discard("uuid_bridging")
    if _ORIGINATOR not in channel.flags:
        return
    other = channel.switch.locate(channel.get_variable("uuid_bridge") or "")
    if other is None:
        _left_alone(channel)
    else:
        channel.set_variable("uuid_bridge", None)
        _join(channel, other)
    channel.flags.discard(_ORIGINATOR)


def _left_alone(channel: Channel) -> None:
    """The other leg had gone before this one came to look for it."""
    where = channel.get_variable("transfer_after_bridge")
    if channel.is_true("park_after_bridge"):
        park_session(channel)
    elif where:
        transfer_after_bridge(channel, where)
    else:
        hang_up(channel, "DESTINATION_OUT_OF_ORDER")


def _join(channel: Channel, other: Channel) -> None:
    if not _meet(channel, other):
        return
    if not _wait_for_answer(channel, other):
        _cancelled(channel)
        return
    if not _both_ready(channel, other):
        return
    for one, two in ((channel, other), (other, channel)):
        said = (("Application", "uuid_bridge"), ("Application-Data", two.uuid))
        one.application = ("uuid_bridge", two.uuid)
        one.fire("CHANNEL_EXECUTE", *said)
    bridge_channels(channel, other)
    if channel.up and not channel.flags & MOVED and channel.state not in {"CS_ROUTING", "CS_PARK"}:
        # The dialplan goes on behind the application that the bridge took it from.
        channel.set_state("CS_EXECUTE")


def _meet(channel: Channel, other: Channel) -> bool:
    """Wait until the other leg is there; False when it waits for somebody else as we do."""
    clock = channel.switch.clock
    both = [channel.signal, other.signal]

    def settled(*states: str) -> bool:
        gone = not channel.up or not other.up
        return gone or (other.state == other.running_state and other.state in states)

    # A leg that does something else by now is given 1000 turns of 20 ms.
    if not wait_for(both, lambda: settled("CS_RESET", "CS_SOFT_EXECUTE"), clock, _MEET_S):
        hang_up(channel, "DESTINATION_OUT_OF_ORDER")
        hang_up(other, "DESTINATION_OUT_OF_ORDER")
    if other.up and channel.up and other.state == "CS_RESET":
        other.set_state("CS_SOFT_EXECUTE")
        wait_for(both, lambda: settled("CS_SOFT_EXECUTE"), clock, _MEET_S)
    return not (other.up and _ORIGINATOR in other.flags)


def _wait_for_answer(channel: Channel, other: Channel) -> bool:
    """``switch_ivr_wait_for_answer``: until the other leg has media; False when it has gone."""
    if not (other.answered or other.early):
        channel.hears_tone = _ringback(channel)
        wait_for(
            [channel.signal, other.signal],
            lambda: other.answered or other.early or not other.ready or not channel.ready,
            channel.switch.clock,
            float(channel.get_variable("call_timeout") or _ANSWER_S),
        )
        channel.hears_tone = ""
    if not (other.ready and (other.answered or other.early)):
        hang_up(other, "DESTINATION_OUT_OF_ORDER")
        return False
    return channel.up


def _ringback(channel: Channel) -> str:
    wanted = channel.get_variable("transfer_ringback") if channel.answered else None
    return wanted or channel.get_variable("ringback") or ""


def _cancelled(channel: Channel) -> None:
    if channel.is_true("uuid_bridge_continue_on_cancel"):
        channel.set_state("CS_EXECUTE")
    elif channel.is_true("uuid_bridge_park_on_cancel"):
        park_session(channel)
    elif "transfer" not in channel.flags:
        hang_up(channel, "ORIGINATOR_CANCEL")


def _both_ready(channel: Channel, other: Channel) -> bool:
    """False after the last look: one was moved between the answer and the bridge."""
    ready, other_ready = channel.ready, other.ready
    if not ready:
        hang_up(other, "DESTINATION_OUT_OF_ORDER")
    if not other_ready:
        if ready:
            # Empty, as it mostly is, means the extension `service`.
            channel.switch.transfer(channel, other.get_variable("rdnis") or "", "", "")
        else:
            hang_up(channel, "DESTINATION_OUT_OF_ORDER")
    return ready and other_ready
