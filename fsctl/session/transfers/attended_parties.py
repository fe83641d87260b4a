"""Whom an attended transfer concerns, and what has become of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fsctl.errors import ChannelGone, LinkError
from fsctl.esl.commands import Command
from fsctl.esl.connection import Connection
from fsctl.esl.events import Event
from fsctl.session.core import branches
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session
from fsctl.session.transfers.attended_request import AttendedRequest
from fsctl.sip.status import SipStatus
from fsctl.switch.end_status import hangup_status
from fsctl.transfer.attended import Stimulus

log = logging.getLogger(__name__)

_CANCELLED = 487


@dataclass(slots=True, eq=False)
class Parties:
    """The legs of one attended transfer, and the loopback by which FreeSWITCH asks about it."""

    session: Session
    """The transferor's; all of the transfer happens in its greenlet."""
    transferor: Leg
    transferee: Leg
    link: Connection | None
    """The loopback b-leg's; None where FreeSWITCH has not asked us."""
    other_half: str
    """The uuid of the loopback's a-leg, with which FreeSWITCH bridges the transferee."""
    replaced: Leg | None = None
    """The transferor's second leg; set when the request is read."""
    target: Leg | None = None
    """Who talks with it or rings for it; set with it, and anew when the target is called."""
    application: tuple[str, str] | None = None
    """What the transferor's second leg is in, instead of talking with a party."""
    extension: tuple[str, str] | None = None
    """The number and context in which the switch's own dialplan serves that leg, instead."""
    target_status: SipStatus | None = None
    """Why the target did not answer, or has left; set by its last event, cleared by a new call."""

    @property
    def loopback(self) -> str:
        """The uuid of the loopback's b-leg; empty where FreeSWITCH has not asked us."""
        return (self.link.channel_uuid or "") if self.link is not None else ""

    def command(self, *commands: Command) -> None:
        """Send by the loopback's link; when that is lost its end follows by itself."""
        link = self.link
        self.send_by(self.session.link if link is None or link.closed else link, commands)

    def send_by(self, link: Connection, commands: Sequence[Command]) -> None:
        """Send by ``link``, if that still serves."""
        try:
            link.send_all(commands)
        except (LinkError, ChannelGone) as error:
            log.info("%s: attended transfer: %s", self.session.id, error)

    def named_by(self, request: AttendedRequest) -> None:
        """The request is read: it names the transferor's second leg."""
        self.replaced, self.target = request.replaced, request.target
        if self.replaced is not None and self.target is None:
            self.application, self.extension = self.replaced.application, self.replaced.extension

    def ring(self, target: Leg) -> None:
        """``target`` is called for the transferee from now on."""
        self.target, self.target_status = target, None

    def note(self, event: Event) -> None:
        """An event of some leg: the target's last one says why it has gone."""
        target = self.target
        if event.name == "CHANNEL_HANGUP" and target and branches.has(target, event.channel_uuid):
            status = hangup_status(event)
            rang = target.branches if not target.placed else None
            self.target_status = rang.status(status) if rang is not None else status

    def is_cancel(self, event: Event) -> bool:
        """The transferor's phone takes back its own call to the target that rings."""
        calls = [call for call in (self.replaced, self.target) if call is not None]
        return (
            event.name == "CHANNEL_HANGUP"
            and any(branches.has(call, event.channel_uuid) for call in calls)
            and event.get("Hangup-Cause") == "ORIGINATOR_CANCEL"
        )

    @property
    def transferor_left(self) -> bool:
        """The transferor has left the transferee behind."""
        return not self.transferor.alive and self.transferee.alive

    @property
    def replaced_left(self) -> bool:
        """The transferor has left the target behind; not so one that has been called anew."""
        replaced, target = self.replaced, self.target
        left = replaced is not None and not replaced.alive and replaced.left_behind is target
        return left and target is not None and target.connected

    def departures(self) -> Iterator[Stimulus]:
        """Who has left, each looked for when the one before has been dealt with."""
        if self.transferor_left:
            yield Stimulus.TRANSFEROR_LEFT
        if self.replaced_left:
            yield Stimulus.REPLACED_LEFT
        if not self.transferee.alive:
            yield Stimulus.TRANSFEREE_LEFT
        elif self.target is not None and not self.target.alive:
            yield Stimulus.TARGET_LEFT

    def fate_of_target(self) -> Stimulus | None:
        """What has become of the target that is waited for; None while it rings.

        It talks, has refused or left; or its caller has given up, of which we may hear later.
        """
        target, replaced, status = self.target, self.replaced, self.target_status
        if target is None:
            served = self.application or self.extension
            return Stimulus.TARGET_READY if served else Stimulus.TAKEN_BACK
        if target.alive:
            return Stimulus.TARGET_READY if self._talk(target) else None
        if target.was_connected:
            return Stimulus.TARGET_FAILED
        if replaced is not None and not replaced.alive and not replaced.was_connected:
            return Stimulus.TAKEN_BACK
        known = status is not None and status.code != _CANCELLED
        return Stimulus.TARGET_FAILED if known else Stimulus.TARGET_VANISHED

    def _talk(self, target: Leg) -> bool:
        replaced = self.replaced
        left = replaced is not None and replaced.left_behind is target
        return target.connected and replaced is not None and (target.peer is replaced or left)
