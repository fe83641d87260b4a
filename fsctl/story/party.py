"""A party of a story: a person with a phone, what it does, and what may be asked of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from fsctl.simulator.sip import SipMessage

if TYPE_CHECKING:
    from fsctl.story.world import World

Headers = Sequence[tuple[str, str]]


class Party(ABC):
    """A person with a phone.

    What it does is said first, what it got is asked afterwards. ``number`` is its number, ``name``
    its display name. Whatever waits does so for ``limit_s`` seconds at most (None: as long as its
    world waits usually) and raises AssertionError then, if nothing else is said.
    """

    def __init__(self, world: World, number: str, name: str) -> None:
        self.world = world
        self.number = number
        self.name = name

    # -- how it takes a call

    @abstractmethod
    def rings(self) -> Self:
        """Ring until told to ``answers_now`` or ``refuses_now``, or until cancelled."""

    @abstractmethod
    def answers(self) -> Self:
        """Ring, then answer."""

    @abstractmethod
    def refuses(self, status: int, phrase: str) -> Self:
        """Ring, then refuse."""

    def is_busy(self) -> Self:
        """Ring, then refuse with 486 Busy Here."""
        return self.refuses(486, "Busy Here")

    @abstractmethod
    def sends_early_media(self) -> Self:
        """183 with SDP; then as ``rings``."""

    @abstractmethod
    def sends_early_media_and_refuses(self, status: int, phrase: str) -> Self:
        """183 with SDP, and a refusal a moment later."""

    @abstractmethod
    def redirects(self, contact: str) -> Self:
        """302 with this Contact: a URI, or the header's whole value (``<..>;q=0.5, <..>``)."""

    @abstractmethod
    def answers_in(self, codec: str) -> Self:
        """Ring and answer; but refuse (488) what is offered without this codec, PCMU or PCMA."""

    @abstractmethod
    def unreachable(self) -> Self:
        """Known to the switch, but nobody listens at its address."""

    # -- what it does now

    @abstractmethod
    def calls(self, number: str, headers: Headers = (), uri_parameters: str = "") -> None:
        """INVITE the switch for ``number``; these headers and parameters of the Request-URI."""

    def consults(self, number: str) -> Party:
        """Call ``number`` on another line of its phone, which is returned."""
        line = self.world.line(self)
        line.calls(number)
        return line

    @abstractmethod
    def holds(self) -> None:
        """Re-INVITE with ``sendonly``; returns when that has been answered."""

    @abstractmethod
    def resumes(self) -> None:
        """Re-INVITE with ``sendrecv``; returns when that has been answered."""

    @abstractmethod
    def answers_now(self) -> None:
        """Answer the call that rings."""

    @abstractmethod
    def refuses_now(self, status: int, phrase: str) -> None:
        """Refuse the call that rings."""

    @abstractmethod
    def refers(self, refer_to: str, referred_by: str | None = None) -> None:
        """REFER in its call, with this very Refer-To; returns when that has been accepted."""

    @abstractmethod
    def refers_early(self, refer_to: str) -> None:
        """REFER in the dialog of a call that still rings; returns when it has been accepted."""

    def transfers(self, number: str) -> None:
        """REFER the other one to this number, and say who asks (RFC 3892)."""
        self.refers(self.world.refer_to(number), f"<{self.world.uri(self.number)}>")

    @abstractmethod
    def picks_up(self, other: Party) -> None:
        """Call the switch's pickup (``intercept``) for the leg of ``other``, and talk with it."""

    @abstractmethod
    def replaces_call(self, other: Party) -> None:
        """INVITE with Replaces (RFC 3891) that names the call of ``other``: take its place."""

    @abstractmethod
    def presses(self, keys: str) -> None:
        """Press these keys in its call (RFC 4733)."""

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
    def hears(self, other: Party, limit_s: float | None = None) -> bool:
        """Wait until it hears the other party; False when that does not happen in time."""

    @abstractmethod
    def hears_ringback(self) -> bool:
        """Wait until the switch plays a tone to it; False when that does not happen in time."""

    @property
    @abstractmethod
    def heard_keys(self) -> str:
        """The keys that it has heard so far (RFC 4733)."""

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

    @property
    @abstractmethod
    def in_answered_call(self) -> bool:
        """Whether one of its calls has been answered and not ended."""

    @property
    @abstractmethod
    def messages(self) -> list[SipMessage]:
        """Everything it sent and received, in order."""

    def received(self, what: str | int) -> list[SipMessage]:
        """Requests of that method, or responses of that status, that it received."""
        return [m for m in self.messages if m.direction == "in" and m.matches(what)]

    def sent(self, what: str | int) -> list[SipMessage]:
        """Requests of that method, or responses of that status, that it sent."""
        return [m for m in self.messages if m.direction == "out" and m.matches(what)]

    @property
    def notifies(self) -> list[str]:
        """The status line in each NOTIFY of a REFER (RFC 3515 2.4.5): what it was told."""
        return [message.sipfrag for message in self.received("NOTIFY") if message.reports_refer]

    @property
    def notify_events(self) -> list[str]:
        """The Event header of each NOTIFY it received."""
        return [message.header("Event") for message in self.received("NOTIFY")]

    def refer_events(self) -> list[str]:
        """The Event header that belongs to each REFER it sent (RFC 3515 2.4.6)."""
        refers = self.sent("REFER")
        return [f"refer;id={message.header('CSeq').split()[0]}" for message in refers]

    # -- waiting

    def wait_received(
        self, what: str | int, times: int = 1, limit_s: float | None = None
    ) -> SipMessage:
        """Wait for the ``times``-th such request or response, and return it."""
        text = f"{self.name} has received {what} {times} times"
        self.world.wait(lambda: len(self.received(what)) >= times, text, limit_s)
        return self.received(what)[times - 1]

    def wait_sent(
        self, what: str | int, times: int = 1, limit_s: float | None = None
    ) -> SipMessage:
        """Wait until it has sent the ``times``-th such request or response, and return it."""
        text = f"{self.name} has sent {what} {times} times"
        self.world.wait(lambda: len(self.sent(what)) >= times, text, limit_s)
        return self.sent(what)[times - 1]

    def wait_notify(self, times: int = 1, limit_s: float | None = None) -> str:
        """Wait for the ``times``-th NOTIFY of a REFER; its status line: ``SIP/2.0 200 OK``."""
        text = f"{self.name} has been told of its REFERs {times} times"
        self.world.wait(lambda: len(self.notifies) >= times, text, limit_s)
        return self.notifies[times - 1]

    def wait_talking(self, limit_s: float | None = None) -> None:
        """Wait until a call of its own, made or taken, has been answered."""
        self.world.wait(lambda: self.in_answered_call, f"{self.name} is in a call", limit_s)

    def wait_over(self, limit_s: float | None = None) -> None:
        """Wait until it is in no call any more."""
        self.world.wait(lambda: not self.in_call, f"{self.name} is in no call", limit_s)
