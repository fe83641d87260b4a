"""Brings together what is known of a call: its legs, fsctl's steps, and the messages of all legs.

A lane is a participant, however many addresses, ports and dialogs it has; FreeSWITCH is one lane,
and so is fsctl. Legs, transfers and steps are rows as `fsctl.records.find` returns them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from fsctl.hep.message import Message, Reading, read
from fsctl.sip.roles import ROLES

Row = Mapping[str, Any]
Kind = Literal["message", "noted", "step", "gap"]

SWITCH: Final = "FreeSWITCH"
US: Final = "fsctl"
_LABEL: Final = 200


@dataclass(frozen=True, slots=True)
class Lane:
    """One participant. ``name`` is its number, or what else is known; ``role`` as in RFC 5589, or
    empty."""

    name: str
    role: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that has happened.

    ``kind``: a SIP message; what the records say where no message was heard; a step of fsctl; or a
    place where something is missing. From lane ``source`` to lane ``target``; equal for a step and
    for a gap. ``count``: so often the message was sent. ``truncated``: its end is missing.
    """

    time_s: float
    kind: Kind
    source: int
    target: int
    label: str
    count: int = 1
    truncated: bool = False
    message: Message | None = None


@dataclass(frozen=True, slots=True)
class Ladder:
    """What `build` has made; ``events`` in the order of time."""

    title: str
    lanes: tuple[Lane, ...]
    events: tuple[Event, ...]


@dataclass(slots=True)
class _Party:
    name: str
    calls: bool = False
    """It has called FreeSWITCH first."""
    roles: list[str] = field(default_factory=list)
    first_s: float = float("inf")


@dataclass(slots=True)
class _Dialog:
    """One Call-ID's messages."""

    party: _Party | None = None
    outgoing: bool | None = None
    """FreeSWITCH has called; None: not known."""
    heard: list[tuple[Message, Reading]] = field(default_factory=list)

    @property
    def inviter(self) -> str:
        """The tag of whoever has called; empty: the INVITE was not heard."""
        return next((r.from_tag for _, r in self.heard if r.begins_call), "")


def build(
    transfers: Sequence[Row],
    legs: Sequence[Row],
    steps: Sequence[Row],
    messages: Sequence[Message],
) -> Ladder:
    """Return the ladder of one call; any of these may be empty."""
    return _Builder(transfers, legs, steps, messages).ladder()


class _Builder:
    def __init__(
        self,
        transfers: Sequence[Row],
        legs: Sequence[Row],
        steps: Sequence[Row],
        messages: Sequence[Message],
    ) -> None:
        self._transfers, self._legs, self._steps = transfers, legs, steps
        self._parties: dict[str, _Party] = {}
        """By their numbers, or else by their channels or Call-IDs."""
        self._of_leg: dict[str, _Party] = {}
        """By the names of legs: channels, or those of parties that were called."""
        self._dialogs: dict[str, _Dialog] = {}
        for message in sorted(messages, key=lambda each: each.time_s):
            reading = read(message.text)
            dialog = self._dialogs.setdefault(reading.call_id, _Dialog())
            dialog.heard.append((message, reading))
        self._take_legs()
        self._take_transfers()
        self._from_switch = self._directions()
        self._name_the_rest()

    # -- who takes part

    def _take_legs(self) -> None:
        called: set[str] = set()
        """Numbers of which no Call-ID is known: none of their phones has answered."""
        for leg in self._legs:
            party = self._party(leg["number"] or "", leg["id"], leg["began"].timestamp())
            party.calls = party.calls or (leg["outgoing"] is False)
            for name in (leg["id"], leg["channel"]):
                if name:
                    self._of_leg[name] = party
            if dialog := self._dialogs.get(leg["call_id"] or ""):
                dialog.party = party
                dialog.outgoing = leg["outgoing"]
            elif leg["outgoing"] and not leg["call_id"] and leg["number"]:
                called.add(leg["number"])
        for dialog in self._dialogs.values():
            invites = [reading for _, reading in dialog.heard if reading.begins_call]
            if dialog.outgoing is None and invites and invites[0].to_user in called:
                dialog.outgoing = True

    def _take_transfers(self) -> None:
        for transfer in self._transfers:
            for role in ROLES:
                number, leg = transfer[f"{role}_number"] or "", transfer[role] or ""
                call_id = transfer[f"{role}_call_id"] or ""
                if not (number or leg):
                    continue
                known = self._of_leg.get(leg)
                party = known or self._party(number, leg, transfer["began"].timestamp())
                if leg:
                    self._of_leg[leg] = party
                if role not in party.roles:
                    party.roles.append(role)
                dialog = self._dialogs.get(call_id)
                if dialog and dialog.party is None:
                    dialog.party = party

    def _name_the_rest(self) -> None:
        """A phone that was called beside others has no leg of its own: its messages name it."""
        for call_id, dialog in self._dialogs.items():
            if dialog.party is not None:
                continue
            number = ""
            for (_, reading), by_switch in zip(
                dialog.heard, self._from_switch[call_id], strict=True
            ):
                number = reading.to_user if by_switch != bool(reading.status) else reading.from_user
                if number:
                    break
            dialog.party = self._party(number, call_id, dialog.heard[0][0].time_s)

    def _party(self, number: str, name: str, time_s: float) -> _Party:
        party = self._parties.setdefault(number or name, _Party(number or "unknown"))
        party.first_s = min(party.first_s, time_s)
        return party

    # -- which way a message went

    def _directions(self) -> dict[str, list[bool]]:
        """For each message whether FreeSWITCH has sent it: by the tag of whoever has called, else
        by the address that the dialogs share."""
        switch_ends: set[tuple[str, int]] = set()
        found: dict[str, list[bool]] = {}
        for call_id, dialog in self._dialogs.items():
            inviter = dialog.inviter
            if not inviter or dialog.outgoing is None:
                continue
            found[call_id] = ways = []
            for message, reading in dialog.heard:
                by_inviter = (reading.from_tag == inviter) != bool(reading.status)
                ways.append(by_inviter == dialog.outgoing)
                switch_ends.add(message.ends[0 if ways[-1] else 1])
        counts = Counter(
            end for d in self._dialogs.values() for end in {e for m, _ in d.heard for e in m.ends}
        )
        for call_id, dialog in self._dialogs.items():
            if call_id not in found:
                found[call_id] = [
                    _sent_by_switch(message, reading, switch_ends, counts)
                    for message, reading in dialog.heard
                ]
        return found

    # -- what has happened

    def ladder(self) -> Ladder:
        """Put all of it into its order."""
        parties = sorted(self._parties.values(), key=lambda p: (not p.calls, p.first_s))
        at = {id(party): index + (index > 0) for index, party in enumerate(parties)}
        switch = min(1, len(parties))
        lanes = [Lane(party.name, ", ".join(party.roles)) for party in parties]
        lanes.insert(switch, Lane(SWITCH))
        events = [
            *self._heard(at, switch),
            *self._told_of_legs(at, switch),
            *self._told_of_transfers(at, switch),
        ]
        if self._steps:
            us = len(lanes)
            lanes.append(Lane(US))
            events += [
                Event(
                    *(step["at"].timestamp(), "step", us, us),
                    _short(f"{step['what']} → {step['state']}"),
                )
                for step in self._steps
            ]
        events.sort(key=lambda event: event.time_s)
        return Ladder(self._title(), tuple(lanes), tuple(events))

    def _title(self) -> str:
        if not self._transfers:
            return "call"
        first, *more = self._transfers
        told = f", {first['code']} {first['reason'] or ''}".rstrip() if first["code"] else ""
        title = f"{first['kind']} transfer {first['id']}: {first['outcome'] or 'goes on'}{told}"
        return title + (f"; and {len(more)} more of this call" if more else "")

    def _heard(self, at: Mapping[int, int], switch: int) -> list[Event]:
        events: list[Event] = []
        for call_id, dialog in self._dialogs.items():
            lane = at[id(dialog.party)]
            sent: dict[tuple[bool, bytes], int] = {}
            for index, (message, reading) in enumerate(dialog.heard):
                by_switch = self._from_switch[call_id][index]
                key = by_switch, message.text
                if key in sent:
                    again = events[sent[key]]
                    events[sent[key]] = replace(again, count=again.count + 1)
                    continue
                missing = ""
                if message.gap:
                    missing = "messages before this one were not captured"
                elif index == 0 and not reading.begins_call:
                    missing = "what came before was not captured, or is not kept any more"
                if missing:
                    events.append(Event(message.time_s, "gap", lane, lane, missing))
                source, target = (switch, lane) if by_switch else (lane, switch)
                sent[key] = len(events)
                label = label_of(reading)
                events.append(
                    Event(
                        message.time_s,
                        "message",
                        source,
                        target,
                        label,
                        truncated=message.truncated,
                        message=message,
                    )
                )
        return events

    def _told_of_legs(self, at: Mapping[int, int], switch: int) -> list[Event]:
        events = []
        for leg in self._legs:
            party = self._of_leg[leg["id"]]
            if self._was_heard(leg["call_id"] or "", party):
                continue
            lane = at[id(party)]
            way = (switch, lane) if leg["outgoing"] else (lane, switch)
            dialled = f" {leg['dialled']}" if leg["dialled"] else ""
            words = {
                "began": (way, "is called" if leg["outgoing"] else f"calls{dialled}"),
                "answered": (way[::-1], "answered"),
                "ended": ((lane, switch), "ended"),
            }
            events += [
                Event(leg[name].timestamp(), "noted", *each, _short(text))
                for name, (each, text) in words.items()
                if leg[name]
            ]
        return events

    def _was_heard(self, call_id: str, party: _Party) -> bool:
        if call_id:
            return call_id in self._dialogs
        told = {leg["call_id"] for leg in self._legs}
        return any(
            dialog.party is party and other not in told for other, dialog in self._dialogs.items()
        )

    def _told_of_transfers(self, at: Mapping[int, int], switch: int) -> list[Event]:
        """The REFER and its result, where the transferor's own messages were not heard."""
        events = []
        for transfer in self._transfers:
            party = self._of_leg.get(transfer["transferor"] or "")
            if party is None or self._was_heard(transfer["transferor_call_id"] or "", party):
                continue
            lane = at[id(party)]
            asked = f"asks for a transfer to {transfer['refer_to'] or 'somebody'}"
            events.append(
                Event(transfer["began"].timestamp(), "noted", lane, switch, _short(asked))
            )
            if transfer["ended"] and transfer["code"]:
                told = f"is told {transfer['code']} {transfer['reason'] or ''}".rstrip()
                events.append(
                    Event(transfer["ended"].timestamp(), "noted", switch, lane, _short(told))
                )
        return events


def _sent_by_switch(
    message: Message,
    reading: Reading,
    switch_ends: set[tuple[str, int]],
    counts: Mapping[tuple[str, int], int],
) -> bool:
    source, destination = message.ends
    if (source in switch_ends) != (destination in switch_ends):
        return source in switch_ends
    if counts[source] != counts[destination]:
        return counts[source] > counts[destination]
    return "FreeSWITCH" in reading.header("user-agent") + reading.header("server")


def label_of(reading: Reading) -> str:
    """What stands at the arrow of a message."""
    if reading.status:
        return _short(f"{reading.status} {reading.reason} ({reading.cseq} {reading.method})")
    more = ""
    if reading.method == "REFER":
        more = f" {reading.header('refer-to')}"
    elif reading.method == "NOTIFY":
        more = f" {reading.sipfrag or reading.header('event')}"
    elif reading.header("content-type").lower().startswith("application/sdp") and reading.body:
        more = " (SDP)"
    return _short(f"{reading.method or reading.start or '?'} {reading.cseq}{more}".strip())


def _short(text: str) -> str:
    return text if len(text) <= _LABEL else text[: _LABEL - 1] + "…"
