"""What a story is told in: a world with a controller and parties, whatever switch plays it.

A story is written once. It says who calls whom, who transfers whom where, and asserts on what the
parties got over SIP and whom they hear; :mod:`tests.stories.simulated` plays it on the simulated
switch (virtual time), :mod:`tests.stories.real` on FreeSWITCH with SIPp phones. Where the two
differ, the simulator is wrong.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DOMAIN = "127.0.0.1"
Headers = Sequence[tuple[str, str]]
LIMIT_S = 10.0
RING_TIMEOUT_S = 2

_TELL = """
def tell(*words):
    with open({path!r}, "a", encoding="utf-8") as file:
        print(*words, file=file)

"""


@dataclass(frozen=True, slots=True)
class Message:
    """One SIP message at one party. ``status`` is 0 and ``start_line`` the method of a request."""

    time_s: float
    incoming: bool
    method: str
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: str

    @property
    def direction(self) -> str:
        """Who may speak, as its session description says (RFC 4566 section 6): ``sendrecv``, …"""
        found = re.search(r"^a=(sendrecv|sendonly|recvonly|inactive)", self.body, re.MULTILINE)
        return found[1] if found else self.header("SDP-Direction") or "sendrecv"

    @property
    def codecs(self) -> list[str]:
        """The audio codecs that its session description offers, in order."""
        found = re.search(r"^m=audio \d+ \S+((?: \d+)+)", self.body, re.MULTILINE)
        if found is None:
            return self.header("SDP-Codecs").split()
        names = {"0": "PCMU", "8": "PCMA"} | dict(
            re.findall(r"^a=rtpmap:(\d+) ([^/\s]+)", self.body, re.MULTILINE)
        )
        offered = [names.get(number, number) for number in found[1].split()]
        return [name for name in offered if name not in ("telephone-event", "CN", "13")]

    @property
    def start_line(self) -> str:
        """``SIP/2.0 486 Busy Here``, or the method of a request."""
        return f"SIP/2.0 {self.status} {self.reason}" if self.status else self.method

    def header(self, name: str) -> str:
        """The first header of that name (any case), empty when there is none."""
        return next((text for key, text in self.headers if key.lower() == name.lower()), "")

    def matches(self, what: str | int) -> bool:
        """Whether this is a request of that method, or a response of that status."""
        return self.status == what if isinstance(what, int) else self.start_line == what


class Party(ABC):
    """A person with a phone. What it does is said first, what it got is asked afterwards."""

    def __init__(self, world: World, number: str, name: str) -> None:
        self.world = world
        self.number = number
        self.name = name

    # -- how it takes a call

    @abstractmethod
    def rings(self) -> Party:
        """Ring until told to ``answer_now`` or ``refuse_now``, or until cancelled."""

    @abstractmethod
    def answers(self) -> Party:
        """Ring, then answer."""

    @abstractmethod
    def refuses(self, status: int, phrase: str) -> Party:
        """Ring, then refuse."""

    @abstractmethod
    def sends_early_media(self) -> Party:
        """183 with SDP; then as ``rings``."""

    @abstractmethod
    def sends_early_media_and_refuses(self, status: int, phrase: str) -> Party:
        """183 with SDP, and a refusal a moment later."""

    @abstractmethod
    def redirects(self, contact: str) -> Party:
        """302 with this Contact: a URI, or the header's whole value (``<..>;q=0.5, <..>``)."""

    @abstractmethod
    def answers_in(self, codec: str) -> Party:
        """Ring and answer; but refuse (488) what is offered without this codec, PCMU or PCMA."""

    @abstractmethod
    def unreachable(self) -> Party:
        """Known to the switch, but nobody listens at its address."""

    # -- what it does now

    @abstractmethod
    def calls(self, number: str, headers: Headers = (), uri_parameters: str = "") -> None:
        """INVITE the switch for ``number``; these headers and parameters of the Request-URI."""

    @abstractmethod
    def holds(self) -> None:
        """Re-INVITE with ``sendonly``; returns when that has been answered."""

    @abstractmethod
    def resumes(self) -> None:
        """Re-INVITE with ``sendrecv``; returns when that has been answered."""

    @abstractmethod
    def answer_now(self) -> None:
        """Answer the call that rings."""

    @abstractmethod
    def refuse_now(self, status: int, phrase: str) -> None:
        """Refuse the call that rings."""

    @abstractmethod
    def refers(self, refer_to: str, referred_by: str | None = None) -> None:
        """REFER in its call, with this very Refer-To; returns when it has been responded to."""

    @abstractmethod
    def refers_early(self, refer_to: str) -> None:
        """REFER in the dialog of a call that still rings; returns when it has been responded to."""

    @abstractmethod
    def picks_up(self, other: Party) -> None:
        """Call the switch's pickup (``intercept``) for the leg of ``other``, and talk with it."""

    @abstractmethod
    def replaces_call(self, other: Party) -> None:
        """INVITE with Replaces (RFC 3891) that names the call of ``other``: take its place."""

    @abstractmethod
    def hangs_up(self) -> None:
        """BYE."""

    @abstractmethod
    def leaves_after_refer(self, after: str, *ended: Party) -> None:
        """Once its REFER has its ``202``, or its first ``NOTIFY``, it hangs these calls up."""

    @abstractmethod
    def gives_up(self) -> None:
        """CANCEL a call that nobody has answered yet."""

    # -- what it hears

    @abstractmethod
    def hears(self, other: Party) -> bool:
        """Wait until it hears the other party; False when that does not happen in time."""

    @abstractmethod
    def hears_ringback(self) -> bool:
        """Wait until the switch plays a tone to it; False when that does not happen in time."""

    # -- what it got

    @property
    @abstractmethod
    def contact(self) -> str:
        """The SIP URI at which its phone is reached past all routes."""

    @property
    @abstractmethod
    def replaces(self) -> str:
        """What a Refer-To says to have its last dialog replaced (RFC 3891), percent-encoded."""

    @property
    @abstractmethod
    def in_call(self) -> bool:
        """Whether one of its calls has begun and not ended."""

    @abstractmethod
    def messages(self) -> list[Message]:
        """Everything it sent and received, in order."""

    def received(self, what: str | int) -> list[Message]:
        """Requests of that method, or responses of that status, that it received."""
        return [m for m in self.messages() if m.incoming and m.matches(what)]

    def sent(self, what: str | int) -> list[Message]:
        """Requests of that method, or responses of that status, that it sent."""
        return [m for m in self.messages() if not m.incoming and m.matches(what)]

    @property
    def notifies(self) -> list[str]:
        """The status line in each NOTIFY it received (RFC 3515 2.4.5)."""
        return [message.body.strip() for message in self.received("NOTIFY")]

    @property
    def notify_events(self) -> list[str]:
        """The Event header of each NOTIFY it received."""
        return [message.header("Event") for message in self.received("NOTIFY")]

    def refer_events(self) -> list[str]:
        """The Event header that belongs to each REFER it sent (RFC 3515 2.4.6)."""
        refers = self.sent("REFER")
        return [f"refer;id={message.header('CSeq').split()[0]}" for message in refers]

    # -- waiting

    def wait_received(self, what: str | int, times: int = 1, limit_s: float = LIMIT_S) -> Message:
        """Wait for the ``times``-th such request or response, and return it."""
        text = f"{self.name} has received {what} {times} times"
        self.world.wait(lambda: len(self.received(what)) >= times, text, limit_s)
        return self.received(what)[times - 1]

    def wait_notify(self, times: int = 1) -> str:
        """Wait for the ``times``-th NOTIFY; its status line."""
        return self.wait_received("NOTIFY", times).body.strip()

    def wait_talking(self) -> None:
        """Wait until the call that it made has been answered."""
        self.world.wait(self._is_answered, f"{self.name} has an answer")

    def _is_answered(self) -> bool:
        return bool(self.sent("ACK")) and any(m.method == "INVITE" for m in self.received(200))

    def wait_over(self, limit_s: float = LIMIT_S) -> None:
        """Wait until it is in no call any more."""
        self.world.wait(lambda: not self.in_call, f"{self.name} is in no call", limit_s)


class World(ABC):
    """One switch with the rendered dialplan, one controller, and the parties of a story."""

    def __init__(self, folder: Path) -> None:
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
    ) -> None:
        """Install the dialplan and start the controller.

        Numbers of four digits are users of the switch and ring for 2 s at most; ``route`` is added
        to that route's keys, ``routes`` come before it; ``transfer`` and ``call`` are
        the sections of that name. ``profile`` are parameters of the sofia profile, ``dialplan``
        are applications (``set x=y``) that the operator's own dialplan executes on a new call
        before us. ``scenario`` is the text
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
        if profile or dialplan:
            sections["dialplan"] = {"overrides": str(self._overrides(profile or {}, dialplan))}
        self._serve(sections, self._telling(scenario) if scenario else "")

    def _overrides(self, profile: Mapping[str, str], dialplan: Sequence[str]) -> Path:
        """Templates of an operator's own, which add to ours."""
        folder = self._told.parent / "overrides"
        folder.mkdir()
        params = "".join(
            f'<param name="{name}" value="{value}"/>\n' for name, value in profile.items()
        )
        actions = "".join(
            f'<action application="{name}" data="{data}"/>\n'
            for name, _, data in (text.partition(" ") for text in dialplan)
        )
        for name, block, text in (
            ("params", "params", params),
            ("inbound", "handover", actions),
        ):
            body = f"{{{{ super() }}}}\n{text}" if name == "params" else f"{text}{{{{ super() }}}}"
            lines = f'{{% extends "fsctl/{name}.xml.j2" %}}\n{{% block {block} %}}\n{body}\n'
            path = folder / f"{name}.xml.j2"
            path.write_text(lines + "{% endblock %}\n", encoding="utf-8")
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
    def forgive(self) -> None:
        """What has been logged as an error was meant to be."""

    @abstractmethod
    def party(self, number: str, name: str = "") -> Party:
        """The party with this number; ``name`` is its display name."""

    def directory(self, party: Party, number: str, name: str) -> None:
        """What the directory says of this party's phone, which authenticates when it calls.

        29xx only, who are 21xx "Directory xx": the laboratory's dialplan sets what FreeSWITCH sets.
        """
        assert number == f"21{party.number[2:]}" and name == f"Directory {party.number[2:]}"

    @abstractmethod
    def line(self, party: Party) -> Party:
        """Another line of that party's phone: same number and name, for a call of its own."""

    @abstractmethod
    def device(self, party: Party, joined_by: str = ",") -> Party:
        """Another phone of the same user: a call to its number reaches both.

        ``joined_by`` stands before it in the user's dial string: ``,`` or ``:_:`` have it ring
        together with those before, ``|`` when they have failed. Both must be told how they take a
        call before anybody calls.
        """

    @abstractmethod
    def legs(self) -> int:
        """How many channels the switch has."""

    @abstractmethod
    def leg(self, party: Party) -> str:
        """The uuid of the channel of that party's last call."""

    @abstractmethod
    def api(self, command: str) -> str:
        """What the switch answers to this API command, as an operator or another program says it.

        Raises AssertionError when it does not obey.
        """

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

    def joins(self, one: Party, other: Party) -> None:
        """Somebody joins the legs of these two with ``uuid_bridge``."""
        self.api(f"uuid_bridge {self.leg(one)} {self.leg(other)}")

    @abstractmethod
    def uri(self, number: str) -> str:
        """The SIP URI of a number at this switch."""

    @abstractmethod
    def wait(
        self, condition: Callable[[], object], what: str = "condition", limit_s: float = LIMIT_S
    ) -> None:
        """Let time pass until ``condition()`` is true. Raises AssertionError when it is not."""

    @abstractmethod
    def applications(self) -> list[str]:
        """The application that each leg at the switch executes now."""

    def wait_application(self, name: str, legs: int = 1) -> None:
        """Wait until so many legs execute this application."""
        self.wait(lambda: self.applications().count(name) == legs, f"{legs} x {name}")

    @abstractmethod
    def finish(self, passed: bool) -> None:
        """Hang up all phones and end the controller; fails when anything is left behind."""

    def refer_to(self, number: str) -> str:
        """The Refer-To of a transfer to ``number``."""
        return f"<{self.uri(number)}>"

    def replacing(self, line: Party, number: str) -> str:
        """The Refer-To of an attended transfer to ``number``, with whom ``line`` has a call."""
        return f"<{self.uri(number)}?Replaces={line.replaces}>"


# -- usual beginnings


def hear_each_other(one: Party, other: Party) -> bool:
    """Both hear each other, now or soon."""
    return one.hears(other) and other.hears(one)


def talking(world: World, by: str = "callee") -> tuple[Party, Party]:
    """Alice (2000) has called Bob (1001), and they talk; the transferor is returned first.

    ``by`` says which of the two is to be the transferor: ``callee`` (Bob) or ``caller`` (Alice).
    """
    bob = world.party("1001", "Bob").answers()
    alice = world.party("2000", "Alice")
    alice.calls("1001")
    alice.wait_talking()
    assert hear_each_other(alice, bob)
    return (bob, alice) if by == "callee" else (alice, bob)
