"""One party being called for a leg that waits: what its ``bridge`` is told for each attempt.

Both legs and the dial string have all that FreeSWITCH needs to go on without us.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import uuid4

from fsctl.esl.apis import can_be_referred_to, reference
from fsctl.esl.commands import Command, Execute, UuidSetvarMulti
from fsctl.esl.events import Event
from fsctl.session.calling import cdr, recording, sounds
from fsctl.session.calling.arming import (
    WAITING,
    arming,
    changed,
    in_dialplan,
    without_partner,
)
from fsctl.session.calling.course import Place, Pursued
from fsctl.session.calling.diverted import told
from fsctl.session.calling.headers import merged
from fsctl.session.calling.invite import invite
from fsctl.session.calling.native_call import NOBODY, NativeCall
from fsctl.session.core.leg import Leg
from fsctl.settings import Settings
from fsctl.sip.status import SipStatus
from fsctl.switch.armed import CHANGING
from fsctl.switch.codecs import preferred
from fsctl.switch.dialstring import DialString, carried_caller_number
from fsctl.switch.end_status import bridge_status
from fsctl.switch.marks import Mark
from fsctl.switch.refer_variables import STALE


@dataclass(slots=True)
class Dial(Pursued):
    """One destination being reached for ``waiting``; ``outgoing`` is the callee's call."""

    waiting: Leg
    outgoing: Leg
    answered: bool = False
    """The called party has answered. Set by the news of that; from then on the end of the
    ``bridge`` is the end of a talk, and no failure."""
    execution: str = ""
    """Event-UUID of the ``bridge`` that runs for the latest attempt. Set by `commands`."""
    then: Callable[[], None] | None = None
    """Called when the ``bridge`` has returned: begins the call of somebody else. Set by `connect`
    for a leg whose last called party has failed, and whose ``bridge`` still runs."""
    interrupted: bool = False
    """A REFER of the waiting leg has ended the attempt (`interrupt`). Cleared by `again`, when the
    leg is back and another attempt begins."""
    asked: bool = False
    """The party that left may have asked for an attended transfer: once, its request is waited for
    before the waiting leg is hung up."""

    def commands(self, home: str, settings: Settings) -> list[Command]:
        """Return what starts the next attempt, which calls `places`."""
        self.execution = str(uuid4())
        called, waiting = [], self.waiting.channel_uuid
        number = self.places[-1].routed.number
        commands: list[Command] = []
        if len(self.places) > 1:
            number = (self.course and self.course.number) or number
            if self.waiting.unanswered:  # FreeSWITCH would say nothing before an answer
                commands.append(Execute("ring_ready", channel_uuid=waiting))
        self.outgoing.number = number
        before = self._before(home, settings)
        noted = without_partner(waiting) if self.purpose.moves else {}
        for place in self.places:
            self.outgoing.number = place.routed.number  # which each of them carries
            variables = self._leg_variables(home, settings, place) | noted
            called.append(DialString(place.routed.endpoint, variables))
        self.outgoing.number = number
        separately, does = _by_argument(before)
        dial_string = DialString.together(called, "".join(reference(each) or "" for each in does))
        bridge = Execute(
            "bridge", dial_string, event_uuid=self.execution, channel_uuid=waiting, does=does
        )
        return [*separately, *commands, bridge]

    def _before(self, home: str, settings: Settings) -> dict[str, dict[str, str]]:
        """Return, by channel, what must be set before anybody is called, on the waiting leg and on
        the transferor of a transfer."""
        before = self._waiting_variables() | self._at_join()
        armed = arming(self.waiting, self.outgoing, home, settings)
        fresh, self.waiting.fresh = self.waiting.fresh, None
        if fresh is not None:
            before, armed = changed(before, fresh), changed(armed, fresh)
        of_channels = {self.waiting.channel_uuid: before | armed}
        for leg in self._moved() if self.purpose.moves else ():
            channel = leg.reached or leg.channel_uuid
            of_channels[channel] = of_channels.get(channel, {}) | cdr.carry(leg)
        return of_channels

    def _moved(self) -> list[Leg]:
        """The parties of the transfer for which somebody is called."""
        transferor = self.purpose.transferor if self.purpose.moves else None
        return [self.waiting, transferor] if transferor and transferor.alive else [self.waiting]

    def reached(self, event: Event) -> None:
        """The party has answered; of several it is known now who talks with the waiting leg."""
        for leg in self._moved():
            cdr.is_carried(leg)
        number = event.variable(Mark.NUMBER)
        if len(self.places) < 2 or not number or number == self.outgoing.number:
            return
        self.outgoing.number = self.outgoing.caller_id = number
        of_waiting = {Mark.TRANSFEROR_NUMBER: carried_caller_number(number)}
        uuid = self.waiting.channel_uuid
        self.waiting.session.link.post(UuidSetvarMulti(uuid, tuple(of_waiting.items())))

    def status(self, complete: Event) -> SipStatus:
        """Return why the attempt failed, once ``bridge`` has returned."""
        otherwise, branches = bridge_status(complete), self.outgoing.branches
        return branches.status(otherwise) if branches is not None else otherwise

    def part(self) -> None:
        """The two are bridged no more: for the sake of early media they may have been."""
        if self.waiting.peer is self.outgoing:
            self.waiting.peer = self.outgoing.peer = None

    def _at_join(self) -> dict[str, str]:
        """What becomes of a recording, when this moves a transferee."""
        if not self.purpose.moves:
            return {}
        by, native = self.purpose.transferor, self.waiting.session.part(NativeCall).transferor
        channel = by.channel_uuid if by is not None and by.alive else native.replace(NOBODY, "")
        number = by.number if by is not None else self.waiting.caller_id
        return recording.at_join(self.waiting, channel, number, self.outgoing.number)

    def _waiting_variables(self) -> dict[str, str]:
        variables = WAITING | {
            "transfer_ringback": sounds.known(self.waiting, self.purpose.defaults.ringback),
            # FreeSWITCH copies the callee's answer here; an older one must not be taken for it.
            "sip_invite_failure_status": "",
            "sip_invite_failure_phrase": "",
            # FreeSWITCH adds to these at each attempt (switch_ivr_originate.c).
            "originated_legs": "",
            "originate_causes": "",
        }
        return variables | dict.fromkeys(STALE, "") | {Mark.STAGE: self.purpose.stage}

    def _leg_variables(self, home: str, settings: Settings, place: Place) -> dict[str, str]:
        route = place.routed.route
        diverted = told(self.purpose.diversion, route, place.routed.number, settings)
        variables = arming(self.outgoing, self.waiting, home, settings) | invite(
            self.outgoing,
            self.waiting,
            route,
            place.shown,
            moves=self.purpose.moves,
            ring_timeout_s=place.ring_timeout_s,
            headers=merged(diverted, self.headers),
            codecs=self.attempts.codecs,
        )
        if len(self.places) > 1 and not self.attempts.codecs:
            variables |= preferred(self.waiting.scheme)  # FreeSWITCH does not see the waiting leg
        if self.purpose.moves:
            # bridge returns at 183 otherwise, and FreeSWITCH would report success.
            variables |= {"ignore_early_media": "true", "instant_ringback": "true"}
            variables |= cdr.of_target(self.outgoing, self.waiting, place.routed.number)
        if route.in_dialplan:
            variables |= in_dialplan(variables, self.waiting)
        return variables


def _by_argument(
    before: Mapping[str, Mapping[str, str]],
) -> tuple[list[Command], tuple[UuidSetvarMulti, ...]]:
    """Return what sets these, by channel: some by commands of their own, and some as the argument
    of ``bridge`` is expanded.

    FreeSWITCH reads that at once, and a command byte by byte. What a leg is armed with may change
    meanwhile (`rearming`): its thread comes to the argument up to a frame later.
    """
    separately: list[Command] = []
    does: list[UuidSetvarMulti] = []
    for channel, variables in before.items():
        carried, rest = list[tuple[str, str]](), list[tuple[str, str]]()
        for name, value in variables.items():
            fits = name not in CHANGING and can_be_referred_to(channel, value)
            (carried if fits else rest).append((name, value))
        if carried:
            does.append(UuidSetvarMulti(channel, tuple(carried)))
        if rest:
            separately.append(UuidSetvarMulti(channel, tuple(rest)))
    return separately, tuple(does)
