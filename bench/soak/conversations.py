"""What the phones play, and what must come of it when nothing dies meanwhile."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from fsctl.story import hear_each_other
from tests.live.lab import Phone, Phones, Switch, wait_for

PATIENCE_S = 10.0
RING_TIMEOUT_S = 3
MODES = {"in-session": "1", "legacy": "2", "call_user": "3"}
"""The first digit of a number chooses who transfers: see `bench.soak.__main__.settings`."""
LEFT, BUSY, UNREACHABLE, NO_ANSWER = 487, 486, 503, 480


@dataclass(slots=True)
class Conversation:
    """Parties of one conversation on numbers of its own, and the REFERs that were accepted.

    What it adds to their own words is an account of who owes what to whom: a worker may die in the
    middle of a plot, and then the judge asks for less.
    """

    switch: Switch
    slot: int
    mode: str
    chance: random.Random
    phones: Phones = field(init=False)
    made: list[Phone] = field(default_factory=list)
    accepted: dict[Phone, int] = field(default_factory=dict)
    left: set[Phone] = field(default_factory=set)
    """Those that hung up by themselves."""

    def __post_init__(self) -> None:
        self.phones = Phones(self.switch)
        self.phones.limit_s = PATIENCE_S

    def number(self, role: int) -> str:
        """The number of the party with this role."""
        return f"{MODES[self.mode]}{self.slot:02}{role}"

    def party(self, role: int) -> Phone:
        """The party with this role."""
        phone = self.phones.party(self.number(role), f"s{self.slot}-{role}")
        if phone not in self.made:
            self.made.append(phone)
        return phone

    def pair(self) -> tuple[Phone, Phone]:
        """Two that talk; either of them comes first."""
        bob, alice = self.party(1).answers(), self.party(0)
        alice.calls(bob.number)
        alice.wait_talking()
        self.talk(alice, bob)
        return self.chance.choice(((alice, bob), (bob, alice)))

    def talk(self, one: Phone, other: Phone) -> None:
        """They must hear each other."""
        assert hear_each_other(one, other), f"{one.name} and {other.name} do not hear each other"

    def leave(self, phone: Phone) -> None:
        """Hang up, whatever has become of the call meanwhile."""
        self.left.add(phone)
        phone.command("bye")

    def ringing(self) -> tuple[Phone, Phone, Phone]:
        """Transferor, transferee, and a target that rings."""
        transferor, transferee = self.pair()
        target = self.party(2).rings()
        self.refer(transferor, 2)
        target.wait_sent(180)
        return transferor, transferee, target

    def refer(self, transferor: Phone, role: int) -> None:
        """Ask for a transfer, which FreeSWITCH always accepts."""
        transferor.refers(self.phones.refer_to(self.number(role)))
        self.accepted[transferor] = self.accepted.get(transferor, 0) + 1

    def told(self, transferor: Phone, code: int) -> None:
        """The next report is of this code, in the words of whoever reports in this mode."""
        line = transferor.wait_notify(self.accepted[transferor])
        assert line.startswith(f"SIP/2.0 {code} "), f"{transferor.name} is told {line}, not {code}"

    def over(self, *phones: Phone) -> None:
        """They must be released, without hanging up themselves."""
        for phone in phones:
            phone.wait_over()

    def end(self, one: Phone, other: Phone) -> None:
        """One of the two hangs up, and the other is released."""
        self.leave(self.chance.choice((one, other)))
        self.over(one, other)

    def wait_released(self, timeout_s: float) -> None:
        """No leg of ours is left. Raises NotInTime."""
        own = [f"/{phone.number}@" for phone in self.made]

        def released() -> bool:
            names = [row["name"] for row in self.switch.channels()]
            return not any(number in name for number in own for name in names)

        wait_for(released, timeout_s, self.switch.describe_channels, 0.2)

    def silent(self) -> list[str]:
        """Who has a call and hears nothing, in an observation of some moments.

        Not a transferor that waits for its report, or that was told success and is to be released.
        """
        found = []
        for phone in self.made:
            lines, talks = phone.notifies, phone.received("ACK") or phone.sent("ACK")
            waits = len(lines) < self.accepted.get(phone, 0) or "SIP/2.0 200 OK" in lines
            if phone.in_call and talks and not waits:
                heard = phone.media.observe(0.4)
                if all(packet.kind == "silence" for packet in heard):
                    found.append(f"{phone.name} hears nothing")
        return found


# -- the plots


def plain(talk: Conversation) -> None:
    """A call, and either side hangs up."""
    talk.end(*talk.pair())


def answered(talk: Conversation) -> None:
    """The target answers, and may hand the transferee on to the next one."""
    transferor, transferee = talk.pair()
    for role in range(2, talk.chance.choice((3, 3, 4, 5))):
        target = talk.party(role).answers()
        talk.refer(transferor, role)
        talk.told(transferor, 200)
        talk.talk(transferee, target)
        talk.over(transferor)
        transferor = target
    talk.end(transferor, transferee)


def fails(talk: Conversation) -> None:
    """The target is busy, unreachable, or rings until its time is over: the first two talk on."""
    code = talk.chance.choice((BUSY, BUSY, UNREACHABLE, NO_ANSWER))
    transferor, transferee = talk.pair()
    target = talk.party(2)
    if code == BUSY:
        target.refuses(BUSY, "Gone fishing")
    else:
        target.unreachable() if code == UNREACHABLE else target.rings()
    talk.refer(transferor, 2)
    talk.told(transferor, code)
    talk.talk(transferor, transferee)
    talk.end(transferor, transferee)


def answers_and_leaves(talk: Conversation) -> None:
    """The target was there for a moment, or it was not: never a drop without a success."""
    transferor, transferee, target = talk.ringing()
    target.answers_now()
    talk.leave(target)
    if transferor.wait_notify() == "SIP/2.0 200 OK":
        talk.over(transferor, transferee)
    else:
        talk.talk(transferor, transferee)
        talk.end(transferor, transferee)


def transferor_leaves(talk: Conversation) -> None:
    """The transferor hangs up right after the 202: the transfer goes on."""
    transferor, transferee = talk.pair()
    target = talk.party(2).rings()
    talk.refer(transferor, 2)
    talk.leave(transferor)
    target.wait_sent(180)
    target.answers_now()
    talk.talk(transferee, target)
    talk.end(transferee, target)


def transferee_leaves(talk: Conversation) -> None:
    """The transferee hangs up while the target rings: the transferor is told and released."""
    transferor, transferee, target = talk.ringing()
    talk.leave(transferee)
    talk.told(transferor, LEFT)
    talk.over(transferor, target)


Plot = Callable[[Conversation], None]
PLOTS: tuple[Plot, ...] = (
    *(plain, answered, answered, fails, fails),
    *(answers_and_leaves, transferor_leaves, transferee_leaves),
)
