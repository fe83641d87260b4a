"""Where the policy is asked: before anybody is called for a party that is to be moved.

A transfer, of whatever kind, and a phone's redirection bring an `Asking`; what is planned for it
(:mod:`fsctl.session.calling.plan`) is judged by the number that is dialled in the end.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import datetime
from zoneinfo import ZoneInfo

from fsctl.errors import LinkError
from fsctl.policy.counts import Counts
from fsctl.policy.judge import Asking, Request, Verdict, hopeless, judge
from fsctl.policy.numbers import Destination
from fsctl.policy.parties import Party, party
from fsctl.session.calling.routing import NoRoute, Routed
from fsctl.session.core.board import Board
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session
from fsctl.settings import Settings
from fsctl.sip.uri import Uri
from fsctl.switch import facts
from fsctl.switch.dialstring import SofiaEndpoint

log = logging.getLogger(__name__)


class Refused(NoRoute):
    """The policy refuses; ``status`` is what the one who asked is told."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.why, verdict.status)
        self.verdict = verdict


class Policed:
    """What a worker counts."""

    def __init__(self, board: Board) -> None:
        self.counts = Counts()
        """Set by the worker, where several share them."""


def asking(
    session: Session,
    by: Leg | Party,
    of: Leg,
    start: str,
    *,
    movers: str | None = None,
    key: str = "",
    refer: str | None = None,
) -> Asking | None:
    """Return who asks for what, to be judged; it counts as one request. None: nobody judges.

    ``movers`` is what the dialplan has noted of ``of`` (`Mark.MOVERS`). Requests are counted by
    user or gateway; of others by ``key``, or the leg. One REFER (``refer``: its ``Event``, or its
    loopback) is one request, whoever has taken it over. A leg that has gone before FreeSWITCH could
    say who it is, is nobody that is known.
    """
    policy = session.settings.policy
    if policy.mode == "off":
        return None
    asker = by if isinstance(by, Party) else who(session, by)
    channel = by.channel_uuid if isinstance(by, Leg) else ""
    before = set((movers or "").split()) - {channel}
    request = f"{channel} {refer}" if refer else ""
    counts = session.board.part(Policed).counts
    return Asking(
        asker,
        who(session, of),
        start,
        len(before),
        counts.add(counted(asker, key or channel), request),
        counts.add(all_of(session.switch), request),
    )


def all_of(switch: str) -> str:
    """Return under what name all askers of a FreeSWITCH are counted together; no user has it."""
    return f"all of {switch}"


def counted(asker: Party, key: str) -> str:
    """Return under what name an asker is counted: the user or gateway that FreeSWITCH vouches for;
    of others ``key``."""
    return asker.user or asker.gateway or key


def who(session: Session, leg: Leg) -> Party:
    """Return who is at a leg, which is asked where no event has told it yet."""
    if leg.facts is None:
        with suppress(LinkError):
            leg.facts = facts.of_channel(session.link, leg.channel_uuid)
    return party(leg.facts or {}, session.settings.policy)


def permit(session: Session, asked: Asking | None, routed: Routed) -> None:
    """Let pass what the policy allows; raises `Refused` otherwise.

    With ``[policy] mode = "observe"`` everything passes, and what would not is logged.
    """
    if asked is not None:
        _judge(session, asked, destination(session.settings, routed, asked.of))


def permit_party(session: Session, asked: Asking | None, target: Leg, places: list[Routed]) -> None:
    """As :func:`permit`, for a party that is there already, or rings, and is joined (attended).

    ``places``: by which routes its session has called it, if it has.
    """
    if asked is None:
        return
    settings = session.settings
    if target.placed:
        _judge(session, asked, _party_there(session, target, places))
        return
    # It rings: where it was called counts, and of several that ring any of them may answer.
    for routed in places:
        _judge(session, asked, destination(settings, routed, asked.of))
    if not places:  # nobody knows: it is not taken for an internal one
        _judge(session, asked, Destination(target.number, "gateway"))


def _party_there(session: Session, target: Leg, places: list[Routed]) -> Destination:
    """Of whom has called, the number is only a claim; who was called costs what that says."""
    there = who(session, target)
    if there.side != "outside" or there.called_in:
        inside = there.side == "inside"
        return Destination(target.number, context=there.context, inside=inside)
    for routed in places:
        if routed.number == target.number and routed.route.kind in ("gateway", "uri"):
            return destination(session.settings, routed, there)
    return Destination(target.number, "gateway", context=there.context)


def permit_extension(session: Session, asked: Asking | None, number: str, context: str) -> None:
    """As :func:`permit`, for an extension of the switch's own dialplan (attended)."""
    if asked is not None:
        _judge(session, asked, Destination(number, context=context))


def opinion(settings: Settings, asked: Asking, to: Destination) -> Verdict:
    """Return what the policy says of a call, without any effect."""
    return judge(_request(settings, asked, to), settings.policy, settings.rules)


def early_opinion(settings: Settings, asked: Asking, dialled: str | Uri) -> Verdict | None:
    """Return the refusal that stands whatever number is dialled, without any effect; None: that is
    still to be seen."""
    number = dialled.number if isinstance(dialled, Uri) else dialled
    request = _request(settings, asked, Destination(number))
    return hopeless(request, settings.policy, settings.rules)


def permit_asking(
    session: Session, asked: Asking | None, dialled: str | Uri, *, may_be_opened: bool = False
) -> None:
    """As :func:`permit`, before anybody is asked: refuses what no number would change.

    ``may_be_opened``: a web service is asked that may open what our own rules close.
    """
    if asked is None:
        return
    verdict = early_opinion(session.settings, asked, dialled)
    if verdict is not None and not (may_be_opened and verdict.may_be_opened):
        _obey(session, asked, verdict)


class Redirection:
    """A phone names another place for whoever has called it (3xx): that is its party's wish."""

    def __init__(self, session: Session, waiting: Leg | None, place: Routed | None) -> None:
        """``place``: where the party was called, as FreeSWITCH has forgotten its channel."""
        self._session, self._waiting, self._place = session, waiting, place
        self._asked: Asking | None = None

    def permit(self, routed: Routed) -> None:
        """Let pass what the policy allows; raises `Refused` otherwise."""
        if self._waiting is None or self._place is None:
            return  # the application calls somebody for itself
        if self._asked is None:
            by = _called_at(self._place, self._session)
            place = self._place.endpoint.format()
            self._asked = asking(self._session, by, self._waiting, "redirect", key=place)
        permit(self._session, self._asked, routed)


def _called_at(place: Routed, session: Session) -> Party:
    if place.route.kind == "user":
        user = f"{place.number}@{place.route.domain or session.domain}"
        return Party("inside", f"it was called as the user {user}", user, called_in=False)
    return Party("outside", "it was called at an address that is no user's", called_in=False)


def _judge(session: Session, asked: Asking, to: Destination) -> None:
    _obey(session, asked, opinion(session.settings, asked, to))


def _request(settings: Settings, asked: Asking, to: Destination) -> Request:
    zone = settings.policy.timezone
    now = datetime.now(ZoneInfo(zone)) if zone else datetime.now().astimezone()
    return Request(asked, to, now)


def destination(settings: Settings, routed: Routed, of: Party) -> Destination:
    """Return what is judged of a number, or URI, that a route dials for ``of``: in its context,
    where the route has none of its own (`fsctl.switch.marks.Context.TARGET`)."""
    route, endpoint, host, context = routed.route, routed.endpoint, "", ""
    if route.kind == "uri" and isinstance(endpoint, SofiaEndpoint):
        host = endpoint.uri.host
    if route.kind == "dialplan":
        context = route.context or of.context or settings.dialplan.inbound_contexts[0]
    return Destination(routed.number, route.kind, route.name, host, context)


def _obey(session: Session, asked: Asking, verdict: Verdict) -> None:
    asked.verdict = verdict
    if verdict.allowed:
        log.info("%s: allowed by %s", session.id, verdict.why)
    elif asked.observed or session.settings.policy.mode == "observe":
        log.warning("%s: would be refused, were the policy enforced: %s", session.id, verdict.why)
    elif asked.opened and verdict.may_be_opened:
        log.warning("%s: opened by the web service, against %s", session.id, verdict.why)
    else:
        raise Refused(verdict)
