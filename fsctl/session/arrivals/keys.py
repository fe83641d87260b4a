"""A party has pressed a code of ``[keys]``, and a number: a loopback of nobody's brings both.

The two who talk are bridged, and in no one's hands: whatever becomes of us, they talk on.
"""

from __future__ import annotations

import logging
import re

from fsctl.esl.commands import UuidSetvar
from fsctl.esl.connection import Connection
from fsctl.esl.events import Event
from fsctl.session.core.leg import paired
from fsctl.session.core.session import Session
from fsctl.session.transfers.consultation import TAKEN, Consultation, Pressed
from fsctl.session.transfers.other_workers import guest
from fsctl.switch.marks import Mark
from fsctl.switch.variables import read_several

log = logging.getLogger(__name__)

_UUID = "[0-9a-fA-F-]{36}"
_PRESSED = re.compile(rf"(blind|attended);([0-9A-D*#]{{1,32}}|-);({_UUID});({_UUID})")


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
    paired(transferor, transferee)
    _learn_call(session, link, transferor.channel_uuid)
    log.info("%s: %s presses the code of a transfer to %s", session.id, transferor, found[2])
    session.tell.resumed(transferor, transferee)
    asked = Pressed(transferor, transferee, found[2].strip("-"), loopback)
    Consultation(asked).begin()


def _learn_call(session: Session, link: Connection, channel: str) -> None:
    """What whoever has pressed calls by: its domain, and the names of this switch."""
    names = (Mark.CALL_DOMAIN, "domain_name", "dialed_domain", "sip_to_host", "sip_req_host")
    known = read_several(link, channel, *names, Mark.OWN_HOSTS, Mark.OWN_CONTEXT)
    session.domain = next((each for each in known[: len(names)] if each), "")
    session.own_hosts |= set((known[-2] or "").split())
    session.own_context = known[-1] or session.own_context
