"""A running FreeSWITCH, asked over its event socket."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from fsctl.check import rescan_mark
from fsctl.check.answers import running_profiles
from fsctl.check.event_socket import connected
from fsctl.errors import AuthError, CommandFailed, InstallError, LinkError
from fsctl.esl.apis import ApiCommand
from fsctl.esl.commands import GlobalGetvar, GlobalSetvar, SchedDel
from fsctl.esl.fields import check_name
from fsctl.esl.questions import ModuleExists, SofiaStatus, XmlLocate
from fsctl.install import answers
from fsctl.switch.armed import TIMERS
from fsctl.switch.global_variables import listed

_CONNECT_S = 3.0
_REPLY_S = 10.0
_RELOAD_S = 90.0
"""It runs what ``vars.xml`` says: ``stun-set`` waits for a server that does not answer."""


@dataclass(frozen=True, slots=True)
class ReloadXml(ApiCommand):
    """Read the configuration anew. It answers ``+OK`` in any case, with what was wrong."""

    def line(self) -> str:
        return "reloadxml"


@dataclass(frozen=True, slots=True)
class Rescan(ApiCommand):
    """Have a sofia profile read its parameters and gateways anew; no call ends."""

    profile: str

    def check(self) -> None:
        check_name("profile", self.profile)

    def line(self) -> str:
        return f"sofia profile {self.profile} rescan"


class FreeSwitch(Protocol):
    """What an installation asks of FreeSWITCH, and tells it. Each raises LinkError."""

    def global_variables(self) -> dict[str, str]:
        """All of them."""

    def running_profiles(self) -> list[str]:
        """The names of sofia's profiles."""

    def has_module(self, name: str) -> bool:
        """Whether it is loaded."""

    def locate(self, what: str) -> str:
        """The configuration as FreeSWITCH sees it: ``xml_locate``."""

    def reload(self) -> str:
        """Read the configuration anew; why it was refused, or nothing."""

    def rescan(self, profile: str) -> str:
        """Have a profile read its parameters anew, calls untouched; why it did not, or nothing."""

    def disarm(self, names: Iterable[str]) -> None:
        """Unset these global variables, and the timers that would."""

    def hurry(self) -> None:
        """From now on wait less for each reply: all is being undone."""


class LiveFreeSwitch:
    """FreeSWITCH at an address. Raises OSError, AuthError or LinkError when it cannot be asked."""

    def __init__(self, host: str, port: int, password: str) -> None:
        """Connect and log in."""
        self._reload_s = _RELOAD_S
        self._link = connected(host, port, _CONNECT_S)
        try:
            self._link.authenticate(password, _CONNECT_S)
        except BaseException:
            self._link.close()
            raise

    def close(self) -> None:
        """End the link."""
        self._link.close()

    def hurry(self) -> None:
        """See `FreeSwitch`."""
        self._reload_s = _REPLY_S

    def global_variables(self) -> dict[str, str]:
        """See `FreeSwitch`."""
        return listed(self._link.api(GlobalGetvar(), _REPLY_S))

    def running_profiles(self) -> list[str]:
        """See `FreeSwitch`."""
        return running_profiles(self._ask(SofiaStatus()))

    def has_module(self, name: str) -> bool:
        """See `FreeSwitch`."""
        return self._ask(ModuleExists(name)).strip() == "true"

    def locate(self, what: str) -> str:
        """See `FreeSwitch`."""
        return self._ask(XmlLocate(*what.split()))

    def reload(self) -> str:
        """See `FreeSwitch`."""
        return answers.refusal(self._ask(ReloadXml(), self._reload_s))

    def rescan(self, profile: str) -> str:
        """See `FreeSwitch`."""
        reply = self._ask(Rescan(profile), self._reload_s)
        if "+OK scan complete" not in reply:
            return reply.strip()
        self._note_parameters(profile)
        return ""

    def _note_parameters(self, profile: str) -> None:
        """FreeSWITCH does not tell what a profile has read: `fsctl check` looks for this note."""
        sofia = self.locate("configuration configuration name sofia.conf")
        name, digest = rescan_mark(profile, sofia)
        self._ask(GlobalSetvar(name, digest))

    def disarm(self, names: Iterable[str]) -> None:
        """See `FreeSwitch`."""
        with suppress(CommandFailed):  # there is none
            self._link.api(SchedDel(TIMERS), _REPLY_S)
        for name in names:
            self._link.api(GlobalSetvar(name, ""), _REPLY_S)

    def _ask(self, command: ApiCommand, timeout_s: float = _REPLY_S) -> str:
        try:
            return self._link.api(command, timeout_s)
        except CommandFailed as error:
            return str(error)


def connect(host: str, port: int, passwords: Iterable[str]) -> tuple[LiveFreeSwitch, str]:
    """Return FreeSWITCH and the one of the passwords that it takes.

    Raises OSError where nobody is there, InstallError where no password is right or something else
    answers.
    """
    why = "needs a password"
    for password in dict.fromkeys(passwords):
        try:
            return LiveFreeSwitch(host, port, password), password
        except AuthError as error:
            why = str(error)
        except LinkError as error:
            raise InstallError(
                f"{host}:{port} does not answer as FreeSWITCH's event socket does: {error}"
            ) from error
    raise InstallError(
        f"{host}:{port}: {why}: give the password by --password-file FILE, as [switch] "
        "password_file in the settings, or by --conf DIR, FreeSWITCH's configuration"
    )
