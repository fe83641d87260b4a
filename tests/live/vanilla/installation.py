"""fsctl in a running FreeSWITCH: installed by the book, killed, back again, removed."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from tests.live.lab import ports
from tests.live.lab.fsctl_process import Controller, Section, Sections
from tests.live.lab.tap import Tap
from tests.live.vanilla.switch import VanillaSwitch

RING_TIMEOUT_S = 5
"""Longer than a phone rings before voicemail answers."""
NATIVE_AGAIN_S = 6.0
NONE: Sections = {}
ARMED = ("confirm_blind_transfer", "force_transfer_context", "force_transfer_dialplan")


class State(Enum):
    """How fsctl stands to the switch, in the order of its life there."""

    STOCK = "stock"
    ALIVE = "alive"
    KILLED = "killed"
    BACK = "back"
    REMOVED = "removed"

    def __str__(self) -> str:
        return self.value


class Installation:
    """fsctl in scope transfers, on one switch; `be` brings it from any state to any other.

    ``controller`` is the process that serves, or has served last; ``tap`` stands between it and
    FreeSWITCH's event socket.
    """

    def __init__(self, switch: VanillaSwitch) -> None:
        """Nothing is installed yet."""
        self._switch = switch
        self._port = ports.kept_port()
        self.tap = Tap(switch.esl_port)
        self._lives = 0
        self._installed = False
        self._settings = NONE
        self.controller = self._make()

    def be(self, state: State, settings: Sections = NONE) -> None:
        """Bring it to that state, with all that lies on the way.

        ``settings`` are added to those of the installation; with others than before it is removed
        and made anew.
        """
        if settings != self._settings:
            self._remove()
            assert not (problems := self.controller.finish()), problems
            self._settings, self._lives = settings, 0
            self.controller = self._make()
        if state is State.STOCK:
            self._remove()
        elif state is State.REMOVED:
            if not self._lives:
                self._serve()
            self._remove()
        else:
            if self._lives < 2 and state is State.BACK:
                self.be(State.KILLED)
            if self._lives == 0 or state is not State.KILLED:
                self._serve()
            if state is State.KILLED:
                self.kill()
                self._wait_native()

    def kill(self) -> None:
        """SIGKILL, if it runs; see `be` for what FreeSWITCH forgets then."""
        if self.controller.is_running:
            self.controller.kill9()

    def beside(self) -> Controller:
        """A second controller, which runs; FreeSWITCH's dialplan knows both from now on."""
        port = ports.free_port()
        both = [self.controller.address, f"{ports.LOCALHOST}:{port}"]
        second = self._make({"dialplan": {"controllers": both}}, port)
        self._switch.install(second.render())
        return second.start()

    def finish(self) -> str:
        """End what runs; what it left behind or did wrong."""
        problems = self.controller.finish()
        self.tap.close()
        return problems

    def _make(self, more: Sections = NONE, port: int = 0) -> Controller:
        switch = self._switch
        sections: dict[str, Section | list[Section]] = {
            "switch": {"host": "127.0.0.1", "port": self.tap.port},
            "transfer": {"ring_timeout_s": RING_TIMEOUT_S},
            "dialplan": {"sofia_profile": switch.profile},
            "policy": {"mode": "enforce", "country": "US"},
        }
        for name, section in (*self._settings.items(), *more.items()):
            own = sections.get(name, {})
            plain = isinstance(own, Mapping) and isinstance(section, Mapping)
            sections[name] = {**own, **section} if plain else section
        secrets = {"FSCTL_SWITCH_PASSWORD": switch.password}
        return Controller(sections, secrets, port or self._port)

    def _serve(self) -> None:
        if not self._installed:
            self._switch.install(self.controller.render())
            self._installed = True
        if not self.controller.is_running:
            if self._lives:
                problems = self.controller.finish()
                assert not problems, problems
                self.controller = self._make()
            self.controller.start()
            self._lives += 1
        self._switch.wait(lambda: all(self._armed()), what="every leg of the switch is armed")

    def _remove(self) -> None:
        if self.controller.is_running:
            assert self.controller.terminate() == 0, self.controller.log_text()
        self._wait_native()
        self._switch.uninstall()
        self._installed = False

    def _wait_native(self) -> None:
        self._switch.wait(lambda: not any(self._armed()), NATIVE_AGAIN_S, "nothing is armed")

    def _armed(self) -> list[bool]:
        """Whether each of the global variables that arm the switch's legs is set."""
        replies = (self._switch.esl(f"global_getvar {name}") for name in ARMED)
        return [bool(reply) and not reply.startswith("-ERR") for reply in replies]
