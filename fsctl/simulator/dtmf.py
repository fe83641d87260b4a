"""DTMF: digits that wait on a channel, the event for each one taken, digits sent to a phone.

As ``switch_channel_queue_dtmf``, ``switch_channel_dequeue_dtmf`` and
``switch_core_session_send_dtmf_string``. A digit stays in the queue until the channel's own code
takes it (parked, playing, recording, in a room, bridged); only then does the event fire.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsctl.simulator.events import SimEvent
from fsctl.simulator.progress import send_early_media

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel

DEFAULT_DURATION = 2000
"""Samples (``SWITCH_DEFAULT_DTMF_DURATION``): 250 ms."""

_SAMPLES_A_MS = 8
_DIGITS = frozenset("0123456789*#ABCDabcdFfWw")
_PAUSES = "Ww"
_MAX_TEXT = 99


@dataclass(frozen=True, slots=True)
class Digit:
    """One DTMF digit; ``source`` is ``RTP`` (the phone) or ``APP`` (``uuid_recv_dtmf``)."""

    char: str
    duration: int = DEFAULT_DURATION
    source: str = "RTP"
    skips: bool = False
    """It passes no ``bind_digit_action`` any more (``DTMF_FLAG_SKIP_PROCESS``)."""


def parse_digits(text: str, source: str = "APP") -> list[Digit]:
    """``12#``, ``1@200+2``: groups joined by ``+``, each with a duration in milliseconds."""
    skips = source == "APP" and not text.startswith("~")
    digits: list[Digit] = []
    for group in text.removeprefix("~").split("+"):
        chars, _, milliseconds = group.partition("@")
        duration = DEFAULT_DURATION
        if milliseconds.isdigit() and int(milliseconds):
            duration = int(milliseconds) * _SAMPLES_A_MS
        digits += [Digit(char, duration, source, skips) for char in chars if char in _DIGITS]
    return digits


def queue_digits(channel: Channel, digits: list[Digit]) -> None:
    """They wait until the channel looks, but for those that are bound to something."""
    machine = channel.digit_machines.get("self")
    for digit in digits if channel.up else ():
        if machine is not None and not digit.skips:
            machine.feed(digit.char)
        else:
            channel.dtmf_queue.append(digit)
    channel.wake()


def take_digit(channel: Channel) -> Digit:
    """Dequeue one and say so."""
    digit = channel.dtmf_queue.popleft()
    event = SimEvent("DTMF")
    channel.fill(event)
    event.add("DTMF-Digit", digit.char).add("DTMF-Duration", digit.duration)
    event.add("DTMF-Source", digit.source)
    channel.switch.publish(event)
    return digit


def send_digits(channel: Channel, text: str) -> bool:
    """Play digits to the channel's far end; False when nothing could be sent."""
    if not channel.up or not text or len(text) > _MAX_TEXT:
        return False
    send_early_media(channel)
    digits = parse_digits(text)
    for digit in digits:
        send_digit(channel, digit)
    return bool(digits)


def send_digit(channel: Channel, digit: Digit) -> None:
    """One digit to the far end; ``w`` and ``W`` are pauses that nobody hears."""
    machine = channel.digit_machines.get("peer")
    if machine is not None and not digit.skips:
        machine.feed(digit.char)
        return
    if channel.endpoint is not None and digit.char not in _PAUSES:
        channel.endpoint.send_digit(digit)
