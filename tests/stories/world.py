"""What the stories of this folder need besides the parties of :mod:`fsctl.story`.

That is a controller's own life (settings, scenarios, death, freezing, its log) and the hand of an
operator on the switch: no party does any of it. A story is written once;
:mod:`tests.stories.simulated` plays it on the simulated switch (virtual time),
:mod:`tests.stories.real` on FreeSWITCH with SIPp phones.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.sax.saxutils import escape

from fsctl import story
from fsctl.story import Party

DOMAIN = "127.0.0.1"
LIMIT_S = 10.0
RING_TIMEOUT_S = 2

_TELL = """
def tell(*words):
    with open({path!r}, "a", encoding="utf-8") as file:
        print(*words, file=file)

"""


def _actions(steps: Sequence[str]) -> str:
    parts = (text.partition(" ") for text in steps)
    return "".join(
        f'<action application="{name}" data="{escape(data)}"/>\n' for name, _, data in parts
    )


def _extensions(numbers: Mapping[str, Sequence[str]]) -> str:
    return "".join(
        f'<extension name="{number}"><condition field="destination_number" '
        f'expression="^{number}$">\n{_actions(steps)}</condition></extension>\n'
        for number, steps in numbers.items()
    )


def _cdr(event: Mapping[str, str]) -> dict[str, str]:
    start = "variable_fsctl_cdr_"
    return {
        name.removeprefix(start): unquote(value)
        for name, value in event.items()
        if name.startswith(start)
    }


class Asked(ABC):
    """``fsctl transfer --json``, as an operator runs it."""

    world: World

    @abstractmethod
    def takes_back(self) -> None:
        """Ctrl-C."""

    @abstractmethod
    def loses_link(self) -> None:
        """Its link to the switch is cut."""

    @property
    @abstractmethod
    def ended(self) -> tuple[int, str] | None:
        """Its exit status and what it has printed; None: it runs."""

    def wait_ended(self) -> tuple[int, dict[str, Any]]:
        """Wait for its end: its exit status, and the document."""
        self.world.wait(lambda: self.ended is not None, "the command ends")
        assert self.ended is not None
        status, printed = self.ended
        return status, json.loads(printed)


class World(story.World):
    """One switch with the rendered dialplan, one controller, and the parties of a story."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._told = folder / "told.txt"

    def serve(
        self,
        *,
        scenario: str = "",
        route: Mapping[str, Any] | None = None,
        transfer: Mapping[str, Any] | None = None,
        call: Mapping[str, Any] | None = None,
        routes: Sequence[Mapping[str, Any]] = (),
        profile: Mapping[str, str] | None = None,
        dialplan: Sequence[str] = (),
        scope: str = "calls",
        house: Mapping[str, Sequence[str]] | None = None,
        behind: Mapping[str, Sequence[str]] | None = None,
        decide: Mapping[str, Any] | None = None,
        policy: Mapping[str, Any] | None = None,
        rules: Sequence[Mapping[str, Any]] = (),
        groups: Sequence[Mapping[str, Any]] = (),
        keys: Mapping[str, Any] | None = None,
    ) -> None:
        """Install the dialplan and start the controller.

        In scope transfers the switch connects a call to any number by itself.

        Numbers of four digits are users of the switch and ring for 2 s at most; ``route`` is added
        to that route's keys, ``routes`` come before it; ``transfer``, ``call``, ``decide``,
        ``policy`` and ``keys`` are the sections of that name, ``rules`` the policy's; ``groups``
        are the groups. ``profile`` are parameters of the sofia profile, ``dialplan`` are
        applications (``set x=y``) that the
        operator's own dialplan executes on a new call
        before us; ``house`` are the extensions of another context of the operator's, of that name:
        the applications of each number, and ``behind`` stand in the context of new calls, behind
        our own. ``scenario`` is the text
        of a scenario file, in which ``tell(...)`` writes a line of :meth:`told`.
        """
        users = {
            "name": "users",
            "match": "[0-9]{4}",
            "kind": "user",
            "domain": DOMAIN,
            "ring_timeout_s": RING_TIMEOUT_S,
        }
        sections: dict[str, Any] = {
            "call": {"own_hosts": ["example.org"], **(call or {})},
            "transfer": dict(transfer or {}),
            "route": [*map(dict, routes), {**users, **(route or {})}],
        }
        sections |= {"decide": dict(decide)} if decide else {}
        sections |= {"policy": dict(policy)} if policy else {}
        sections |= {"rule": [*map(dict, rules)]} if rules else {}
        sections |= {"group": [*map(dict, groups)]} if groups else {}
        sections |= {"keys": dict(keys)} if keys else {}
        plan = {"inbound_match": ".*"} if scope == "calls" else {}
        sections["dialplan"] = {"scope": scope, **plan}
        if profile or dialplan or house or behind:
            overrides = self._overrides(profile or {}, dialplan, house or {}, behind or {})
            sections["dialplan"]["overrides"] = str(overrides)
        self._serve(sections, self._telling(scenario) if scenario else "")

    def _overrides(
        self,
        profile: Mapping[str, str],
        dialplan: Sequence[str],
        house: Mapping[str, Sequence[str]],
        behind: Mapping[str, Sequence[str]],
    ) -> Path:
        """Templates of an operator's own, which add to ours."""
        folder = self._told.parent / "overrides"
        folder.mkdir()
        params = "".join(
            f'<param name="{name}" value="{value}"/>\n' for name, value in profile.items()
        )
        context = f'<context name="house">\n{_extensions(house)}</context>\n' if house else ""
        ours = "{{ super() }}\n"
        for name, blocks in (
            ("params", {"params": ours + params}),
            (
                "inbound",
                {
                    "handover": _actions(dialplan) + ours,
                    "other_number": ours + _extensions(behind),
                },
            ),
            ("contexts", {"contexts": ours + context}),
        ):
            text = f'{{% extends "fsctl/{name}.xml.j2" %}}\n'
            for block, body in blocks.items():
                text += f"{{% block {block} %}}\n{body}{{% endblock %}}\n"
            (folder / f"{name}.xml.j2").write_text(text, encoding="utf-8")
        return folder

    def reload(self, scenario: str) -> None:
        """Put another text into the scenario's file, and have the controller load it."""
        self._reload(self._telling(scenario))

    def _telling(self, scenario: str) -> str:
        return _TELL.format(path=str(self._told)) + scenario

    @abstractmethod
    def expect_error(self, text: str) -> None:
        """The controller will log an error with this text: it is the story's own."""

    def told(self) -> list[str]:
        """The lines that the scenario has told."""
        return self._told.read_text(encoding="utf-8").splitlines() if self._told.exists() else []

    def wait_told(self, line: str) -> None:
        """Wait until the scenario has told this line."""
        self.wait(lambda: line in self.told(), f"{line!r} is told, not {self.told()}")

    def wait_logged(self, text: str) -> None:
        """Wait until the controller has logged this text."""
        self.wait(lambda: text in self.log(), f"{text!r} is logged")

    @abstractmethod
    def _serve(self, sections: dict[str, Any], scenario: str) -> None:
        """Start a controller with these settings (as in the configuration file)."""

    @abstractmethod
    def _reload(self, scenario: str) -> None:
        """Change the file and load it (SIGHUP); returns when that has been tried."""

    @abstractmethod
    def kill(self) -> None:
        """The controller dies without a word."""

    @abstractmethod
    def pass_turns(self, turns: int) -> None:
        """Let so much time pass: turns of the hub, or as many times 5 ms on the real switch."""

    @abstractmethod
    def cut_links(self) -> None:
        """Every link between switch and controller is cut; the processes live."""

    @abstractmethod
    def cut_kept_links(self) -> None:
        """Of these, those that the controller has opened to the switch's own event socket."""

    @abstractmethod
    def freeze(self) -> None:
        """All processes of the controller are stopped (SIGSTOP); its sockets still accept."""

    @abstractmethod
    def thaw(self) -> None:
        """They go on (SIGCONT)."""

    @abstractmethod
    def restart(self) -> None:
        """Another controller, with the same settings, takes the place of the one that died."""

    @abstractmethod
    def terminate(self) -> None:
        """The controller is told to stop (SIGTERM): it drains, and ends."""

    @abstractmethod
    def log(self) -> str:
        """What the controllers have logged."""

    @abstractmethod
    def wait_really(self, condition: Callable[[], object], what: str) -> None:
        """As :meth:`wait`, for what happens outside of switch and controller: no time passes at
        these meanwhile, on the simulated switch."""

    @abstractmethod
    def forgive(self) -> None:
        """What has been logged as an error was meant to be."""

    def directory(self, party: Party, number: str, name: str) -> None:
        """What the directory says of this party's phone, which authenticates when it calls.

        29xx only, who are 21xx "Directory xx": the laboratory's dialplan sets what FreeSWITCH sets.
        """
        assert number == f"21{party.number[2:]}" and name == f"Directory {party.number[2:]}"

    @abstractmethod
    def leg(self, party: Party) -> str:
        """The uuid of the channel of that party's last call."""

    @abstractmethod
    def api(self, command: str) -> str:
        """What the switch answers to this API command, as an operator or another program says it.

        Raises AssertionError when it does not obey.
        """

    @abstractmethod
    def keep_cdrs(self) -> None:
        """From now on keep what FreeSWITCH's CDR modules would write: see `cdrs`."""

    def cdrs(self) -> list[dict[str, str]]:
        """The variables ``fsctl_cdr_*`` of each leg that has hung up, without that prefix; of those
        that have any."""
        return [found for event in self._hung_up() if (found := _cdr(event))]

    @abstractmethod
    def _hung_up(self) -> list[dict[str, str]]:
        """The headers of each CHANNEL_HANGUP_COMPLETE: that event is what the modules write."""

    def is_armed(self) -> bool:
        """Whether global variables of the switch send transfers to a controller."""
        return any(
            line.startswith("force_transfer_context=fsctl_")
            for line in self.api("global_getvar").splitlines()
        )

    @abstractmethod
    def host_of(self, party: Party) -> str:
        """Host and port at which the phone of that party takes a request without a user."""

    @property
    @abstractmethod
    def context(self) -> str:
        """The context in which calls enter."""

    def moves(self, party: Party, number: str, context: str = "", which: str = "") -> None:
        """Somebody moves that party's leg with ``uuid_transfer``; ``which``: -bleg or -both.

        Without a context FreeSWITCH takes ``force_transfer_context`` of the leg that is moved.
        """
        where = f"{number} XML {context}" if context else number
        self.api(f"uuid_transfer {self.leg(party)} {which + ' ' if which else ''}{where}")

    def asks(self, party: Party, *arguments: str) -> Asked:
        """An operator has that party transferred (`fsctl transfer`)."""
        return self.asks_for(self.leg(party), *arguments)

    @abstractmethod
    def asks_for(self, channel: str, *arguments: str) -> Asked:
        """As that, by whatever the operator takes for a channel's uuid."""

    def _operator(self, port: int, password: str, channel: str, *arguments: str) -> list[str]:
        """The arguments of that command, and its configuration file."""
        config = self._told.parent / "operator.toml"
        config.write_text(f'[switch]\nport = {port}\npassword = "{password}"\n', encoding="utf-8")
        return ["transfer", channel, *arguments, "--json", "--config", str(config)]

    def joins(self, one: Party, other: Party) -> None:
        """Somebody joins the legs of these two with ``uuid_bridge``."""
        self.api(f"uuid_bridge {self.leg(one)} {self.leg(other)}")

    @abstractmethod
    def applications(self) -> list[str]:
        """The application that each leg at the switch executes now."""

    def wait_application(self, name: str, legs: int = 1) -> None:
        """Wait until so many legs execute this application."""
        self.wait(lambda: self.applications().count(name) == legs, f"{legs} x {name}")

    @abstractmethod
    def finish(self, passed: bool) -> None:
        """Hang up all phones and end the controller; fails when anything is left behind."""
