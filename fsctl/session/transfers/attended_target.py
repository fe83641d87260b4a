"""The target of an attended transfer, called anew: its caller has taken the call to it back."""

from __future__ import annotations

import logging
from collections.abc import Callable
from uuid import uuid4

from fsctl.errors import ChannelGone, LinkError
from fsctl.esl.commands import BgApi, Events, Filter, Originate
from fsctl.esl.connection import Connection
from fsctl.esl.events import Event
from fsctl.esl.fields import no_sooner
from fsctl.policy.judge import Asking
from fsctl.session.calling import plan
from fsctl.session.calling.arming import arming, in_dialplan
from fsctl.session.calling.diverted import diversion, told
from fsctl.session.calling.headers import REFERRED_BY, merged, of_transfer
from fsctl.session.calling.identity import presented
from fsctl.session.calling.invite import invite
from fsctl.session.calling.judging import permit
from fsctl.session.calling.partings import gone
from fsctl.session.calling.plan import attempts, called_party, next_place
from fsctl.session.calling.routing import NoRoute, Routed
from fsctl.session.core import branches
from fsctl.session.core.diversion import Diversion
from fsctl.session.core.leg import Leg
from fsctl.session.transfers.attended_parties import Parties
from fsctl.session.transfers.attended_request import AttendedRequest
from fsctl.sip.status import SipStatus
from fsctl.switch.dialstring import DialString, DialStringError

log = logging.getLogger(__name__)

_PARK_TIMEOUT_S = 10
"""A target that has answered waits so long to be joined; it hangs up then, should we have died."""

_NOT_REACHED = SipStatus(403)


class CalledAnew:
    """The attempts to call the target for the transferee, as a blind transfer would.

    Not the loopback's own ``bridge``: its callee would be offered the loopback's codec, L16, only.
    ``told(answered, result)`` hears how each attempt has ended, in the session's greenlet; the
    policy judges what ``asking`` says.
    """

    def __init__(
        self,
        parties: Parties,
        link: Connection,
        request: AttendedRequest,
        told: Callable[[bool, str], None],
        asking: Asking | None,
    ) -> None:
        self._parties = parties
        self._session = parties.session
        self._link = link
        self._request = request
        self._told = told
        self._asking = asking
        self._attempts = attempts(self._session)

    def begin(self) -> Leg | None:
        """Call it where its number leads; None where that is nowhere."""
        session = self._session
        try:
            routed = plan.route(session, self._request.refer_to.target)
            permit(session, self._asking, routed)
            return self._call(routed)
        except (NoRoute, DialStringError) as error:
            log.info("%s: attended transfer: %s", session.id, error)
            return None

    def goes_on(self, target: Leg, status: SipStatus) -> Leg | None:
        """Call it at the next place after an attempt that has ended with ``status``, if any."""
        session = self._session
        routed = next_place(session, self._attempts, target, status, self._parties.transferee)
        if routed is None:
            return None
        try:
            return self._call(routed)
        except (DialStringError, LinkError, ChannelGone) as error:
            log.info("%s: attended transfer: not called anew: %s", session.id, error)
            return None

    def failed(self, target: Leg, status: SipStatus | None) -> SipStatus:
        """An attempt has failed: its leg is gone. Returns why, the best of all that rang for it."""
        status = status or _NOT_REACHED
        if target.branches is not None:
            status = target.branches.status(status)
        gone(self._session, target, status)
        return status

    def outcome(self, status: SipStatus) -> SipStatus:
        """The best failure of all attempts; ``status`` is the last one's."""
        return self._attempts.outcome(status)

    def _call(self, routed: Routed) -> Leg:
        """Raises DialStringError, LinkError, ChannelGone."""
        self._attempts.note(routed)
        session = self._session
        target, originate = self._originate(routed)
        session.link.send(branches.begin(session, target))
        job = str(uuid4())
        self._link.on_event = self._note_result
        heard = Filter("Job-UUID", job), Events(("BACKGROUND_JOB",))
        self._parties.command(*heard, BgApi(originate, job))
        return target

    def _originate(self, routed: Routed) -> tuple[Leg, Originate]:
        """The call of the target, and the command that calls it. Raises DialStringError."""
        session, request, parties = self._session, self._request, self._parties
        settings = session.settings
        route = routed.route
        shown = presented(settings, route, parties.transferee, parties.transferor)
        target = called_party(session, routed)
        branches.name_anew(session, target)
        variables = arming(target, parties.transferee, session.board.home, settings)
        variables |= invite(
            target,
            parties.transferee,
            route,
            shown,
            moves=True,
            ring_timeout_s=route.ring_timeout_s or settings.transfer.ring_timeout_s,
            headers=merged(
                of_transfer(settings, request.refer_to),
                told(self._diversion(), route, routed.number, settings),
            ),
            codecs=self._attempts.codecs,
        )
        if route.in_dialplan:
            variables |= in_dialplan(variables, parties.transferee) | {"loopback_bowout": "false"}
        variables |= {"ignore_early_media": "true", "park_timeout": str(no_sooner(_PARK_TIMEOUT_S))}
        return target, Originate(DialString(routed.endpoint, variables).format_for_originate())

    def _diversion(self) -> Diversion:
        pair = self._parties.transferor, self._parties.transferee
        referred_by = self._request.headers.get(REFERRED_BY) or ""
        return diversion(self._session, *pair, self._asking, referred_by)

    def _note_result(self, event: Event) -> None:
        """The target has answered, or will not (called by the link: it may not wait)."""
        if event.name == "BACKGROUND_JOB":
            said, _, rest = event.body.decode("utf-8", "replace").strip().partition(" ")
            self._session.post(lambda: self._told(said == "+OK", rest))
