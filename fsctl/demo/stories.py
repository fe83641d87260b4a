"""The calls that the demo plays. Each story says what happens and checks that it did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from fsctl.settings import Route, Settings
from fsctl.simulator import Phone
from fsctl.stage import DOMAIN, Stage

SETTINGS = replace(
    Settings(),
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
    """Who plays: Alice calls Bob; Carol and Dave are called when somebody is transferred."""

    stage: Stage
    alice: Phone
    bob: Phone
    carol: Phone
    dave: Phone

    def talk(self, one: Phone, other: Phone) -> None:
        """Wait until these two hear each other, and let them talk for a moment."""
        self.stage.until(lambda: one.hears == other.number and other.hears == one.number)
        self.stage.advance(PAUSE_S)
        assert one.hears == other.number and other.hears == one.number, "they talk no longer"

    def call(self) -> None:
        """Alice calls Bob, he answers."""
        self.alice.calls(self.bob.number)
        self.talk(self.alice, self.bob)

    def transfer(self, transferor: Phone, target: Phone, result: str) -> None:
        """``transferor`` sends the other party to ``target`` and is told ``result``."""
        before = len(transferor.notifies)
        transferor.refers(f"<sip:{target.number}@{DOMAIN}>", f"<sip:{transferor.number}@{DOMAIN}>")
        self.stage.until(lambda: len(transferor.notifies) > before)
        told = transferor.notifies[-1][1]
        assert told == f"SIP/2.0 {result}", f"{transferor.display_name} was told {told}"

    def end(self, phone: Phone) -> None:
        """``phone`` hangs up; everybody must be free then."""
        phone.hangs_up()
        self.stage.until(lambda: not self.stage.switch.channels)


def answered(cast: Cast) -> None:
    cast.call()
    cast.transfer(cast.bob, cast.carol, "200 OK")
    cast.talk(cast.alice, cast.carol)
    cast.stage.until(lambda: not cast.bob.in_call)
    cast.end(cast.carol)


def busy(cast: Cast) -> None:
    cast.carol.busy(after_s=1.0)
    cast.call()
    cast.transfer(cast.bob, cast.carol, "486 Busy Here")
    cast.talk(cast.alice, cast.bob)
    cast.end(cast.alice)


def by_the_caller(cast: Cast) -> None:
    cast.call()
    cast.transfer(cast.alice, cast.carol, "200 OK")
    cast.talk(cast.bob, cast.carol)
    cast.stage.until(lambda: not cast.alice.in_call)
    cast.end(cast.bob)


def legacy(cast: Cast) -> None:
    cast.call()
    cast.transfer(cast.bob, cast.carol, "200 OK")
    cast.talk(cast.alice, cast.carol)
    seen = cast.carol.received("INVITE")[0].header("From")
    assert f"<sip:{cast.bob.number}@" in seen, f"Carol sees {seen}"
    cast.stage.until(lambda: not cast.bob.in_call)
    cast.end(cast.alice)


def chain(cast: Cast) -> None:
    cast.call()
    cast.transfer(cast.bob, cast.carol, "200 OK")
    cast.talk(cast.alice, cast.carol)
    cast.transfer(cast.carol, cast.dave, "200 OK")
    cast.talk(cast.alice, cast.dave)
    cast.stage.until(lambda: not cast.bob.in_call and not cast.carol.in_call)
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
