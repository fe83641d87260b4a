"""What every check works on: the settings, and one FreeSWITCH that answers questions in time."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import gevent

from fsctl import dialplan
from fsctl.check.answers import Unreadable, located, profiles_of, running_profiles
from fsctl.check.copies import Copies
from fsctl.check.findings import Finding, State
from fsctl.esl.apis import ApiCommand, GlobalGetvar
from fsctl.esl.connection import Connection
from fsctl.esl.questions import SofiaStatus, XmlLocate
from fsctl.esl.waiting import Deadline
from fsctl.settings import DEFAULT_FILE, Settings, Switch
from fsctl.switch.armed import armed
from fsctl.switch.global_variables import listed, living

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be looked at besides the usual; set by whoever calls `fsctl.check.examine`.

    ``number`` asks which extension it would take in ``context``; ``config`` is the file that the
    settings came from, as commands are to name it.
    """

    number: str = ""
    context: str = ""
    config: Path | None = None


@dataclass(frozen=True)
class Ground:
    """One FreeSWITCH, by its open ``link``, whose ``deadline`` holds for all questions together.

    Made by `fsctl.check.examine`; ``quick``: it is asked at a start, of what decides only.
    """

    settings: Settings
    switch: Switch
    wanted: Wanted
    link: Connection
    deadline: Deadline
    copies: Copies
    quick: bool = False
    _answers: dict[ApiCommand, str] = field(default_factory=dict)
    _parsed: dict[ApiCommand, Element | None] = field(default_factory=dict)

    def ask(self, command: ApiCommand) -> str:
        """Return FreeSWITCH's answer, the one that it gave before if it was asked. LinkError."""
        return self.ask_all((command,))[0]

    def ask_all(self, commands: Iterable[ApiCommand]) -> list[str]:
        """Ask in one write. Raises LinkError."""
        wanted = list(commands)
        new = [command for command in dict.fromkeys(wanted) if command not in self._answers]
        if new:
            replies = self.link.send_all(new, self.deadline.left_s())
            self._answers.update(zip(new, (reply.text for reply in replies), strict=True))
        return [self._answers[command] for command in wanted]

    def locate(self, section: str, tag: str = "", name: str = "") -> Element | None:
        """Return a part of the configuration as FreeSWITCH has it loaded, None where there is no
        such thing. Raises LinkError, Unreadable."""
        command = XmlLocate(section, tag, "name" if tag else "", name)
        text = self.ask(command)
        if command not in self._parsed:
            self._parsed[command] = aside(lambda: located(text))
        return self._parsed[command]

    @cached_property
    def variables(self) -> dict[str, str]:
        """FreeSWITCH's global variables. LinkError."""
        return listed(self.ask(GlobalGetvar()))

    @cached_property
    def running(self) -> list[str]:
        """The sofia profiles that run. Raises LinkError, Unreadable."""
        status = self.ask(SofiaStatus())
        if "<profiles>" not in status:
            raise Unreadable(f"FreeSWITCH answered {status.strip()[:120]!r}")
        return running_profiles(status)

    @cached_property
    def sofia(self) -> dict[str, list[tuple[str, str]]]:
        """The parameters of each sofia profile in the configuration that is loaded."""
        return profiles_of(self.locate("configuration", "configuration", "sofia.conf"))

    @cached_property
    def rendered(self) -> dict[str, Element]:
        """What the present settings would write, by path below ``conf/``. Raises SettingsError."""
        return aside(
            lambda: {
                each.path: ElementTree.fromstring(each.text)
                for each in dialplan.rendered(self.settings)
            }
        )

    @cached_property
    def alive(self) -> list[str]:
        """The addresses of the controllers that show signs of life. LinkError."""
        return sorted(living(self.variables))

    @cached_property
    def armed(self) -> dict[str, str]:
        """The global variables that arm all legs, as they are set. LinkError."""
        names = armed(self.settings.transfer.mode, self.settings)
        return {name: self.variables[name] for name in names if self.variables.get(name)}

    @cached_property
    def remote(self) -> bool:
        """Whether FreeSWITCH is on another host than we, as far as its address says."""
        try:
            own, peer = self.link.sock.getsockname()[0], self.link.sock.getpeername()[0]
        except OSError:
            return True
        return bool(own != peer)

    def fs_cli(self, command: str) -> str:
        """The shell command that has this FreeSWITCH run ``command``."""
        host = self.switch.host
        where = [] if host in ("127.0.0.1", "localhost") else ["-H", host.strip("[]")]
        where += [] if self.switch.port == 8021 else ["-P", str(self.switch.port)]
        return shlex.join(["fs_cli", *where, "-x", command])

    def fsctl(self, command: str) -> str:
        """The shell command ``fsctl COMMAND`` with the settings that we have."""
        config = self.wanted.config
        named = config is not None and config != DEFAULT_FILE
        given = f" --config {shlex.quote(str(config))}" if named else ""
        return f"fsctl {command}{given}"


Check = Callable[[Ground], Iterator[Finding]]
"""Yields what it finds. LinkError: FreeSWITCH does not answer; Unreadable: not to be understood."""


def on_its_own_host(address: str) -> bool:
    """Whether an address is FreeSWITCH's own host to FreeSWITCH."""
    host = address.rpartition(":")[0]
    return host == "localhost" or host.startswith("127.")


def aside(work: Callable[[], T]) -> T:
    """Return what ``work`` returns, computed in a thread: the hub serves calls meanwhile.

    Raises what it raises.
    """

    def caught() -> tuple[T | None, Exception | None]:
        try:
            return work(), None
        except Exception as error:  # gevent would print it
            return None, error

    result, error = gevent.get_hub().threadpool.apply(caught)
    if error is not None:
        raise error
    made: T = result
    return made


def ok(code: str, what: str) -> Finding:
    """A thing that is as it should be."""
    return Finding(code, State.OK, what)


def problem(code: str, what: str, consequence: str, command: str, cause: str = "") -> Finding:
    """A thing that is not."""
    return Finding(code, State.PROBLEM, what, consequence, command, cause)


def unknown(code: str, what: str, cause: str, command: str = "", consequence: str = "") -> Finding:
    """A thing that could not be found out, and why."""
    return Finding(code, State.UNKNOWN, what, consequence, command, cause)
