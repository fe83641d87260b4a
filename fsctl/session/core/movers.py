"""The transfers of a session, as those see them who make calls and join legs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fsctl.sip.status import SipStatus

if TYPE_CHECKING:
    from fsctl.session.core.leg import Leg


class Mover(Protocol):
    """One blind transfer: who is moved, and what becomes of its targets."""

    @property
    def transferor(self) -> Leg: ...
    @property
    def transferee(self) -> Leg: ...
    @property
    def target(self) -> Leg | None:
        """The target that was called last, or the one that has answered."""

    @property
    def entertained(self) -> bool:
        """The transferee hears ringback by our own doing."""

    @property
    def is_open(self) -> bool:
        """Something is still owed to somebody."""

    @property
    def awaits_target(self) -> bool:
        """The transferee is free for a target: none has been joined with it yet."""

    @property
    def awaits_call(self) -> bool:
        """The application has not decided, or its targets still ring: it may call another one."""

    @property
    def has_joined(self) -> bool:
        """Transferee and target talk; the transferor is still to go."""

    def call_target(self, target: Leg, ring_timeout_s: float) -> None:
        """``target`` is being called for the transferee; it may ring for so many seconds."""

    def ring_anew(self) -> None:
        """The same target is called at another address: it has its whole time to ring."""

    def entertain(self) -> bool:
        """The transferee is to hear ringback by our own doing; False: it does, or may not."""

    def stop_entertaining(self) -> None:
        """The application lets it hear something else."""

    def target_failed(self, target: Leg, status: SipStatus) -> None:
        """It did not answer the application, and nobody else is called in its place."""

    def not_reached(self, target: Leg, status: SipStatus) -> None:
        """FreeSWITCH could not reach it for the transferee."""

    def hold(self, target: Leg) -> None:
        """It has answered the application, which is to join it with the transferee."""

    def join(self, target: Leg) -> None:
        """The application joins it now. Raises ValueError when it cannot."""

    def join_given_up(self) -> None:
        """FreeSWITCH could not: the transferee has not been moved."""

    def give_up(self, status: SipStatus) -> None:
        """The application has failed: the first two talk on."""

    def taken(self) -> None:
        """Somebody else has taken the transferee."""


class Movers(Protocol):
    """All of one session."""

    def moving(self, leg: Leg) -> Mover | None:
        """The open one in which ``leg`` is the transferee."""

    def awaiting_target(self, leg: Leg | None) -> Mover | None:
        """The one in which ``leg`` waits for a target that is not joined with it yet."""

    def awaiting_call(self) -> Mover | None:
        """The one whose targets are the calls that the application makes now."""

    def wanting(self, target: Leg) -> Mover | None:
        """The one in which ``target`` is being called, or held, for the transferee."""

    def party(self, leg: Leg) -> bool:
        """Whether ``leg`` is transferor or transferee in an open one."""
