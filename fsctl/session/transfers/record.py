"""One transfer, one record, whatever the ending: the scenario is told, and the log has it.

The logger ``fsctl.session.record`` gets one line a transfer, at level INFO: a JSON object with the
fields of :class:`TransferRecord`. In a log of JSON lines it is the field ``record`` of its line.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, cast
from uuid import UUID, uuid4, uuid5

from fsctl import journal
from fsctl.errors import ChannelGone, LinkError
from fsctl.esl.commands import Command, UuidGetvar, UuidSetvar
from fsctl.log import with_fields
from fsctl.policy.judge import Asking
from fsctl.session.calling import cdr
from fsctl.session.core.board import Board
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session
from fsctl.session.core.told import Role
from fsctl.sip.status import SipStatus
from fsctl.switch.marks import Mark
from fsctl.switch.variables import value_of

log = logging.getLogger("fsctl.session.record")

Kind = Literal["blind", "legacy", "attended", "deflected"]
"""``blind``: in the session. ``legacy``: by FreeSWITCH. ``attended``: REFER with Replaces.
``deflected``: the party was asked to go elsewhere, by our own REFER."""

DecidedBy = Literal["settings", "scenario", "web"]
"""``settings`` also where the web service has left it to them, or has failed."""

Start = Literal["refer", "command", "keys"]
"""How it began: by a REFER of the transferor's, by a command of the operator's, or by keys that the
transferor has pressed."""

Outcome = Literal["succeeded", "failed", "abandoned"]
"""``abandoned``: a party left in the middle, or the switch was lost; without ``[switch]`` also when
the calls were left to it or to another worker, which then writes a record of its own."""

OUTCOMES: Mapping[str, Outcome] = {
    "succeeded": "succeeded",
    "failed": "failed",
    "refused": "failed",
    "broken": "failed",
    "abandoned": "abandoned",
}
"""By the state in which a transfer has ended, of whatever table."""


@dataclass(frozen=True, slots=True)
class Decided:
    """Who has decided on a transfer; see `TransferRecord`."""

    by: DecidedBy = "settings"
    exchange: Mapping[str, Any] = field(default_factory=dict)


BY_SETTINGS = Decided()
BY_SCENARIO = Decided("scenario")


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
    """Which REFER it was, if known: the ``Event`` of its reports (``refer;id=N``, RFC 3515 section
    2.4.6). FreeSWITCH keeps that of an attended one (sofia.c, ``nightmare_xfer_helper_t``): there
    it is the uuid of the loopback by which it asked, as it is of a command."""
    outcome: Outcome
    code: int
    """The SIP code that the transferor was told, or would have been told, had it stayed; the
    target's own also where FreeSWITCH can only tell 403 (attended)."""
    reason: str
    numbers: dict[str, str]
    """By role, of the legs above: the party's number, where it is known."""
    call_ids: dict[str, str]
    """By role, of the legs above: the Call-ID of its SIP dialog, where it is known."""
    switch: str = ""
    """The FreeSWITCH that the legs are on: its name in ``[switch]``, else what it calls itself."""
    rule: str = ""
    """The rule of the policy that decided (``[[rule]]``, or one of ours); empty: none was asked."""
    allowed: bool = True
    """What it said; with ``[policy] mode = "observe"``, or where a web service may open what our
    own rules close, a transfer goes on all the same."""
    decided_by: DecidedBy = "settings"
    """Who has decided where the transferee goes, or was asked."""
    exchange: dict[str, Any] = field(default_factory=dict)
    """With the web service: the question's ``id``, its ``host``, ``ms``, the HTTP ``status`` (0:
    none), and the ``decision`` or the ``failure`` in words; empty: it was not asked."""
    shadow: dict[str, Any] = field(default_factory=dict)
    """With ``[transfer] mode = "observe"``: what we would have done with a transfer that FreeSWITCH
    has carried out (`fsctl.session.calling.shadow`); else empty."""
    start: Start = "refer"
    """How it began."""
    consultation: str = ""
    """The leg of an attended transfer's transferor that talked with the target, or called it."""


_FIELDS = tuple(each.name for each in fields(TransferRecord))
_UUID = "[0-9a-fA-F-]{36}"
_MARK = re.compile(
    rf"(blind|legacy|attended) ({_UUID})(?: (refer;id=[0-9]+|{_UUID}))?(?: .*)?", re.DOTALL
)
_BY_KEYS = " keys"


@dataclass(frozen=True, slots=True)
class Owed:
    """A transfer whose record is owed, as its transferee's channel says (``TRANSFER``)."""

    kind: Kind
    transferor: str
    transferee: str
    refer: str
    """Empty when the transferor had left before its REFER was looked at."""
    start: Start = "refer"

    @property
    def key(self) -> str:
        """What ``RECORDED`` and ``REFER_RECORDED`` are when the record has been written."""
        return _key(self.transferor, self.refer)


_TRANSFERS = UUID("5d0b2f0a-6c1e-4d43-9a1f-0d6a1c9a7e11")
"""The names of transfers are of this kind (RFC 9562 section 5.5); any one of our own."""


def _key(transferor: str, refer: str) -> str:
    return f"{transferor} {refer or '-'}"


def owed_by(transferee: str, mark: str | None) -> Owed | None:
    """Return what ``TRANSFER`` says; None when it says nothing."""
    found = _MARK.fullmatch(mark or "")
    if found is None:
        return None
    kind, refer = cast(Kind, found[1]), found[3] or ""
    return Owed(kind, found[2], transferee, refer, _start(kind, refer, mark or ""))


def _start(kind: Kind, refer: str, mark: str) -> Start:
    """No REFER of a blind one is named by a uuid."""
    if mark.endswith(_BY_KEYS):
        return "keys"
    return "command" if kind == "blind" and re.fullmatch(_UUID, refer) else "refer"


def owing(
    kind: Kind, transferor: str, transferee: str, refer: str, start: Start = "refer"
) -> Command:
    """Return what says on the channel that the record of a transfer is owed: one that asks by a
    loopback.

    The dialplan says so of those that a blind REFER asks for.
    """
    mark = f"{kind} {transferor} {refer}".rstrip() + (_BY_KEYS if start == "keys" else "")
    return UuidSetvar(transferee, Mark.TRANSFER, mark)


def marking(record: TransferRecord) -> list[Command]:
    """Return what says on the channels that this record has been written."""
    said = _marks(record).items()
    return [UuidSetvar(uuid, mark, key) for uuid, marks in said for mark, key in marks.items()]


def noting(record: TransferRecord, refer_to: str = "") -> list[Command]:
    """Return what has FreeSWITCH's own CDRs show it: for who has no legs, but their names."""
    name = transfer_id(record.transferor, record.refer)
    said = cdr.said(name, record.kind, record.start)
    roles = {"transferor": record.transferor, "transferee": record.transferee}
    roles["target"] = record.target
    return cdr.ending(said, record.outcome, record.code, roles, record.numbers, refer_to)


def _marks(record: TransferRecord) -> dict[str, dict[str, str]]:
    """What says so, by the channels that do; of a party whom we have asked ourselves nobody else
    knows."""
    if record.kind == "deflected":
        return {}
    key = _key(record.transferor, record.refer)
    of = (record.transferee, Mark.RECORDED), (record.transferor, Mark.REFER_RECORDED)
    return {uuid: {mark: key} for uuid, mark in of if uuid}


def transfer_id(transferor: str, refer: str | None) -> str:
    """Return the one name of a transfer: whoever comes to know of its REFER knows it, too.

    ``refer`` as in `TransferRecord`.
    """
    return str(uuid5(_TRANSFERS, _key(transferor, refer or "")))


def begun(
    session: Session,
    kind: Kind,
    transferor: Leg | None,
    transferee: Leg,
    refer: str | None,
    refer_to: str | None = None,
    start: Start = "refer",
) -> str:
    """Note that a transfer has begun; returns its name. ``refer_to`` as the REFER has it, or what
    was asked for otherwise."""
    name = transfer_id(transferor.channel_uuid if transferor else "", refer)
    legs = {"transferee": transferee} | ({"transferor": transferor} if transferor else {})
    cdr.begin(session, cdr.said(name, kind, start), refer_to, legs)
    if journal.is_kept():
        journal.note(
            "transfer",
            id=name,
            session=session.id,
            switch=session.switch,
            kind=kind,
            refer_to=refer_to,
            **{role: leg.channel_uuid for role, leg in legs.items()},
            **_known_of(legs),
        )
    return name


def asked_for(name: str, refer_to: str, *legs: Leg) -> None:
    """Note what a transfer asks for that has begun before that was known; ``legs`` of this session
    say so to FreeSWITCH's own CDRs."""
    if refer_to:
        cdr.asked_for(refer_to, *legs)
        journal.note("transfer", id=name, refer_to=refer_to)


def _known_of(legs: Mapping[str, Leg]) -> dict[str, Any]:
    """By what the parties are known."""
    return {
        "numbers": {role: leg.number for role, leg in legs.items() if leg.number},
        "call_ids": {role: leg.last_call_id for role, leg in legs.items() if leg.last_call_id},
    }


def write(record: TransferRecord) -> str:
    """Write a record into the log and the journal; nothing else does. Returns its name."""
    # Neither: we have asked the party ourselves, and nobody else knows of it.
    known = record.transferor or record.refer
    name = transfer_id(record.transferor, record.refer) if known else str(uuid4())
    said = {each: getattr(record, each) for each in _FIELDS}
    said["id"] = name
    journal.note("record", **said)
    if not log.isEnabledFor(logging.INFO):
        return name
    log.info(
        "%s",
        json.dumps(said),
        extra=with_fields(
            {"session": record.session, "record": said},
            f"{record.kind} transfer {record.outcome}: {record.code} {record.reason}",
        ),
    )
    return name


class Records:
    """Where the records of one worker go."""

    def __init__(self, board: Board) -> None:
        self.owe: Callable[[TransferRecord], object] = write
        """Takes the record of a transfer that goes on without us; by itself it is written now. Set
        by the worker, where somebody sees the end of such transfers."""


def conclude(
    kind: Kind,
    transferor: Leg | None,
    transferee: Leg,
    target: Leg | None,
    outcome: Outcome,
    status: SipStatus,
    *,
    refer: str | None = None,
    ours: bool = True,
    asking: Asking | None = None,
    decided: Decided = BY_SETTINGS,
    found: Mapping[str, Any] | None = None,
    tells: bool = True,
    start: Start = "refer",
    second: Leg | None = None,
    reached: str = "",
) -> None:
    """Write the record of a transfer, unless it has been, then tell the scenario.

    Without a ``transferor`` we have asked the transferee ourselves. Not ``ours``: the transfer goes
    on without us, and whoever sees its end writes the record. ``found`` is what another session has
    left for it (`judged`). Where it does not tell, another session tells its own scenario.
    ``second`` and ``reached``: see `fsctl.session.calling.cdr.end`.
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
        (target.reached or target.channel_uuid) if target else "",
        refer or "",
        outcome,
        status.code,
        status.reason,
        **_known_of(legs),
        switch=session.switch,
        **_judged(asking) | dict(found or {}),
        decided_by=decided.by,
        exchange=dict(decided.exchange),
        start=start,
        consultation=second.channel_uuid if second is not None else "",
    )
    there = {leg.channel_uuid for leg in legs.values() if leg.alive or not refer}
    marks = {uuid: each for uuid, each in _marks(record).items() if uuid in there}
    if not ours:
        session.board.part(Records).owe(record)
    elif _is_first(session, marks):
        said = cdr.said(write(record), kind, start) | cdr.asked_of(transferee)
        cdr.end(session, said, outcome, status.code, legs, second, reached, marks)
    if not tells:
        return
    if outcome == "succeeded":
        session.tell.transfer_complete(call, role)
    else:
        session.tell.transfer_failed(call, status, role)


def _judged(asking: Asking | None) -> dict[str, Any]:
    verdict = asking.verdict if asking is not None else None
    return {} if verdict is None else {"rule": verdict.rule, "allowed": verdict.allowed}


def _is_first(session: Session, marks: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether nobody has written it: another controller may have, while we were stopped.

    Only channels that are still there can say so: ``marks`` is what they would say (`_marks`).
    """
    if not marks:
        return True
    asked = [(uuid, mark, key) for uuid, each in marks.items() for mark, key in each.items()]
    try:
        replies = session.link.send_all([UuidGetvar(uuid, mark) for uuid, mark, _ in asked])
    except (LinkError, ChannelGone):
        return True  # they have gone, and took what they knew with them
    said = zip(asked, replies, strict=True)
    return not any(value_of(reply.text) == key for (_, _, key), reply in said)
