"""``att_xfer`` (mod_dptools.c, ``att_thread_run``): a consultation within a bridge.

The channel talks with whom it has called, while its partner hears nothing, until one of the two
leaves or the channel's party presses a key; then those are joined that are to talk. FreeSWITCH does
it in a thread of its own, which outlives the channel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fsctl.simulator.bridge import begin_inner, end_inner
from fsctl.simulator.dialplan import Action
from fsctl.simulator.dtmf import send_digit, take_digit
from fsctl.simulator.originate import originate
from fsctl.simulator.parking import has_message, run_next_message
from fsctl.simulator.progress import hang_up
from fsctl.simulator.signals import wait_for
from fsctl.simulator.uuid_bridge import uuid_bridge

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel

_HOLDING = "soft_holding_uuid"
_KEYS = {"attxfer_hangup_key": "*", "attxfer_cancel_key": "#", "attxfer_conf_key": "0"}


def att_xfer(channel: Channel, argument: str) -> None:
    """Call, talk, and join; an attempt in vain leaves everything as it was."""
    bond = channel.get_variable("signal_bond")
    channel.set_variable(_HOLDING, bond)
    target = originate(channel.switch, argument, channel).channel
    if target is not None:
        pressed = _consult(channel, target)
        channel.set_variable("signal_bond", bond)
        _settle(channel, target, bond, pressed)
    channel.set_variable("signal_bond", bond)
    channel.set_variable(_HOLDING, None)


def _consult(channel: Channel, target: Channel) -> str:
    """Talk; the name of the key that was pressed, or nothing."""
    names = {_key(name, channel, target): name for name in _KEYS}
    began = begin_inner(channel, target)
    here = channel.state

    def over() -> bool:
        return not channel.up or not target.up or channel.state != here

    found = ""
    while not found and not over():
        wait_for(
            [channel.signal, target.signal],
            lambda: over() or bool(channel.dtmf_queue) or has_message(channel),
            channel.switch.clock,
        )
        if over():
            break
        if has_message(channel):
            run_next_message(channel)
        elif channel.dtmf_queue:
            digit = take_digit(channel)
            found = names.get(digit.char, "")
            if not found:
                send_digit(target, digit)
    if found == "attxfer_hangup_key":
        hang_up(channel, "NORMAL_CLEARING")
    elif found == "attxfer_cancel_key":
        hang_up(target, "NORMAL_CLEARING")
    elif found == "attxfer_conf_key":
        target.actions.append(Action("three_way", channel.uuid))
        target.set_state("CS_EXECUTE")
    end_inner(channel, target, began)
    return found


def _key(name: str, channel: Channel, target: Channel) -> str:
    return channel.get_variable(name) or target.get_variable(name) or _KEYS[name]


def _settle(channel: Channel, target: Channel, bond: str | None, pressed: str) -> None:
    if not bond:
        return
    if target.up and not channel.up:
        uuid_bridge(channel.switch, target.uuid, bond)
    elif channel.up and (not target.up or pressed == "attxfer_conf_key"):
        uuid_bridge(channel.switch, channel.uuid, bond)
