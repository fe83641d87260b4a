"""What every check works on: the settings, and one FreeSWITCH that answers questions in time."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import gevent

from fsctl.check.findings import Finding, State
from fsctl.esl.apis import ApiCommand
from fsctl.esl.connection import Connection
from fsctl.esl.waiting import Deadline
from fsctl.settings import Settings, Switch

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
    quick: bool = False
    _answers: dict[ApiCommand, str] = field(default_factory=dict)

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
        given = f" --config {shlex.quote(str(config))}" if config else ""
        return f"fsctl {command}{given}"


Check = Callable[[Ground], Iterator[Finding]]
"""Yields what it finds. LinkError: FreeSWITCH does not answer; Unreadable: not to be understood."""


class Unreadable(Exception):
    """An answer of FreeSWITCH is not what was expected: nothing can be said."""


def aside(work: Callable[[], T]) -> T:
    """Return what ``work`` returns, computed in a thread: the hub serves calls meanwhile."""
    result: T = gevent.get_hub().threadpool.apply(work)
    return result


def ok(code: str, what: str) -> Finding:
    """A thing that is as it should be."""
    return Finding(code, State.OK, what)


def problem(code: str, what: str, consequence: str, command: str, cause: str = "") -> Finding:
    """A thing that is not."""
    return Finding(code, State.PROBLEM, what, consequence, command, cause)


def unknown(code: str, what: str, cause: str, command: str = "", consequence: str = "") -> Finding:
    """A thing that could not be found out, and why."""
    return Finding(code, State.UNKNOWN, what, consequence, command, cause)
