"""What we would have done with a transfer that FreeSWITCH carries out by itself (``observe``).

It is decided by the pieces that decide in the session: the request is read, the policy asked, the
web service, the routes. Nobody is called, told or moved by it, and nobody waits for it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from fsctl.decide.answer import Connect, Refuse
from fsctl.decide.request import Opinion, Person, Question
from fsctl.policy.judge import Asking, Verdict
from fsctl.policy.parties import Party as Judged
from fsctl.session.calling import judging
from fsctl.session.calling.identity import Shown, chosen, whom
from fsctl.session.calling.routing import NoRoute, Routed, Router
from fsctl.settings import Settings
from fsctl.sip.refer import ReferTo, allowed_headers, parse_refer_to
from fsctl.sip.status import SipStatus, best_failure
from fsctl.sip.uri import Uri, UriError

if TYPE_CHECKING:
    from fsctl.decide.client import Client, Exchange

_UNAVAILABLE = SipStatus(503)
_NOBODY = SipStatus(480)


@dataclass(frozen=True, slots=True)
class Party:
    """One of the first two, as far as it is known without asking its channel."""

    channel: str
    shown: Shown
    call_id: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A blind transfer that FreeSWITCH carries out."""

    session: str
    switch: str
    transferor: Party
    transferee: Party
    refer_to: str
    """The header, as it came."""
    referred_by: str
    asked: Asking | None
    """What the policy judges; its verdict is set here. None: it is not asked."""
    first_dialled: str
    """The number that the transferee's call was first made to; empty: it was called itself."""
    domain: str
    own_hosts: Collection[str]


class Shadow:
    """Decides for the record alone."""

    def __init__(
        self, settings: Settings, router: Router, client: Client | None, *, scenario: bool
    ) -> None:
        """``client`` asks the web service; with a ``scenario`` that would be asked neither is."""
        self._settings = settings
        self._router = router
        self._client = client
        self._scenario = scenario

    def decide(self, seen: Seen) -> dict[str, Any]:
        """Return the fields for the record (docs/policy.md). Waits for the web service."""
        try:
            refer_to = parse_refer_to(seen.refer_to)
        except UriError as error:
            return _refused(SipStatus(error.sip_status), str(error))
        asked = seen.asked
        if asked is not None:
            early = judging.early_opinion(self._settings, asked, refer_to.target)
            asked.verdict = early
            if early is not None and not self._passes(asked, early, opened=self._may_open):
                return _refused(early.status, early.why)
        if self._scenario:
            said = {"decided_by": "scenario", "note": "scenarios are not run: as the settings say"}
            return self._connected(seen, (refer_to.target,)) | said
        if self._client is not None:
            return self._by_web(self._client, seen, refer_to)
        return self._connected(seen, (refer_to.target,))

    @property
    def _may_open(self) -> bool:
        return self._settings.decide.may_open and self._client is not None and not self._scenario

    def _passes(self, asked: Asking, verdict: Verdict, *, opened: bool) -> bool:
        observed = self._settings.policy.mode == "observe"
        return verdict.allowed or observed or (opened and verdict.may_be_opened)

    def _by_web(self, client: Client, seen: Seen, refer_to: ReferTo) -> dict[str, Any]:
        question = self._question(seen, refer_to)
        exchange = client.ask(question.id, question.body())
        said = {"exchange": exchange.fields()}
        return self._obeying(exchange, seen, refer_to) | said

    def _obeying(self, exchange: Exchange, seen: Seen, refer_to: ReferTo) -> dict[str, Any]:
        decision = exchange.decision
        by_web = {"decided_by": "web"}
        match decision:
            case Connect():
                if seen.asked is not None:
                    seen.asked.opened = self._settings.decide.may_open
                return self._connected(seen, decision.targets, decision) | by_web
            case Refuse():
                return _refused(SipStatus(decision.code, decision.phrase), "") | by_web
            case None if self._settings.decide.on_failure == "refuse":
                return _refused(_UNAVAILABLE, "")
        return self._connected(seen, (refer_to.target,))

    def _connected(
        self, seen: Seen, targets: tuple[str | Uri, ...], wanted: Connect | None = None
    ) -> dict[str, Any]:
        """The first of these that would be called; else why none would."""
        failures, why = list[SipStatus](), ""
        for target in targets:
            try:
                routed = self._route(seen, target)
            except NoRoute as error:
                failures.append(error.status)
                why = str(error)
            else:
                return self._planned(seen, routed, wanted)
        return _refused(best_failure(failures, _NOBODY), why)

    def _route(self, seen: Seen, target: str | Uri) -> Routed:
        """Raises NoRoute, also where the policy refuses."""
        routed = self._router.route(target, seen.domain, None, seen.own_hosts)
        if (asked := seen.asked) is not None:
            to = judging.destination(self._settings, routed, asked.of)
            verdict = judging.opinion(self._settings, asked, to)
            asked.verdict = verdict
            if not self._passes(asked, verdict, opened=asked.opened):
                raise judging.Refused(verdict)
        return routed

    def _planned(self, seen: Seen, routed: Routed, wanted: Connect | None) -> dict[str, Any]:
        route, parties = routed.route, (seen.transferee.shown, seen.transferor.shown)
        shown = whom(self._settings, route, *parties, seen.first_dialled)
        if wanted is not None:
            shown = chosen(shown, wanted.caller_id, wanted.display_name)
        return {
            "would": "connect",
            "route": route.name,
            "kind": route.kind,
            "number": routed.number,
            "caller_id": shown.number,
            "caller_name": shown.name,
            "privacy": shown.privacy,
            "decided_by": "settings",
        }

    def _question(self, seen: Seen, refer_to: ReferTo) -> Question:
        allow = self._settings.transfer.pass_headers
        return Question(
            f"decide_{uuid4().hex}",
            seen.session,
            seen.switch,
            "blind",
            _person(seen.transferor, seen.asked.by if seen.asked else None),
            _person(seen.transferee, seen.asked.of if seen.asked else None),
            seen.refer_to,
            refer_to.target.number,
            refer_to.target.host,
            dict(allowed_headers(refer_to.embedded_headers, allow)),
            seen.referred_by,
            self._opinion(seen, refer_to),
            observed=True,
        )

    def _opinion(self, seen: Seen, refer_to: ReferTo) -> Opinion | None:
        if seen.asked is None:
            return None
        try:
            self._route(seen, refer_to.target)
        except judging.Refused:
            pass
        except NoRoute as error:
            return Opinion(False, "", str(error))
        verdict = seen.asked.verdict
        return Opinion(verdict.allowed, verdict.rule, verdict.why) if verdict else None


def _person(party: Party, judged: Judged | None) -> Person:
    known = (judged.side, judged.user, judged.because) if judged is not None else ("", "", "")
    shown = party.shown
    return Person(party.channel, shown.number, shown.name, party.call_id, *known)


def _refused(status: SipStatus, why: str) -> dict[str, Any]:
    said = {"would": "refuse", "code": status.code, "reason": status.reason}
    return said | ({"why": why} if why else {}) | {"decided_by": "settings"}
