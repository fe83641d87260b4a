"""A transfer in which the first two talk until the target answers: runs `fsctl.transfer.kept`.

Nobody is moved before the target is there: it is called by itself (``originate``), and joined with
the transferee when it has answered. Who has asked for that, and how it is told, is a `Reporting`:
the party that has sent a REFER, an operator's command.

What becomes of all that when we die stands on the channels. Until the target answers the transferee
is ``kept``: should its partner leave it comes to us, and where nobody is there it is called again
for it. The target, if nobody takes it, joins the transferee itself, as long as that is ``kept``. A
timer ends that, and tells whoever is owed a report.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from fsctl.errors import ChannelGone, LinkError
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
from fsctl.esl.events import Event
from fsctl.policy.judge import Asking
from fsctl.session.calling import media, recording, safe_answers
from fsctl.session.calling.arming import arming
from fsctl.session.calling.bridged import Dial
from fsctl.session.calling.bridging import AFTERWARDS, HOME_AGAIN, bridge_commands
from fsctl.session.calling.calls import Calls
from fsctl.session.calling.originated import call_out
from fsctl.session.calling.plan import NO_OPTIONS, CallOptions
from fsctl.session.core import branches
from fsctl.session.core.diversion import Diversion
from fsctl.session.core.leg import Leg, LegState
from fsctl.session.core.session import Session
from fsctl.session.transfers.attended_registry import AttendedTransfers
from fsctl.session.transfers.engine import Engine
from fsctl.session.transfers.kept_registry import KeptTransfers
from fsctl.session.transfers.record import (
    BY_SETTINGS,
    Decided,
    Outcome,
    begun,
    conclude,
    owing,
)
from fsctl.session.transfers.reporter import Reporting
from fsctl.settings import Transfer
from fsctl.sip.status import SipStatus
from fsctl.sip.uri import Uri
from fsctl.switch import leftovers, timers
from fsctl.switch.marks import Context, Extension, Mark, Stage
from fsctl.switch.notify import NOTES_JOIN
from fsctl.switch.variables import read, read_several
from fsctl.transfer.kept import DEADLINES, Action, Kept, Place, State, Stimulus, step

log = logging.getLogger(__name__)

JOIN_TIMEOUT_S = 5.0
_OURS = (Mark.HOME, Mark.SESSION)
"""By these a REFER of one of the first two comes to our session, whoever runs their call."""
_GRACE_S = 3.0
"""FreeSWITCH's own timers end a wait first; ours follows this much later."""
_ALONE_S = JOIN_TIMEOUT_S + _GRACE_S
"""A transferor that has not been joined again by then is let go: its transferee has left at that
moment, and we are dead. FreeSWITCH itself would keep it parked for ten minutes."""
_FETCH_S = 1.0
"""A transferee whose join has failed comes back by itself by then, if it does."""
_OWED = SipStatus(480)
"""What FreeSWITCH alone tells when the target has not answered."""
_FORGOTTEN = {"blind_transfer_uuid": "", Mark.REFERRED: ""}
"""Set, FreeSWITCH would report the first two's join as the transfer's success."""
_OUTCOMES: dict[State, Outcome] = {
    State.SUCCEEDED: "succeeded",
    State.FAILED: "failed",
    State.ABANDONED: "abandoned",
}


class KeptTransfer:
    """One such transfer, from the question to its one answer.

    It is the purpose (`session.core.purpose`) for which its target is called.
    """

    moves = True
    told_by_switch = False
    stage = Stage.CALLED

    def __init__(
        self,
        session: Session,
        transferee: Leg,
        transferor: Leg | None,
        target: str | Uri,
        asker: Reporting,
        *,
        options: CallOptions = NO_OPTIONS,
        asking: Asking | None = None,
        diversion: Diversion | None = None,
        decided: Decided = BY_SETTINGS,
        when_failed: Callable[[], None] = lambda: None,
    ) -> None:
        self.transferee = transferee
        self.transferor = transferor
        self.target: Leg | None = None
        """Whom we call; set by `call_target`."""
        self.asking = asking
        self.diversion = diversion
        self.entertained = False
        """The transferee hears ringback by our own doing: it waits alone."""
        self._session = session
        self._destination = target
        self._asker = asker
        self._options = options
        self._decided = decided
        self._when_failed = when_failed
        self._began_apart = False
        """FreeSWITCH had parted the first two: the transferee is in our dialplan. Set by `begin`"""
        self._ring_timeout_s = float(session.settings.transfer.ring_timeout_s)
        self._set_aside: dict[str, Dial] = {}
        """What calls joined the first two: their end is not the end of a call now. Filled when it
        begins, given back when all talk on."""
        self._put_off: list[Event] = []
        """The ends of those, which count only if nobody is moved after all."""
        self._before: dict[str, str] = {}
        """What the transferee's channel said before we changed it; empty values: nothing."""
        self._before_of_other: dict[str, str] = {}
        """As that, of its partner."""
        there = transferor is not None and transferor.alive
        self._engine = Engine(
            session,
            begun(session, "blind", transferor, transferee, asker.refer, str(target), asker.start),
            f"kept transfer of {transferee.channel_uuid}",
            Kept(
                transferor_present=there,
                transferee=Place.WITH_TRANSFEROR if there else Place.ELSEWHERE,
            ),
            step,
            act=self._act,
            seconds=self._seconds,
            expired=lambda: self._feed(Stimulus.DEADLINE),
        )

    @property
    def snapshot(self) -> Kept:
        """How it stands."""
        return self._engine.snapshot

    @property
    def is_open(self) -> bool:
        return self.snapshot.is_open

    @property
    def has_joined(self) -> bool:
        """Transferee and target talk; the transferor is still to go."""
        return self.snapshot.state is State.RELEASING

    def begin(self, *, parted: bool) -> None:
        """Begin; ``parted``: FreeSWITCH has taken the first two apart."""
        self._began_apart = parted
        self._feed(Stimulus.PARTED if parted else Stimulus.TALKING)

    # -- why its target is called (session.core.purpose) ----------------------------------------

    @property
    def defaults(self) -> Transfer:
        return self._session.settings.transfer

    @property
    def carried(self) -> Mapping[str, str]:
        """By this the target joins the transferee, should nobody be there when it answers. Where
        an operator's command has asked, that has failed by then, and says so."""
        kept: dict[str, str] = dict(self._asker.carried)
        if self._asker.is_transferor:
            kept[Mark.KEPT] = self.transferee.channel_uuid
        return kept

    @property
    def awaits_target(self) -> bool:
        return self.snapshot.awaits_target

    @property
    def awaits_call(self) -> bool:
        return self.snapshot.awaits_target

    def timers(self, rings_s: float) -> list[Command]:
        """None besides our own."""
        return []

    def call_target(self, target: Leg, ring_timeout_s: float) -> None:
        """``target`` is being called."""
        self.target = target
        self.ring_anew(target, ring_timeout_s)

    def ring_anew(self, target: Leg, ring_timeout_s: float) -> None:
        """It has its whole time to ring, at each address."""
        self._ring_timeout_s = ring_timeout_s
        if self.snapshot.state is State.CALLING:
            self._engine.set_deadline()
            self._post(self._owing())

    def rings(self, target: Leg) -> None:
        """It does."""
        self._post(self._asker.rings())

    def hold(self, target: Leg) -> None:
        """It has answered, and its leg is in our hands."""
        self._feed(Stimulus.TARGET_ANSWERED)

    def failed(self, target: Leg, status: SipStatus, *, handled: bool) -> None:
        """Nobody has answered, at no place."""
        self._feed(Stimulus.TARGET_FAILED, status)

    def not_reached(self, target: Leg, status: SipStatus, uses: int) -> None:
        """FreeSWITCH calls nobody for the transferee."""

    def target_handler_failed(self, target: Leg) -> None:
        """It is joined all the same: no handler has asked for it."""

    # -- what happens ---------------------------------------------------------------------------

    def keeps(self, leg: Leg) -> bool:
        """Whether the end of what ``leg`` does now is our affair."""
        return self.is_open and leg in (self.transferee, self.transferor)

    def note(self, event: Event) -> None:
        """An event of the session's link."""
        if event.get("Application-UUID") in self._set_aside:
            self._put_off.append(event)
        if self.is_open and self._asker.note(event):
            self.cancel(SipStatus(487))

    def cancel(self, status: SipStatus) -> None:
        """Whoever has asked for it takes it back; too late once the target has answered."""
        self._feed(Stimulus.CANCELLED, status)

    def overtaken(self) -> None:
        """A REFER of one of the first two has come."""
        self._feed(Stimulus.OVERTAKEN)

    def bridged(self, pair: set[Leg]) -> None:
        """Two of our calls have been bridged."""
        if pair == {self.transferee, self.transferor}:
            self._feed(Stimulus.LEGS_REJOINED)
        elif pair == {self.transferee, self.target}:
            self._joined()
        elif self.transferee in pair:
            self.taken()

    def came_back(self, leg: Leg) -> bool:
        """A leg has come to us, alone; false: that is not our affair."""
        if not self.keeps(leg) or self.has_joined:
            return False
        if leg is self.transferee:
            self._feed(Stimulus.TRANSFEREE_HOME)
        else:
            self._session.after(_FETCH_S, self._look_for_transferee)
        return True

    def _look_for_transferee(self) -> None:
        """Its transferor is alone with us: has it hung up, is it here, or does somebody have it?"""
        there = self.transferee.alive and not self.transferee.held
        if there and self.snapshot.state is State.CALLING:
            self.taken()

    def hung_up(self, leg: Leg) -> None:
        """A leg of the session has."""
        if leg is self.transferee:
            self._feed(Stimulus.TRANSFEREE_HANGUP)
        elif leg is self.transferor:
            self._feed(Stimulus.TRANSFEROR_HANGUP)
        elif leg is self.target:
            self._feed(Stimulus.TARGET_FAILED, SipStatus(487))

    def taken(self) -> None:
        """Somebody else has the transferee."""
        self._feed(Stimulus.TRANSFEREE_TAKEN)

    def completed_elsewhere(self) -> None:
        """It talks with somebody whom we do not know."""
        self.taken()

    def target_left(self) -> bool:
        """Asked of the transferee that is back in our hands: see `came_back`."""
        return False

    def entertain(self) -> bool:
        """The transferee is to hear ringback; false: it does already, or talks."""
        alone = self.snapshot.transferee is Place.HOME and not self.entertained
        self.entertained = self.entertained or alone
        return alone

    def stop_entertaining(self) -> None:
        """The application lets it hear something else."""
        self.entertained = False

    def join(self, target: Leg) -> None:
        """No application joins its target. Raises ValueError."""
        raise ValueError("the target of this transfer is joined as soon as it answers")

    def join_given_up(self) -> None:
        """As that: it never happens."""

    def broken(self) -> None:
        """Something has raised that should not have."""
        self._feed(Stimulus.BROKEN, SipStatus(500))

    def hand_over(self) -> None:
        """The session ends."""
        if not self._session.link.closed:
            try:
                self._feed(Stimulus.HANDED_OVER)
            except (LinkError, ChannelGone) as error:
                log.info("%s kept transfer: not handed over: %s", self._session.id, error)
        self._feed(Stimulus.SWITCH_LOST)

    # -- the table ------------------------------------------------------------------------------

    def _feed(self, stimulus: Stimulus, status: SipStatus | None = None) -> None:
        """Step the table; late news of a join count first. Raises LinkError, ChannelGone."""
        doubted = stimulus in (Stimulus.DEADLINE, Stimulus.TARGET_FAILED)
        if doubted and self.snapshot.state in (State.CALLING, State.JOINING) and self._is_joined():
            self._joined()
            return
        self._engine.feed(stimulus, status)

    def _joined(self) -> None:
        """Transferee and target talk; it may be the dialplan that has joined them."""
        if self.target is not None:
            self._session.part(Calls).outgoing.pop(self.target.callee, None)
            self.target.advance(LegState.CONNECTED)
        self._engine.feed(Stimulus.LEGS_JOINED)

    def _is_joined(self) -> bool:
        """Whether transferee and target talk: the news of it may be late."""
        target, link = self.target, self._session.link
        if target is None or link.closed:
            return False
        partner = read(link, self.transferee.channel_uuid, "bridge_to")
        return branches.is_channel_of(self._session, target, partner)

    def _seconds(self, snapshot: Kept) -> float | None:
        section = self._session.settings.transfer
        seconds = {
            "ring_timeout_s": self._ring_timeout_s + _GRACE_S,
            "join_timeout_s": JOIN_TIMEOUT_S,
            "release_transferor_after_s": section.release_transferor_after_s + _GRACE_S,
        }
        setting = DEADLINES.get(snapshot.state)
        return None if setting is None else seconds[setting]

    def _act(self, actions: tuple[Action, ...]) -> None:
        known: Stimulus | None = None
        try:
            for action in actions:
                known = self._perform(action) or known
        except (LinkError, ChannelGone):
            if Action.CONCLUDE in actions and self._session.link.closed:
                self._conclude(ours=False)
            raise
        if known is not None:
            self._feed(known)

    def _perform(self, action: Action) -> Stimulus | None:
        """Do it; returns what is known by it. Raises LinkError, ChannelGone."""
        match action:
            case Action.REJOIN:
                return self._rejoin()
            case Action.JOIN:
                return self._join()
            case Action.KEEP:
                self._keep()
            case Action.CALL:
                self._call()
            case Action.HANG_UP_TARGET:
                if self.target is not None and self.target.alive:
                    self.target.ending = True
                    branches.hang_up(self._session, self.target, "ORIGINATOR_CANCEL")
            case Action.FETCH:
                self._session.after(_FETCH_S, self._fetch)
            case Action.TELL_SUCCESS | Action.TELL_FAILURE:
                self._tell()
            case Action.RINGBACK:
                self._wait_alone()
            case Action.LET_BE:
                self._let_be()
            case Action.RECALL:
                self._recall()
            case Action.RELEASE:
                self._release()
            case Action.HANG_UP_TRANSFEROR:
                if self.transferor is not None:
                    self._post([UuidKill(self.transferor.channel_uuid, "BLIND_TRANSFER")])
            case Action.CONCLUDE | Action.LEAVE_RECORD:
                self._conclude(ours=action is Action.CONCLUDE)
        return None

    # -- the first two --------------------------------------------------------------------------

    def _rejoin(self) -> Stimulus | None:
        """Join them; the transferee is kept from then on."""
        session, transferor = self._session, self.transferor
        if transferor is None:
            return Stimulus.REJOIN_FAILED
        session.part(Calls).lends = True
        commands = [*self._owing(), timers.unless_talking(transferor.channel_uuid, _ALONE_S)]
        for leg, peer in ((self.transferee, transferor), (transferor, self.transferee)):
            leg.pending_peer, leg.forsaken_at = peer, None
            armed = arming(leg, peer, session.board.home, session.settings)
            commands.append(UuidSetvarMulti(leg.channel_uuid, tuple(armed.items())))
        kept = {**_FORGOTTEN, NOTES_JOIN: "", "originate_disposition": "", Mark.STAGE: Stage.KEPT}
        # Else who is the originator of this bridge may be hung up after it, by its dialplan's word.
        kept |= {"hangup_after_bridge": "false"}
        commands += [
            UuidSetvarMulti(transferor.channel_uuid, tuple(_FORGOTTEN.items())),
            *bridge_commands(self.transferee, transferor, kept),
        ]
        if session.link.send_all(commands)[-1].ok:
            self.transferee.held = transferor.held = False
            return None
        for leg in (self.transferee, transferor):
            leg.pending_peer = None
        return Stimulus.REJOIN_FAILED

    def _keep(self) -> None:
        """Nobody is moved: the transferee comes to us by its own channel's word. One that whoever
        runs the switch has sent elsewhere after its talk goes there, and is lost to us."""
        session, uuid = self._session, self.transferee.channel_uuid
        dials = session.part(Calls).dials
        pair = (self.transferee, self.transferor)
        for execution, dial in list(dials.items()):
            if dial.waiting in pair and dial.outgoing in pair:
                self._set_aside[execution] = dials.pop(execution)
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
        if self.transferor is not None and self.transferor.alive:
            other = self.transferor.channel_uuid
            commands.append(owing("blind", other, uuid, self._asker.refer, self._asker.start))
            values = read_several(session.link, other, *_OURS)
            self._before_of_other = {name: v or "" for name, v in zip(_OURS, values, strict=True)}
            ours = ((Mark.HOME, session.board.home), (Mark.SESSION, session.id))
            commands.append(UuidSetvarMulti(other, ours))
        session.link.send_all(commands)[0].raise_for_error()

    def _owing(self) -> list[Command]:
        """What FreeSWITCH does when we are gone, and the target has not answered."""
        section, transferee = self._session.settings.transfer, self.transferee.channel_uuid
        after_s = self._ring_timeout_s + _GRACE_S + section.rescue_after_s
        commands = self._asker.owe(transferee, _OWED, after_s)
        if self.snapshot.transferee is Place.HOME:
            return [*commands, *timers.send_on(transferee, after_s)]
        whole_s = round(after_s)
        return [
            *commands,
            SchedDel(transferee),
            SchedApi(whole_s, transferee, UuidSetvar(transferee, Mark.STAGE, Stage.JOINED)),
            SchedApi(whole_s, transferee, UuidSetvar(transferee, AFTERWARDS)),
        ]

    def _wait_alone(self) -> None:
        """Its partner has left: the transferee waits for the target, as in any other transfer."""
        self._post(self._owing())
        media.entertain(self)

    def _let_be(self) -> None:
        """Everybody is where it was; what we have set for our own sake goes."""
        uuid = self.transferee.channel_uuid
        self._give_back()
        after = self._before or {Mark.STAGE: Stage.LENT}
        commands = [*self._disarming(), UuidSetvarMulti(uuid, tuple(after.items()))]
        if self._before_of_other and self.transferor is not None:
            before = tuple(self._before_of_other.items())
            commands.append(UuidSetvarMulti(self.transferor.channel_uuid, before))
        self._post(commands)
        self._when_failed()

    def _give_back(self) -> None:
        """The end of what joins the first two is the end of a call again."""
        self._session.part(Calls).dials.update(self._set_aside)
        for event in self._put_off:
            self._session.hear(event)
        self._set_aside, self._put_off = {}, []

    def _recall(self) -> None:
        """The transferee is alone: its dialplan calls the transferor again, or does what is
        configured."""
        self.entertained = False
        uuid = self.transferee.channel_uuid
        commands = [*self._disarming(), *safe_answers.forsake(self._session, self.transferee)]
        self._post([*commands, UuidBreak(uuid, everything=True)])

    def _fetch(self) -> None:
        """The join was given up before it had begun: nothing else ends that for the transferee."""
        if self.snapshot.state is State.JOINING and self.transferee.alive:
            uuid = self.transferee.channel_uuid
            self._post([UuidTransfer(uuid, Extension.RETURNING, Context.RETURN)])

    # -- the target -----------------------------------------------------------------------------

    def _call(self) -> None:
        """Call it, by itself. What stands in the way becomes a failure, a bit later."""
        session = self._session
        try:
            call_out(session, self._destination, self._options, wanted=(self, self.transferee))
        except ValueError as error:
            log.warning("%s: transfer refused: %s", session.id, error)
            session.post(lambda: self._feed(Stimulus.TARGET_FAILED, SipStatus(400)))

    def _join(self) -> Stimulus | None:
        """Join transferee and target, who may both transfer on.

        A transferee that is in a dialplan of its own is hung up when the talk is over; one that is
        in ours may as well be the bridge's originator, and comes back by itself if there is none.
        """
        session, transferee, target = self._session, self.transferee, self.target
        assert target is not None  # it has answered
        commands: list[Command] = []
        for leg, peer in ((transferee, target), (target, transferee)):
            leg.peer, leg.pending_peer, leg.forsaken_at = None, peer, None
            armed = arming(leg, peer, session.board.home, session.settings)
            commands.append(UuidSetvarMulti(leg.channel_uuid, tuple(armed.items())))
        if self.transferor is not None:
            self.transferor.peer = self.transferor.pending_peer = None
        if not self._began_apart:
            commands += leftovers.clearing_of_another(transferee.channel_uuid, None)
        if session.link_leg not in session.calls:
            session.change_link()  # it was opened by whoever has asked
        commands += [UuidSetvar(target.channel_uuid, Mark.KEPT), *self._recording(target)]
        first, second = (transferee, target) if self._began_apart else (target, transferee)
        commands += bridge_commands(first, second, {"originate_disposition": ""})
        if session.link.send_all(commands)[-1].ok:
            transferee.held = target.held = False
            return None
        transferee.pending_peer = target.pending_peer = None
        return Stimulus.JOIN_FAILED

    def _recording(self, target: Leg) -> list[Command]:
        """What becomes of one when the transferee is moved."""
        by = self.transferor
        channel = by.channel_uuid if by is not None and by.alive else ""
        number = by.number if by is not None else ""
        steps = recording.at_join(self.transferee, channel, number, target.number)
        return (
            [UuidSetvarMulti(self.transferee.channel_uuid, tuple(steps.items()))] if steps else []
        )

    def _release(self) -> None:
        """The transferor has nobody to talk with any more.

        One that has not asked for it is where it would be without us, unless we have taken its
        partner from it; and a transferee that somebody else has is no longer for us.
        """
        session, transferor = self._session, self.transferor
        commands = self._disarming()
        succeeds = self.snapshot.state is State.RELEASING
        if transferor is not None and transferor.alive:
            uuid = transferor.channel_uuid
            seconds = session.settings.transfer.release_transferor_after_s
            if self._asker.hangs_up:
                commands.append(SchedHangup(seconds, uuid, "BLIND_TRANSFER"))
            elif succeeds:
                commands.append(UuidKill(uuid))
        if not succeeds:
            before = self._before or {Mark.STAGE: ""}
            transferee = self.transferee.channel_uuid
            commands.append(UuidSetvarMulti(transferee, tuple(before.items())))
            self._give_back()
        self._post(commands)

    # -- the end --------------------------------------------------------------------------------

    def _tell(self) -> None:
        """Tell whoever has asked, unless the dialplan has while we stood still."""
        status = self.snapshot.reported
        assert status is not None  # set by the step that asks for this
        if self._asker.has_told():
            return
        if self._asker.hangs_up and self.transferor is not None:
            safe_answers.let_hear(self.transferor)
        verdict = self.asking.verdict if self.asking is not None else None
        why = verdict.why if verdict is not None and not verdict.allowed else ""
        # One that is to be released stays known as a transferor: were it not, FreeSWITCH would hang
        # it up as soon as we are gone, and its BYE overtake the NOTIFY.
        nothing = [] if status.is_success else self._asker.owe_nothing()
        self._session.link.send_all([*nothing, *self._asker.tell(status, why)])

    def _disarming(self) -> list[Command]:
        uuids = [leg.channel_uuid for leg in (self.transferee, self.transferor) if leg is not None]
        return [command for uuid in uuids for command in timers.disarm(uuid)]

    def _post(self, commands: list[Command]) -> None:
        """Send what may as well come too late."""
        if not commands:
            return
        try:
            self._session.link.post(*commands)
        except (LinkError, ChannelGone) as error:
            log.info("%s kept transfer: not told to FreeSWITCH: %s", self._session.id, error)

    def _conclude(self, *, ours: bool) -> None:
        conclude(
            "blind",
            self.transferor,
            self.transferee,
            self.target,
            _OUTCOMES[self.snapshot.state],
            self.snapshot.result,
            refer=self._asker.refer,
            ours=ours,
            asking=self.asking,
            decided=self._decided,
            start=self._asker.start,
        )


def begin(
    session: Session,
    transferee: Leg,
    transferor: Leg | None,
    target: str | Uri,
    asker: Reporting,
    *,
    parted: bool = False,
    options: CallOptions = NO_OPTIONS,
    asking: Asking | None = None,
    diversion: Diversion | None = None,
    decided: Decided = BY_SETTINGS,
    when_failed: Callable[[], None] = lambda: None,
) -> KeptTransfer:
    """Have ``transferee`` talk with ``target`` as soon as that answers, called by its number.

    ``transferor`` is whom it talks with now, and who is released then; None: nobody, or an
    application. They talk on until then, and if nothing comes of it. ``parted``: FreeSWITCH has
    taken them apart, and they are joined first. ``asker`` is told, ``asking`` is what the policy
    judges. ``when_failed`` is called when all talk on.

    Called in the session's greenlet. Raises ValueError when one of the two is in another transfer,
    LinkError, ChannelGone.
    """
    kept, pair = session.part(KeptTransfers), [leg for leg in (transferee, transferor) if leg]
    if not parted and (
        any(session.movers.party(leg) for leg in pair)
        or session.board.part(AttendedTransfers).concern(pair)
    ):
        raise ValueError("one of the two is in another transfer")
    made = KeptTransfer(
        session,
        transferee,
        transferor,
        target,
        asker,
        options=options,
        asking=asking,
        diversion=diversion,
        decided=decided,
        when_failed=when_failed,
    )
    kept.add(made)
    made.begin(parted=parted)
    return made
