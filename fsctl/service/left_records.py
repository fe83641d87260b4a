"""The records of transfers whose worker is gone, or has lost its link, before they ended.

What is owed stands on the transferee's channel (``fsctl_transfer``), and what has been written on
it and on the transferor's (``fsctl_recorded``, ``fsctl_refer_recorded``); how it ended is read from
the channels: whom the transferee talks with, or has talked with when it hangs up.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Container, Sequence
from dataclasses import dataclass

from fsctl.errors import LinkError
from fsctl.esl.client import SwitchClient
from fsctl.esl.commands import GlobalGetvar, UuidExists
from fsctl.esl.events import Event
from fsctl.service.living import EXPIRY_S, variable_of
from fsctl.session.calling.verdicts import judged
from fsctl.session.transfers.meanwhile import failure_of
from fsctl.session.transfers.record import (
    Outcome,
    Owed,
    TransferRecord,
    marking,
    noting,
    owed_by,
    write,
)
from fsctl.sip.status import SipStatus, failure_in
from fsctl.switch.marks import Mark, Stage
from fsctl.switch.refer_variables import SIGNS_OF_BRIDGE, bridged_with
from fsctl.switch.variables import read_if_there

log = logging.getLogger(__name__)

_LEFT = SipStatus(487)
_FORBIDDEN = SipStatus(403)
_UNAVAILABLE = SipStatus(503)
_STAGES_OF_FAILURE = (Stage.RECALL, Stage.FORSAKEN, Stage.DONE)
_WORTH = (
    Mark.RECORDED,
    Mark.SESSION,
    Mark.HOME,
    Mark.FAILED,
    Mark.STAGE,
    Mark.JUDGED,
    Mark.SHADOW,
    *SIGNS_OF_BRIDGE,
    "bridge_to",
    "sip_call_id",
    "sip_invite_failure_status",
    "sip_invite_failure_phrase",
)
_REMEMBERED = 1000
"""So many legs that have hung up, and so many records that were written here."""


@dataclass
class _Debt:
    owed: Owed
    home: str
    record: TransferRecord | None = None
    """The record that the worker would have written that has lost its link; None: it has died."""
    talked_with: str = ""
    """The transferee's partner at the last look: only a talk that goes on is one."""
    missing: bool = False
    """The transferee was no channel any more at the last look, and no word of its end had come."""


class LeftRecords:
    """Whose record is owed, and what is known of it; all on the switch of that name."""

    def __init__(self, switch: str) -> None:
        self._switch = switch
        self._of_everybody = False
        """The next look is also for transfers of workers that nobody has told us of, if these are
        gone. Set by `look_for_everybody`; cleared when no sign of life can be a dead one's."""
        self._in_doubt = False
        """The look that goes on has seen a sign of life, which may be one of a worker that has just
        died."""
        self._signs_end = 0.0
        self._written: deque[str] = deque(maxlen=_REMEMBERED)
        """The keys of the records that were written here last."""
        self._debts: dict[str, _Debt] = {}
        """Records that are owed, by transferee."""
        self._ended: dict[str, dict[str, str | None]] = {}

    @property
    def waiting(self) -> bool:
        """Whether there is something to be looked for."""
        return self._of_everybody or bool(self._debts)

    def look_for_everybody(self) -> None:
        """Look for those of workers we know nothing of, until a dead one's sign of life is gone."""
        self._of_everybody = True
        self._signs_end = time.monotonic() + EXPIRY_S + 2.0

    def has(self, transferee: str) -> bool:
        """Whether the record of its transfer is to be written when more is known."""
        return transferee in self._debts

    def owe(self, record: TransferRecord) -> None:
        """``record`` is right if nobody comes to know better."""
        owed = Owed(record.kind, record.transferor, record.transferee, record.refer, record.start)
        if owed.key in self._written:
            return  # and the legs that said so may have gone
        self._debts[record.transferee] = _Debt(owed, "", record)

    def hear(self, event: Event) -> None:
        """A transferee has hung up (called by the link: no waiting here)."""
        if event.channel_uuid is not None and len(self._ended) < _REMEMBERED:
            known = {name: event.variable(name) for name in (*_WORTH, Mark.TRANSFER)}
            self._ended[event.channel_uuid] = known

    def give_up(self) -> None:
        """Nobody looks any more, or FreeSWITCH cannot be asked: what is known is written."""
        for debt in self._debts.values():
            if debt.record is not None:
                write(debt.record)
        self._of_everybody = False
        self._debts.clear()
        self._ended.clear()

    def look(
        self,
        client: SwitchClient,
        present: Sequence[str],
        held: Container[str],
        homes: Container[str],
    ) -> set[str]:
        """Write what can be written; the homes of those of whom more is to be seen.

        ``present`` are all channels, ``held`` those that living workers look after, ``homes`` the
        workers that are known to be dead. Raises :class:`fsctl.errors.LinkError`.
        """
        self._in_doubt = False
        for uuid in present:
            if uuid not in held and uuid not in self._debts:
                self._find(client, uuid, homes)
        for uuid, known in list(self._ended.items()):
            owed = owed_by(uuid, known.get(Mark.TRANSFER))
            home = known.get(Mark.HOME) or ""
            if owed and uuid not in self._debts and self._is_gone(client, home, homes):
                self._debts[uuid] = _Debt(owed, home)
        self._of_everybody = self._in_doubt and time.monotonic() < self._signs_end
        for uuid, debt in list(self._debts.items()):
            if uuid not in held and self._settle(client, debt, present):
                del self._debts[uuid]
                self._ended.pop(uuid, None)
        return {debt.home for debt in self._debts.values()}

    def _find(self, client: SwitchClient, uuid: str, homes: Container[str]) -> None:
        owed = owed_by(uuid, read_if_there(client, uuid, Mark.TRANSFER))
        if owed is None or read_if_there(client, uuid, Mark.RECORDED) == owed.key:
            return
        home = read_if_there(client, uuid, Mark.HOME) or ""
        if self._is_gone(client, home, homes):
            self._debts[uuid] = _Debt(owed, home)

    def _is_gone(self, client: SwitchClient, home: str, homes: Container[str]) -> bool:
        if home in homes or not self._of_everybody:
            return home in homes
        lives = _lives(client, home)
        self._in_doubt |= lives and bool(home)
        return not lives

    def _settle(self, client: SwitchClient, debt: _Debt, present: Container[str]) -> bool:
        """Write the record if the end is known; True when nothing more is to be done."""
        owed = debt.owed
        exists = _exists(client, owed.transferee)
        # Asked before: news of the transferee's end may come with any answer.
        of_refer = read_if_there(client, owed.transferor, Mark.REFER_RECORDED)
        known = (
            {name: read_if_there(client, owed.transferee, name) for name in _WORTH}
            if exists
            else self._ended.get(owed.transferee, {})
        )
        if owed.key in (known.get(Mark.RECORDED), of_refer):
            return True
        partner = bridged_with([known.get(name) for name in SIGNS_OF_BRIDGE])
        at_work = known.get("bridge_to")
        # The target rings, and the first two talk meanwhile: a timer ends that (transfers.kept).
        together = exists and at_work == owed.transferor
        again = together and known.get(Mark.STAGE) != Stage.KEPT
        if owed.kind == "attended":
            # The first two talk on while FreeSWITCH waits for its loopback's answer; and they are
            # bridged while one of them consults (att_xfer, mod_dptools.c).
            consults = again and _consults(client, owed)
            failed = again and not consults and not _exists(client, owed.refer)
        else:
            failed = known.get(Mark.FAILED) == "true"
            failed = failed or again or known.get(Mark.STAGE) in _STAGES_OF_FAILURE
            # Its target would have made it `joined`: somebody else has the transferee.
            kept = known.get(Mark.STAGE) == Stage.KEPT and owed.start == "refer"
            failed = failed or (exists and kept and at_work not in (None, "", owed.transferor))
        talks = exists and bool(at_work) and at_work == debt.talked_with and not together
        talked = not exists and partner not in ("", owed.transferor)
        if not exists and debt.talked_with not in ("", owed.transferor):
            talked, partner = True, debt.talked_with
        debt.talked_with = at_work or ""
        if failed:
            self._write(client, debt, known, "failed", _failure(client, owed, known))
        elif talks or talked:
            self._write(client, debt, known, "succeeded", SipStatus(200), partner)
        elif not exists and not self._is_to_be_heard_of(debt, present):
            self._write(client, debt, known, "abandoned", _LEFT)
        else:
            return False
        return True

    def _is_to_be_heard_of(self, debt: _Debt, present: Container[str]) -> bool:
        """Whether the transferee has hung up, and FreeSWITCH has not said yet after what.

        It does not before the bridge is over, and its partner may wait at the end of that
        (fsctl_grace); the channel is in FreeSWITCH's table until then, and the event may be on its
        way.
        """
        uuid = debt.owed.transferee
        if uuid in self._ended:
            return False
        before, debt.missing = debt.missing, uuid not in present
        return not (before and debt.missing)

    def _write(
        self,
        client: SwitchClient,
        debt: _Debt,
        known: dict[str, str | None],
        outcome: Outcome,
        status: SipStatus,
        target: str = "",
    ) -> None:
        owed, before = debt.owed, debt.record
        parties = {"transferor": owed.transferor, "transferee": owed.transferee, "target": target}
        call_ids = {
            role: read_if_there(client, uuid, "sip_call_id") for role, uuid in parties.items()
        }
        call_ids["transferee"] = call_ids["transferee"] or known.get("sip_call_id")
        record = TransferRecord(
            before.session if before else known.get(Mark.SESSION) or "",
            owed.kind,
            owed.transferor,
            owed.transferee,
            target,
            owed.refer,
            outcome,
            status.code,
            status.reason,
            before.numbers if before else {},
            {role: text for role, text in call_ids.items() if text},
            self._switch,
            **judged(known.get(Mark.JUDGED), known.get(Mark.SHADOW)),
            start=owed.start,
        )
        self._written.append(owed.key)
        client.send_all([*marking(record), *noting(record)])
        write(record)


def _failure(client: SwitchClient, owed: Owed, known: dict[str, str | None]) -> SipStatus:
    """What the transferor of a transfer that has failed was told."""
    if owed.kind == "attended":
        return _FORBIDDEN  # all that FreeSWITCH reports (sofia.c, nightmare_xfer_thread_run)
    if owed.start == "command":
        return _UNAVAILABLE  # it has seen that its leg has ended
    code, phrase = (known.get(f"sip_invite_failure_{each}") for each in ("status", "phrase"))
    return _owed_status(client, owed) or failure_of(code, phrase)


def _consults(client: SwitchClient, owed: Owed) -> bool:
    return read_if_there(client, owed.transferor, "soft_holding_uuid") == owed.transferee


def _exists(client: SwitchClient, uuid: str) -> bool:
    return bool(uuid) and client.api(UuidExists(uuid)).strip() == "true"


def _owed_status(client: SwitchClient, owed: Owed) -> SipStatus | None:
    """What its worker was to tell the transferor of a failure (switch.notify)."""
    told = read_if_there(client, owed.transferor, Mark.OWED) or ""
    event, _, result = told.partition(" ")
    code, _, reason = result.partition(" ")
    return failure_in(code, reason) if event == owed.refer else None


def _lives(client: SwitchClient, home: str) -> bool:
    """Whether a controller shows signs of life at that address (``fsctl.service.living``)."""
    try:
        return not home or client.api(GlobalGetvar(variable_of(home))).strip() == "yes"
    except LinkError:
        return False  # FreeSWITCH answers so when there is no such variable
