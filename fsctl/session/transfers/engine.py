"""The loop that every kind of transfer runs by: wait, step, log, act.

A kind brings its table (``step``, pure: `fsctl.transfer`) and performs the actions that the table
asks for. Nothing is decided here, and nothing is known of any kind.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import Enum
from typing import Generic, Protocol, TypeVar

from fsctl import journal
from fsctl.session.core.clock import Timer
from fsctl.session.core.session import Session
from fsctl.sip.status import SipStatus

log = logging.getLogger(__name__)


class Snapshot(Protocol):
    """One transfer as far as decisions need it: frozen, compared by value.

    ``str`` says in a log line how it stands.
    """

    @property
    def state(self) -> Enum: ...


S = TypeVar("S", bound=Snapshot)
E = TypeVar("E", bound=Enum)
A = TypeVar("A", bound=Enum)


class Engine(Generic[S, E, A]):
    """One transfer: its snapshot, and the one deadline of its state."""

    def __init__(
        self,
        session: Session,
        transfer_id: str,
        name: str,
        snapshot: S,
        step: Callable[[S, E, SipStatus | None], tuple[S, tuple[A, ...]]],
        *,
        act: Callable[[tuple[A, ...]], None],
        seconds: Callable[[S], float | None],
        expired: Callable[[], None],
    ) -> None:
        """Begin in the state of ``snapshot``: its deadline runs.

        ``transfer_id`` names it in the journal (`record.transfer_id`), ``name`` in every log line
        (``blind transfer by UUID``). ``act`` performs the actions of one step, in their order; it
        may feed what follows from them, as its last word. ``seconds`` bounds the stay in a state
        (None: nothing does), and ``expired`` is called when that is over; it feeds what the kind
        makes of it.
        """
        self.snapshot = snapshot
        self._session = session
        self._id = transfer_id
        self._name = name
        self._step = step
        self._act = act
        self._seconds = seconds
        self._expired = expired
        self._timer: Timer | None = None
        self.set_deadline()

    def feed(self, stimulus: E, status: SipStatus | None = None) -> bool:
        """Step the table and have its actions performed; raises what ``act`` raises.

        False: the table has no answer to this stimulus now, and nothing has been done.
        """
        before = self.snapshot
        self.snapshot, actions = self._step(before, stimulus, status)
        if self.snapshot == before and not actions:
            log.debug(
                "%s %s: %s: ignored, %s", self._session.id, self._name, stimulus.value, before
            )
            return False
        log.info(
            "%s %s: %s: %s -> %s",
            self._session.id,
            self._name,
            stimulus.value,
            before.state.value,
            self.snapshot,
        )
        if journal.is_kept():
            journal.note("step", transfer=self._id, step=stimulus.value, state=str(self.snapshot))
        if self.snapshot.state is not before.state:
            self.set_deadline()
        self._act(actions)
        return True

    def set_deadline(self) -> None:
        """The time of the present state begins: it was entered, or its wait begins anew."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        seconds = self._seconds(self.snapshot)
        if seconds is not None:
            self._timer = self._session.after(seconds, self._expired)
