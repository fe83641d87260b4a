"""Whom an application calls for the transferee of a blind transfer."""

from __future__ import annotations

from fsctl.session.core.leg import Leg


class Targets:
    """Those of one transfer; more than one when the application has them ring together."""

    def __init__(self, ring_timeout_s: float) -> None:
        self.all: list[Leg] = []
        """In the order of their calls; who is called anew, or has answered, is the last one."""
        self.held: Leg | None = None
        """The one that has answered the application. Set by `hold`; cleared when another one is
        called for the transferee."""
        self.ring_timeout_s = ring_timeout_s
        """Of the target that was called last."""

    @property
    def latest(self) -> Leg | None:
        """The target that was called last, or the one that has answered."""
        return self.all[-1] if self.all else None

    @property
    def alive(self) -> list[Leg]:
        """Those that have not ended."""
        return [target for target in self.all if target.alive]

    def call(self, target: Leg, ring_timeout_s: float) -> None:
        """``target`` is called, too, and may ring for so long."""
        self.all = [*self.alive, target]
        self.held, self.ring_timeout_s = None, ring_timeout_s

    def choose(self, target: Leg) -> None:
        """``target`` is the one that counts."""
        self.all = [each for each in self.all if each is not target] + [target]

    def hold(self, target: Leg) -> None:
        """As that: it has answered the application."""
        self.choose(target)
        self.held = target

    def forget(self) -> None:
        """The transferee talks with somebody else."""
        self.all = []

    def fail_with(self, target: Leg) -> bool:
        """Whether nobody is left for the transferee, now that ``target`` has ended."""
        return not self.alive if self.held is None else target is self.held
