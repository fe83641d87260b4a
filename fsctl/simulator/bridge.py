"""Joining two channels: what ``bridge`` and ``uuid_bridge`` have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsctl.simulator.causes import cause_name
from fsctl.simulator.dtmf import send_digit, take_digit
from fsctl.simulator.events import SimEvent
from fsctl.simulator.execute_on import execute_on
from fsctl.simulator.expand import expand
from fsctl.simulator.holding import end_hold
from fsctl.simulator.parking import has_message, park_session, run_next_message, stop_broadcast
from fsctl.simulator.progress import hang_up, send_answer, send_early_media
from fsctl.simulator.signals import wait_for
from fsctl.simulator.transfer_report import report_bridged

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel

MOVED = frozenset({"transfer", "redirect"})
"""CF_TRANSFER and CF_REDIRECT: the leg has been sent elsewhere."""

_LEAD_S = 0.2
"""Ten frames of a leg (DEFAULT_LEAD_FRAMES) pass before its ``api_before_bridge`` is obeyed."""
_API_BEFORE = "api_before_bridge"


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
    for channel in (peer, caller):
        while channel.up and has_message(channel):
            run_next_message(channel)  # switch_ivr_parse_all_events
    if not (peer.up and caller.up) or caller.flags & MOVED:
        _give_up(caller, peer)
        return
    report_bridged(peer)
    report_bridged(caller)
    _bond(caller, peer)
    execute_on(caller, "execute_on_pre_bridge")
    execute_on(peer, "execute_on_pre_bridge")
    peer.set_state("CS_EXCHANGE_MEDIA")
    _talk(caller, peer)
    _part(caller, peer)


def begin_inner(channel: Channel, peer: Channel) -> Channel | None:
    """A bridge within that of ``channel`` begins (CF_INNER_BRIDGE); return its partner there."""
    partner = channel.bridged_to
    _introduce(channel, peer)
    _bond(channel, peer)
    if peer.up:
        peer.set_state("CS_EXCHANGE_MEDIA")
    return partner


def end_inner(channel: Channel, peer: Channel, partner: Channel | None) -> None:
    """It is over: the channel has its partner again, and the peer waits to be joined, or ends."""
    channel.fire_event(_bridge_event("CHANNEL_UNBRIDGE", channel, peer))
    channel.bridged_to = partner
    if partner is not None:
        channel.set_variable("bridge_to", partner.uuid)
    channel.wake()


def _give_up(caller: Channel, peer: Channel) -> None:
    """One hung up before it was told of the bridge: nothing is reported (``abort_call``)."""
    if not caller.up:
        hang_up(peer, caller.hangup_cause or "ORIGINATOR_CANCEL")
    caller.fire_event(_bridge_event("CHANNEL_UNBRIDGE", caller, peer))
    if not caller.flags & MOVED and caller.up:
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
    for leg, channel in (("aleg", caller), ("bleg", peer)):
        for what in ("app", "data"):
            wanted = caller.get_variable(f"bridge_pre_execute_{leg}_{what}")
            if wanted is not None:
                channel.set_variable(f"bridge_pre_execute_{what}", wanted)


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
    for channel in (caller, peer):
        _run_api_before(channel)
        _run_pre_execute(channel)
    while not parted():
        wait_for(
            signals,
            lambda: parted() or _has_work(caller) or _answer_due(caller, peer),
            caller.switch.clock,
        )
        if parted():
            break
        if _has_work(caller):
            _work(caller, peer)
        else:
            _pass_answer(caller, peer)


def _run_api_before(channel: Channel) -> None:
    """Any variable whose name begins so holds an API command (``switch_channel_api_on``).

    Its value is taken when it is obeyed, if this bridge goes on until then.
    """
    if not any(name.startswith(_API_BEFORE) for name in channel.variables):
        return
    peer, switch = channel.bridged_to, channel.switch

    def obey() -> None:
        if channel.bridged_to is not peer or not channel.up:
            return
        for name, value in list(channel.variables.items()):
            if name.startswith(_API_BEFORE) and isinstance(value, str):
                command, _, arguments = value.partition(" ")
                switch.spawn(_call, channel, command, arguments)

    switch.clock.call_later(_LEAD_S, obey)


def _run_pre_execute(channel: Channel) -> None:
    """``bridge_pre_execute_app``: read when the bridge begins, executed after the lead."""
    application, peer = channel.get_variable("bridge_pre_execute_app"), channel.bridged_to
    if application is None:
        return
    data = channel.get_variable("bridge_pre_execute_data") or ""

    def obey() -> None:
        if channel.bridged_to is peer and channel.up:
            wanted = {"call-command": "execute", "execute-app-name": application}
            channel.pending.append(wanted | {"execute-app-arg": data})
            channel.wake()

    channel.switch.clock.call_later(_LEAD_S, obey)


def _call(channel: Channel, command: str, arguments: str) -> None:
    channel.switch.call_api(command, expand(channel, arguments))


def _has_work(channel: Channel) -> bool:
    digits = bool(channel.dtmf_queue) and "suspend" not in channel.flags
    return digits or has_message(channel)


def _work(channel: Channel, other: Channel) -> None:
    """One turn of ``audio_bridge_thread``: a message, or a digit for the other side.

    While a leg executes something, nothing else passes between the two.
    """
    if has_message(channel):
        other.flags.add("suspend")
        run_next_message(channel)
        other.flags.discard("suspend")
        other.wake()
        return
    digit = take_digit(channel)
    if not channel.is_true("bridge_filter_dtmf"):
        send_digit(other, digit)


def _answer_due(caller: Channel, peer: Channel) -> bool:
    """Whether one side got further than the other, and the other one waits for us."""
    if caller.answered != peer.answered:
        return (peer if caller.answered else caller).direction == "inbound"
    behind = not (caller.early or caller.answered)
    return peer.early and behind and caller.direction == "inbound"


def _pass_answer(caller: Channel, peer: Channel) -> None:
    if caller.answered != peer.answered:
        send_answer(peer if caller.answered else caller)
    else:
        send_early_media(caller)


def _part(caller: Channel, peer: Channel) -> None:
    for channel in (caller, peer):
        channel.bridged_to = None
        channel.set_variable("bridge_to", None)
        channel.flags.discard("suspend")
    end_hold(caller, peer)
    end_hold(peer, caller)
    stop_broadcast(peer)
    caller.wake()
    peer.wake()
    execute_on(caller, "execute_on_post_bridge")
    # The next bridge of the peer takes some 40 ms to begin there, so that this sees it leave.
    wait_for(
        [peer.signal],
        lambda: peer.state != "CS_EXCHANGE_MEDIA" or peer.bridged_to is not None,
        caller.switch.clock,
    )
    if caller.hangup_cause:
        peer.set_variable("bridge_hangup_cause", caller.hangup_cause)
    if peer.hangup_cause:
        caller.set_variable("bridge_hangup_cause", peer.hangup_cause)
    peer.set_variable("call_uuid", peer.uuid)
    caller.fire_event(_bridge_event("CHANNEL_UNBRIDGE", caller, peer))
    if not caller.flags & MOVED and caller.up:
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
    parks = peer.answered and caller.is_true("park_after_bridge")
    where = caller.get_variable("transfer_after_bridge") if peer.answered else None
    where = where or caller.get_variable("transfer_after_early_bridge")
    if parks or caller.is_true("park_after_early_bridge"):
        park_session(caller)
    elif where:
        transfer_after_bridge(caller, where)
    elif peer.answered and caller.is_true("hangup_after_bridge"):
        hang_up(caller, cause)


_ALWAYS_GOES_ON = frozenset({"NO_ANSWER", "NO_USER_RESPONSE", "ORIGINATOR_CANCEL"})
"""Where ``continue_on_fail`` says nothing else."""


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
    elif cause in _ALWAYS_GOES_ON:
        return
    spared = {"transfer", "confirm_blind_transfer"} & channel.flags
    if not spared and channel.state != "CS_ROUTING":
        hang_up(channel, cause)


def leave_exchange_media(channel: Channel) -> None:
    """The peer's side of a bridge (``audio_bridge_on_exchange_media``): talk, then its fate."""
    other = channel.bridged_to

    def over() -> bool:
        return channel.bridged_to is None or channel.state != "CS_EXCHANGE_MEDIA"

    while other is not None and not over():
        channel.wait(lambda: over() or _has_work(channel))
        if not over():
            _work(channel, other)
    if other is not None:
        end_hold(channel, other)
    # The end of `audio_bridge_thread`: before it is decided what becomes of the leg.
    execute_on(channel, "execute_on_post_bridge")
    if channel.state != "CS_EXCHANGE_MEDIA" or channel.flags & MOVED:
        return
    where = channel.get_variable("transfer_after_bridge")
    if channel.is_true("park_after_bridge"):
        park_session(channel)
    elif where:
        transfer_after_bridge(channel, where)
    else:
        hang_up(channel, "NORMAL_CLEARING" if channel.answered else "ORIGINATOR_CANCEL")


def transfer_after_bridge(channel: Channel, where: str) -> None:
    """``transfer_after_bridge`` of the source: once; the variable is gone afterwards."""
    channel.set_variable("transfer_after_bridge", None)
    number, dialplan, context = [*where.split(":"), "", ""][:3]
    channel.switch.transfer(channel, number, dialplan, context)


def _bridge_event(name: str, caller: Channel, peer: Channel) -> SimEvent:
    event = SimEvent(name).add("Bridge-A-Unique-ID", caller.uuid)
    return event.add("Bridge-B-Unique-ID", peer.uuid)
