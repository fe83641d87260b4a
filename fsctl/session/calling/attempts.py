"""What is tried next for a party that could not be reached (RFC 3261 section 8.1.3).

A 3xx (section 8.1.3.4) names contacts, those with the higher ``q`` first (section 20.10); one
after the other is called until one answers, and each place once: a phone that is forwarded to
itself rings once.
After a 488 (section 8.1.3.5) the same place is called once more, with all codecs of its profile.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from fsctl.session.calling.routing import NoRoute, Routed
from fsctl.sip.status import SipStatus, best_failure
from fsctl.sip.uri import Address, Uri, UriError, parse_address

log = logging.getLogger(__name__)

_NOT_ACCEPTABLE_HERE = 488
"""None of the codecs that were offered suits the phone."""
_MAX_CONTACTS = 16
"""So many of one answer are looked at; how many are called is the operator's to say."""


@dataclass(slots=True)
class Attempts:
    """Those of one call; each is told to `note`."""

    left: int
    """So many further places may be called, at first ``[call] follow_redirects``."""
    codecs: str
    """The codecs that are offered, in order; empty: the waiting leg's, then the rest of the
    profile's. Emptied by a 488, after which the same place is called once more."""
    session_id: str = ""
    """The session that calls, for the log."""
    latest: Routed | None = None
    """The place that was called last. Set by `note`."""
    _called: set[str] = field(default_factory=set)
    _waiting: list[Routed] = field(default_factory=list)
    _failures: list[SipStatus] = field(default_factory=list)

    def note(self, routed: Routed) -> None:
        """This place is being called."""
        self.latest = routed
        self._called.add(routed.endpoint.format())

    def next(
        self,
        status: SipStatus,
        contacts: Iterable[str],
        admit: Callable[[Uri], Routed],
    ) -> Routed | None:
        """Return where to go on after an attempt that ended with ``status`` and these contacts.

        ``admit`` routes a contact, or raises `NoRoute`.

        None: nowhere; :meth:`outcome` is what the one who waits is told. A refusal for the party
        wherever it is (6xx) ends the search. Of several phones one may have named contacts, and
        another one have failed.
        """
        if status.code == _NOT_ACCEPTABLE_HERE and self.codecs and self.latest is not None:
            self.codecs = ""
            return self.latest
        self._failures.append(status)
        if status.code >= 600:
            return None
        self._waiting[:0] = self._admitted(contacts, admit)
        while self._waiting and self.left > 0:
            routed = self._waiting.pop(0)
            if routed.endpoint.format() not in self._called:
                self.left -= 1
                return routed
        return None

    def outcome(self, status: SipStatus) -> SipStatus:
        """Why nobody was reached, after ``status`` as the last one's: the best of all failures."""
        return best_failure(self._failures, status)

    def _admitted(self, contacts: Iterable[str], admit: Callable[[Uri], Routed]) -> list[Routed]:
        """The places that our own routes and the policy admit, best first."""
        admitted = []
        for address in _by_preference(contacts, self.session_id):
            try:
                admitted.append(admit(address.uri.request_uri()))
            except NoRoute as error:
                log.info("%s: a redirection is not followed: %s", self.session_id, error)
        return admitted


def _by_preference(contacts: Iterable[str], session_id: str) -> list[Address]:
    addresses = []
    for contact in list(contacts)[:_MAX_CONTACTS]:
        try:
            addresses.append(parse_address(contact))
        except UriError as error:
            log.info("%s: a contact of a redirection is skipped: %s", session_id, error)
    return sorted(addresses, key=_preference, reverse=True)  # sorted keeps the order of equals


def _preference(contact: Address) -> float:
    """``q`` of a Contact, 0 to 1; one that says none is as good as any (RFC 3261 section 20.10)."""
    try:
        value = float(contact.parameter("q") or 1.0)
    except ValueError:
        return 1.0
    return value if 0.0 <= value <= 1.0 else 1.0
