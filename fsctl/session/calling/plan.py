"""Who is called: from a destination, and whoever asks, to an endpoint, an identity and options.

All ways of calling plan here, and nowhere else; so the policy is asked here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

from fsctl.session.calling.attempts import Attempts
from fsctl.session.calling.identity import Shown, chosen, presented
from fsctl.session.calling.judging import Redirection, permit
from fsctl.session.calling.routing import Routed, Router
from fsctl.session.core.board import Board
from fsctl.session.core.leg import Leg
from fsctl.session.core.purpose import Purpose
from fsctl.session.core.session import Session
from fsctl.settings import RouteKind
from fsctl.sip.status import SipStatus
from fsctl.sip.uri import Uri, UriError, parse_address


@dataclass(frozen=True, slots=True)
class CallOptions:
    """What an application chooses of a call; None leaves it to the settings."""

    caller_id: str | None = None
    """The number that the called party sees, or a whole Referred-By, of which it is the user."""
    display_name: str | None = None
    """The name; as with `caller_id`."""
    headers: Mapping[str, str] | None = None
    """SIP headers by name."""
    ring_timeout_s: int | None = None
    codecs: str | None = None
    """FreeSWITCH's names, the preferred first; empty: whatever the profile offers."""
    scheme: str = ""
    """Codecs of another call: offered first, where `codecs` and the settings say nothing."""


NO_OPTIONS = CallOptions()


@dataclass(frozen=True, slots=True)
class Asker:
    """For whom somebody is called."""

    waiting: Leg | None
    """The party that is to talk with whoever is called."""
    purpose: Purpose
    """Why the party is called."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A call that may be made."""

    routed: Routed
    shown: Shown
    """The identity that the called party sees: that of the settings, unless the application has
    chosen another."""
    ring_timeout_s: int
    attempts: Attempts
    """The codecs that are offered, and how many further places may be called."""


class Routes:
    """The worker's router."""

    def __init__(self, board: Board) -> None:
        self.router = Router(board.settings)


def route(session: Session, destination: str | Uri, kind: RouteKind | None = None) -> Routed:
    """Where ``destination`` is dialled for a call of this session.

    Raises :class:`~fsctl.session.calling.routing.NoRoute`.
    """
    router = session.board.part(Routes).router
    return router.route(destination, session.domain, kind, session.own_hosts)


def plan(
    session: Session,
    destination: str | Uri,
    asker: Asker,
    options: CallOptions = NO_OPTIONS,
    kind: RouteKind | None = None,
) -> Plan:
    """Plan a call.

    Raises :class:`~fsctl.session.calling.routing.NoRoute`, also where the policy refuses.
    """
    routed = route(session, destination, kind)
    permit(session, asker.purpose.asking, routed)
    usual = Shown("", "")
    if asker.waiting is not None:
        transferor = asker.purpose.transferor
        usual = presented(session.settings, routed.route, asker.waiting, transferor)
    return Plan(
        routed,
        chosen(usual, options.caller_id, options.display_name),
        ring_timeout_s(asker, options, routed),
        attempts(session, options),
    )


def ring_timeout_s(asker: Asker, options: CallOptions, routed: Routed | None = None) -> int:
    """How long a party may ring: what the application says, else the route, else the settings."""
    of_route = routed.route.ring_timeout_s if routed else None
    return options.ring_timeout_s or of_route or asker.purpose.defaults.ring_timeout_s


def attempts(session: Session, options: CallOptions = NO_OPTIONS) -> Attempts:
    """Those of a call that begins: they offer what the application says, else the settings."""
    section = session.settings.call
    codecs = section.codecs if options.codecs is None else options.codecs
    return Attempts(section.follow_redirects, codecs, session.id)


def next_place(
    session: Session, attempts: Attempts, called: Leg, status: SipStatus, waiting: Leg | None
) -> Routed | None:
    """Where to go on after an attempt to call ``called`` for ``waiting`` ended so; see
    `Attempts.next`. Where its phone names another place (3xx) that is the called party's wish."""
    judged = Redirection(session, waiting, attempts.latest)

    def admit(contact: Uri) -> Routed:
        routed = route(session, contact)
        judged.permit(routed)
        return routed

    contacts = called.branches.contacts if called.branches is not None else []
    return attempts.next(status, contacts, admit)


def called_party(session: Session, routed: Routed | None, waiting: Leg | None = None) -> Leg:
    """The leg of a party that is about to be called; the route may have a transfer mode."""
    mode = routed.route.transfer_mode if routed else None
    if mode is not None and waiting is not None and not waiting.mode_chosen:
        waiting.transfer_mode = session.settings.mode(mode)
    number = routed.number if routed else ""
    return session.new_leg(str(uuid4()), number=number, transfer_mode=mode, outgoing=True)


# -- what an application may pass on as it is ---------------------------------------------------


def sip_uri_of(target: str | Uri) -> Uri:
    """The URI in a SIP URI or in a whole Refer-To or Referred-By. Raises ValueError (UriError)."""
    return target if isinstance(target, Uri) else parse_address(target).uri.request_uri()


def caller_of(caller_id: str | None) -> str:
    """The number that a called party sees: of a whole Referred-By, as of a From, its user part."""
    address = _address(caller_id)
    return address[0] if address else caller_id or ""


def name_of(display_name: str | None) -> str:
    """The display name that a called party sees; of a whole Referred-By its name, else its user."""
    address = _address(display_name)
    return (address[1] or address[0]) if address else display_name or ""


def _address(text: str | None) -> tuple[str, str] | None:
    if not text or ("<" not in text and ":" not in text):
        return None
    try:
        address = parse_address(text)
    except UriError:
        return None
    return address.uri.user, address.display_name
