"""What a transfer in which the first two talk on does to its legs: its actions as commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fsctl.esl.commands import (
    Command,
    SchedApi,
    SchedDel,
    SchedHangup,
    UuidBreak,
    UuidKill,
    UuidSetvar,
    UuidSetvarMulti,
    UuidTransfer,
)
from fsctl.policy.judge import Asking
from fsctl.session.calling import recording, safe_answers
from fsctl.session.calling.arming import arming
from fsctl.session.calling.bridging import AFTERWARDS, HOME_AGAIN, bridge_commands, rejoining
from fsctl.session.calling.calls import Calls
from fsctl.session.calling.plan import NO_OPTIONS, CallOptions
from fsctl.session.core import branches
from fsctl.session.core.diversion import Diversion
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session
from fsctl.session.transfers.deadlines import GRACE_S, JOIN_TIMEOUT_S
from fsctl.session.transfers.dials_aside import DialsAside
from fsctl.session.transfers.record import BY_SETTINGS, Decided, owing
from fsctl.session.transfers.reporter import Reporting
from fsctl.sip.status import SipStatus
from fsctl.sip.uri import Uri
from fsctl.switch import leftovers, timers
from fsctl.switch.marks import Context, Extension, Mark, Stage
from fsctl.switch.posting import post_if_there
from fsctl.switch.variables import read_several
from fsctl.transfer.kept import Action, Kept, Place, State, Stimulus

_OURS = (Mark.HOME, Mark.SESSION)
"""By these a REFER of one of the first two comes to our session, whoever runs their call."""
_ALONE_S = JOIN_TIMEOUT_S + GRACE_S
"""A transferor that has not been joined again by then is let go: its transferee has left at that
moment, and we are dead. FreeSWITCH itself would keep it parked for ten minutes."""
_OWED = SipStatus(480)
"""What FreeSWITCH alone tells when the target has not answered."""


@dataclass(frozen=True, slots=True, eq=False)
class KeptRequest:
    """What somebody has asked for: ``transferee`` is to talk with the target as soon as that
    answers, and as before until then, and if nothing comes of it."""

    transferee: Leg
    transferor: Leg | None
    """Whom it talks with now, and who is released then; None: nobody, or an application."""
    destination: str | Uri
    """Where the target is called."""
    asker: Reporting
    """Who has asked, and is told."""
    parted: bool = False
    """FreeSWITCH has taken the first two apart, and they are joined first: the transferee is in our
    dialplan."""
    options: CallOptions = NO_OPTIONS
    asking: Asking | None = None
    """What the policy judges."""
    diversion: Diversion | None = None
    """What the target may be told of it."""
    decided: Decided = BY_SETTINGS
    """Who has decided."""
    when_failed: Callable[[], None] = lambda: None
    """Called when all talk on."""


class KeptActs:
    """The hands of one such transfer: each action of its table but those that call the target, wait
    or end it."""

    def __init__(self, session: Session, request: KeptRequest) -> None:
        self.target: Leg | None = None
        """Whom we call. Set by the transfer."""
        self.ring_timeout_s = float(session.settings.transfer.ring_timeout_s)
        """How long that may ring. Set by the transfer."""
        self.dials = DialsAside(session)
        """What calls joined the first two, taken when it begins."""
        self._session = session
        self._request = request
        self._transferee = request.transferee
        self._transferor = request.transferor
        self._asker = request.asker
        self._before: dict[str, str] = {}
        """What the transferee's channel said before we changed it; empty values: nothing."""
        self._before_of_other: dict[str, str] = {}
        """As that, of its partner."""

    def perform(self, action: Action, kept: Kept) -> Stimulus | None:
        """Do it; returns what is known by it. Raises LinkError, ChannelGone."""
        match action:
            case Action.REJOIN:
                return self._rejoin(kept)
            case Action.JOIN:
                return self._join()
            case Action.KEEP:
                self._keep()
            case Action.HANG_UP_TARGET:
                if self.target is not None and self.target.alive:
                    self.target.ending = True
                    branches.hang_up(self._session, self.target, "ORIGINATOR_CANCEL")
            case Action.TELL_SUCCESS | Action.TELL_FAILURE:
                self._tell(kept)
            case Action.LET_BE:
                self._let_be()
            case Action.RECALL:
                self._recall()
            case Action.RELEASE:
                self._release(kept)
            case Action.HANG_UP_TRANSFEROR:
                if self._transferor is not None:
                    self._post([UuidKill(self._transferor.channel_uuid, "BLIND_TRANSFER")])
            case _:
                raise AssertionError(action)
        return None

    def ring(self, kept: Kept) -> None:
        """From now on the target may ring for its whole time: have FreeSWITCH know what follows if
        we are gone by then."""
        self._post(self._owing(kept))

    def tell_ringing(self) -> None:
        """Whoever has asked is told that the target rings, if it wants to be."""
        self._post(self._asker.rings())

    def fetch(self) -> None:
        """Have the transferee come to us: nothing else ends for it a join that was given up before
        it had begun."""
        uuid = self._transferee.channel_uuid
        self._post([UuidTransfer(uuid, Extension.RETURNING, Context.RETURN)])

    # -- the first two --------------------------------------------------------------------------

    def _rejoin(self, kept: Kept) -> Stimulus | None:
        """Join them; the transferee is kept from then on."""
        session, transferor = self._session, self._transferor
        if transferor is None:
            return Stimulus.REJOIN_FAILED
        session.part(Calls).lends = True
        alone = timers.unless_talking(transferor.channel_uuid, _ALONE_S)
        commands = [*self._owing(kept), alone]
        for leg, peer in ((self._transferee, transferor), (transferor, self._transferee)):
            leg.pending_peer, leg.forsaken_at = peer, None
            armed = arming(leg, peer, session.board.home, session.settings)
            commands.append(UuidSetvarMulti(leg.channel_uuid, tuple(armed.items())))
        waits = {"originate_disposition": "", Mark.STAGE: Stage.KEPT}
        # Else who is the originator of this bridge may be hung up after it, by its dialplan's word.
        waits |= {"hangup_after_bridge": "false"}
        commands += rejoining(self._transferee, transferor, waits)
        if session.link.send_all(commands)[-1].ok:
            self._transferee.held = transferor.held = False
            return None
        for leg in (self._transferee, transferor):
            leg.pending_peer = None
        return Stimulus.REJOIN_FAILED

    def _keep(self) -> None:
        """Nobody is moved: the transferee comes to us by its own channel's word. One that whoever
        runs the switch has sent elsewhere after its talk goes there, and is lost to us."""
        session, uuid = self._session, self._transferee.channel_uuid
        self.dials.take(self._transferee, self._transferor)
        names = (Mark.STAGE, *_OURS, AFTERWARDS, "originate_disposition")
        values = read_several(session.link, uuid, *names)
        self._before = {name: value or "" for name, value in zip(names, values, strict=True)}
        kept = {
            Mark.STAGE: Stage.KEPT,
            Mark.HOME: session.board.home,
            Mark.SESSION: session.id,
            AFTERWARDS: self._before[AFTERWARDS] or HOME_AGAIN,
            "originate_disposition": "",
        }
        commands: list[Command] = [UuidSetvarMulti(uuid, tuple(kept.items()))]
        if self._transferor is not None and self._transferor.alive:
            other = self._transferor.channel_uuid
            commands.append(owing("blind", other, uuid, self._asker.refer, self._asker.start))
            values = read_several(session.link, other, *_OURS)
            self._before_of_other = {name: v or "" for name, v in zip(_OURS, values, strict=True)}
            ours = ((Mark.HOME, session.board.home), (Mark.SESSION, session.id))
            commands.append(UuidSetvarMulti(other, ours))
        session.link.send_all(commands)[0].raise_for_error()

    def _owing(self, kept: Kept) -> list[Command]:
        """What FreeSWITCH does when we are gone, and the target has not answered."""
        section, transferee = self._session.settings.transfer, self._transferee.channel_uuid
        after_s = self.ring_timeout_s + GRACE_S + section.rescue_after_s
        commands = self._asker.owe(transferee, _OWED, after_s)
        if kept.transferee is Place.HOME:
            return [*commands, *timers.send_on(transferee, after_s)]
        return [
            *commands,
            SchedDel(transferee),
            SchedApi(after_s, transferee, UuidSetvar(transferee, Mark.STAGE, Stage.JOINED)),
            SchedApi(after_s, transferee, UuidSetvar(transferee, AFTERWARDS)),
        ]

    def _let_be(self) -> None:
        """Everybody is where it was; what we have set for our own sake goes."""
        uuid = self._transferee.channel_uuid
        after = self._before or {Mark.STAGE: Stage.LENT}
        commands = [*self._disarming(), UuidSetvarMulti(uuid, tuple(after.items()))]
        if self._before_of_other and self._transferor is not None:
            before = tuple(self._before_of_other.items())
            commands.append(UuidSetvarMulti(self._transferor.channel_uuid, before))
        self._post(commands)
        self._request.when_failed()

    def _recall(self) -> None:
        """The transferee is alone: its dialplan calls the transferor again, or does what is
        configured."""
        uuid = self._transferee.channel_uuid
        commands = [*self._disarming(), *safe_answers.forsake(self._session, self._transferee)]
        self._post([*commands, UuidBreak(uuid, everything=True)])

    # -- the target -----------------------------------------------------------------------------

    def _join(self) -> Stimulus | None:
        """Join transferee and target, who may both transfer on.

        A transferee that is in a dialplan of its own is hung up when the talk is over; one that is
        in ours may as well be the bridge's originator, and comes back by itself if there is none.
        """
        session, transferee, target = self._session, self._transferee, self.target
        assert target is not None  # it has answered
        session.part(Calls).lends = True
        commands: list[Command] = []
        for leg, peer in ((transferee, target), (target, transferee)):
            leg.peer, leg.pending_peer, leg.forsaken_at = None, peer, None
            armed = arming(leg, peer, session.board.home, session.settings)
            commands.append(UuidSetvarMulti(leg.channel_uuid, tuple(armed.items())))
        if self._transferor is not None:
            self._transferor.peer = self._transferor.pending_peer = None
        if not self._request.parted:
            commands += leftovers.clearing_of_another(transferee.channel_uuid, None)
        if session.link_leg not in session.calls:
            session.change_link()  # it was opened by whoever has asked
        commands += [UuidSetvar(target.channel_uuid, Mark.KEPT), *self._recording(target)]
        first, second = (transferee, target) if self._request.parted else (target, transferee)
        commands += bridge_commands(first, second, {"originate_disposition": ""})
        if session.link.send_all(commands)[-1].ok:
            transferee.held = target.held = False
            return None
        transferee.pending_peer = target.pending_peer = None
        return Stimulus.JOIN_FAILED

    def _recording(self, target: Leg) -> list[Command]:
        """What becomes of one when the transferee is moved."""
        by = self._transferor
        of = by.channel_uuid if by is not None and by.alive else ""
        number = by.number if by is not None else ""
        steps = recording.at_join(self._transferee, of, number, target.number)
        channel = self._transferee.channel_uuid
        return [UuidSetvarMulti(channel, tuple(steps.items()))] if steps else []

    def _release(self, kept: Kept) -> None:
        """The transferor has nobody to talk with any more.

        One that has not asked for it is where it would be without us, unless we have taken its
        partner from it; and a transferee that somebody else has is no longer for us.
        """
        session, transferor = self._session, self._transferor
        commands = self._disarming()
        succeeds = kept.state is State.RELEASING
        if transferor is not None and transferor.alive:
            uuid = transferor.channel_uuid
            seconds = session.settings.transfer.release_transferor_after_s
            if self._asker.hangs_up:
                commands.append(SchedHangup(seconds, uuid, "BLIND_TRANSFER"))
            elif succeeds:
                commands.append(UuidKill(uuid))
        if not succeeds:
            before = self._before or {Mark.STAGE: ""}
            transferee = self._transferee.channel_uuid
            commands.append(UuidSetvarMulti(transferee, tuple(before.items())))
        self._post(commands)

    # -- the end --------------------------------------------------------------------------------

    def _tell(self, kept: Kept) -> None:
        """Tell whoever has asked, unless the dialplan has while we stood still."""
        status = kept.reported
        assert status is not None  # set by the step that asks for this
        if self._asker.has_told():
            return
        if self._asker.hangs_up and self._transferor is not None:
            safe_answers.let_hear(self._transferor)
        asking = self._request.asking
        verdict = asking.verdict if asking is not None else None
        why = verdict.why if verdict is not None and not verdict.allowed else ""
        # One that is to be released stays known as a transferor: were it not, FreeSWITCH would hang
        # it up as soon as we are gone, and its BYE overtake the NOTIFY.
        nothing = [] if status.is_success else self._asker.owe_nothing()
        self._session.link.send_all([*nothing, *self._asker.tell(status, why)])

    def _disarming(self) -> list[Command]:
        pair = (self._transferee, self._transferor)
        return [each for leg in pair if leg for each in timers.disarm(leg.channel_uuid)]

    def _post(self, commands: list[Command]) -> None:
        """Send what may as well come too late."""
        session = self._session
        undone = f"{session.id} kept transfer: not told to FreeSWITCH"
        post_if_there(session.link, commands, undone)
