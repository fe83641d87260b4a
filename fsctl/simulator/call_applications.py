"""Applications that dial, connect to a controller, or send a channel elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gevent import socket

from fsctl.simulator.applications import Application
from fsctl.simulator.att_xfer import att_xfer
from fsctl.simulator.bridge import bridge_channels, handle_cause
from fsctl.simulator.digit_actions import bind_digit_action
from fsctl.simulator.link import Link
from fsctl.simulator.originate import originate
from fsctl.simulator.parking import has_message, park, run_next_message
from fsctl.simulator.progress import hang_up, partner_of, send_answer
from fsctl.simulator.uuid_bridge import uuid_bridge
from fsctl.simulator.words import separate

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel

_CONNECT_TIMEOUT_S = 134.9
_MAX_NESTED_EXTENSIONS = 32


def _bridge(channel: Channel, argument: str) -> None:
    if not argument:
        return
    result = originate(channel.switch, argument, channel)
    if result.channel is None:
        if channel.up:
            handle_cause(channel, result.hangup_cause)
        return
    bridge_channels(channel, result.channel)


def _socket(channel: Channel, argument: str) -> None:
    """``socket host:port|host:port async full``: connect, then park under the controller."""
    words = argument.split()
    if not words:
        return
    port = 8084
    connected = None
    for entry in words[0].split("|"):
        host, _, given = entry.rpartition(":") if ":" in entry else (entry, "", "")
        if given:
            # A host without port takes the one before it: FreeSWITCH never resets it.
            number, _, path = given.partition("/")
            port = int(number) if number.isdigit() else 0
            if path:
                channel.set_variable("socket_path", path)
        if not host:
            continue
        channel.set_variable("socket_host", host)
        connected = _connect(host, port)
        if connected is not None:
            break
    if connected is None:
        return
    link = Link.outbound(channel, connected, full="full" in words[1:], async_="async" in words[1:])
    channel.wait(lambda: not channel.ready or link.finished or link.connected)
    park(channel)
    while has_message(channel) and channel.ready:
        run_next_message(channel)


def _connect(host: str, port: int) -> socket.socket | None:
    """A TCP connection; an address needs no resolver, whose thread ``settle`` could not see."""
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.settimeout(_CONNECT_TIMEOUT_S)
    try:
        made.connect((host, port))
    except OSError:
        made.close()
        return None
    return made


def _transfer(channel: Channel, argument: str) -> None:
    number, dialplan, context = [*argument.split(), "", "", ""][:3]
    channel.switch.transfer(channel, number, dialplan, context)


def _execute_extension(channel: Channel, argument: str) -> None:
    """Hunt, and execute what is found here and now; what follows goes on afterwards.

    ``switch_core_session_execute_exten``: where nothing is found, nothing happens.
    """
    number, dialplan, context = [*separate(argument, 4), "", "", ""][:3]
    if channel.nested_extensions >= _MAX_NESTED_EXTENSIONS or not number:
        return
    profile = channel.present_profile.clone()
    profile.destination_number = number
    profile.dialplan = dialplan or profile.dialplan
    profile.context = context or profile.context
    channel.profile.hunt = profile
    found = channel.switch.dialplan.hunt(channel, number, profile.context)
    channel.nested_extensions += 1
    try:
        for action in found:
            if not channel.ready:
                break
            channel.switch.execute(channel, action.application, action.argument)
    finally:
        channel.nested_extensions -= 1
        # Of the profile there is by now; and the end of an inner extension is the outer one's.
        channel.profile.hunt = None


def _intercept(channel: Channel, argument: str) -> None:
    """``[-bleg] UUID``: take a leg over (``switch_ivr_intercept_session``).

    Whoever it talks with, or is being called for it, is hung up.
    """
    words = argument.split()
    target = channel.switch.locate(words[-1]) if words else None
    if target is not None and words[0].lower() == "-bleg":
        target = target.bridged_to
    if target is None:
        return
    unbridged, unanswered = "intercept_unbridged_only", "intercept_unanswered_only"
    if channel.is_true(unbridged) and target.bridged_to is not None:
        return
    if channel.is_true(unanswered) and target.answered:
        return
    partner = partner_of(target)
    send_answer(channel)
    send_answer(target)
    target.next_flags.add("transfer")
    target.set_state("CS_PARK")
    if partner is not None and partner is not channel:
        partner.set_variable("park_after_bridge", "true")
    uuid_bridge(channel.switch, channel.uuid, target.uuid)
    if partner is not None and partner is not channel:
        hang_up(partner, "PICKED_OFF")


def _eavesdrop(channel: Channel, argument: str) -> None:
    park(channel)


CALL_APPLICATIONS: dict[str, Application] = {
    "bridge": _bridge,
    "socket": _socket,
    "transfer": _transfer,
    "execute_extension": _execute_extension,
    "intercept": _intercept,
    "eavesdrop": _eavesdrop,
    "three_way": _eavesdrop,
    "att_xfer": att_xfer,
    "bind_digit_action": bind_digit_action,
}
