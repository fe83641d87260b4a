"""The ESL commands (``parse_command`` of mod_event_socket)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fsctl.simulator.events import SimEvent, api_frame, reply_frame

if TYPE_CHECKING:
    from fsctl.simulator.link import Link


@dataclass(frozen=True, slots=True)
class Reply:
    """The bytes that answer a command; ``kind`` is ``reply`` or ``api``."""

    raw: bytes
    kind: str = "reply"


def obey(link: Link, command: dict[str, str]) -> Reply:
    """Obey one command and answer it; an unknown one gets ``-ERR command not found``."""
    line = command["command"]
    if line.lower().startswith("exit"):
        link.stop()
        return _said("+OK bye")
    if not link.authenticated:
        return _auth(link, line)
    word, _, rest = line.partition(" ")
    handler = _COMMANDS.get(word.lower())
    if handler is None or (word.lower() in _FULL_ONLY and not link.full):
        return _said("")
    return handler(link, rest.strip(), command)


def _said(text: str) -> Reply:
    return Reply(reply_frame(text or "-ERR command not found"))


def _auth(link: Link, line: str) -> Reply:
    # One try only, whatever the first command was.
    if line.startswith("auth "):
        if line[5:].strip() == link.switch.password:
            link.authenticated = True
            return _said("+OK accepted")
        link.stop()
        return _said("-ERR invalid")
    return _said("")


def _connect(link: Link, rest: str, command: dict[str, str]) -> Reply:
    if link.channel is None:
        return _said("")
    event = SimEvent("CHANNEL_DATA")
    event.headers.extend(link.switch.base_headers(event))
    event.headers.extend(link.channel.profile.headers("Channel"))
    link.channel.fill(event)
    event.add("Content-Type", "command/reply").add("Reply-Text", "+OK\n")
    event.add("Socket-Mode", "async" if link.async_ else "static")
    event.add("Control", "full" if link.full else "single-channel")
    return Reply(event.to_plain())


def _sendmsg(link: Link, rest: str, command: dict[str, str]) -> Reply:
    own = link.channel
    wanted = rest or command.get("session-id", "")
    if own is not None and wanted in {"", own.uuid}:
        # The session is held by the link, so the message is taken even after its end.
        channel = own
    else:
        found = link.switch.locate(wanted)
        if found is None:
            return _said(f"-ERR invalid session id [{wanted}]")
        channel = found
    channel.pending.append(command)
    channel.wake()
    return _said("+OK")


def _sendevent(link: Link, rest: str, command: dict[str, str]) -> Reply:
    name = rest.split()[0] if rest.split() else "CUSTOM"
    identity = str(uuid.uuid4())
    event = SimEvent(name.upper(), body=command.get("_body"))
    event.subclass = command.get("event-subclass", "")
    for key, value in command.items():
        if key not in {"command", "_body", "content-length", "event-subclass"}:
            event.add(key, value)
    event.add("Event-UUID", identity)
    link.switch.publish(event)
    if event.name == "NOTIFY":
        link.switch.send_notify(command)
    # Always +OK, whatever became of it.
    return _said(f"+OK {identity}")


def _api(link: Link, rest: str, command: dict[str, str]) -> Reply:
    name, _, arguments = rest.partition(" ")
    return Reply(api_frame(link.switch.run_api(name, arguments)), "api")


def _bgapi(link: Link, rest: str, command: dict[str, str]) -> Reply:
    name, _, arguments = rest.partition(" ")
    job = command.get("job-uuid") or str(uuid.uuid4())
    owner = link.channel.uuid if link.channel is not None else ""
    link.busy_jobs += 1

    def work() -> None:
        try:
            answer = link.switch.run_api(name, arguments)
        finally:
            link.job_ended()
        event = SimEvent("BACKGROUND_JOB", body=answer)
        event.add("Job-UUID", job).add("Job-Owner-UUID", owner).add("Job-Command", name)
        event.add("Job-Command-Arg", arguments)
        link.switch.publish(event)

    link.switch.spawn(work)
    return Reply(reply_frame(f"+OK Job-UUID: {job}", f"Job-UUID: {job}\n"))


def _event(link: Link, rest: str, command: dict[str, str]) -> Reply:
    if not link.subscription.subscribe(rest.split()):
        return _said("-ERR no keywords supplied")
    return _said("+OK event listener enabled plain")


def _noevents(link: Link, rest: str, command: dict[str, str]) -> Reply:
    link.drop_events()
    if link.subscription.clear():
        return _said("+OK no longer listening for events")
    return _said("-ERR not listening for events")


def _filter(link: Link, rest: str, command: dict[str, str]) -> Reply:
    header, _, value = rest.partition(" ")
    if not header:
        return _said("")
    if header.lower() == "delete" and value:
        header, _, value = value.partition(" ")
        link.subscription.remove_filter(header, value)
        return _said(f"+OK filter deleted. [{header}][{value}]")
    if header.lower() == "add":
        header, _, value = value.partition(" ")
    if not value:
        return _said("-ERR invalid syntax")
    link.subscription.filters.append((header, value))
    return _said(f"+OK filter added. [{header}]=[{value}]")


def _linger(link: Link, rest: str, command: dict[str, str]) -> Reply:
    if link.channel is None:
        return _said("-ERR not controlling a session")
    link.lingering = True
    link.linger_s = float(rest) if rest.isdigit() else None
    return _said(f"+OK will linger {rest} seconds" if rest.isdigit() else "+OK will linger")


def _nolinger(link: Link, rest: str, command: dict[str, str]) -> Reply:
    if link.channel is None:
        return _said("-ERR not controlling a session")
    link.lingering = False
    return _said("+OK will not linger")


_Handler = Callable[["Link", str, dict[str, str]], Reply]
_COMMANDS: dict[str, _Handler] = {
    "connect": _connect,
    "sendmsg": _sendmsg,
    "sendevent": _sendevent,
    "api": _api,
    "bgapi": _bgapi,
    "event": _event,
    "noevents": _noevents,
    "filter": _filter,
    "linger": _linger,
    "nolinger": _nolinger,
}
_FULL_ONLY = frozenset("sendevent api bgapi event noevents linger nolinger".split())
