"""ESL commands, one frozen type each: the one place that writes them (pure).

mod_event_socket.c, ``parse_command`` and ``read_packet``, is the specification. Every value is
checked when the object is made (`fields.Command`): raises CommandError, our own fault. The API
commands of `apis` are offered here too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from fsctl.errors import CommandError
from fsctl.esl.apis import (
    ApiCommand,
    GlobalGetvar,
    GlobalSetvar,
    Hupall,
    Originate,
    SchedApi,
    SchedDel,
    SchedHangup,
    SchedTransferUnlessTalking,
    ShowChannels,
    Status,
    Switchname,
    UuidAudio,
    UuidBreak,
    UuidBridge,
    UuidBroadcast,
    UuidBuglist,
    UuidDump,
    UuidExists,
    UuidGetvar,
    UuidKill,
    UuidRecord,
    UuidSendDtmf,
    UuidSetvar,
    UuidSetvarMulti,
    UuidTransfer,
    reference,
)
from fsctl.esl.fields import Command, check_seconds

__all__ = [
    "ApiCommand",
    "Auth",
    "BgApi",
    "Command",
    "Connect",
    "Events",
    "Execute",
    "Exit",
    "Filter",
    "FilterOut",
    "FilterOutDelete",
    "GlobalGetvar",
    "GlobalSetvar",
    "Hupall",
    "Linger",
    "NoEvents",
    "NoLinger",
    "NotifyReferrer",
    "Originate",
    "SchedApi",
    "SchedDel",
    "SchedHangup",
    "SchedTransferUnlessTalking",
    "ShowChannels",
    "Status",
    "Switchname",
    "UuidAudio",
    "UuidBreak",
    "UuidBridge",
    "UuidBroadcast",
    "UuidBuglist",
    "UuidDump",
    "UuidExists",
    "UuidGetvar",
    "UuidKill",
    "UuidRecord",
    "UuidSendDtmf",
    "UuidSetvar",
    "UuidSetvarMulti",
    "UuidTransfer",
]

_LONG_ARGUMENT_BYTES = 64
_SCOPE_VARIABLES = re.compile(r"%.?\[")
_FILTER_PATTERN = re.compile(r"[-+/ ]")
_REFER_EVENT = re.compile(r"refer(;id=\d{1,10})?")
_STATUS_LINE = re.compile(rb"SIP/2\.0 [1-6]\d\d [^\x00\r\n]*\r\n")


@dataclass(frozen=True, slots=True)
class Auth(Command):
    """The password of an inbound link; never shown."""

    password: str = field(repr=False)

    def lines(self) -> tuple[str, ...]:
        return (f"auth {self.password}",)


@dataclass(frozen=True, slots=True)
class Connect(Command):
    """First word on an outbound link; the reply carries the channel."""

    def lines(self) -> tuple[str, ...]:
        return ("connect",)


@dataclass(frozen=True, slots=True)
class Exit(Command):
    """End the link; an outbound one's channel goes on in its dialplan."""

    def lines(self) -> tuple[str, ...]:
        return ("exit",)


@dataclass(frozen=True, slots=True)
class Linger(Command):
    """Keep the link for `seconds` after its channel has hung up (without a limit it would leak)."""

    seconds: int

    def check(self) -> None:
        check_seconds("seconds", self.seconds)

    def lines(self) -> tuple[str, ...]:
        return (f"linger {self.seconds}",)


@dataclass(frozen=True, slots=True)
class NoLinger(Command):
    """Undo `Linger`."""

    def lines(self) -> tuple[str, ...]:
        return ("nolinger",)


@dataclass(frozen=True, slots=True)
class Events(Command):
    """Subscribe to events by name, and to CUSTOM ones by subclass; adds to earlier ones."""

    names: tuple[str, ...] = ()
    subclasses: tuple[str, ...] = ()

    def check(self) -> None:
        if not self.names and not self.subclasses:
            raise CommandError("no events to subscribe to")
        if "CUSTOM" in self.names:
            raise CommandError("CUSTOM events are named by their subclasses")

    def lines(self) -> tuple[str, ...]:
        # FreeSWITCH takes every word after CUSTOM for a subclass: it must come last.
        custom = ("CUSTOM", *self.subclasses) if self.subclasses else ()
        return (" ".join(("event", "plain", *self.names, *custom)),)


@dataclass(frozen=True, slots=True)
class NoEvents(Command):
    """Unsubscribe from all events."""

    def lines(self) -> tuple[str, ...]:
        return ("noevents",)


@dataclass(frozen=True, slots=True)
class Filter(Command):
    """Let only events through whose `header` is `value` (any case); several filters are OR-ed."""

    header: str
    value: str

    def check(self) -> None:
        _check_filter(self.header, self.value)

    def lines(self) -> tuple[str, ...]:
        return (f"filter {self.header} {self.value}",)


@dataclass(frozen=True, slots=True)
class FilterDelete(Command):
    """Take such a `Filter` back."""

    header: str
    value: str

    def check(self) -> None:
        _check_filter(self.header, self.value)

    def lines(self) -> tuple[str, ...]:
        return (f"filter delete {self.header} {self.value}",)


@dataclass(frozen=True, slots=True)
class FilterOut(Command):
    """Let no event through whose `header` is `value` (any case), whatever other filters say."""

    header: str
    value: str

    def check(self) -> None:
        _check_filter(self.header, self.value)

    def lines(self) -> tuple[str, ...]:
        return (f"filter {self.header} -{self.value}",)


@dataclass(frozen=True, slots=True)
class FilterOutDelete(FilterOut):
    """Take such a `FilterOut` back."""

    def lines(self) -> tuple[str, ...]:
        return (f"filter delete {self.header} -{self.value}",)


@dataclass(frozen=True, slots=True)
class FilterSet(Command):
    """As `Filter`, of events in which `header` is not empty."""

    header: str

    def check(self) -> None:
        _check_filter(self.header, "set")

    def lines(self) -> tuple[str, ...]:
        return (f"filter {self.header} /./",)


@dataclass(frozen=True, slots=True)
class Execute(Command):
    """Run a dialplan application on a channel (None: the link's own).

    FreeSWITCH may start it inside one that still runs and waits, such as ``playback``.

    FreeSWITCH expands the argument (switch_core_session.c, `switch_core_session_exec`): a ``$`` is
    refused, for ``${system(…)}`` would run a program, and so is a leading ``%[``, which sets
    variables. It also reads a doubled backslash as one and drops ``\\'``, whatever we do here.
    """

    application: str
    argument: str = ""
    event_uuid: str | None = field(default=None, kw_only=True)
    channel_uuid: str | None = field(default=None, kw_only=True)
    holds_partner: bool = field(default=False, kw_only=True)
    """Whoever the channel is bridged with hears the hold music meanwhile, if there is any."""
    does: tuple[ApiCommand, ...] = field(default=(), kw_only=True)
    """What the argument has done as it is expanded, by each one's `reference`, once."""

    def check(self) -> None:
        argument = self.argument
        for each in self.does:
            before, meant, behind = argument.partition(reference(each) or "$")
            argument = before + behind if meant else "$"
        if "$" in argument or _SCOPE_VARIABLES.match(self.argument):
            raise CommandError(f"FreeSWITCH would expand this argument: {self.argument!r}")

    def lines(self) -> tuple[str, ...]:
        uuid = "" if self.channel_uuid is None else f" {self.channel_uuid}"
        lines = [f"sendmsg{uuid}", "call-command: execute"]
        lines.append(f"execute-app-name: {self.application}")
        if self.argument:
            by_body = self._argument_by_body()
            header = "content-type: text/plain" if by_body else f"execute-app-arg: {self.argument}"
            lines.append(header)
        if self.event_uuid is not None:
            lines.append(f"Event-UUID: {self.event_uuid}")
        if self.holds_partner:
            lines.append("hold-bleg: true")
        return tuple(lines)

    def body(self) -> bytes:
        return self.argument.encode("utf-8") if self._argument_by_body() else b""

    def _argument_by_body(self) -> bool:
        # A header's value loses its leading spaces and its ARRAY:: mark, may be taken for a
        # command to the module itself (fields.Command), and old switches cut it at 2048 bytes:
        # switch_ivr_parse_event reads a text/plain body instead.
        if self.argument.startswith((" ", "ARRAY::")):
            return True
        if "mod_event_socket" in self.argument.lower():
            return True
        return len(self.argument.encode("utf-8")) > _LONG_ARGUMENT_BYTES


@dataclass(frozen=True, slots=True)
class BgApi(Command):
    """Run an API command in a thread of its own; the result is a BACKGROUND_JOB event."""

    api: ApiCommand
    job_uuid: str

    def lines(self) -> tuple[str, ...]:
        return (f"bgapi {self.api.line()}", f"Job-UUID: {self.job_uuid}")


@dataclass(frozen=True, slots=True)
class NotifyReferrer(Command):
    """Tell a transferor the result of its REFER: a NOTIFY in its dialog (RFC 3515 section 2.4.5).

    `event` is the transferor's ``sip_blind_transfer_event`` (``refer;id=CSEQ``), `body` one
    ``message/sipfrag`` status line with CRLF. FreeSWITCH always says that the subscription is
    terminated (mod_sofia.c, `general_event_handler`): send one, the final one. ``+OK`` says only
    that it was queued.
    """

    channel_uuid: str
    event: str
    content: bytes

    def check(self) -> None:
        if not _REFER_EVENT.fullmatch(self.event):
            raise CommandError(f"no event of a REFER: {self.event!r}")
        if not _STATUS_LINE.fullmatch(self.content):
            raise CommandError(f"no sipfrag: {self.content!r}")

    def lines(self) -> tuple[str, ...]:
        return (
            "sendevent NOTIFY",
            f"uuid: {self.channel_uuid}",
            f"event-string: {self.event}",
            "content-type: message/sipfrag;version=2.0",
        )

    def body(self) -> bytes:
        return self.content


def _check_filter(header: str, value: str) -> None:
    if header.lower() in ("add", "delete", "all"):
        raise CommandError(f"no header to filter by: {header!r}")
    if not value or _FILTER_PATTERN.match(value):
        raise CommandError(f"FreeSWITCH would take this value for a pattern: {value!r}")
