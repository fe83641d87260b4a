"""``bind_digit_action``: what a channel does when certain keys are pressed (mod_dptools.c).

As ``switch_ivr_dmachine`` and the two machines of a session: one takes the digits that the far end
of the channel presses, the other those that its partner presses, before they are sent on. Digits
that may be the beginning of a binding are kept; those that turn out to be none go on their way, and
pass the machines no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fsctl.simulator.parking import broadcast
from fsctl.simulator.progress import partner_of
from fsctl.simulator.words import separate

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel
    from fsctl.simulator.clock import Timer

Target = Literal["self", "peer"]

_PAUSE_S = 1.5
"""``bind_digit_digit_timeout``: so long the next key may take."""


@dataclass(frozen=True, slots=True)
class _Action:
    """``exec:APPLICATION``, and whose channel executes it."""

    application: str
    argument: str
    by: Target


class DigitMachine:
    """The bindings of a channel for the digits of one side, by realm; one realm is in force."""

    def __init__(self, channel: Channel, side: Target) -> None:
        self._channel = channel
        self._side: Target = side
        self._realms: dict[str, dict[str, _Action]] = {}
        self._realm: dict[str, _Action] = {}
        self._pressed = ""
        self._timer: Timer | None = None

    def bind(self, realm: str, digits: str, action: _Action) -> None:
        """Bind in this realm, which is in force from now on; the same digits mean something new."""
        self._realm = self._realms.setdefault(realm, {})
        self._realm[digits] = action

    def feed(self, digit: str) -> None:
        """Take the next digit."""
        self._pressed += digit
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if any(known.startswith(self._pressed) for known in self._realm if known != self._pressed):
            self._timer = self._channel.switch.clock.call_later(_PAUSE_S, self._decide)
        else:
            self._decide()

    def _decide(self) -> None:
        pressed, self._pressed, self._timer = self._pressed, "", None
        action = self._realm.get(pressed)
        if action is None:
            leg = self._leg(self._side)
            leg.set_variable("last_non_matching_digits", pressed)
            leg.switch.call_api("uuid_recv_dtmf", f"{leg.uuid} {pressed}")
            return
        leg = self._leg(action.by)
        leg.set_variable("last_matching_digits", pressed)
        broadcast(leg, f"{action.application}::{action.argument}")

    def _leg(self, side: Target) -> Channel:
        partner = partner_of(self._channel) if side == "peer" else None
        return partner or self._channel


def bind_digit_action(channel: Channel, argument: str) -> None:
    """``REALM,DIGITS,exec:APPLICATION[,ARGUMENT][,self|peer|both][,self|peer]``.

    Other kinds of actions are not played.
    """
    words = [*separate(argument, 6, ","), *[""] * 6]
    realm, digits, what, value = words[:4]
    if not (realm and digits and what.startswith("exec:")):
        return
    action = _Action(what.removeprefix("exec:"), value, "peer" if words[5] == "peer" else "self")
    sides: tuple[Target, ...] = ("self", "peer") if words[4] == "both" else ("self",)
    for side in ("peer",) if words[4] == "peer" else sides:
        machine = channel.digit_machines.get(side)
        if machine is None:
            machine = channel.digit_machines[side] = DigitMachine(channel, side)
        machine.bind(realm, digits, action)
