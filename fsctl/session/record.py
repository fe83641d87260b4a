"""One transfer, one record, whatever the ending: the scenario is told, and the log has it.

The logger ``fsctl.session.record`` gets one line a transfer, at level INFO: a JSON object with the
fields of :class:`TransferRecord`. In a log of JSON lines it is the field ``record`` of its line.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from fsctl.log import with_fields
from fsctl.session.events import Role, TransferComplete, TransferFailed
from fsctl.sip.status import SipStatus

if TYPE_CHECKING:
    from fsctl.session.call import Call

log = logging.getLogger(__name__)

Kind = Literal["blind", "legacy", "attended", "deflected"]
"""``blind``: in the session. ``legacy``: by FreeSWITCH. ``attended``: REFER with Replaces.
``deflected``: the party was asked to go elsewhere, by our own REFER."""

Outcome = Literal["succeeded", "failed", "abandoned"]
"""``abandoned``: a party left in the middle, or the switch was lost, or the calls were left to it
or to another worker, which then writes a record of its own."""


@dataclass(frozen=True, slots=True)
class TransferRecord:
    """How a transfer ended. Legs are named by their channels' uuids."""

    session: str
    kind: Kind
    transferor: str
    transferee: str
    target: str
    """The leg of the party called last (``fsctl_callee`` of its legs when none has answered); empty
    when none was called, or FreeSWITCH called it by itself."""
    refer: str
    """The ``Event`` of the REFER's reports (``refer;id=N``, RFC 3515 section 2.4.6), if known."""
    outcome: Outcome
    code: int
    """The SIP code that the transferor was told, or would have been told, had it stayed; the
    target's own also where FreeSWITCH can only tell 403 (attended)."""
    reason: str
    numbers: dict[str, str]
    """By role, of the legs above: the party's number, where it is known."""
    call_ids: dict[str, str]
    """By role, of the legs above: the Call-ID of its SIP dialog, where it is known."""


def conclude(
    kind: Kind,
    transferor: Call | None,
    transferee: Call,
    target: Call | None,
    outcome: Outcome,
    status: SipStatus,
    *,
    refer: str | None = None,
) -> None:
    """Write the record of a transfer, then tell the scenario.

    Without a ``transferor`` we have asked the transferee ourselves.
    """
    call, session = transferor or transferee, (transferor or transferee).session
    role: Role = "transferor" if transferor else "transferee"
    named = {"transferor": transferor, "transferee": transferee, "target": target}
    legs = {name: leg for name, leg in named.items() if leg is not None}
    record = TransferRecord(
        session.id,
        kind,
        transferor.channel_uuid if transferor else "",
        transferee.channel_uuid,
        target.channel_uuid if target else "",
        refer or "",
        outcome,
        status.code,
        status.reason,
        {role: call.number for role, call in legs.items() if call.number},
        {role: call.sip_call_id for role, call in legs.items() if call.sip_call_id},
    )
    fields = asdict(record)
    log.info(
        "%s",
        json.dumps(fields),
        extra=with_fields(
            {"session": session.id, "record": fields},
            f"{kind} transfer {outcome}: {status.code} {status.reason}",
        ),
    )
    if outcome == "succeeded":
        session.emit(TransferComplete(session, call, role))
    else:
        session.emit(TransferFailed(session, call, status.code, status.reason, role))
