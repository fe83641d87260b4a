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
from collections.abc import Mapping

from fsctl.errors import ChannelGone, LinkError
from fsctl.esl.commands import Command
from fsctl.esl.events import Event
from fsctl.session.calling import media
from fsctl.session.calling.calls import Calls
from fsctl.session.calling.originated import call_out
from fsctl.session.core import branches
from fsctl.session.core.leg import Leg, LegState
from fsctl.session.core.session import Session
from fsctl.session.transfers.deadlines import seconds
from fsctl.session.transfers.engine import Engine
from fsctl.session.transfers.kept_acts import KeptActs, KeptRequest
from fsctl.session.transfers.record import OUTCOMES, begun, conclude
from fsctl.settings import Transfer
from fsctl.sip.status import SipStatus
from fsctl.switch.marks import Mark, Stage
from fsctl.switch.variables import read
from fsctl.transfer.kept import DEADLINES, Action, Kept, Place, State, Stimulus, step

log = logging.getLogger(__name__)

_FETCH_S = 1.0
"""A transferee whose join has failed comes back by itself by then, if it does."""
_NOBODY_IS_MOVED = frozenset({Action.LET_BE, Action.RELEASE})
"""Unless the target is joined."""


class KeptTransfer:
    """One such transfer, from the question to its one answer.

    It is the purpose (`session.core.purpose`) for which its target is called.
    """

    moves = True
    told_by_switch = False
    stage = Stage.CALLED

    def __init__(self, session: Session, request: KeptRequest) -> None:
        self.transferee = request.transferee
        self.transferor = request.transferor
        self.asking = request.asking
        self.diversion = request.diversion
        self.entertained = False
        """The transferee hears ringback by our own doing: it waits alone."""
        self._session = session
        self._request = request
        self._asker = request.asker
        self._acts = KeptActs(session, request)
        there = self.transferor is not None and self.transferor.alive
        self._engine = Engine(
            session,
            begun(
                session,
                "blind",
                self.transferor,
                self.transferee,
                self._asker.refer,
                str(request.destination),
                self._asker.start,
            ),
            f"kept transfer of {self.transferee.channel_uuid}",
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

    @property
    def target(self) -> Leg | None:
        """Whom we call; set by `call_target`."""
        return self._acts.target

    def begin(self) -> None:
        """Begin."""
        self._feed(Stimulus.PARTED if self._request.parted else Stimulus.TALKING)

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
        self._acts.target = target
        self.ring_anew(target, ring_timeout_s)

    def ring_anew(self, target: Leg, ring_timeout_s: float) -> None:
        """It has its whole time to ring, at each address."""
        self._acts.ring_timeout_s = ring_timeout_s
        if self.snapshot.state is State.CALLING:
            self._engine.set_deadline()
            self._acts.ring(self.snapshot)

    def rings(self, target: Leg) -> None:
        """It does."""
        self._acts.tell_ringing()

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
        self._acts.dials.note(event)
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
        return seconds(DEADLINES.get(snapshot.state), section, self._acts.ring_timeout_s)

    def _act(self, actions: tuple[Action, ...]) -> None:
        known: Stimulus | None = None
        if not self.has_joined and not _NOBODY_IS_MOVED.isdisjoint(actions):
            self._acts.dials.give_back()  # their ends may come while the others wait
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
            case Action.CALL:
                self._call()
            case Action.FETCH:
                self._session.after(_FETCH_S, self._fetch)
            case Action.RINGBACK:
                # Its partner has left: the transferee waits, as in any other transfer.
                self._acts.ring(self.snapshot)
                media.entertain(self)
            case Action.CONCLUDE | Action.LEAVE_RECORD:
                self._conclude(ours=action is Action.CONCLUDE)
            case _:
                return self._acts.perform(action, self.snapshot)
        return None

    def _call(self) -> None:
        """Call it, by itself. What stands in the way becomes a failure, a bit later."""
        session, request = self._session, self._request
        try:
            wanted = (self, self.transferee)
            call_out(session, request.destination, request.options, wanted=wanted)
        except ValueError as error:
            log.warning("%s: transfer refused: %s", session.id, error)
            session.post(lambda: self._feed(Stimulus.TARGET_FAILED, SipStatus(400)))

    def _fetch(self) -> None:
        """The join was given up before it had begun, perhaps."""
        if self.snapshot.state is State.JOINING and self.transferee.alive:
            self._acts.fetch()

    def _conclude(self, *, ours: bool) -> None:
        conclude(
            "blind",
            self.transferor,
            self.transferee,
            self.target,
            OUTCOMES[self.snapshot.state.value],
            self.snapshot.result,
            refer=self._asker.refer,
            ours=ours,
            asking=self.asking,
            decided=self._request.decided,
            start=self._asker.start,
        )
