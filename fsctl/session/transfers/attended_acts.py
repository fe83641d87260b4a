"""What an attended transfer does to its legs: the commands for each action of its table."""

from __future__ import annotations

import logging
from collections.abc import Callable

from fsctl.errors import ChannelGone, LinkError
from fsctl.esl.commands import (
    Command,
    Execute,
    Filter,
    SchedHangup,
    UuidGetvar,
    UuidKill,
    UuidSetvar,
    UuidSetvarMulti,
    UuidTransfer,
)
from fsctl.esl.connection import Connection
from fsctl.esl.farewell import let_go
from fsctl.session.calling import media, recording, sounds
from fsctl.session.calling.arming import arming
from fsctl.session.calling.bridging import bridge_commands
from fsctl.session.core import branches
from fsctl.session.core.leg import Leg
from fsctl.session.transfers.attended_parties import Parties
from fsctl.session.transfers.attended_request import refuse_moved
from fsctl.session.transfers.dials_aside import DialsAside
from fsctl.switch.grace import relax, secure
from fsctl.switch.marks import Context, Extension, Mark, Stage
from fsctl.switch.refer_variables import ASKS_TO_SAY
from fsctl.switch.variables import read, value_of
from fsctl.transfer.attended import Action, Stimulus

log = logging.getLogger(__name__)

_PARTNER = "signal_bond"
"""Variable: whom FreeSWITCH moves when the leg sends a blind REFER."""

_ROUNDS = 15
"""So many rings, for FreeSWITCH's own sake: it goes on with them when we die."""


def reject(link: Connection | None) -> bool:
    """Hang the loopback up: FreeSWITCH reports 403 (sofia.c), and everybody talks on."""
    if link is None:
        return False
    try:
        link.send(Execute("hangup", "CALL_REJECTED"))
    except (LinkError, ChannelGone) as error:
        log.info("refusing an attended transfer: %s", error)
        return False
    return True


class AttendedActs:
    """The hands of one attended transfer: each action of the table but those that ask about it."""

    def __init__(self, parties: Parties) -> None:
        self._parties = parties
        self._session = parties.session
        self.dials = DialsAside(parties.session)
        """What calls joined transferor and transferee, taken when the two are claimed or one is
        fetched."""
        self._recorded = False
        """A recording ran on the transferor's leg, which FreeSWITCH ends as the loopback answers.
        Set when the two are claimed."""
        self.by_action: dict[Action, Callable[[], Stimulus | None]] = {
            Action.STOP_TARGET: self._stop_target,
            Action.CLAIM: self._claim,
            Action.ANSWER: self._answer,
            Action.REJECT: self._reject,
            Action.ASK_BRIDGED: self._ask_bridged,
            Action.SEND_FOR: self._send_for,
            Action.FETCH: self._fetch,
            Action.RINGBACK: self._ringback,
            Action.KEEP_TARGET: self._keep_target,
            Action.JOIN: self._join,
            Action.ASK_JOINED: self._ask_joined,
            Action.ENTER_APPLICATION: self._enter_application,
            Action.CLOSE: self._close,
            Action.RESTORE: self._restore,
            Action.LET_BE: self._let_be,
            Action.RELAX: self._relax,
            Action.LET_GO: self._let_go,
            Action.HANG_UP_ALL: self._hang_up_all,
        }

    def perform(self, action: Action) -> Stimulus | None:
        """Do it; returns what is known by it. Raises LinkError, ChannelGone."""
        return self.by_action[action]()

    def bridged(self) -> Stimulus:
        """The transferee has been bridged with the loopback: it may have to open a link first.

        An application is entered from a link of its own, for that bridge holds its thread.
        """
        parties = self._parties
        here = self._session.link_leg == parties.transferee.channel_uuid
        served = parties.application or parties.extension
        return Stimulus.BRIDGED if not here or served else Stimulus.BRIDGED_HERE

    # -- refused, everybody talks on ----------------------------------------------------------

    def _reject(self) -> None:
        reject(self._parties.link)

    def _stop_target(self) -> None:
        target = self._parties.target
        if target is not None and target.alive:
            branches.hang_up(self._session, target, "ORIGINATOR_CANCEL")

    def _restore(self) -> None:
        """The first two are partners again: a REFER of one of them moves the other."""
        one, other = self._parties.transferor, self._parties.transferee
        if one.alive and other.alive:
            link = self._session.link
            link.post(UuidSetvar(one.channel_uuid, _PARTNER, other.channel_uuid))
            link.post(UuidSetvar(other.channel_uuid, _PARTNER, one.channel_uuid))

    def _let_be(self) -> None:
        """Who still has its partner talks on; whom the transferor has left is hung up."""
        parties = self._parties
        self.dials.give_back()
        commands: list[Command] = []
        target = parties.target
        talks = target if target is not None and target.connected else None
        for call, partner in (
            (parties.transferee, parties.transferor),
            (talks, parties.replaced),
        ):
            if call is None or not call.alive:
                continue
            if partner is not None and partner.alive:
                commands += relax(call.channel_uuid)
            else:
                commands.append(UuidKill(call.channel_uuid, "NORMAL_CLEARING"))
        self._send(commands)

    def _relax(self) -> None:
        calls = [call for call in (self._parties.transferee, self._parties.target) if call]
        self._send([each for call in calls if call.alive for each in relax(call.channel_uuid)])

    # -- granted ------------------------------------------------------------------------------

    def _claim(self) -> Stimulus:
        """Whether a blind REFER of one of the two has come meanwhile; from now on none can.

        The transferee's bridge with the loopback would be told to its sender as its success.
        Without a partner a leg's REFER is refused: 403 (sofia.c).
        """
        self._set_dials_aside()
        pair = (self._parties.transferor, self._parties.transferee)
        commands: list[Command] = [UuidSetvar(each.channel_uuid, _PARTNER, None) for each in pair]
        for each in pair:
            names = ("sip_blind_transfer_event", Mark.TOLD)
            commands += [UuidGetvar(each.channel_uuid, name) for name in names]
        try:
            replies = self._session.link.send_all(commands)
            self._recorded = recording.runs_on(self._parties.transferor)
        except (LinkError, ChannelGone) as error:
            log.info("%s: attended transfer: %s", self._session.id, error)
            return Stimulus.CLAIMED
        values = [value_of(reply.text) for reply in replies[2:]]
        sent, told = values[::2], values[1::2]
        new = any(event is not None and event != by for event, by in zip(sent, told, strict=True))
        return Stimulus.OVERTAKEN if new else Stimulus.CLAIMED

    def _answer(self) -> None:
        """Have FreeSWITCH bridge the transferee with the loopback, report 200 and free the other.

        The target's uuid goes first: from now on our death must not leave the transferee alone.
        """
        parties = self._parties
        commands: list[Command] = [secure(parties.transferee.channel_uuid)]
        if parties.target is not None:
            target = parties.target.channel_uuid
            commands += [secure(target), UuidSetvar(parties.loopback, Mark.JOIN, target)]
        parties.command(*commands, Execute("answer"))

    def _ask_bridged(self) -> Stimulus:
        """FreeSWITCH has not told that it bridged the transferee with the loopback: has it?"""
        met = self._partner_now() == self._parties.other_half
        return self.bridged() if met else Stimulus.NOT_BRIDGED

    def _join(self) -> Stimulus | None:
        """Join transferee and target, as calls of one session that may both transfer on."""
        session, parties = self._session, self._parties
        transferee, target = parties.transferee, parties.target
        if target is None:
            return Stimulus.HANDED_OVER
        self._take_over(target)
        parties.transferor.peer = None
        if parties.replaced is not None:
            parties.replaced.peer = None
        commands: list[Command] = [Filter("Unique-ID", target.channel_uuid)]
        for call, peer in ((transferee, target), (target, transferee)):
            armed = arming(call, peer, session.board.home, session.settings)
            armed |= {Mark.STAGE: Stage.JOINED, Mark.JOIN: ""}
            commands.append(UuidSetvarMulti(call.channel_uuid, tuple(armed.items())))
        commands += [
            *([UuidSetvar(parties.loopback, Mark.JOIN)] if parties.loopback else []),
            *bridge_commands(transferee, target, ASKS_TO_SAY | self._at_join(target)),
        ]
        return None if session.link.send_all(commands)[-1].ok else Stimulus.JOIN_FAILED

    def _at_join(self, target: Leg) -> dict[str, str]:
        by = self._parties.transferor
        channel = by.channel_uuid if by.alive else ""
        of, ran = self._parties.transferee, self._recorded
        return recording.at_join(of, channel, by.number, target.number, ran=ran)

    def _ask_joined(self) -> Stimulus:
        target = self._parties.target
        joined = target is not None and self._partner_now() == target.channel_uuid
        return Stimulus.LEGS_JOINED if joined else Stimulus.NOT_JOINED

    def _enter_application(self) -> None:
        """The transferee takes the transferor's place in a conference, a queue, a parking place."""
        parties = self._parties
        parties.transferor.peer = parties.transferee.peer = None
        if parties.extension is not None:
            self._enter_extension(*parties.extension)
            return
        assert parties.application is not None
        self._session.link.send_all(relax(parties.transferee.channel_uuid))
        parties.transferee.uses += 1  # as if the scenario had done it
        media.execute(parties.transferee, *parties.application)

    def _enter_extension(self, number: str, context: str) -> None:
        """As FreeSWITCH itself does (sofia.c): the extension that has served the transferor begins
        anew for the transferee."""
        uuid = self._parties.transferee.channel_uuid
        forgotten = dict.fromkeys((Mark.STAGE, "blind_transfer_uuid", "sip_refer_to"), "")
        self._session.link.send_all(
            [
                *relax(uuid),
                UuidSetvarMulti(uuid, tuple(forgotten.items())),
                UuidTransfer(uuid, number, context),
            ]
        )

    def _close(self) -> None:
        """Both legs of the transferor have served, and so has the loopback."""
        link, parties = self._session.link, self._parties
        moved = refuse_moved(link, parties.transferee.channel_uuid, parties.other_half)
        commands = [self._release(), *moved]
        if parties.loopback:
            commands.append(UuidKill(parties.loopback))
        if parties.replaced is not None:
            commands.append(UuidKill(parties.replaced.channel_uuid, "ATTENDED_TRANSFER"))
        link.send_all(commands)

    def _hang_up_all(self) -> None:
        """The transferor has been told of success: whoever is left has nobody to talk with."""
        parties = self._parties
        calls = (parties.transferee, parties.replaced, parties.target)
        legs = [call.channel_uuid for call in calls if call is not None and call.alive]
        legs += [parties.loopback] if parties.loopback else []
        commands: list[Command] = [UuidKill(uuid, "NORMAL_CLEARING") for uuid in legs]
        if parties.transferor.alive:
            commands.append(self._release())
        self._send(commands)

    def _let_go(self) -> None:
        if self._parties.link is not None:
            let_go(self._parties.link)

    # -- those whom the transferor has left ---------------------------------------------------

    def _send_for(self) -> None:
        """The transferee comes to us, to wait; nothing is granted yet."""
        self._set_dials_aside()
        self._session.link.send_all(self._coming_home(""))

    def _fetch(self) -> None:
        """The transferee comes to us, to be joined: with whom, its channel knows should we die."""
        self._set_dials_aside()
        target = self._parties.target
        self._parties.command(*self._coming_home(target.channel_uuid if target is not None else ""))

    def _coming_home(self, joined: str) -> tuple[Command, Command]:
        transferee, home = self._parties.transferee.channel_uuid, self._session.board.home
        return (
            UuidSetvarMulti(transferee, ((Mark.HOME, home), (Mark.JOIN, joined))),
            UuidTransfer(transferee, Extension.ATTENDED, Context.ATTENDED),
        )

    def _keep_target(self) -> None:
        target = self._parties.target
        if target is not None:
            command = UuidTransfer(target.channel_uuid, Extension.KEPT, Context.RESCUE)
            self._session.link.send(command)

    def _ringback(self) -> None:
        """The transferee hears that the target rings, as long as FreeSWITCH lets it."""
        sound = sounds.known(self._parties.transferee, self._session.settings.transfer.ringback)
        if sound.startswith("%"):
            rounds = f"tone_stream://{sound};loops={_ROUNDS}"
            transferee = self._parties.transferee.channel_uuid
            self._session.link.send(Execute("playback", rounds, channel_uuid=transferee))

    # -- inner --------------------------------------------------------------------------------

    def _partner_now(self) -> str | None:
        transferee = self._parties.transferee.channel_uuid
        return read(self._session.link, transferee, "last_bridge_to")

    def _take_over(self, call: Leg) -> None:
        """Make ``call`` one of our session's, with its handlers and all."""
        old, new = call.session, self._session
        if old is not new:
            call.session = new
            new.calls[call.channel_uuid] = call
            old.post(lambda: old.give_away(call))

    def _release(self) -> Command:
        """The transferor has been told of success: it hangs up by itself, or is hung up."""
        seconds = self._session.settings.transfer.release_transferor_after_s
        return SchedHangup(seconds, self._parties.transferor.channel_uuid, "ATTENDED_TRANSFER")

    def _set_dials_aside(self) -> None:
        self.dials.take(self._parties.transferor, self._parties.transferee)

    def _send(self, commands: list[Command]) -> None:
        """Send by the session's link, if that still serves."""
        self._parties.send_by(self._session.link, commands)
