"""FreeSWITCH's API commands, one frozen type each (mod_commands.c has their syntax; pure).

Sent as they are they are an ``api`` command: FreeSWITCH reads nothing else from the link until it
is done. Anything that may take time (`Originate`) belongs into `commands.BgApi`.
Arguments of API commands are not expanded: a ``$`` is only a character here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fsctl.errors import CommandError
from fsctl.esl.fields import (
    Command,
    check_choice,
    check_delay,
    check_name,
    check_seconds,
    check_text,
    no_sooner,
    quote,
)

_DIGITS = re.compile(r"[0-9*#A-Da-dwW]{1,128}")
_NO_SUCH_CHANNEL = "-ERR No such channel!\n"
_MAX_VARIABLES = 64
_REFERRED_TO = re.compile(r"(?:[^\\${}()]|\([^\\${}()]*\))*")


class ApiCommand(Command):
    """Base of all: a `line` that FreeSWITCH runs, and what its output means."""

    __slots__ = ()

    def line(self) -> str:
        """The API command and its arguments."""
        raise NotImplementedError

    def lines(self) -> tuple[str, ...]:
        return ("api " + self.line(),)

    def failed(self, output: str) -> bool:
        """Whether this output is an error."""
        return output.startswith(("-ERR", "-USAGE"))


def can_be_referred_to(*texts: str) -> bool:
    """Whether a command has a `reference` that quotes these."""
    return all(_REFERRED_TO.fullmatch(quote(text, always=True)) for text in texts)


def reference(api: ApiCommand) -> str | None:
    """Return what has this done where FreeSWITCH expands a text, and stands for its answer there.

    None: something in it would be expanded, or end it (switch_channel.c,
    ``switch_channel_expand_variables_check``: braces and parentheses are counted, quotes are not).
    """
    name, _, arguments = api.line().partition(" ")
    return f"${{{name}({arguments})}}" if _REFERRED_TO.fullmatch(arguments) else None


@dataclass(frozen=True, slots=True)
class UuidGetvar(ApiCommand):
    """Read one variable of a channel exactly (plain events blur ``%41`` and ``A``)."""

    channel_uuid: str
    variable: str

    def line(self) -> str:
        return f"uuid_getvar {self.channel_uuid} {self.variable}"

    def failed(self, output: str) -> bool:
        # Only the errors end with LF, which no SIP value does: a caller who calls himself
        # "-ERR x" has a name, not an error.
        return output.endswith("\n") and output.startswith((_NO_SUCH_CHANNEL, "-USAGE: "))


@dataclass(frozen=True, slots=True)
class UuidDump(ApiCommand):
    """All variables and fields of a channel, exactly: one JSON object."""

    channel_uuid: str

    def line(self) -> str:
        return f"uuid_dump {self.channel_uuid} json"


@dataclass(frozen=True, slots=True)
class UuidSetvar(ApiCommand):
    """Set one variable of a channel to exactly `value`; None (or empty) unsets it."""

    channel_uuid: str
    variable: str
    value: str | None = None

    def check(self) -> None:
        _check_no_list(self.value or "")

    def line(self) -> str:
        head = f"uuid_setvar {self.channel_uuid} {self.variable}"
        return f"{head} {quote(self.value)}" if self.value else head


@dataclass(frozen=True, slots=True)
class UuidSetvarMulti(ApiCommand):
    """Set up to 64 variables of a channel at once; an empty value unsets.

    Unlike `UuidSetvar` FreeSWITCH refuses ``${`` here, so a ``$`` raises CommandError.
    """

    channel_uuid: str
    variables: tuple[tuple[str, str], ...]

    def check(self) -> None:
        if not 1 <= len(self.variables) <= _MAX_VARIABLES:
            raise CommandError(f"not 1 to {_MAX_VARIABLES} variables: {len(self.variables)}")
        for name, value in self.variables:
            check_name("variable", name)
            check_text(name, value)
            _check_no_list(value)
            _check_no_dollar(value)

    def line(self) -> str:
        pairs = ";".join(f"{name}={quote(value, always=True)}" for name, value in self.variables)
        return f"uuid_setvar_multi {self.channel_uuid} {pairs}"


@dataclass(frozen=True, slots=True)
class UuidKill(ApiCommand):
    """Hang a channel up with a cause (default NORMAL_CLEARING)."""

    channel_uuid: str
    hangup_cause: str | None = None

    def line(self) -> str:
        return _words("uuid_kill", self.channel_uuid, self.hangup_cause)


@dataclass(frozen=True, slots=True)
class Hupall(ApiCommand):
    """Hang up, with a cause, every channel whose `variable` has this value (a plain word)."""

    hangup_cause: str
    variable: str
    value: str

    def line(self) -> str:
        return _words("hupall", self.hangup_cause, self.variable, self.value)


@dataclass(frozen=True, slots=True)
class UuidBridge(ApiCommand):
    """Let two answered channels talk; the first is the bridge's originator."""

    channel_uuid: str
    other_uuid: str

    def line(self) -> str:
        return _words("uuid_bridge", self.channel_uuid, self.other_uuid)


@dataclass(frozen=True, slots=True)
class UuidBuglist(ApiCommand):
    """What listens to a channel's media or changes it, a ``<media-bug>`` for each: a recording."""

    channel_uuid: str

    def line(self) -> str:
        return _words("uuid_buglist", self.channel_uuid)


@dataclass(frozen=True, slots=True)
class UuidExists(ApiCommand):
    """Answers ``true`` or ``false``."""

    channel_uuid: str

    def line(self) -> str:
        return _words("uuid_exists", self.channel_uuid)


@dataclass(frozen=True, slots=True)
class UuidBroadcast(ApiCommand):
    """Play `path` (a file or ``tone_stream://…``) to the party of a channel."""

    channel_uuid: str
    path: str

    def line(self) -> str:
        return _words("uuid_broadcast", self.channel_uuid, quote(self.path), "aleg")


@dataclass(frozen=True, slots=True)
class UuidBreak(ApiCommand):
    """Stop what is played to a channel; `everything` also drops what is queued."""

    channel_uuid: str
    everything: bool = False

    def line(self) -> str:
        return _words("uuid_break", self.channel_uuid, "all" if self.everything else None)


@dataclass(frozen=True, slots=True)
class UuidRecord(ApiCommand):
    """``start`` or ``stop`` recording a channel into `path`, for `limit_s` seconds at most."""

    channel_uuid: str
    action: str
    path: str
    limit_s: int | None = None

    def check(self) -> None:
        check_choice("action", self.action, ("start", "stop"))
        if not self.path:
            raise CommandError("no path to record into")
        if self.limit_s is not None:
            check_seconds("limit_s", self.limit_s)

    def line(self) -> str:
        limit = None if self.limit_s is None else str(self.limit_s)
        return _words("uuid_record", self.channel_uuid, self.action, quote(self.path), limit)


@dataclass(frozen=True, slots=True)
class UuidSendDtmf(ApiCommand):
    """Send keys to the party of a channel; ``w`` and ``W`` wait half a second and a whole one."""

    channel_uuid: str
    digits: str

    def check(self) -> None:
        if not _DIGITS.fullmatch(self.digits):
            raise CommandError(f"no keys to press: {self.digits!r}")

    def line(self) -> str:
        return _words("uuid_send_dtmf", self.channel_uuid, self.digits)


@dataclass(frozen=True, slots=True)
class UuidAudio(ApiCommand):
    """Mute what comes from the party of a channel (nobody hears it), or undo that."""

    channel_uuid: str
    muted: bool

    def line(self) -> str:
        what = "start read mute 1" if self.muted else "stop"
        return _words("uuid_audio", self.channel_uuid, what)


@dataclass(frozen=True, slots=True)
class SchedHangup(ApiCommand):
    """Hang a channel up in `after_s` seconds at least (`no_sooner`), by FreeSWITCH's own timer."""

    after_s: float
    channel_uuid: str
    hangup_cause: str = "ALLOTTED_TIMEOUT"

    def check(self) -> None:
        check_delay("after_s", self.after_s)

    def line(self) -> str:
        when = f"+{no_sooner(self.after_s)}"
        return _words("sched_hangup", when, self.channel_uuid, self.hangup_cause)


_UNLESS_TALKING = "${variable_bridge_to}"
"""What FreeSWITCH appends to a uuid when a timer fires: nothing, or the peer of a leg in a bridge;
and of such a channel it knows nothing (``expand`` in mod_commands.c, ``bridge_to`` in
switch_ivr_bridge.c). The leg itself is not disturbed."""


@dataclass(frozen=True, slots=True)
class SchedTransferUnlessTalking(ApiCommand):
    """In `after_s` seconds at least send a channel into a dialplan, unless it is bridged then."""

    after_s: float
    channel_uuid: str
    extension: str
    context: str

    def check(self) -> None:
        check_delay("after_s", self.after_s)
        check_name("extension", self.extension)

    def line(self) -> str:
        uuid = self.channel_uuid
        then = _words("uuid_transfer", uuid + _UNLESS_TALKING, self.extension, "XML", self.context)
        return f"sched_api +{no_sooner(self.after_s)} {uuid} expand uuid:{uuid} {then}"


@dataclass(frozen=True, slots=True)
class SchedApi(ApiCommand):
    """Run another API command in `after_s` seconds at least; `group` is for `SchedDel`."""

    after_s: float
    group: str
    command: ApiCommand

    def check(self) -> None:
        check_delay("after_s", self.after_s)
        self.command.check()

    def line(self) -> str:
        return _words("sched_api", f"+{no_sooner(self.after_s)}", self.group, self.command.line())


@dataclass(frozen=True, slots=True)
class SchedDel(ApiCommand):
    """Delete a timer by its number, or all timers of a channel by its uuid."""

    task: str

    def line(self) -> str:
        return _words("sched_del", self.task)


@dataclass(frozen=True, slots=True)
class UuidTransfer(ApiCommand):
    """Send a channel (or its partner: ``bleg``, or ``both``) into a dialplan now."""

    channel_uuid: str
    extension: str
    context: str | None = None
    dialplan: str = "XML"
    leg: str | None = None

    def check(self) -> None:
        _check_extension(self.extension)
        if self.leg is not None:
            check_choice("leg", self.leg, ("bleg", "both"))

    def line(self) -> str:
        leg = None if self.leg is None else f"-{self.leg}"
        where = _words(quote(self.extension), self.dialplan, self.context)
        return _words("uuid_transfer", self.channel_uuid, leg, where)


@dataclass(frozen=True, slots=True)
class Originate(ApiCommand):
    """Call `dial_string`, and run `destination` (as ``&park()``) on the channel that answers.

    With a `context` the destination is an extension there. `dial_string` is as the core of
    FreeSWITCH must see it: what the API's own splitting needs besides is added here.
    """

    dial_string: str
    destination: str = "&park()"
    context: str | None = None

    def check(self) -> None:
        if self.destination.startswith("&") == (self.context is not None):
            raise CommandError(f"no application to run: {self.destination!r}")
        if not self.dial_string or self.dial_string.lower() == "undef":
            raise CommandError(f"no dial string: {self.dial_string!r}")
        if self.dial_string.startswith("^^"):  # would choose another separator for the line
            raise CommandError(f"a dial string may not start with ^^: {self.dial_string!r}")

    def line(self) -> str:
        where = ("XML", self.context) if self.context else ()
        return _words("originate", quote(self.dial_string), quote(self.destination), *where)


@dataclass(frozen=True, slots=True)
class Status(ApiCommand):
    """The switch's state in words."""

    def line(self) -> str:
        return "status"


@dataclass(frozen=True, slots=True)
class Switchname(ApiCommand):
    """By what name the switch calls itself, also in its events (mod_commands.c)."""

    def line(self) -> str:
        return "switchname"


@dataclass(frozen=True, slots=True)
class ShowChannels(ApiCommand):
    """All channels as JSON: ``{"row_count": 1, "rows": [{"uuid": …, "state": …}]}``; without any
    there are no ``rows``. The table follows the events, and may be half a second behind."""

    def line(self) -> str:
        return "show channels as json"


@dataclass(frozen=True, slots=True)
class GlobalGetvar(ApiCommand):
    """A global variable; FreeSWITCH answers ``-ERR no reply`` when it is not set. None: all there
    are, ``NAME=VALUE`` a line."""

    variable: str | None = None

    def line(self) -> str:
        return _words("global_getvar", self.variable)


@dataclass(frozen=True, slots=True)
class GlobalSetvar(ApiCommand):
    """Set a global variable; empty unsets. FreeSWITCH would change ``${``: no ``$``."""

    variable: str
    value: str

    def check(self) -> None:
        _check_no_list(self.value)
        _check_no_dollar(self.value)

    def line(self) -> str:
        return (
            f"global_setvar {self.variable}={quote(self.value, always=True) if self.value else ''}"
        )


def _words(*words: str | None) -> str:
    return " ".join(word for word in words if word is not None)


def _check_no_list(value: str) -> None:
    # switch_event.c, switch_event_base_add_header: FreeSWITCH makes an array of it.
    if value.startswith("ARRAY::"):
        raise CommandError(f"FreeSWITCH would take this value for a list: {value!r}")


def _check_no_dollar(value: str) -> None:
    if "$" in value:
        raise CommandError(f"FreeSWITCH does not carry a $ here: {value!r}")


def _check_extension(extension: str) -> None:
    if not extension or extension.startswith("-"):  # "-both" is an option of uuid_transfer
        raise CommandError(f"no extension: {extension!r}")
