"""The purposes of calls that are no transfer of ours; see :mod:`fsctl.session.core.purpose`."""

from __future__ import annotations

from collections.abc import Mapping

from fsctl.esl.commands import Command
from fsctl.policy.judge import Asking
from fsctl.session.calling import safe_answers
from fsctl.session.calling.applications import reject
from fsctl.session.calling.native_call import NOBODY, NativeCall
from fsctl.session.core.diversion import Diversion
from fsctl.session.core.leg import Leg
from fsctl.session.core.purpose import Purpose
from fsctl.session.core.session import Session
from fsctl.settings import Call, Transfer
from fsctl.sip.status import SipStatus
from fsctl.switch import timers
from fsctl.switch.marks import Stage

GRACE_S = 2.0
"""How long after its ring timeout FreeSWITCH may take to say so."""


def of_waiting(session: Session, waiting: Leg) -> Purpose:
    """For what FreeSWITCH is to call somebody for ``waiting``."""
    transfer = session.movers.awaiting_target(waiting)
    if transfer is not None:
        return transfer
    native = session.part(NativeCall)
    return (
        NativeTransferee(session, waiting)
        if native.reports(waiting)
        else PlainCall(session, waiting)
    )


def of_application(session: Session) -> tuple[Purpose, Leg | None]:
    """For what the application calls somebody by itself, and the party that is to talk with it."""
    transfer = session.movers.awaiting_call()
    if transfer is not None:
        return transfer, transfer.transferee
    inbound = (call for call in session.calls.values() if call.alive and not call.outgoing)
    waiting = next(inbound, None)
    return PlainCall(session, waiting), waiting


class PlainCall:
    """Somebody wants to talk with somebody: a caller that waits, or the application."""

    transferor: Leg | None = None
    moves = False
    asking: Asking | None = None
    diversion: Diversion | None = None
    told_by_switch = False
    awaits_target = True
    awaits_call = True
    carried: Mapping[str, str] = {}

    def __init__(self, session: Session, waiting: Leg | None) -> None:
        self._session = session
        self._waiting = waiting

    @property
    def defaults(self) -> Call | Transfer:
        return self._session.settings.call

    @property
    def stage(self) -> Stage:
        return Stage.DIALLING

    def timers(self, rings_s: float) -> list[Command]:
        """None run: a bridge ends with its own timeout."""
        return []

    def call_target(self, target: Leg, ring_timeout_s: float) -> None:
        """Nobody else has to know."""

    def ring_anew(self, target: Leg, ring_timeout_s: float) -> None:
        """As that."""

    def rings(self, target: Leg) -> None:
        """As that."""

    def hold(self, target: Leg) -> None:
        """As that."""

    def failed(self, target: Leg, status: SipStatus, *, handled: bool) -> None:
        """Callers for whom nobody is called any more are refused, when nobody thinks of more."""
        safe_answers.nobody_answers(self._session, status, handled)

    def not_reached(self, target: Leg, status: SipStatus, uses: int) -> None:
        """The waiting party is refused, unless it has been used for something else."""
        waiting = self._waiting
        if waiting is not None and waiting.uses == uses and waiting.partner is None:
            reject(waiting, status)

    def target_handler_failed(self, target: Leg) -> None:
        """Whom nobody wants is hung up."""
        safe_answers.unwanted(target)


class NativeTransferee(PlainCall):
    """The transferee of a transfer that FreeSWITCH itself reports: we only call the target."""

    moves = True
    told_by_switch = True

    def __init__(self, session: Session, waiting: Leg | None) -> None:
        super().__init__(session, waiting)
        native = session.part(NativeCall)
        self.asking, self.diversion = native.asking, native.diversion

    @property
    def stage(self) -> Stage:
        """A transfer that fails must reach the end of its context."""
        return Stage.DONE

    def timers(self, rings_s: float) -> list[Command]:
        """The transferor is parked, and released in the end."""
        session, waiting = self._session, self._waiting
        transferor = session.part(NativeCall).transferor
        if waiting is None or transferor in ("", NOBODY):
            return []
        after_s = timers.released_s(session.settings, rings_s + GRACE_S)
        sooner_s = after_s - timers.head_start_s(session.settings)
        commands = timers.release(transferor, after_s)
        return commands + timers.send_on(waiting.channel_uuid, sooner_s)
