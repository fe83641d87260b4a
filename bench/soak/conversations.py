"""What the phones play, and what must come of it when nothing dies meanwhile."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.live.lab import Phone, Phones, Refuse, Ring, Switch, free_port, wait_for
from tests.live.lab.steps import RING_AND_ANSWER, Step

PATIENCE_S = 10.0
RING_TIMEOUT_S = 3
MODES = {"in-session": "1", "legacy": "2", "call_user": "3"}
"""The first digit of a number chooses who transfers: see `bench.soak.__main__.settings`."""
LEFT, BUSY, UNREACHABLE, NO_ANSWER = 487, 486, 503, 480


@dataclass(slots=True)
class Conversation:
    """Phones of one conversation on numbers of its own, and the REFERs that were accepted."""

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

    def number(self, role: int) -> str:
        """The number of the phone with this role."""
        return f"{MODES[self.mode]}{self.slot:02}{role}"

    def callee(self, role: int, steps: Sequence[Step] = RING_AND_ANSWER) -> Phone:
        """A phone that waits for a call."""
        self.made.append(self.phones.callee(self.number(role), steps, f"s{self.slot}-{role}"))
        return self.made[-1]

    def pair(self) -> tuple[Phone, Phone]:
        """Two that talk; either of them comes first."""
        bob = self.callee(1)
        alice = self.phones.caller(self.number(0), bob.number, name=f"s{self.slot}-0")
        self.made.append(alice)
        alice.wait_talking(PATIENCE_S)
        self.talk(alice, bob)
        return self.chance.choice(((alice, bob), (bob, alice)))

    def talk(self, one: Phone, other: Phone) -> None:
        """They must hear each other."""
        for ear, mouth in ((one, other), (other, one)):
            assert ear.hears(mouth, PATIENCE_S), f"{ear.name} does not hear {mouth.name}"

    def leave(self, phone: Phone) -> None:
        """Hang up."""
        self.left.add(phone)
        phone.command("bye")

    def ringing(self) -> tuple[Phone, Phone, Phone]:
        """Transferor, transferee, and a target that rings."""
        transferor, transferee = self.pair()
        target = self.callee(2, [Ring()])
        self.refer(transferor, 2)
        target.wait_sent(180, timeout_s=PATIENCE_S)
        return transferor, transferee, target

    def refer(self, transferor: Phone, role: int) -> None:
        """Ask for a transfer, which FreeSWITCH always accepts."""
        response = transferor.refer(f"<{self.switch.uri(self.number(role))}>")
        assert response.status == 202, f"REFER: {response.status}"
        self.accepted[transferor] = self.accepted.get(transferor, 0) + 1

    def told(self, transferor: Phone, code: int) -> None:
        """The next report is of this code, in the words of whoever reports in this mode."""
        line = transferor.wait_notify(self.accepted[transferor], PATIENCE_S)
        assert line.startswith(f"SIP/2.0 {code} "), f"{transferor.name} is told {line}, not {code}"

    def over(self, *phones: Phone) -> None:
        """They must be released, without hanging up themselves."""
        for phone in phones:
            phone.wait_over(PATIENCE_S)

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
            lines, talks = phone.notifies(), phone.received("ACK") or phone.sent("ACK")
            waits = len(lines) < self.accepted.get(phone, 0) or "SIP/2.0 200 OK" in lines
            if phone.open_calls() and talks and not waits:
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
        target = talk.callee(role)
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
    if code == UNREACHABLE:
        talk.switch.add_user(talk.number(2), free_port())
    else:
        talk.callee(2, [Ring(), Refuse(code, "Gone fishing")] if code == BUSY else [Ring()])
    try:
        talk.refer(transferor, 2)
        talk.told(transferor, code)
    finally:
        talk.switch.remove_user(talk.number(2))
    talk.talk(transferor, transferee)
    talk.end(transferor, transferee)


def answers_and_leaves(talk: Conversation) -> None:
    """The target was there for a moment, or it was not: never a drop without a success."""
    transferor, transferee, target = talk.ringing()
    target.answer()
    talk.leave(target)
    if transferor.wait_notify(timeout_s=PATIENCE_S) == "SIP/2.0 200 OK":
        talk.over(transferor, transferee)
    else:
        talk.talk(transferor, transferee)
        talk.end(transferor, transferee)


def transferor_leaves(talk: Conversation) -> None:
    """The transferor hangs up right after the 202: the transfer goes on."""
    transferor, transferee = talk.pair()
    target = talk.callee(2, [Ring()])
    talk.refer(transferor, 2)
    talk.leave(transferor)
    target.wait_sent(180, timeout_s=PATIENCE_S)
    target.answer()
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
