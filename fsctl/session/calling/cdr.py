"""What FreeSWITCH's own CDR modules find of a transfer, on each leg that it has touched.

``mod_cdr_csv`` and its like write the variables of a channel when it has hung up, and know no
transfers. These are of the leg's last transfer (docs/records.md lists them). Most stand on the legs
as soon as it begins, for a party may leave at any moment; nobody waits for them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from fsctl.esl.commands import Command, UuidSetvarMulti
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session
from fsctl.sip.status import SipStatus
from fsctl.switch.marks import Mark
from fsctl.switch.posting import post_if_there

_PLAIN: Final = "!#%&()*+,./:;<=>?@[]^_`{|}~ -"
"""Besides letters and digits: what neither ends a field of CSV or SQL, nor is expanded. All else is
written as in a URI, which most of these values are (RFC 3261 section 25.1)."""
_LONGEST: Final = 1000
_NUMBERS: Final = {
    "transferor": Mark.CDR_TRANSFEROR,
    "transferee": Mark.CDR_TRANSFEREE,
    "target": Mark.CDR_TARGET,
}


def plain(value: str) -> str:
    """Return a value of the network's as any CDR template can have it."""
    written = quote(value.encode("utf-8", "replace"), safe=_PLAIN)[:_LONGEST]
    return written.replace("ARRAY::", "ARRAY:%3A")  # else FreeSWITCH makes a list of it


def begin(
    session: Session, said: Mapping[str, str], refer_to: str | None, legs: Mapping[str, Leg]
) -> None:
    """Note on the ``legs``, by their roles, that a transfer has begun; ``said``: see `said`.

    That is told to FreeSWITCH behind what begins the transfer, which does not wait for it.
    """
    of_all = dict(said) | {Mark.CDR_EPOCH: str(int(time.time()))} | _numbers(legs)
    if refer_to:
        of_all[Mark.CDR_REFER_TO] = plain(refer_to)
    for role, leg in legs.items():
        # What an earlier transfer has left must not be taken for this one's.
        stale = {name: "" for name in leg.cdr if name not in of_all}
        leg.cdr = {**of_all, Mark.CDR_ROLE: role}
        leg.due |= stale | leg.cdr
        leg.cdr_carried = False

    def tell() -> None:
        untold = [leg for leg in legs.values() if not leg.cdr_carried]
        _post(session, [each for leg in untold for each in _setting(leg, {})])

    session.post(tell)


def carry(leg: Leg) -> dict[str, str]:
    """Return what is due, to be set by the channel of whom we call."""
    leg.cdr_carried = True
    return leg.due


def is_carried(leg: Leg) -> None:
    """That channel is there."""
    if leg.cdr_carried:
        leg.due = {}


def said(name: str, kind: str, start: str) -> dict[str, str]:
    """Return what says which transfer it is."""
    return {Mark.CDR_ID: name, Mark.CDR_KIND: kind, Mark.CDR_START: start}


def asked_for(refer_to: str, *legs: Leg) -> None:
    """It is known only now: said with what is said next on their channels."""
    for leg in legs:
        leg.cdr[Mark.CDR_REFER_TO] = leg.due[Mark.CDR_REFER_TO] = plain(refer_to)


def asked_of(transferee: Leg) -> dict[str, str]:
    """Return the Refer-To that is said on the transferee, for legs of the same transfer."""
    known = transferee.cdr.get(Mark.CDR_REFER_TO)
    return {Mark.CDR_REFER_TO: known} if known else {}


def of_target(target: Leg, transferee: Leg | None, number: str) -> dict[str, str]:
    """Return what a party is called with, for a transferee."""
    if transferee is None or not transferee.cdr:
        return {}
    target.cdr = {**transferee.cdr, Mark.CDR_ROLE: "target"}
    if number:
        target.cdr[Mark.CDR_TARGET] = plain(number)
    return target.cdr


def told(status: SipStatus) -> dict[str, str]:
    """Return what is set on a transferor with its report: its phone may leave at once."""
    outcome = "succeeded" if status.is_success else "failed"
    return {Mark.CDR_OUTCOME: outcome, Mark.CDR_CODE: str(status.code)}


def end(
    session: Session,
    said: Mapping[str, str],
    outcome: str,
    code: int,
    legs: Mapping[str, Leg],
    second: Leg | None = None,
    reached: str = "",
    beside: Mapping[str, Mapping[str, str]] | None = None,
) -> None:
    """Note how it has ended on those legs that are still there.

    ``second``: the transferor's other leg. ``reached``: the channel of a target that FreeSWITCH has
    called by itself. ``beside``: what else is set on channels, by their uuids.
    """
    how: dict[str, str] = {Mark.CDR_OUTCOME: outcome, Mark.CDR_CODE: str(code)}
    numbers = _numbers(legs)
    noted = {uuid: dict(variables) for uuid, variables in (beside or {}).items()}
    for role, leg in (*legs.items(), *((("transferor", second),) if second else ())):
        begun = leg.cdr.get(Mark.CDR_ID) == said[Mark.CDR_ID]
        known = {} if begun else dict(said) | {Mark.CDR_ROLE: role}
        new = {name: value for name, value in numbers.items() if leg.cdr.get(name) != value}
        leg.cdr = {**leg.cdr, **known, **new, **how}
        if due := _due(leg, known | new | how):
            noted.setdefault(leg.reached or leg.channel_uuid, {}).update(due)
    commands: list[Command] = [
        UuidSetvarMulti(uuid, tuple(variables.items())) for uuid, variables in noted.items()
    ]
    _post(session, commands + ending(said, outcome, code, {"target": reached}))


def ending(
    said: Mapping[str, str],
    outcome: str,
    code: int,
    channels: Mapping[str, str],
    numbers: Mapping[str, str] | None = None,
    refer_to: str = "",
) -> list[Command]:
    """Return what says the same on channels, by their roles, that are no legs of ours."""
    how = dict(said) | {Mark.CDR_OUTCOME: outcome, Mark.CDR_CODE: str(code)}
    how |= {_NUMBERS[role]: plain(number) for role, number in (numbers or {}).items()}
    if refer_to:
        how[Mark.CDR_REFER_TO] = plain(refer_to)
    return [
        UuidSetvarMulti(uuid, tuple({**how, Mark.CDR_ROLE: role}.items()))
        for role, uuid in channels.items()
        if uuid
    ]


def _numbers(legs: Mapping[str, Leg]) -> dict[str, str]:
    return {_NUMBERS[role]: plain(leg.number) for role, leg in legs.items() if leg.number}


def _setting(leg: Leg, variables: Mapping[str, str]) -> list[Command]:
    """Set these, and what is due."""
    due = _due(leg, variables)
    return [UuidSetvarMulti(leg.reached or leg.channel_uuid, tuple(due.items()))] if due else []


def _due(leg: Leg, variables: Mapping[str, str]) -> dict[str, str]:
    """Take what is due on a leg, and these, to set it; nothing where the leg has no channel."""
    due, leg.due = leg.due | dict(variables), {}
    return due if leg.alive and leg.placed else {}


def _post(session: Session, commands: list[Command]) -> None:
    post_if_there(session.link, commands, f"{session.id}: not noted for CDRs")
