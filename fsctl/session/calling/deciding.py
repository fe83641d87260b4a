"""Asking the web service of ``[decide]``: what it is told, and by whose greenlet.

Nothing waits for it: it is asked in a greenlet of its own, and its answer comes as one more thing
that happens in the session.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import uuid4

import gevent

from fsctl.decide.request import Kind, Opinion, Person, Question
from fsctl.policy.judge import Asking
from fsctl.policy.parties import Party
from fsctl.session.calling import judging
from fsctl.session.calling.plan import route
from fsctl.session.calling.routing import NoRoute
from fsctl.session.core.board import Board
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session
from fsctl.sip.refer import ReferTo, allowed_headers

if TYPE_CHECKING:
    from fsctl.decide.client import Client, Exchange

log = logging.getLogger(__name__)


class WebService:
    """The one of a worker."""

    def __init__(self, board: Board) -> None:
        """Raises SettingsError."""
        self.client: Client | None = None
        if board.settings.decide.url:
            # Python's HTTP and TLS are imported by who asks somebody, and by nobody else.
            from fsctl.decide.client import Client

            self.client = Client(board.settings.decide)

    @property
    def is_asked(self) -> bool:
        """Whether there is one."""
        return self.client is not None

    @property
    def asking(self) -> int:
        """Questions that wait for their answers."""
        return self.client.asking if self.client is not None else 0

    def ask(
        self, session: Session, question: Question, answered: Callable[[Exchange], None]
    ) -> None:
        """Ask; ``answered`` is called by the session's greenlet, within ``[decide] timeout_s``."""
        client = self.client
        assert client is not None  # is_asked

        def ask() -> None:
            exchange = client.ask(question.id, question.body())
            session.post(lambda: _told(session, exchange, answered))

        gevent.spawn(ask)


def _told(session: Session, exchange: Exchange, answered: Callable[[Exchange], None]) -> None:
    level = logging.INFO if exchange.decision is not None else logging.WARNING
    log.log(level, "%s: the web service says: %s", session.id, exchange)
    answered(exchange)


def question_of(
    session: Session,
    kind: Kind,
    pair: tuple[Leg, Leg],
    refer_to: ReferTo,
    written: tuple[str, str],
    asked: Asking | None,
) -> Question:
    """Return what the web service is asked: ``pair`` are transferor and transferee, ``written``
    Refer-To and Referred-By as they came."""
    transferor, transferee = pair
    by, of = (asked.by, asked.of) if asked is not None else (None, None)
    allow = session.settings.transfer.pass_headers
    return Question(
        f"decide_{uuid4().hex}",
        str(session.id),
        session.switch,
        kind,
        _person(transferor, by),
        _person(transferee, of),
        written[0],
        refer_to.target.number,
        refer_to.target.host,
        dict(allowed_headers(refer_to.embedded_headers, allow)),
        written[1],
        _opinion(session, kind, refer_to, asked) if asked is not None else None,
    )


def _person(leg: Leg, party: Party | None) -> Person:
    known = (party.side, party.user, party.because) if party is not None else ("", "", "")
    return Person(leg.channel_uuid, leg.number, leg.display_name, leg.sip_call_id, *known)


def _opinion(session: Session, kind: Kind, refer_to: ReferTo, asked: Asking) -> Opinion | None:
    """Of an attended transfer the policy has judged the very target already."""
    if kind == "attended":
        known = asked.verdict
        return None if known is None else Opinion(known.allowed, known.rule, known.why)
    try:
        routed = route(session, refer_to.target)
    except NoRoute as error:
        return Opinion(False, "", str(error))
    verdict = judging.opinion(
        session.settings, asked, judging.destination(session.settings, routed, asked.of)
    )
    return Opinion(verdict.allowed, verdict.rule, verdict.why)
