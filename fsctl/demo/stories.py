"""The calls that the demo plays. Each story says what happens and checks that it did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from fsctl.settings import Route
from fsctl.stage import CALLS, Stage
from fsctl.story import SimulatedParty, hear_each_other

SETTINGS = replace(
    CALLS,
    routes=(
        Route(name="legacy", match="2[0-9]{3}", transfer_mode="legacy"),
        Route(name="users", match="1[0-9]{3}"),
    ),
)
"""Numbers that begin with 2 are transferred by FreeSWITCH itself, the others in the session."""

PAUSE_S = 1.2
"""How long people talk, so that a person can follow."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays: Alice calls Bob; Carol and Dave are called when somebody is transferred.

    What it adds to a party's own words is the time that a person needs to follow, and what the demo
    says when a story goes wrong.
    """

    stage: Stage
    alice: SimulatedParty
    bob: SimulatedParty
    carol: SimulatedParty
    dave: SimulatedParty

    def call(self) -> None:
        """Alice calls Bob, he answers."""
        self.alice.calls(self.bob.number)
        self.talk(self.alice, self.bob)

    def talk(self, one: SimulatedParty, other: SimulatedParty) -> None:
        """Wait until these two hear each other, and let them talk for a moment."""
        names = f"{one.name} and {other.name}"
        assert hear_each_other(one, other), f"{names} do not talk"
        self.stage.advance(PAUSE_S)
        assert hear_each_other(one, other, limit_s=0.0), f"{names} talk no longer"

    def transfer(self, transferor: SimulatedParty, target: SimulatedParty, result: str) -> None:
        """``transferor`` sends the other party to ``target`` and is told ``result``."""
        times = len(transferor.notifies) + 1
        transferor.transfers(target.number)
        told = transferor.wait_notify(times)
        assert told == f"SIP/2.0 {result}", f"{transferor.name} was told {told}"

    def end(self, party: SimulatedParty) -> None:
        """``party`` hangs up; everybody must be free then."""
        party.hangs_up()
        self.stage.wait(lambda: not self.stage.legs(), "everybody is free")


def answered(cast: Cast) -> None:
    cast.call()
    cast.transfer(cast.bob, cast.carol, "200 OK")
    cast.talk(cast.alice, cast.carol)
    cast.bob.wait_over()
    cast.end(cast.carol)


def busy(cast: Cast) -> None:
    cast.carol.phone.busy(after_s=1.0)
    cast.call()
    cast.transfer(cast.bob, cast.carol, "486 Busy Here")
    cast.talk(cast.alice, cast.bob)
    cast.end(cast.alice)


def by_the_caller(cast: Cast) -> None:
    cast.call()
    cast.transfer(cast.alice, cast.carol, "200 OK")
    cast.talk(cast.bob, cast.carol)
    cast.alice.wait_over()
    cast.end(cast.bob)


def legacy(cast: Cast) -> None:
    cast.call()
    cast.transfer(cast.bob, cast.carol, "200 OK")
    cast.talk(cast.alice, cast.carol)
    seen = cast.carol.received("INVITE")[0].header("From")
    assert f"<sip:{cast.bob.number}@" in seen, f"Carol sees {seen}"
    cast.bob.wait_over()
    cast.end(cast.alice)


def chain(cast: Cast) -> None:
    cast.call()
    cast.transfer(cast.bob, cast.carol, "200 OK")
    cast.talk(cast.alice, cast.carol)
    cast.transfer(cast.carol, cast.dave, "200 OK")
    cast.talk(cast.alice, cast.dave)
    for gone in (cast.bob, cast.carol):
        gone.wait_over()
    cast.end(cast.dave)


@dataclass(frozen=True, slots=True)
class Story:
    """One call: its name, what a person should look for, who plays Bob, and what happens."""

    name: str
    text: str
    play: Callable[[Cast], None]
    bob: str = "1001"
    carol: str = "1002"


STORIES = (
    Story(
        "answered",
        "Bob transfers Alice to Carol. Carol answers: Bob is told 200 OK and released.",
        answered,
    ),
    Story(
        "busy",
        "Carol is busy: Bob is told her own 486 Busy Here, and Alice and Bob talk on.",
        busy,
    ),
    Story("caller", "Alice, who called, transfers Bob to Carol.", by_the_caller),
    Story(
        "legacy",
        "FreeSWITCH transfers by itself: Carol sees Bob as the caller.",
        legacy,
        bob="2001",
        carol="2002",
    ),
    Story("chain", "Bob transfers Alice to Carol, and Carol transfers her on to Dave.", chain),
)
