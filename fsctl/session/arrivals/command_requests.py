"""Where a link from the context of commands belongs: an operator asks for a transfer.

``fsctl_for`` names the party's channel, ``fsctl_wanted`` what is to become of it. Whoever runs the
party's session serves it there; a party that nobody runs is served in a session of its own, as long
as that takes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from fsctl.errors import ChannelGone, LinkError
from fsctl.esl.commands import Filter, UuidSetvar
from fsctl.esl.connection import Connection
from fsctl.esl.events import Event
from fsctl.policy.parties import Party
from fsctl.session.arrivals.resting import serve_by
from fsctl.session.calling import judging, places
from fsctl.session.calling.plan import CallOptions
from fsctl.session.core.board import Board
from fsctl.session.core.leg import Leg, paired
from fsctl.session.core.session import Session
from fsctl.session.transfers.by_command import ByCommand
from fsctl.session.transfers.kept_acts import KeptRequest
from fsctl.session.transfers.kept_registry import KeptTransfers
from fsctl.session.transfers.other_workers import guest, partner_of
from fsctl.sip.status import SipStatus
from fsctl.sip.uri import Uri, UriError, parse_address
from fsctl.switch.marks import Mark
from fsctl.switch.origin import origin_of
from fsctl.switch.variables import read, read_several

log = logging.getLogger(__name__)

OPERATOR = Party("inside", "it is the operator, by a command", called_in=False)


def arrive(board: Board, link: Connection, snapshot: Event) -> bool:
    """Give a link from the context of commands to the session that it speaks of.

    False: no session here runs the party, and nothing has been done (`resume`).
    """
    channel = snapshot.variable(Mark.FOR) or ""
    running = (each for each in board.sessions_on(origin_of(snapshot)) if not each.over)
    legs = (session.calls.get(channel) for session in running)
    leg = next((leg for leg in legs if leg is not None and leg.connected), None)
    if leg is None:
        return False
    leg.session.post(lambda: serve_by(leg.session, link))
    leg.session.adopt(link, lambda: _begin(leg.session, leg, leg.partner, link, snapshot))
    return True


def resume(session: Session, link: Connection, snapshot: Event) -> None:
    """Serve a party that nobody runs; when nothing has come of it nobody runs it again."""
    session.take_link(link, link.channel_uuid or "")
    channel = snapshot.variable(Mark.FOR) or ""
    transferee = guest(session, link, channel)
    talks_with = partner_of(link, channel)
    transferor = guest(session, link, talks_with) if talks_with else None
    if transferor is not None and transferor.alive:
        paired(transferor, transferee)
    else:
        transferor = None  # there is none, or it has just left
    places.learn(session, read_several(link, channel, *places.DOMAINS), snapshot)
    _begin(session, transferee, transferor, link, snapshot, session.hand_over)


def _begin(
    session: Session,
    transferee: Leg,
    transferor: Leg | None,
    link: Connection,
    snapshot: Event,
    when_failed: Callable[[], None] = lambda: None,
) -> None:
    """Have the transfer begun, or tell the command why it does not."""
    uuid, other = link.channel_uuid or "", snapshot.variable("other_loopback_leg_uuid") or ""
    asker = ByCommand(session, uuid, other)
    wanted = read(link, uuid, Mark.WANTED) or ""
    session.link.send_all([Filter("Unique-ID", uuid), UuidSetvar(uuid, Mark.ASKED, "all")])
    try:
        _transfer(session, transferee, transferor, wanted, asker, when_failed)
        return
    except UriError as error:
        status, why = SipStatus(error.sip_status), str(error)
    except ValueError as error:
        status, why = SipStatus(491), str(error)
    except (LinkError, ChannelGone) as error:
        status, why = SipStatus(480), str(error)
    log.warning("%s: an operator's transfer of %s refused: %s", session.id, transferee, why)
    session.link.send_all(asker.tell(status, why))
    when_failed()


def _transfer(
    session: Session,
    transferee: Leg,
    transferor: Leg | None,
    wanted: str,
    asker: ByCommand,
    when_failed: Callable[[], None],
) -> None:
    """Raises UriError, ValueError, LinkError, ChannelGone. The policy is asked with the number."""
    seconds, _, text = wanted.partition(" ")
    target = _target(text)
    if not transferee.connected:
        raise ChannelGone(f"{transferee} has not answered")
    log.info("%s: an operator has %s transferred to %r", session.id, transferee, text)
    movers = read(session.link, transferee.channel_uuid, Mark.MOVERS)
    asking = judging.asking(session, OPERATOR, transferee, "command", movers=movers, key="command")
    request = KeptRequest(
        transferee,
        transferor,
        target,
        asker,
        options=CallOptions(ring_timeout_s=int(seconds) if seconds.isdigit() else None),
        asking=asking,
        when_failed=when_failed,
    )
    session.part(KeptTransfers).begin(request)


def _target(text: str) -> str | Uri:
    """A number, or a SIP or tel URI. Raises UriError."""
    return parse_address(text).uri.request_uri() if ":" in text or "<" in text else text
