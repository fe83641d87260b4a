"""A blind transfer on which the web service decides: obeyed as the settings would be.

All that it connects goes the usual way: routes, identity, policy (`fsctl.session.calling.plan`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from fsctl.decide.answer import Connect, Leave, Refuse
from fsctl.errors import ChannelGone
from fsctl.session.calling import deciding, safe_answers
from fsctl.session.calling.bridged import connect
from fsctl.session.calling.bridging import join
from fsctl.session.calling.headers import merged, of_transfer
from fsctl.session.calling.originated import call_out
from fsctl.session.calling.plan import CallOptions
from fsctl.session.calling.routing import NoRoute
from fsctl.session.core import branches
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session
from fsctl.session.transfers.blind import BlindTransfer
from fsctl.session.transfers.record import Decided
from fsctl.sip.refer import ReferTo
from fsctl.sip.status import SipStatus, best_failure
from fsctl.sip.uri import Uri
from fsctl.switch.dialstring import DialStringError

if TYPE_CHECKING:
    from fsctl.decide.client import Exchange

log = logging.getLogger(__name__)

UNAVAILABLE: Final = SipStatus(503)
"""What the transferor is told when the service has failed, and ``on_failure`` is "refuse"."""


def ask(
    session: Session, transfer: BlindTransfer, refer_to: ReferTo, by_settings: Callable[[], None]
) -> None:
    """Ask the web service, and obey; ``by_settings`` does what the settings say."""
    pair = transfer.transferor, transfer.transferee
    written = transfer.request.refer_to or "", transfer.request.referred_by or ""
    question = deciding.question_of(session, "blind", pair, refer_to, written, transfer.asking)
    transfer.decided = Decided("web", {"id": question.id})

    def answered(exchange: Exchange) -> None:
        if not transfer.is_undecided:
            log.info("%s: that is too late: %s", session.id, transfer.snapshot)
            return
        _obey(session, transfer, refer_to, exchange, by_settings)

    session.board.part(deciding.WebService).ask(session, question, answered)


def _obey(
    session: Session,
    transfer: BlindTransfer,
    refer_to: ReferTo,
    exchange: Exchange,
    by_settings: Callable[[], None],
) -> None:
    settings, decision = session.settings.decide, exchange.decision
    by_web = isinstance(decision, Connect | Refuse)
    transfer.decided = Decided("web" if by_web else "settings", exchange.fields())
    match decision:
        case Connect():
            if transfer.asking is not None:
                transfer.asking.opened = settings.may_open
            headers = of_transfer(session.settings, refer_to)
            transfer.tell_referred_by()
            _connect(session, transfer, decision, headers)
        case Refuse():
            transfer.give_up(SipStatus(decision.code, decision.phrase))
        case None if settings.on_failure == "refuse":
            transfer.give_up(UNAVAILABLE)
        case None | Leave():
            by_settings()


def _connect(
    session: Session, transfer: BlindTransfer, wanted: Connect, headers: dict[str, str]
) -> None:
    options = CallOptions(
        caller_id=wanted.caller_id,
        display_name=wanted.display_name,
        headers=merged(headers, dict(wanted.headers)),
        ring_timeout_s=wanted.ring_timeout_s,
    )
    if wanted.mode == "at-once" and len(wanted.targets) > 1:
        AtOnce(session, transfer, options).call(wanted.targets)
    else:
        InTurn(session, transfer, options, wanted.targets).call()


class _Targets:
    """Several for one transferee; those that have failed are remembered."""

    def __init__(self, session: Session, transfer: BlindTransfer, options: CallOptions) -> None:
        self._session = session
        self._transfer = transfer
        self._options = options
        self._failures: list[SipStatus] = []
        transfer.several = self

    def answered(self, target: Leg) -> None:
        """FreeSWITCH itself joins it."""

    def failed(self, status: SipStatus) -> SipStatus | None:
        """See `Several`."""
        self._failures.append(status)
        return best_failure(self._failures, status)

    def _refused(self, target: str | Uri, error: Exception) -> None:
        """Nobody is called there."""
        status = error.status if isinstance(error, NoRoute) else SipStatus(400)
        log.info("%s: not connected with %s, %d: %s", self._session.id, target, status.code, error)
        self._failures.append(status)


class InTurn(_Targets):
    """FreeSWITCH calls one after the other, each as it would the only one."""

    def __init__(
        self,
        session: Session,
        transfer: BlindTransfer,
        options: CallOptions,
        targets: tuple[str | Uri, ...],
    ) -> None:
        super().__init__(session, transfer, options)
        self._left = list(targets)

    def call(self) -> None:
        """Call the first that can be called; fails where there is none."""
        if not self._call_next():
            self._transfer.give_up(best_failure(self._failures, SipStatus(480)))

    def failed(self, status: SipStatus) -> SipStatus | None:
        """See `Several`."""
        told = super().failed(status)
        if not self._transfer.awaits_call or not self._transfer.transferee.alive:
            return told
        return None if self._call_next() else best_failure(self._failures, status)

    def _call_next(self) -> bool:
        while self._left:
            target = self._left.pop(0)
            try:
                connect(self._session, self._transfer.transferee, target, self._options)
                return True
            except (NoRoute, DialStringError) as error:
                self._refused(target, error)
        return False


class AtOnce(_Targets):
    """All ring together; who answers first is joined with the transferee."""

    def __init__(self, session: Session, transfer: BlindTransfer, options: CallOptions) -> None:
        super().__init__(session, transfer, options)
        self._calls: list[Leg] = []
        self._is_joined = False

    def call(self, targets: tuple[str | Uri, ...]) -> None:
        """Call them; fails where none can be called."""
        session, transfer = self._session, self._transfer
        wanted = transfer, transfer.transferee
        for target in targets:
            try:
                self._calls.append(call_out(session, target, self._options, wanted=wanted))
            except DialStringError as error:
                self._refused(target, error)
        if not self._calls:
            transfer.give_up(best_failure(self._failures, SipStatus(480)))

    def answered(self, target: Leg) -> None:
        """The first ends the ringing of the others, one that answers at this moment too."""
        session, transfer = self._session, self._transfer
        if self._is_joined or not target.alive or not transfer.awaits_target:
            return
        self._is_joined = True
        for other in self._calls:
            if other is not target and other.alive:
                other.ending = True
                branches.hang_up(session, other)
        try:
            join(session, transfer.transferee, target)
        except (ChannelGone, ValueError) as error:
            log.info("%s: %s is not joined: %s", session.id, target, error)
            safe_answers.unwanted(target)
