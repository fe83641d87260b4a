"""A legacy transfer, seen from the session that calls its target: its record, and what we would
have done in the session (``observe``)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import gevent

from fsctl.session.calling.deciding import WebService
from fsctl.session.calling.identity import Shown
from fsctl.session.calling.native_call import Ending, NativeCall, note
from fsctl.session.calling.plan import Routes
from fsctl.session.calling.shadow import Party, Seen, Shadow
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session
from fsctl.session.transfers.record import conclude
from fsctl.sip.status import SipStatus
from fsctl.switch.refer_variables import RawRequest

log = logging.getLogger(__name__)


def recording(
    session: Session, pair: tuple[Leg, Leg], refer: str | None
) -> Callable[[Ending, SipStatus], None]:
    """Return what writes the record of a legacy transfer that no other session has seen begin.

    ``pair`` are transferor and transferee.
    """
    transferor, transferee = pair

    def ended(ending: Ending, status: SipStatus) -> None:
        native = session.part(NativeCall)
        called = [call for call in session.calls.values() if call.outgoing and call.connected]
        conclude(
            "legacy",
            transferor,
            transferee,
            called[-1] if ending == "succeeded" and called else None,
            ending,
            status,
            refer=refer,
            asking=native.asking,
            found={"shadow": native.shadow} if native.shadow else None,
            tells=False,
        )

    return ended


def beside(
    session: Session, by: tuple[Leg, Shown], of: tuple[Leg, Shown], request: RawRequest
) -> None:
    """Find out what we would have done, in a greenlet of its own: the transfer has begun, and does
    not wait. ``by`` is the transferor, ``of`` the transferee."""
    native, service = session.part(NativeCall), session.board.part(WebService)
    asked = replace(native.asking, verdict=None) if native.asking is not None else None
    seen = Seen(
        str(session.id),
        session.switch,
        Party(by[0].channel_uuid, by[1], by[0].sip_call_id),
        Party(of[0].channel_uuid, of[1], of[0].sip_call_id),
        request.refer_to or "",
        request.referred_by or "",
        asked,
        of[0].dialled,
        session.domain,
        frozenset(session.own_hosts),
    )
    scenario = session.tell.decides_on_transfers(by[0])
    shadow = Shadow(
        session.settings, session.board.part(Routes).router, service.client, scenario=scenario
    )

    def found() -> None:
        fields = decided(shadow, seen)
        session.post(lambda: known(fields))

    def known(fields: dict[str, object]) -> None:
        native.shadow = dict(fields)
        if native.asking is not None and asked is not None:
            native.asking.verdict = asked.verdict
        if of[0].alive and not session.link.closed:
            note(session, of[0].channel_uuid)

    gevent.spawn(found)


def decided(shadow: Shadow, seen: Seen) -> dict[str, object]:
    """Return what we would have done; nothing that fails in it goes any further."""
    try:
        return shadow.decide(seen)
    except Exception:
        log.exception("%s: what we would have done is not known", seen.session or seen.switch)
        return {"would": "unknown"}
