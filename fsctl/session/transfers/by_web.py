"""A blind transfer on which the web service decides: obeyed as the settings would be.

All that it connects goes the usual way: routes, identity, policy (`fsctl.session.calling.plan`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from fsctl.decide.answer import Connect, Leave, Refuse
from fsctl.session.calling import deciding
from fsctl.session.calling.bridged import connect
from fsctl.session.calling.course import Several
from fsctl.session.calling.headers import merged, of_transfer
from fsctl.session.calling.plan import CallOptions
from fsctl.session.calling.routing import NoRoute
from fsctl.session.core.session import Session
from fsctl.session.transfers.blind import BlindTransfer
from fsctl.session.transfers.record import Decided
from fsctl.sip.refer import ReferTo
from fsctl.sip.status import SipStatus
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
    several = Several(wanted.targets, at_once=wanted.mode == "at-once")
    destination = several if len(wanted.targets) > 1 else wanted.targets[0]
    try:
        connect(session, transfer.transferee, destination, options)
    except (NoRoute, DialStringError) as error:
        status = error.status if isinstance(error, NoRoute) else SipStatus(400)
        log.info("%s: not connected, %d: %s", session.id, status.code, error)
        transfer.give_up(status)
