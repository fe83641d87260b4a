"""What an application is told of its session: one method for each fact.

The floors below know nothing of handlers and event classes. What implements this
(`fsctl.scenario.outlet`) makes a public event of each fact and gives it to those who have asked for
it. Every method returns whether anybody listens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, Protocol

from fsctl.sip.refer import ReferTo
from fsctl.sip.status import SipStatus

if TYPE_CHECKING:
    from fsctl.session.core.leg import Leg

Role = Literal["transferor", "transferee"]
OnError = Callable[[Exception], None]
"""The safe answer: called with what a handler has raised."""


class Decision(Protocol):
    """A request that waits for the application's word. Both raise ValueError when it is decided."""

    def accept(self) -> None:
        """Grant it."""

    def refuse(self) -> None:
        """Refuse it."""


class Told(Protocol):
    """Who is told."""

    def started(self) -> bool:
        """The session runs."""

    def resumed(self, transferor: Leg, transferee: Leg) -> bool:
        """Another worker ran the session, and is gone."""

    def listens(self) -> bool:
        """Asked, not told: whether anybody would hear of anything that may still come."""

    def may_act(self) -> bool:
        """Asked, not told: whether it may do something with two who just talk, or with who is left
        of them, that no link of their own has brought."""

    def terminating(self) -> bool:
        """The session is about to end."""

    def terminated(self) -> bool:
        """It has ended."""

    def decides_on(self, leg: Leg) -> bool:
        """Asked, not told: whether anybody would listen to :meth:`call_alerting`."""

    def call_alerting(
        self,
        leg: Leg,
        destination: str,
        headers: Mapping[str, str],
        *,
        native: bool,
        on_error: OnError,
    ) -> bool:
        """A leg has come to us and waits for a decision."""

    def ringing(self, leg: Leg, *, early_media: bool) -> bool:
        """The called party rings."""

    def connected(self, leg: Leg, on_error: OnError | None = None) -> bool:
        """The called party has answered."""

    def failed(self, leg: Leg, status: SipStatus) -> bool:
        """The called party has not."""

    def disconnected(self, leg: Leg, status: SipStatus) -> bool:
        """The leg has ended, or is not ours any more."""

    def on_hold(self, leg: Leg) -> bool:
        """The party holds its call."""

    def off_hold(self, leg: Leg) -> bool:
        """It has taken it back."""

    def tone(self, leg: Leg, tone: str) -> bool:
        """The party has pressed a key."""

    def playback_finished(self, leg: Leg, path: str) -> bool:
        """What was played is over."""

    def record_stopped(self, leg: Leg, path: str) -> bool:
        """A recording is complete."""

    def decides_on_transfers(self, transferor: Leg) -> bool:
        """Asked, not told: whether anybody would listen to :meth:`blind_transfer_requested`."""

    def decides_on_attended_transfers(self, transferor: Leg) -> bool:
        """As that, of :meth:`attended_transfer_requested`."""

    def blind_transfer_requested(
        self,
        transferor: Leg,
        transferee: Leg,
        refer_to: ReferTo,
        headers: Mapping[str, str],
        on_error: OnError,
    ) -> bool:
        """A party asks for a blind transfer."""

    def attended_transfer_requested(
        self,
        transferor: Leg,
        transferee: Leg,
        consultation: tuple[Leg | None, Leg | None],
        refer_to: ReferTo,
        headers: Mapping[str, str],
        decision: Decision,
        on_error: OnError,
    ) -> bool:
        """A party asks to be replaced in ``consultation``: its own second leg, and the target."""

    def transfer_complete(self, leg: Leg, role: Role) -> bool:
        """A transfer in which ``leg`` had this role has succeeded."""

    def transfer_failed(self, leg: Leg, status: SipStatus, role: Role) -> bool:
        """It has failed."""
