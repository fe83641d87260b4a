"""The transfers of a session, as those see them who make calls and join legs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fsctl.session.core.purpose import Purpose

if TYPE_CHECKING:
    from fsctl.session.core.leg import Leg


class Mover(Purpose, Protocol):
    """One blind transfer: who is moved, and what becomes of its targets."""

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
    def has_joined(self) -> bool:
        """Transferee and target talk; the transferor is still to go."""

    def entertain(self) -> bool:
        """The transferee is to hear ringback by our own doing; False: it does, or may not."""

    def stop_entertaining(self) -> None:
        """The application lets it hear something else."""

    def join(self, target: Leg) -> None:
        """The application joins it now. Raises ValueError when it cannot."""

    def join_given_up(self) -> None:
        """FreeSWITCH could not: the transferee has not been moved."""

    def taken(self) -> None:
        """Somebody else has taken the transferee."""

    def completed_elsewhere(self) -> None:
        """The transferee has been joined with somebody whom we do not know."""


class Movers(Protocol):
    """All of one session."""

    @property
    def is_any_open(self) -> bool:
        """Something is still owed to somebody in one of them, of any kind."""

    def moving(self, leg: Leg) -> Mover | None:
        """The open one in which ``leg`` is the transferee."""

    def awaiting_target(self, leg: Leg) -> Mover | None:
        """The one in which ``leg`` waits for a target that is not joined with it yet."""

    def awaiting_call(self) -> Mover | None:
        """The one whose targets are the calls that the application makes now."""

    def wanting(self, target: Leg) -> Mover | None:
        """The one in which ``target`` is being called, or held, for the transferee."""

    def bridged(self, pair: set[Leg]) -> None:
        """These two have been bridged."""

    def party(self, leg: Leg) -> bool:
        """Whether ``leg`` is transferor or transferee in an open one."""
