"""Phones on the switch, what is done with them, and what then is the case."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fsctl.story import Headers
from tests.live.lab import Phone, Phones
from tests.live.lab.media import Heard
from tests.live.lab.steps import Step
from tests.live.vanilla.switch import VanillaSwitch

TONE = "tone"
"""What the switch plays."""
PROVIDER = "provider"
LOOK_S = 0.2
ENOUGH = 4
"""Packets in one look that count as being heard: the last ones of a call that has ended do not."""
SERVING = frozenset(("conference", "echo", "fifo", "ivr", "playback", "valet_park", "voicemail"))


@dataclass(frozen=True)
class Outcome:
    """What is the case when everything has settled.

    ``hears``: a phone's name, and whom it hears (names, `TONE`); who hears nothing is left out.
    ``told``: the final response to a phone's INVITE, then the NOTIFYs of its REFERs.
    ``talking``: the phones whose call is up. ``runs``: the applications of the switch's channels,
    each with how many channels run it; a channel that runs none counts as ``-``.
    """

    hears: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, Sequence[str]] = field(default_factory=dict)
    talking: Sequence[str] = ()
    runs: Mapping[str, int] = field(default_factory=dict)

    def serving(self) -> Outcome:
        """The same, with those applications only that serve somebody: without what connects."""
        return replace(self, runs={app: n for app, n in self.runs.items() if app in SERVING})


class Scene:
    """The phones of one test, by name: a user's number, or what a test calls a second phone."""

    def __init__(self, switch: VanillaSwitch, phones: Phones) -> None:
        self.switch = switch
        self.phones = phones
        self._by_name: dict[str, Phone] = {}

    def __getitem__(self, name: str) -> Phone:
        return self._by_name[name]

    # -- who is there

    def add(self, name: str, steps: Sequence[Step]) -> Phone:
        """A phone of user ``name``, registered; or the `PROVIDER`."""
        if name == PROVIDER:
            phone = self.phones.peer(name, self.switch.provider_port)
        else:
            phone = self.phones.party(name, name)
        self._by_name[name] = phone.takes(*steps)
        return phone

    def dial(self, number: str, to: str, name: str = "", headers: Headers = ()) -> Phone:
        """User ``number`` calls ``to``; the phone is called ``name``, by default its number."""
        phone = self.phones.caller(number, to, headers, name or number)
        self._by_name[name or number] = phone
        return phone

    def dial_from_outside(self, to: str, name: str = "outside", headers: Headers = ()) -> Phone:
        """The provider brings a call for ``to``."""
        return self.dial("4930555", self.switch.external_uri(to), name, headers)

    def talk(self, caller: str, to: str) -> Phone:
        """``caller`` calls ``to``, is answered, and returned."""
        phone = self.dial(caller, to)
        phone.wait_talking()
        return phone

    def joins(self, transferor: str, to: str, line: str) -> None:
        """An attended transfer to ``to``, with whom the transferor's ``line`` has a call."""
        refer_to = self.phones.replacing(self[line], to)
        self[transferor].refers(refer_to, f"<{self.phones.uri(transferor)}>")

    # -- what is the case

    def play(self, kind: Kind) -> Outcome:
        """Play that row; what is the case as soon as it is the outcome, or its time is over."""
        for name, steps in kind.phones.items():
            self.add(name, steps)
        kind.play(self)
        deadline_s = time.monotonic() + kind.within_s
        while (outcome := kind.look(self.look())) != kind.outcome:
            if time.monotonic() > deadline_s:
                break
        return outcome

    def look(self) -> Outcome:
        """What is the case now."""
        phones = self._by_name
        start_s = time.monotonic()
        next(iter(phones.values())).media.observe(LOOK_S)
        marks = {phone.media.mark: name for name, phone in phones.items()}
        hears = {
            name: _heard(phone.media.heard(start_s), marks)
            for name, phone in phones.items()
            if phone.in_call
        }
        told = {name: told for name, phone in phones.items() if (told := _told(phone))}
        return Outcome(
            {name: heard for name, heard in hears.items() if heard},
            told,
            tuple(sorted(name for name, phone in phones.items() if phone.in_answered_call)),
            dict(Counter(str(row["application"]) or "-" for row in self.switch.channels())),
        )


def _heard(packets: Sequence[Heard], marks: Mapping[int, str]) -> str:
    """Names of those heard; a look is long enough for each to be heard often."""
    names = Counter(
        TONE if packet.kind == "sound" else marks.get(packet.mark, TONE)
        for packet in packets
        if packet.kind != "silence"
    )
    return " ".join(sorted(name for name, count in names.items() if count >= ENOUGH))


def _told(phone: Phone) -> tuple[str, ...]:
    finals = (m for m in phone.messages if m.direction == "in" and m.method == "INVITE")
    lines = [f"{m.status} {m.reason}" for m in finals if m.status >= 200 and m.status != 407]
    return (*lines, *(f"NOTIFY {line.removeprefix('SIP/2.0 ')}" for line in phone.notifies))


Play = Callable[[Scene], object]


@dataclass(frozen=True)
class Kind:
    """One row of a table: who is there, what is done, and what comes of it.

    ``phones`` are registered, each does its steps when it is called. ``within_s`` is how long the
    outcome may take, ``look`` what of it is compared.
    """

    name: str
    play: Play
    outcome: Outcome
    phones: Mapping[str, Sequence[Step]] = field(default_factory=dict)
    within_s: float = 5.0
    look: Callable[[Outcome], Outcome] = field(default=lambda outcome: outcome)

    def __str__(self) -> str:
        return self.name
