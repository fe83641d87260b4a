"""The world of a story: its parties, and the switch between them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from fsctl.story.party import Party


class World(ABC):
    """A switch with a controller, and the parties of a story."""

    @abstractmethod
    def party(self, number: str, name: str = "") -> Party:
        """The party with this number; ``name`` is its display name."""

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
    def uri(self, number: str) -> str:
        """The SIP URI of a number at this switch."""

    @abstractmethod
    def legs(self) -> int:
        """How many channels the switch has that have not hung up."""

    @abstractmethod
    def wait(
        self,
        condition: Callable[[], object],
        what: str = "condition",
        limit_s: float | None = None,
    ) -> None:
        """Let time pass until ``condition()`` is true; None: for as long as is usual here.

        Raises AssertionError, which says ``what`` and shows every message of every phone, when it
        is not true in time.
        """

    def refer_to(self, number: str) -> str:
        """The Refer-To of a transfer to ``number``."""
        return f"<{self.uri(number)}>"

    def replacing(self, line: Party, number: str) -> str:
        """The Refer-To of an attended transfer to ``number``, with whom ``line`` has a call."""
        return f"<{self.uri(number)}?Replaces={line.replaces}>"


def hear_each_other(one: Party, other: Party, *, limit_s: float | None = None) -> bool:
    """Both hear each other, now or soon."""
    return one.hears(other, limit_s) and other.hears(one, limit_s)


def talking(
    world: World, by: str = "callee", caller: str = "2000", callee: str = "1001"
) -> tuple[Party, Party]:
    """Alice (``caller``) has called Bob, and they talk; the transferor is returned first.

    ``by`` says which of the two is to be the transferor: ``callee`` (Bob) or ``caller`` (Alice).
    """
    bob = world.party(callee, "Bob").answers()
    alice = world.party(caller, "Alice")
    alice.calls(callee)
    alice.wait_talking()
    assert hear_each_other(alice, bob), f"{alice.name} and {bob.name} do not hear each other"
    return (bob, alice) if by == "callee" else (alice, bob)
