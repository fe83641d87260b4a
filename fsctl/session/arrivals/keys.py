"""A party has pressed a code of ``[keys]``, and a number: a loopback of nobody's brings both.

The two who talk are bridged, and in no one's hands: whatever becomes of us, they talk on.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from fsctl.errors import ChannelGone, LinkError
from fsctl.esl.commands import UuidSetvar
from fsctl.esl.connection import Connection
from fsctl.esl.events import Event
from fsctl.session.arrivals.resting import serve_by
from fsctl.session.calling import judging, places
from fsctl.session.calling.routing import NoRoute
from fsctl.session.core.board import Board
from fsctl.session.core.leg import paired
from fsctl.session.core.session import Session
from fsctl.session.transfers import by_keys
from fsctl.session.transfers.by_keys import TAKEN, Pressed
from fsctl.session.transfers.consultation import Consultation
from fsctl.session.transfers.other_workers import guest
from fsctl.session.transfers.record import conclude
from fsctl.sip.status import SipStatus
from fsctl.switch.marks import Mark
from fsctl.switch.origin import origin_of
from fsctl.switch.variables import read_several

log = logging.getLogger(__name__)

_UUID = "[0-9a-fA-F-]{36}"
_PRESSED = re.compile(rf"(blind|attended);([0-9A-D*#]{{1,32}}|-);({_UUID});({_UUID})")


def arrive(board: Board, link: Connection, snapshot: Event) -> bool:
    """Serve a blind transfer of a call that a session here runs.

    False: none does, or a consultation is asked for, which needs none; nothing has been done
    (`pressed`).
    """
    found = _PRESSED.fullmatch(snapshot.variable(Mark.KEYS) or "")
    if found is None or found[1] != "blind":
        return False
    for session in board.sessions_on(origin_of(snapshot)):
        asked = _asked(session, found[2], found[3], found[4], link.channel_uuid or "")
        if asked is not None:
            link.send(UuidSetvar(asked.loopback, Mark.KEYS, TAKEN))
            session.post(partial(serve_by, session, link))
            session.adopt(link, partial(_transfer, session, asked))
            return True
    return False


def _asked(session: Session, number: str, by: str, of: str, loopback: str) -> Pressed | None:
    """What was pressed, where the session runs these two, and they talk."""
    transferor, transferee = session.calls.get(by), session.calls.get(of)
    if session.over or transferor is None or transferee is None:
        return None
    talk = transferor.connected and transferee.connected
    return Pressed(transferor, transferee, number.strip("-"), loopback) if talk else None


def pressed(session: Session, link: Connection, snapshot: Event) -> None:
    """Serve what was pressed, in a session of its own."""
    loopback = snapshot.channel_uuid or ""
    found = _PRESSED.fullmatch(snapshot.variable(Mark.KEYS) or "")
    session.take_link(link, loopback)
    if found is None:
        log.warning("%s: a loopback brings no keys: let go", session.id)
        session.hand_over()
        return
    link.send(UuidSetvar(loopback, Mark.KEYS, TAKEN))
    transferor, transferee = (guest(session, link, channel) for channel in (found[3], found[4]))
    if not (transferor.alive and transferee.alive):
        log.info("%s: whoever has pressed, or its party, has left: let go", session.id)
        session.hand_over()
        return
    paired(transferor, transferee)
    _learn_call(session, link, snapshot, transferor.channel_uuid)
    session.tell.resumed(transferor, transferee)
    asked = Pressed(transferor, transferee, found[2].strip("-"), loopback)
    if found[1] == "blind":
        _transfer(session, asked, session.hand_over)
    else:
        log.info("%s: %s wants to consult %s", session.id, transferor, asked.number)
        Consultation(asked).begin()


def _learn_call(session: Session, link: Connection, snapshot: Event, channel: str) -> None:
    """What whoever has pressed calls by: its domain, and the names of this switch."""
    known = read_several(link, channel, *places.DOMAINS, Mark.OWN_HOSTS, Mark.OWN_CONTEXT)
    places.learn(session, known[:-2], snapshot)
    session.own_hosts |= set((known[-2] or "").split())


def _transfer(
    session: Session, asked: Pressed, when_failed: Callable[[], None] = lambda: None
) -> None:
    """Have a transfer begun in which the two talk on, or tell whoever has pressed why not."""
    pair = asked.transferor, asked.transferee
    log.info("%s: %s presses a transfer of %s to %s", session.id, *pair, asked.number)
    asking = judging.asking(session, *pair, "keys", movers=by_keys.note_mover(session, asked))
    asker = by_keys.ByKeys(asked.transferor, asked.loopback, {})
    try:
        judging.permit_asking(session, asking, asked.number)
        if not asked.number:
            raise NoRoute("no number was pressed", SipStatus(484))
        by_keys.transfer(session, asked, asking, when_failed)
        return
    except NoRoute as error:
        status, why = error.status, str(error)
    except ValueError as error:
        status, why = SipStatus(491), str(error)
    except (LinkError, ChannelGone) as error:
        status, why = SipStatus(480), str(error)
    log.warning("%s: a transfer by keys refused: %s", session.id, why)
    with suppress(LinkError, ChannelGone):
        session.link.send_all(asker.tell(status, why))
    refer = asked.loopback
    conclude("blind", *pair, None, "failed", status, refer=refer, asking=asking, start="keys")
    when_failed()
