"""The course of a call: who is called for one party, attempt after attempt, until somebody answers.

Mostly that is one number. A group of the settings has its members called, all together or one after
the other, and then whoever takes the call when none has; a web service names several. Each of them
is planned by itself (`fsctl.session.calling.plan`): routes, identity and policy are asked for each.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final

from fsctl.session.calling.attempts import Attempts
from fsctl.session.calling.identity import Shown
from fsctl.session.calling.plan import Asker, CallOptions, Routes, attempts, next_place, plan
from fsctl.session.calling.routing import NoRoute, Routed
from fsctl.session.core.leg import Leg
from fsctl.session.core.purpose import Purpose
from fsctl.session.core.session import Session
from fsctl.setting_regex import LONGEST
from fsctl.settings import OWN_HOSTS, Group
from fsctl.sip.status import SipStatus, best_failure
from fsctl.sip.uri import Uri, telephone

log = logging.getLogger(__name__)

_UNAVAILABLE: Final = SipStatus(480)
_BUSY: Final = (486, 600, 603)
_NO_ANSWER: Final = (408, 480, 487)
"""Where a phone has rung; else such a code tells of one that is not registered, or not reached."""


@dataclass(frozen=True, slots=True)
class Several:
    """Destinations of one call that are named together."""

    targets: tuple[str | Uri, ...]
    at_once: bool = False
    """Whether they ring together; else one after the other."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody is called in an attempt, and whom that party sees."""

    routed: Routed
    shown: Shown
    ring_timeout_s: int


class Course:
    """Those of one call, in order."""

    def __init__(self, session: Session, asker: Asker, options: CallOptions) -> None:
        self._session = session
        self._asker = asker
        self.options = options
        self._number = ""
        """The number that stands for those who are being called. Empty: their own."""
        self._group: Group | None = None
        """The one whose members are called. Set by `begin`; None: a number that is none's."""
        self._gone_through: set[str] = set()
        """Names of the groups whose members have been called: none is taken twice."""
        self._left: list[str | Uri] = []
        self._failures: list[SipStatus] = []
        """Of this group, or of those that were named together."""
        self._rang = False
        """A phone of this group has."""

    @property
    def number(self) -> str:
        """The number that stands for several who ring together; empty: there is none."""
        return self._number

    def begin(self, destination: str | Uri | Several) -> tuple[Place, ...]:
        """Return who is called first. Raises `NoRoute`."""
        if isinstance(destination, Several):
            return self._first(destination.targets, at_once=destination.at_once)
        group, number = self._group_of(destination)
        if group is None:
            self._group, self._number, self._failures = None, "", []
            return (self._place(destination),)
        self._gone_through.add(group.name)
        self._group, self._number, self._rang = group, number, False
        log.info("%s: %s is the group %s", self._session.id, number, group.name)
        try:
            members = group.members or (destination,)
            return self._first(members, at_once=group.ring == "all")
        except NoRoute as error:
            places = self._elsewhere(error.status)
            if not places:
                raise
            return places

    def next(self, status: SipStatus, *, rang: bool) -> tuple[Place, ...]:
        """Return who is called after an attempt that has ended with ``status``; empty: nobody.

        ``rang``: a phone has.
        """
        self._failures.append(status)
        self._rang = self._rang or rang
        while self._left:
            try:
                return (self._place(self._left.pop(0)),)
            except NoRoute as error:
                self._refused(error)
        return self._elsewhere(self.outcome(status))

    def outcome(self, status: SipStatus) -> SipStatus:
        """Why nobody was reached, after ``status`` as the last one's.

        Of the members of a group that were called in turn the last one's, as FreeSWITCH's dialplan
        has it: who asks then knows what the end of the line said. Of several that were named, or
        that rang together, the best (RFC 3261 section 16.7): nobody was the last one.
        """
        if self._group is not None and self._group.ring == "in-turn":
            return status
        return best_failure([*self._failures, status], status)

    def _first(self, targets: Sequence[str | Uri], *, at_once: bool) -> tuple[Place, ...]:
        """Raises `NoRoute` where nobody can be called, with the best of the reasons."""
        places: list[Place] = []
        self._left, self._failures = list(targets), []
        while self._left and (at_once or not places):
            try:
                places.append(self._place(self._left.pop(0)))
            except NoRoute as error:
                self._refused(error)
        if not places:
            raise NoRoute("none of them can be called", best_failure(self._failures, _UNAVAILABLE))
        return tuple(places)

    def _refused(self, error: NoRoute) -> None:
        """Nobody is called there."""
        log.info("%s: one of several is not called: %s", self._session.id, error)
        self._failures.append(error.status)

    def _elsewhere(self, status: SipStatus) -> tuple[Place, ...]:
        """Who is called when a group has failed so."""
        group, number = self._group, self._number
        if group is None:
            return ()
        if status.code in _BUSY:
            why, wanted = "busy", group.on_busy
        elif self._rang and status.code in _NO_ANSWER:
            why, wanted = "no answer", group.on_no_answer
        else:
            why, wanted = "failure", group.on_failure
        if not wanted:
            return ()
        wanted = wanted.replace("{number}", number)
        log.info("%s: %s, %s: %s is called", self._session.id, group.name, why, wanted)
        failures = self._failures
        try:
            return self.begin(wanted)
        except NoRoute as error:
            log.warning("%s: %s is not called: %s", self._session.id, wanted, error)
            self._group, self._number, self._failures = group, number, failures
            return ()

    def _place(self, destination: str | Uri) -> Place:
        options = self.options
        if options.ring_timeout_s is None and self._group is not None:
            options = replace(options, ring_timeout_s=self._group.ring_timeout_s)
        planned = plan(self._session, destination, self._asker, options)
        return Place(planned.routed, planned.shown, planned.ring_timeout_s)

    def _group_of(self, destination: str | Uri) -> tuple[Group | None, str]:
        """The first group that has this number, and has not been gone through; and the number."""
        session, router = self._session, self._session.board.part(Routes).router
        host = destination.host if isinstance(destination, Uri) else ""
        own = not host or router.is_own(host, session.domain, session.own_hosts)
        numbers = destination.numbers() if isinstance(destination, Uri) else telephone(destination)
        for number in numbers:
            for group in session.settings.groups:
                if group.name not in self._gone_through and _has(group, number, host, own=own):
                    return group, number
        return None, ""


@dataclass(slots=True, kw_only=True)
class Pursued:
    """A call that goes on until somebody answers, by ``bridge`` or by ``originate``."""

    headers: Mapping[str, str]
    """SIP headers of the scenario, and of what is configured where a ``bridge`` calls."""
    attempts: Attempts
    purpose: Purpose
    """Why the party is called, and who hears what becomes of it."""
    course: Course | None = None
    """Who is called after these. Set by who begins the call; None: nobody."""
    places: tuple[Place, ...] = ()
    """Those who ring in the latest attempt. Set by `start`; empty: none has begun."""

    @property
    def ring_timeout_s(self) -> int:
        """Of the latest attempt."""
        return max(place.ring_timeout_s for place in self.places)


def next_places(
    session: Session, pursued: Pursued, called: Leg, waiting: Leg | None, status: SipStatus
) -> tuple[Place, ...]:
    """Return where the latest ones' phones, or our settings, send a call whose attempt has ended
    with ``status``; empty: nowhere. A number that is another one has attempts of its own."""
    routed = next_place(session, pursued.attempts, called, status, waiting)
    if routed is not None:
        again = any(place.routed is routed for place in pursued.places)
        return pursued.places if again else (replace(pursued.places[0], routed=routed),)
    if pursued.course is None or not pursued.places:
        return ()
    rang = called.branches is not None and called.branches.rang
    places = pursued.course.next(pursued.attempts.outcome(status), rang=rang)
    if places:
        pursued.attempts = attempts(session, pursued.course.options)
    return places


def outcome(pursued: Pursued, status: SipStatus) -> SipStatus:
    """Why nobody was reached, after an attempt that has ended with ``status``."""
    status = pursued.attempts.outcome(status)
    return status if pursued.course is None else pursued.course.outcome(status)


def _has(group: Group, number: str, host: str, *, own: bool) -> bool:
    if len(number) > LONGEST or not re.fullmatch(group.match, number, re.ASCII):
        return False
    return not host or any(
        own if glob == OWN_HOSTS else fnmatchcase(host, glob.lower()) for glob in group.hosts
    )
