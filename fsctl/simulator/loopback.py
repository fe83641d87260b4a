"""mod_loopback: a pair of channels back to back, one dialled, one entering the dialplan."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from fsctl.simulator.channel import Channel
from fsctl.simulator.dtmf import Digit, queue_digits
from fsctl.simulator.hearing import heard_on
from fsctl.simulator.profile import CallerProfile
from fsctl.simulator.progress import hang_up, mark_answered, mark_early, mark_ringing
from fsctl.simulator.signals import wait_for
from fsctl.simulator.uuid_bridge import uuid_bridge

if TYPE_CHECKING:
    from fsctl.simulator.switch import SimulatedSwitch


_BOW_OUT_S = 2.0
"""A hundred packets (mod_loopback.c, ``bowout_frame_count``)."""


class LoopbackEnd:
    """The endpoint of one of the two channels; what it is told happens to the other."""

    def __init__(self, own: Channel) -> None:
        self.own = own
        self.other: Channel | None = None

    def ring(self) -> None:
        """The other half rings."""
        if self.other is not None:
            mark_ringing(self.other)

    def early_media(self) -> None:
        """The other half has early media."""
        if self.other is not None:
            mark_early(self.other)

    def answer(self) -> None:
        """The other half is answered."""
        if self.other is not None:
            mark_answered(self.other)

    def hang_up(self, hangup_cause: str) -> None:
        """The other half goes with this one, for the same reason."""
        if self.other is not None:
            hang_up(self.other, hangup_cause)

    def notify(self, event: str, content_type: str, body: str) -> None:
        """A loopback has no far end that could be notified."""

    def heard_by(self, asker: Channel) -> str:
        """Whoever is bridged to the other half."""
        far = self.other.bridged_to if self.other is not None else None
        if self.other is None or far is asker:
            return "silence"
        return heard_on(self.other)

    def send_digit(self, digit: Digit) -> None:
        """The digit arrives at the other half."""
        if self.other is not None:
            queue_digits(self.other, [digit])

    def refer(self, refer_to: str) -> None:
        """A loopback has no far end that could be sent elsewhere."""

    def hold(self, *, held: bool) -> None:
        """A loopback cannot be held."""


def attach_loopback(channel: Channel, rest: str) -> None:
    """Make the b-half of a loopback ``number/context/dialplan`` when the a-half is routed."""
    number, _, further = rest.partition("/")
    context, _, dialplan = further.partition("/")
    end = LoopbackEnd(channel)
    channel.endpoint = end
    channel.profile.source = "mod_loopback"
    channel.profile.destination_number = number
    channel.profile.context = context or channel.profile.context or "default"

    def route() -> None:
        channel.set_state("CS_CONSUME_MEDIA")
        other = _other_half(channel, number, channel.profile.context, dialplan or "XML")
        end.other = other
        channel.switch.start(other)
        channel.switch.spawn(_bow_out, channel, other)

    channel.on_routing = route


def _bow_out(channel: Channel, other: Channel) -> None:
    """Leave when both halves have been bridged for a while: the far ends are joined directly."""
    halves = (channel, other)

    def used() -> bool:
        bridged = all(h.up and h.answered and h.bridged_to is not None for h in halves)
        return bridged and not any(
            _is_false(half.get_variable("loopback_bowout")) for half in halves
        )

    def gone() -> bool:
        return not all(half.up for half in halves)

    clock, signals = channel.switch.clock, [half.signal for half in halves]
    while not gone():
        wait_for(signals, lambda: used() or gone(), clock)
        if wait_for(signals, lambda: not used(), clock, _BOW_OUT_S):
            continue
        far = [half.bridged_to for half in halves]
        if far[0] is not None and far[1] is not None:
            uuid_bridge(channel.switch, far[0].uuid, far[1].uuid)
        wait_for(signals, gone, clock)


def _is_false(value: str | None) -> bool:
    return value is not None and value.lower() in {"false", "no", "off", "0"}


def _other_half(channel: Channel, number: str, context: str, dialplan: str) -> Channel:
    switch: SimulatedSwitch = channel.switch
    origin = channel.profile
    profile = CallerProfile(
        unique_id=str(uuid.uuid4()),
        channel_name=f"loopback/{number}-b",
        destination_number=number,
        context=context,
        direction="inbound",
        logical_direction="inbound",
        username=origin.username,
        dialplan=dialplan,
        caller_id_name=origin.caller_id_name,
        caller_id_number=origin.caller_id_number,
        source="mod_loopback",
        created_us=switch.now_us,
        times_us={"Channel-Created": switch.now_us},
    )
    other = Channel(switch, profile)
    for name, value in channel.variables.items():
        other.set_variable(name, value)
    end = LoopbackEnd(other)
    end.other = channel
    other.endpoint = end
    other.set_variable("direction", "inbound")
    other.set_variable("uuid", other.uuid)
    other.set_variable("channel_name", other.name)
    other.set_variable("call_uuid", other.uuid)
    for name in ("origination_uuid", "signal_bond", "originator", "is_outbound"):
        other.set_variable(name, None)
    channel.set_variable("other_loopback_leg_uuid", other.uuid)
    channel.set_variable("is_loopback", "1")
    other.set_variable("other_loopback_leg_uuid", channel.uuid)
    other.set_variable("is_loopback", "1")
    return other
