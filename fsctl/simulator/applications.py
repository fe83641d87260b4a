"""Dialplan applications that touch one channel only, and how any application is executed."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from fsctl.simulator.causes import cause_from_status, cause_name
from fsctl.simulator.deflect import deflect
from fsctl.simulator.events import SimEvent
from fsctl.simulator.expand import expand
from fsctl.simulator.holding import hold, unhold
from fsctl.simulator.parking import park
from fsctl.simulator.progress import hang_up, send_answer, send_early_media, send_ringing
from fsctl.simulator.transfer_report import acknowledge
from fsctl.simulator.words import separate

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel

Application = Callable[["Channel", str], None]
"""An application's body: the channel and its expanded argument; may block."""


def execute(
    channel: Channel,
    applications: dict[str, Application],
    name: str,
    argument: str,
    app_uuid: str | None = None,
) -> None:
    """``switch_core_session_exec`` with its two events; an unknown application hangs up."""
    application = applications.get(name.lower())
    if application is None:
        hang_up(channel, "DESTINATION_OUT_OF_ORDER")
        return
    if not channel.up:
        return
    argument = expand(channel, argument)
    channel.set_variable("current_application_data", argument)
    channel.set_variable("current_application", name)
    channel.application = (name, argument)
    channel.flags.discard("break")
    identity = app_uuid or str(uuid.uuid4())
    said = (("Application", name), ("Application-Data", argument))
    channel.set_variable("current_application_response", None)
    channel.fire("CHANNEL_EXECUTE", *said, ("Application-UUID", identity))
    application(channel, argument)
    response = channel.get_variable("current_application_response") or "_none_"
    answer = (("Application-Response", response), ("Application-UUID", identity))
    channel.fire("CHANNEL_EXECUTE_COMPLETE", *said, *answer)


def _set(channel: Channel, argument: str) -> None:
    name, found, value = argument.partition("=")
    if found:
        channel.set_variable(name.strip(), None if value == "_undef_" else value)


def _multiset(channel: Channel, argument: str) -> None:
    delimiter = " "
    if argument.startswith("^^") and len(argument) > 2:
        delimiter, argument = argument[2], argument[3:]
    for item in argument.split(delimiter):
        _set(channel, item)


def _unset(channel: Channel, argument: str) -> None:
    channel.set_variable(argument.strip(), None)


def _multiunset(channel: Channel, argument: str) -> None:
    for name in argument.split(" "):
        channel.set_variable(name, None)


def _export(channel: Channel, argument: str) -> None:
    name, found, value = argument.partition("=")
    if not found:
        return
    local = name.removeprefix("nolocal:")
    channel.set_variable(name if name != local else local, value)
    known = channel.get_variable("export_vars")
    names = known.split(",") if known else []
    if name not in names:
        channel.set_variable("export_vars", ",".join([*names, name]))


def _answer(channel: Channel, argument: str) -> None:
    send_answer(channel)


def _pre_answer(channel: Channel, argument: str) -> None:
    send_early_media(channel)


def _ring_ready(channel: Channel, argument: str) -> None:
    send_ringing(channel)


def _respond(channel: Channel, argument: str) -> None:
    code, _, phrase = argument.partition(" ")
    if channel.answered or not code.isdigit() or channel.profile.source == "mod_loopback":
        return  # no message of SIP's has an effect on a loopback
    channel.respond_with = f"{code} {phrase}".strip()
    hang_up(channel, cause_from_status(int(code)))


def _hangup(channel: Channel, argument: str) -> None:
    hang_up(channel, cause_name(argument.strip(), "NORMAL_CLEARING"))


def _park(channel: Channel, argument: str) -> None:
    park(channel)


def _blind_transfer_ack(channel: Channel, argument: str) -> None:
    acknowledge(channel, success=argument.strip().lower() in {"true", "yes", "1"})


def _sched_hangup(channel: Channel, argument: str) -> None:
    when, _, cause = argument.partition(" ")
    name = cause_name(cause or "ALLOTTED_TIMEOUT")
    task = channel.switch.scheduler.hangup(when, channel.uuid, name)
    channel.set_variable("last_sched_id", str(task))


def _sched_transfer(channel: Channel, argument: str) -> None:
    words = separate(argument, 4)
    if len(words) >= 2:
        when, number, dialplan, context = [*words, "", ""][:4]
        task = channel.switch.scheduler.transfer(when, channel.uuid, number, dialplan, context)
        channel.set_variable("last_sched_id", str(task))


def _deflect(channel: Channel, argument: str) -> None:
    deflect(channel, argument)


def _hold(channel: Channel, argument: str) -> None:
    hold(channel)


def _unhold(channel: Channel, argument: str) -> None:
    unhold(channel)


def _event(channel: Channel, argument: str) -> None:
    """``Name=value,...``: the event is published; a NOTIFY is mod_sofia's, as by ``sendevent``.

    The first header of a name counts, whatever follows it.
    """
    headers: dict[str, str] = {}
    for item in argument.split(",")[:25]:
        name, found, value = item.partition("=")
        if found:
            headers.setdefault(name.strip(" "), value.strip(" "))
    name = headers.pop("Event-Name", "CHANNEL_APPLICATION")
    body = headers.pop("_body", None)
    event = SimEvent(name, body=body, subclass=headers.get("Event-Subclass", ""))
    for key, value in headers.items():
        event.add(key, value)
    channel.fire_event(event)
    if name == "NOTIFY":
        channel.switch.send_notify({**headers, "_body": body or ""})


def _nothing(channel: Channel, argument: str) -> None:
    """Accepted, and without effect that a story could see."""


SIMPLE_APPLICATIONS: dict[str, Application] = {
    "set": _set,
    "multiset": _multiset,
    "unset": _unset,
    "multiunset": _multiunset,
    "export": _export,
    "answer": _answer,
    "pre_answer": _pre_answer,
    "ring_ready": _ring_ready,
    "respond": _respond,
    "hangup": _hangup,
    "park": _park,
    "blind_transfer_ack": _blind_transfer_ack,
    "sched_hangup": _sched_hangup,
    "sched_transfer": _sched_transfer,
    "deflect": _deflect,
    "hold": _hold,
    "unhold": _unhold,
    "event": _event,
    "eval": _nothing,
    "log": _nothing,
    "info": _nothing,
    "verbose_events": _nothing,
    "break": _nothing,
}
"""By name; ``media_applications``, ``room_applications`` and ``call_applications`` have more."""
