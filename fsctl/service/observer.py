"""Transfers that FreeSWITCH carries out by itself, on a switch that we only listen to (``observe``
in scope transfers): each gets its record, with what we would have done in the session.

FreeSWITCH tells of a blind transfer by two events, with all variables of the two legs in them
(``fire-transfer-events`` of the profile; sofia.c, ``sofia_handle_sip_i_refer``), as it begins; and
what became of it is told by the transferee's own events, by which it has a Refer-To. So nothing is
armed, no leg is asked or told anything, and FreeSWITCH waits for nobody: all that we send is which
events we want, and in the end variables for FreeSWITCH's own CDRs (`calling.cdr`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Final

import gevent
from gevent.event import Event as Flag

from fsctl.errors import ChannelGone, LinkError
from fsctl.esl.client import SwitchClient, client_of
from fsctl.esl.commands import Events, Filter, FilterSet
from fsctl.esl.events import Event
from fsctl.policy.judge import Asking
from fsctl.policy.parties import Facts, party
from fsctl.session.arrivals.observed import decided
from fsctl.session.calling.deciding import WebService
from fsctl.session.calling.identity import Shown, first_dialled, of_leg
from fsctl.session.calling.judging import Policed, all_of, counted
from fsctl.session.calling.places import domain_of, own_hosts
from fsctl.session.calling.plan import Routes
from fsctl.session.calling.shadow import Party, Seen, Shadow
from fsctl.session.core.board import Board
from fsctl.session.transfers.record import Outcome, TransferRecord, noting, write
from fsctl.settings import Switch
from fsctl.sip.refer import parse_refer_to
from fsctl.sip.status import SipStatus, failure_in, status_of_cause
from fsctl.sip.uri import UriError
from fsctl.switch import facts
from fsctl.switch.marks import Mark

log = logging.getLogger(__name__)

_TRANSFEROR: Final = "sofia::transferor"
_TRANSFEREE: Final = "sofia::transferee"
_ENDS: Final = ("CHANNEL_BRIDGE", "CHANNEL_HANGUP_COMPLETE")
_REFER_TO: Final = "sip_refer_to"
"""On a transferee; FreeSWITCH never unsets it by itself."""
_FOLLOWED_S: Final = 300.0
"""So long a target may take; then the transferee is where nobody talks, a mailbox or a queue."""
_PAIR_S: Final = 2.0
"""The two events of one REFER come within so much."""
_AT_MOST: Final = 1000
"""So many transfers at a time; more are not seen."""
_ANSWERED: Final = ("SUCCESS", "call accepted")


@dataclass(slots=True)
class _Transfer:
    since: float
    """When the first of its events came (time.monotonic)."""
    transferor: Event | None = None
    transferee: Event | None = None
    target: str = ""
    """The leg that the transferee has been bridged with."""
    hangup: Event | None = None
    left: bool = False
    """Nobody listens any more."""
    over: Flag | None = None
    """Set when it is known what became of it. Made when both events are there."""


class Observer:
    """Listens to one switch. ``name`` is what records call it, ``decides`` says whether a scenario
    would be asked about its transfers."""

    def __init__(self, board: Board, switch: Switch, decides: Callable[[], bool]) -> None:
        self._board = board
        self._name = switch.name
        self._decides = decides
        self._open: dict[str, _Transfer] = {}
        """Those that are not over, by transferee."""
        filters = tuple(Filter("Event-Subclass", each) for each in (_TRANSFEROR, _TRANSFEREE))
        self._client: SwitchClient = client_of(
            switch,
            events=Events(_ENDS, (_TRANSFEROR, _TRANSFEREE)),
            filters=(*filters, FilterSet(f"variable_{_REFER_TO}")),
            on_event=self._hear,
        )

    def start(self) -> None:
        """Begin to listen."""
        self._client.start()

    def stop(self) -> None:
        """Listen no more; of those that go on what is known is written."""
        self._client.stop()
        for transfer in self._open.values():
            transfer.left = True
            if transfer.over is not None:
                transfer.over.set()

    def _hear(self, event: Event) -> None:
        """Called by the link: no waiting here."""
        uuid = event.channel_uuid or ""
        if event.name in _ENDS:
            self._note_end(uuid, event)
        elif event.subclass == _TRANSFEROR and not event.get("att_xfer_original_call_id"):
            kind, _, transferee = (event.variable("transfer_to") or "").partition(":")
            if kind == "blind":
                self._note(transferee, transferor=event)
        elif event.subclass == _TRANSFEREE:
            self._note(uuid, transferee=event)

    def _note_end(self, uuid: str, event: Event) -> None:
        ends = {uuid, event.get("Bridge-A-Unique-ID"), event.get("Bridge-B-Unique-ID")}
        found = next(((each, self._open[each]) for each in ends if each in self._open), None)
        if found is None or (over := found[1].over) is None:
            return
        transferee, transfer = found
        if event.name == "CHANNEL_BRIDGE":
            partner = ends - {transferee, None}
            transfer.target = str(next(iter(partner), ""))
        else:
            transfer.hangup = event
        over.set()

    def _note(
        self, uuid: str, *, transferor: Event | None = None, transferee: Event | None = None
    ) -> None:
        """One of the two events: FreeSWITCH sends them one after the other, in no sure order.

        Of an attended transfer the second comes as well, and the first is none of ours.
        """
        known, now = self._open.get(uuid), monotonic()
        if known is None or known.over is not None or now - known.since > _PAIR_S:
            if known is not None and known.over is not None:
                known.over.set()  # the same party is transferred again
            self._open.pop(uuid, None)
            if len(self._open) >= _AT_MOST:
                self._open.pop(next(iter(self._open)))
            known = self._open[uuid] = _Transfer(now)
        known.transferor = transferor or known.transferor
        known.transferee = transferee or known.transferee
        if known.transferor is not None and known.transferee is not None:
            known.over = Flag()
            gevent.spawn(self._follow, uuid, known, known.over)

    def _follow(self, uuid: str, transfer: _Transfer, over: Flag) -> None:
        deciding = gevent.spawn(self._decide, transfer)
        over.wait(_FOLLOWED_S)
        deciding.join()
        seen, shadow = deciding.value
        if self._open.get(uuid) is transfer:
            del self._open[uuid]
        record = self._record(transfer, seen, shadow)
        with suppress(LinkError, ChannelGone):
            self._client.send_all(noting(record, seen.refer_to))
        write(record)

    def _decide(self, transfer: _Transfer) -> tuple[Seen, dict[str, object]]:
        by, of = transfer.transferor, transfer.transferee
        assert by is not None and of is not None  # followed from then on
        settings, service = self._board.settings, self._board.part(WebService)
        seen = Seen(
            of.variable(Mark.SESSION) or "",
            self._name,
            _party(by),
            _party(of),
            of.variable(_REFER_TO) or "",
            of.variable("sip_h_Referred-By") or "",
            self._asking(by, of),
            first_dialled(of),
            domain_of(of),
            own_hosts(of) | own_hosts(by),
        )
        router = self._board.part(Routes).router
        shadow = Shadow(settings, router, service.client, scenario=self._decides())
        return seen, decided(shadow, seen)

    def _asking(self, by: Event, of: Event) -> Asking | None:
        """How often the transferee has been moved before is not known: nobody has noted it."""
        policy = self._board.settings.policy
        if policy.mode == "off":
            return None
        asker = party(_facts(by), policy)
        counts = self._board.part(Policed).counts
        often = counts.add(counted(asker, by.channel_uuid or ""))
        of_all = counts.add(all_of(self._name))
        moved = party(_facts(of), policy)
        return Asking(
            asker, moved, "blind", per_minute=often, per_minute_of_switch=of_all, observed=True
        )

    def _record(self, transfer: _Transfer, seen: Seen, shadow: dict[str, object]) -> TransferRecord:
        outcome, status = _outcome(transfer)
        by = transfer.transferor
        # Where FreeSWITCH confirms transfers the same leg may ask again, when one has failed.
        refer = by.variable("sip_blind_transfer_event") if by is not None else None
        parties = {"transferor": seen.transferor, "transferee": seen.transferee}
        verdict = seen.asked.verdict if seen.asked is not None else None
        judged = {"rule": verdict.rule, "allowed": verdict.allowed} if verdict else {}
        numbers = {role: each.shown.number for role, each in parties.items()}
        numbers["target"] = _asked_for(seen.refer_to)
        return TransferRecord(
            seen.session,
            "legacy",
            seen.transferor.channel,
            seen.transferee.channel,
            transfer.target,
            refer or "",
            outcome,
            status.code,
            status.reason,
            {role: number for role, number in numbers.items() if number},
            {role: each.call_id for role, each in parties.items() if each.call_id},
            self._name,
            shadow=dict(shadow),
            **judged,  # type: ignore[arg-type]
        )


def _party(event: Event) -> Party:
    shown: Shown = of_leg(event)
    return Party(event.channel_uuid or "", shown, event.variable("sip_call_id") or "")


def _asked_for(refer_to: str) -> str:
    """The number that the REFER names; whom FreeSWITCH's dialplan has called for it nobody tells.
    Empty: it names none."""
    try:
        return parse_refer_to(refer_to).target.number
    except UriError:
        return ""


def _facts(event: Event) -> Facts:
    """No dialplan of ours has noted the leg's own context: the call is where FreeSWITCH says."""
    known = dict(facts.of_event(event))
    known[Mark.OWN_CONTEXT] = known[Mark.OWN_CONTEXT] or event.get("Caller-Context")
    return known


def _outcome(transfer: _Transfer) -> tuple[Outcome, SipStatus]:
    """What the target has answered; FreeSWITCH itself tells the transferor 200, at once, unless the
    profile confirms blind transfers."""
    ended = transfer.hangup
    cause = (ended.variable("originate_disposition") or "") if ended is not None else ""
    if transfer.left and not transfer.target and ended is None:
        return "abandoned", SipStatus(487)
    if transfer.target or cause in ("", *_ANSWERED):
        return "succeeded", SipStatus(200)  # an application has it, where nobody was called
    if cause == "ORIGINATOR_CANCEL":
        return "abandoned", SipStatus(487)
    assert ended is not None
    code, phrase = (ended.variable(f"sip_invite_failure_{each}") for each in ("status", "phrase"))
    return "failed", failure_in(code, phrase) or status_of_cause(cause)
