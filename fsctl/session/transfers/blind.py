"""A blind transfer inside the running session: runs the table of :mod:`fsctl.transfer.blind`.

The table decides, this file acts. ``blind_transfer_uuid`` stays set on the transferee as long as
possible: while it is set, the death of every controller ends in a NOTIFY and the first two talking
(switch_core_state_machine.c), and FreeSWITCH itself reports success when transferee and target are
bridged.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

from fsctl import journal
from fsctl.errors import ChannelGone, LinkError
from fsctl.esl.commands import (
    Command,
    SchedHangup,
    UuidBreak,
    UuidKill,
    UuidSetvar,
    UuidSetvarMulti,
)
from fsctl.policy.judge import Asking
from fsctl.session.calling import recording, safe_answers, sounds
from fsctl.session.calling.bridging import bridge_commands
from fsctl.session.core import branches
from fsctl.session.core.diversion import Diversion
from fsctl.session.core.leg import Leg, LegState, paired
from fsctl.session.core.session import Session
from fsctl.session.transfers import devices, leaving, taken_away
from fsctl.session.transfers.engine import Engine
from fsctl.session.transfers.meanwhile import look
from fsctl.session.transfers.record import BY_SETTINGS, Decided, Outcome, begun, conclude
from fsctl.session.transfers.registry import BlindTransfers
from fsctl.session.transfers.reporter import REPORT_S, SOONEST_S, Reporter, of_last_refer
from fsctl.session.transfers.timing import Timing
from fsctl.setting_tones import SILENCE
from fsctl.settings import Transfer
from fsctl.sip.status import SipStatus
from fsctl.switch.marks import Mark, Stage
from fsctl.switch.notify import NOTES_JOIN
from fsctl.switch.refer_variables import (
    SIGNS_OF_BRIDGE,
    RawRequest,
    bridge_began,
    bridged_with,
)
from fsctl.switch.variables import read, read_several
from fsctl.transfer.blind import (
    DEADLINES,
    Action,
    Snapshot,
    State,
    Stimulus,
    Teller,
    admit,
    answers,
    step,
)
from fsctl.transfer.blind_truth import News, Question, asks, in_truth

log = logging.getLogger(__name__)

JOIN_TIMEOUT_S = 5.0
VOUCHED_S = 1.0
"""How soon after its report of success an application joins; later the report goes out alone."""
_OUTCOMES: dict[State, Outcome] = {
    State.SUCCEEDED: "succeeded",
    State.FAILED: "failed",
    State.ABANDONED: "abandoned",
}
_GRACE_S = 3.0
"""FreeSWITCH's own timers end a wait first; ours follows this much later."""
_OF_TIMERS = frozenset({Action.SET_TIMERS, Action.SET_ONE_TIMER, Action.DELETE_TIMERS})
_WITHOUT_COMMANDS = frozenset({Action.BEGIN_ANEW, Action.BLAME, Action.FORGET_TARGET, Action.PAIR})
_BEHIND = frozenset(
    {Action.WATCH_TRANSFEREE, Action.GIVE_AWAY, Action.CONCLUDE, Action.LEAVE_RECORD}
)
"""Done when what comes before them has been sent."""
_FORGOTTEN = {"blind_transfer_uuid": "", Mark.REFERRED: ""}
"""Set, FreeSWITCH would report the first two's join as the transfer's success."""


class BlindTransfer:
    """One REFER in a running session, from its arrival to its one final report."""

    def __init__(
        self,
        session: Session,
        transferor: Leg,
        transferee: Leg,
        request: RawRequest,
        timed_s: float | None = None,
    ) -> None:
        """``timed_s``: the dialplan has armed timers of both legs, which fire so late."""
        self.transferor = transferor
        self.transferee = transferee
        self.targets: list[Leg] = []
        """Whom the application calls; more than one when it has them ring together."""
        self.request = request
        self.asking: Asking | None = None
        """What the policy judges. Set when the request is read; None: it is not asked."""
        self.decided: Decided = BY_SETTINGS
        """Who decides. Set by who gives the request to them."""
        self.diversion: Diversion | None = None
        """What the target may be told of it. Set when the request is read, and anew when it is the
        settings that decide."""
        self._session = session
        self._reporter = Reporter(transferor.channel_uuid, request.event)
        self._held: Leg | None = None
        """The target that has answered the application. Set by `hold`; cleared when another one is
        called for the transferee."""
        self._ring_timeout_s = float(session.settings.transfer.ring_timeout_s)
        """Of the target that was called last."""
        listens = self._reporter.listens
        self._engine = Engine(
            session,
            begun(session, "blind", transferor, transferee, request.event, request.refer_to),
            f"blind transfer by {transferor.channel_uuid}",
            Snapshot(
                transferor_present=transferor.alive or listens,
                teller=Teller.SWITCH if listens else Teller.NOBODY,
            ),
            step,
            act=self._act,
            seconds=self._seconds,
            expired=lambda: self._feed(Stimulus.DEADLINE),
        )
        self._timing = Timing(session, transferee, transferor, timed_s)
        if timed_s is None:
            self._post(self._commands(Action.SET_TIMERS))

    @property
    def snapshot(self) -> Snapshot:
        """How it stands."""
        return self._engine.snapshot

    @property
    def is_open(self) -> bool:
        return self.snapshot.is_open

    @property
    def awaits_target(self) -> bool:
        """The transferee is free for a target: none has been joined with it yet."""
        return self.snapshot.awaits_target

    @property
    def is_undecided(self) -> bool:
        """Nobody has decided yet, nor is anything else being done."""
        return self.snapshot.state is State.REQUESTED

    @property
    def awaits_call(self) -> bool:
        """The application has not decided, or its targets still ring: it may call another one."""
        return self.snapshot.awaits_call

    @property
    def entertained(self) -> bool:
        """The transferee hears ringback by our own doing."""
        return self.snapshot.entertained

    @property
    def target(self) -> Leg | None:
        """The target that was called last, or the one that has answered."""
        return self.targets[-1] if self.targets else None

    @property
    def has_joined(self) -> bool:
        """Transferee and target have been bridged; the transferor is still to go."""
        return self.snapshot.state is State.RELEASING

    @property
    def is_taken(self) -> bool:
        """Somebody else has the transferee, and it is not known yet whom it will talk with."""
        return self.snapshot.state is State.TAKEN

    # -- why its targets are called (session.core.purpose) --------------------------------------

    @property
    def moves(self) -> bool:
        return True

    @property
    def told_by_switch(self) -> bool:
        return False  # the join, yes; a failure is told by us

    @property
    def defaults(self) -> Transfer:
        return self._session.settings.transfer

    @property
    def stage(self) -> Stage:
        return Stage.CALLING

    @property
    def carried(self) -> Mapping[str, str]:
        return {}

    def timers(self, rings_s: float) -> list[Command]:
        """They go out with the call: no wait begins before its timers fit it.

        Raises ChannelGone: we have stood still, and somebody else has the transferee by now.
        """
        self._look_if_late()
        return self._timing.ring(rings_s + _GRACE_S)

    def _look_if_late(self) -> None:
        """The dialplan sends a leg on with which nothing has been done for long."""
        link, claim_s = self._session.link, self._session.settings.dialplan.claim_timeout_s
        if not self.is_undecided or link.age_s < 2 * claim_s:
            return
        seen = look(link, self.transferor, self.request)
        if seen.sent_on or seen.transferee_gone or seen.told is not None:
            raise ChannelGone(f"{self.transferee} is somebody else's by now")

    def wait(self) -> None:
        """Whoever decides has been asked: until it does, FreeSWITCH's timers are for that."""
        if self.is_undecided and self._timing.of_dialplan:
            self._post(self._commands(Action.SET_TIMERS))

    def rings(self, target: Leg) -> None:
        """The transferee hears ringback already."""

    def tell_referred_by(self) -> None:
        """No scenario decides: the target is told the REFER's own, where the settings send it."""
        if self.diversion is not None:
            self.diversion = replace(self.diversion, referred_by=self.request.referred_by or "")

    # -- the application ----------------------------------------------------------------------

    def report_success(self) -> None:
        """The application reports success now; without effect once a party has left.

        Raises ValueError when it has reported already.
        """
        kept = bool(self.targets) and not self._is_calling()
        self._report(Stimulus.TRANSFEREE_KEPT if kept else Stimulus.SUCCESS_REPORTED)

    def report_failure(self, status: SipStatus) -> None:
        """The application reports failure: the first two talk on; as :meth:`report_success`.

        Raises ValueError also when the target is being joined (FreeSWITCH reports success then),
        and when the status is not a failure.
        """
        self._report(Stimulus.FAILURE_REPORTED, status)

    def _report(self, reported: Stimulus, status: SipStatus | None = None) -> None:
        if admit(self.snapshot, reported, status):
            self._feed(reported, status)
        else:
            log.info("%s transfer: reported too late", self._session.id)

    def call_target(self, target: Leg, ring_timeout_s: float) -> None:
        """The application calls ``target`` for the transferee."""
        self.targets = [call for call in self.targets if call.alive] + [target]
        if self.is_undecided:
            self._entertain_transferor()
        self._held, self._ring_timeout_s = None, ring_timeout_s
        self._feed(Stimulus.TARGET_CALLED)

    def _entertain_transferor(self) -> None:
        """FreeSWITCH parks it in silence; whatever takes it from there ends what it hears."""
        sound = self._session.settings.transfer.transferor_hears
        if sound != SILENCE and self.transferor.alive:
            self._session.link.post(sounds.without_end(self.transferor, sound))

    def ring_anew(self, target: Leg, ring_timeout_s: float) -> None:
        """The same target is called at another address, or somebody in its place."""
        if self.awaits_target and target is self.target:
            self._ring_timeout_s = ring_timeout_s
            self._feed(Stimulus.RINGS_ANEW)

    def hold(self, target: Leg) -> None:
        """``target`` has answered the application, which is to join it with the transferee."""
        self._choose(target)
        self._held = target
        self._feed(Stimulus.TARGET_HELD)

    def join(self, target: Leg) -> None:
        """The application joins ``target`` with the transferee, now.

        Raises ValueError when it cannot: the transfer has failed, or been joined already.
        """
        if not answers(self.snapshot, Stimulus.JOIN_ASKED):
            raise ValueError(f"no target is held in a transfer that is {self.snapshot.state.value}")
        self._choose(target)
        self._feed(Stimulus.JOIN_ASKED)

    def join_given_up(self) -> None:
        """FreeSWITCH could not join the target: the transferee has not been moved."""
        self._feed(Stimulus.JOIN_GIVEN_UP)

    def entertain(self) -> bool:
        """The transferee is to hear ringback by our own doing; False: it does, or may not."""
        before = self.entertained
        self._feed(Stimulus.RINGBACK_BEGINS)
        return self.entertained and not before

    def stop_entertaining(self) -> None:
        """The application lets the transferee hear something else."""
        self._feed(Stimulus.RINGBACK_ENDS)

    def handler_failed(self, status: SipStatus) -> None:
        """The handler of the request has: as :meth:`give_up`, unless FreeSWITCH calls the target by
        its wish."""
        if self.snapshot.falls_with_handler:
            self.give_up(status)

    def give_up(self, status: SipStatus) -> None:
        """It cannot be served, or its scenario has failed: the first two talk on."""
        self._feed(Stimulus.GIVEN_UP, status)

    def broken(self) -> None:
        """Something has raised that should not have: what nobody has decided on has failed."""
        self._feed(Stimulus.BROKEN, SipStatus(500))

    # -- the legs -----------------------------------------------------------------------------

    def answered(self, call: Leg) -> None:
        """A party that was called has answered."""
        if call is self.target:
            self._feed(Stimulus.TARGET_ANSWERED)

    def hung_up(self, call: Leg) -> None:
        """A leg of the session has."""
        if call is self.transferee:
            with_none = self._is_none(call.talked_with)
            untold = self.has_joined and self.target is not None and with_none
            self._feed(Stimulus.LEFT_AS_JOINED if untold else Stimulus.TRANSFEREE_HANGUP)
        elif call is self.transferor:
            self._feed(Stimulus.TRANSFEROR_HANGUP)
        else:
            self.target_failed(call, SipStatus(487))

    def _is_none(self, talked_with: str | None) -> bool:
        """Whether the transferee, by its own word, has talked with nobody since the REFER."""
        return talked_with in ("", self.transferor.channel_uuid)

    def target_failed(self, target: Leg, status: SipStatus) -> None:
        """``target`` did not answer the application, or has hung up before it was joined."""
        failed = not self._is_calling() if self._held is None else target is self._held
        if failed:
            self._feed(Stimulus.TARGET_LEFT, status)

    def failed(self, target: Leg, status: SipStatus, *, handled: bool) -> None:
        """The application's call of ``target`` has failed."""
        safe_answers.when_thought(self._session, lambda: self.target_failed(target, status))

    def target_handler_failed(self, target: Leg) -> None:
        """``target`` has answered the application, whose handler of that has raised."""
        if self.awaits_target:
            self.give_up(SipStatus(500))
        else:
            safe_answers.unwanted(target)

    def not_reached(self, target: Leg, status: SipStatus, uses: int = 0) -> None:
        """FreeSWITCH could not reach ``target`` for the transferee."""
        if self.target is target:
            self.fail(status)

    def fail(self, status: SipStatus) -> None:
        """FreeSWITCH does not call the target any more: it has failed with this ``status``."""
        self._feed(Stimulus.TARGET_FAILED, status)

    def _choose(self, target: Leg) -> None:
        self.targets = [call for call in self.targets if call is not target] + [target]

    def _is_calling(self) -> bool:
        return any(call.alive for call in self.targets)

    def has_parted(self, pair: set[Leg]) -> bool:
        """FreeSWITCH has taken these two apart, and nobody has joined them again."""
        rejoining = self.snapshot.state is State.RECONNECTING
        return pair == {self.transferee, self.transferor} and not rejoining

    def taken(self) -> None:
        """Somebody else has taken the transferee, before its target was joined with it."""
        self._feed(Stimulus.TRANSFEREE_TAKEN)

    def completed_elsewhere(self) -> None:
        """The transferee has been joined with somebody whom we have not called."""
        self.taken()
        self._feed(Stimulus.JOINED_ELSEWHERE)

    def keep_talking(self) -> None:
        """The first two talk until the target answers: that is another kind of transfer."""
        self._feed(Stimulus.KEPT)

    def withdraw(self) -> None:
        """The very same REFER has come home again: that is its transfer from now on."""
        self._feed(Stimulus.WITHDRAWN)

    def bridged(self, pair: set[Leg]) -> None:
        """Two of our calls have been bridged."""
        if pair == {self.transferee, self.transferor}:
            self._feed(Stimulus.LEGS_REJOINED)
        elif pair == {self.transferee, self.target}:
            self._feed(Stimulus.LEGS_JOINED)
        elif self.transferee in pair:
            self._feed(Stimulus.JOINED_ELSEWHERE)

    def transferor_is_back(self) -> None:
        """It had been joined with its transferee again, and that is over before we heard of it."""
        self._feed(Stimulus.TRANSFEROR_BACK)

    def target_left(self) -> bool:
        """The target has hung up, and its transferee is back in our hands.

        True when it left before FreeSWITCH had reported the join: then the transfer goes on from
        there.
        """
        if self.target is None or not answers(self.snapshot, Stimulus.JOIN_GIVEN_UP):
            return False
        uuid, target = self.transferee.channel_uuid, self.target.channel_uuid
        if bridge_began(self._session.link, uuid, target):
            self._feed(Stimulus.LEGS_JOINED)
            return False
        self._feed(Stimulus.JOIN_GIVEN_UP)
        return True

    # -- the session --------------------------------------------------------------------------

    def hand_over(self) -> None:
        """FreeSWITCH goes on alone, if the link still serves; else the transfer is lost."""
        if not self._session.link.closed:
            try:
                self._feed(Stimulus.HANDED_OVER)
            except (LinkError, ChannelGone) as error:
                log.info("%s transfer: not handed over: %s", self._session.id, error)
        self._feed(Stimulus.SWITCH_LOST)

    # -- the table ----------------------------------------------------------------------------

    def _feed(self, stimulus: Stimulus, status: SipStatus | None = None) -> None:
        """Step the table with what has really happened, and perform its actions.

        Raises LinkError, ChannelGone.
        """
        news, state = News(), self.snapshot.state
        while (question := asks(self.snapshot, stimulus, news)) is not None:
            news = self._ask(question, news)
            if self.snapshot.state is not state:  # somebody else went on while we asked
                if stimulus is Stimulus.DEADLINE:
                    return  # it was that of the state before
                news, state = News(), self.snapshot.state
        for happening in in_truth(self.snapshot, stimulus, status, news):
            self._engine.feed(*happening)

    def _ask(self, question: Question, news: News) -> News:
        match question:
            case Question.JOINED:
                return replace(news, joined=self._is_joined())
            case Question.ELSEWHERE:
                seen = look(self._session.link, self.transferor, self.request)
                return replace(news, elsewhere=seen)

    def _is_joined(self) -> bool:
        """Source: channel variable ``last_bridge_to``, set just before a bridge is told of
        (switch_ivr_bridge.c); with the target it must have begun, else nobody has reported it."""
        link, transferee = self._session.link, self.transferee.channel_uuid
        if self.snapshot.state is State.RECONNECTING:
            partner, joined = self.transferor, read(link, transferee, "last_bridge_to")
        elif self.target is not None:
            partner = self.target
            joined = bridged_with(read_several(link, transferee, *SIGNS_OF_BRIDGE))
        else:
            return False
        return branches.is_channel_of(self._session, partner, joined)

    def _seconds(self, snapshot: Snapshot) -> float | None:
        """How long the transfer may stay as it is."""
        section = self._session.settings.transfer
        seconds: dict[str, float] = {
            "decision_timeout_s": section.decision_timeout_s,
            "ring_timeout_s": self._ring_timeout_s + _GRACE_S,
            "hold_timeout_s": section.hold_timeout_s,
            "vouched_timeout_s": VOUCHED_S,
            "join_timeout_s": JOIN_TIMEOUT_S,
            "release_transferor_after_s": section.release_transferor_after_s + _GRACE_S,
        }
        setting = DEADLINES.get(snapshot.state)
        return None if setting is None else seconds[setting]

    # -- the actions --------------------------------------------------------------------------

    def _act(self, actions: tuple[Action, ...]) -> None:
        """Send the commands of one step in one write, so that nothing comes between them.

        FreeSWITCH obeys a whole write, though its sender be gone (mod_event_socket.c, read_packet):
        a timer that goes is followed by what takes its place. The first two may not be there to be
        joined again, of which their reply tells. Should the link fail in the step that ends the
        transfer, whoever sees the end writes the record.
        """
        rejoined, waiting = True, list[Action]()
        try:
            for action in actions:
                if action in _WITHOUT_COMMANDS:
                    self._do(action)
                elif action in _BEHIND:
                    rejoined = self._send(waiting) and rejoined
                    waiting = []
                    self._do(action)
                else:
                    waiting.append(action)
            rejoined = self._send(waiting) and rejoined
        except (LinkError, ChannelGone):
            if not {Action.CONCLUDE, Action.LEAVE_RECORD}.isdisjoint(actions):
                self._conclude(ours=False)
            raise
        if Action.NOTE_TOLD in actions and self.has_joined:
            self._session.after(REPORT_S, self._look_for_report)
        if Action.REJOIN in actions and not rejoined:
            self._feed(Stimulus.REJOIN_FAILED)

    def _look_for_report(self) -> None:
        """Whoever is still there has not been told, perhaps: then it must not be hung up yet."""
        if not self.has_joined or self.target is None or not self.transferee.alive:
            return
        signs = read_several(self._session.link, self.transferee.channel_uuid, *SIGNS_OF_BRIDGE)
        if any(signs) and self._is_none(bridged_with(signs)):
            self._feed(Stimulus.REPORT_LATE)
            self._session.after(REPORT_S, self._look_for_report)
        elif self.snapshot.report_late:
            self._feed(Stimulus.REPORT_MADE)

    def _send(self, actions: list[Action]) -> bool:
        """Whether the last command of these was obeyed."""
        commands = [command for action in actions for command in self._commands(action)]
        if not commands:
            return True
        if _OF_TIMERS.issuperset(actions):
            self._post(commands)
            return True
        return self._session.link.send_all(commands)[-1].ok

    def _post(self, timers_only: list[Command]) -> None:
        try:
            self._session.link.post(*timers_only)
        except (LinkError, ChannelGone) as error:
            log.info("%s transfer: its timers stay: %s", self._session.id, error)

    def _do(self, action: Action) -> None:
        """Perform what is more than commands, or less."""
        session = self._session
        match action:
            case Action.BEGIN_ANEW:
                self._engine.set_deadline()
            case Action.BLAME:
                log.warning(
                    "%s: the scenario has not decided on the transfer by %s",
                    session.id,
                    self.transferor,
                )
            case Action.FORGET_TARGET:
                self.targets = []
            case Action.PAIR:
                paired(self.transferor, self.transferee)
            case Action.WATCH_TRANSFEREE:
                taken_away.watch(session, self.transferee)
            case Action.GIVE_AWAY:
                for call in (self.transferor, self.transferee):
                    session.give_away(call)
            case Action.CONCLUDE | Action.LEAVE_RECORD:
                self._conclude(ours=action is Action.CONCLUDE)
            case _:
                raise AssertionError(action)

    def _commands(self, action: Action) -> list[Command]:
        """Return what performs ``action``."""
        transferor, transferee = self.transferor.channel_uuid, self.transferee.channel_uuid
        match action:
            case Action.SET_TIMERS:
                return self._timing.wait(self._seconds(self.snapshot) or 0.0)
            case Action.SET_ONE_TIMER:
                return self._timing.park(self._seconds(self.snapshot) or 0.0)
            case Action.DELETE_TIMERS:
                return self._timing.end()
            case Action.TAKE_REPORT:
                return [UuidSetvar(transferee, "blind_transfer_uuid", None)]
            case Action.NOTIFY_SUCCESS | Action.NOTIFY_FAILURE:
                assert self.snapshot.reported is not None  # set by the step that asks for this
                safe_answers.let_hear(self.transferor)
                told = devices.told(self._session, self.transferor, self.snapshot.reported)
                return self._reporter.tell(told)
            case Action.NOTE_TOLD:
                return self._reporter.note()
            case Action.FORGET_TOLD:
                return self._reporter.forget()
            case Action.OWE_REPORT:
                assert self.snapshot.owed is not None  # set by the step that reconnects
                told = devices.told(self._session, self.transferor, self.snapshot.owed)
                return self._reporter.owe(told)
            case Action.HANG_UP_TARGET:
                ringing = [call for call in self.targets if call.alive]
                return [branches.stopping(self._session, call) for call in ringing]
            case Action.REJOIN:
                forgotten = _FORGOTTEN | {NOTES_JOIN: ""}
                forgotten |= recording.forgotten(self._session.settings)
                return [
                    UuidSetvarMulti(transferor, tuple(_FORGOTTEN.items())),
                    *bridge_commands(self.transferee, self.transferor, forgotten),
                ]
            case Action.RELEASE_TRANSFEROR:
                # A timer in FreeSWITCH: it holds when we die. The phone's own BYE comes first.
                seconds = self._session.settings.transfer.release_transferor_after_s
                if self.snapshot.teller is Teller.SWITCH:
                    seconds = max(seconds, SOONEST_S)
                return [SchedHangup(seconds, transferor, "BLIND_TRANSFER")]
            case Action.KEEP_TRANSFEROR | Action.PUT_RELEASE_OFF:
                return self._timing.hold(JOIN_TIMEOUT_S)
            case Action.HANG_UP_TRANSFEROR:
                return [UuidKill(transferor, "BLIND_TRANSFER")]
            case Action.RECALL:
                journal.note("happened", event="recall", session=self._session.id)
                return safe_answers.forsake(self._session, self.transferee)
            case Action.STOP_RINGBACK:
                return [UuidBreak(transferee, everything=True)]
            case _:
                raise AssertionError(action)

    def _conclude(self, *, ours: bool) -> None:
        leaves = ours and leaving.begin(self._session, self.transferee, self.target)
        conclude(
            "blind",
            self.transferor,
            self.transferee,
            self.target,
            _OUTCOMES[self.snapshot.state],
            self.snapshot.result,
            refer=self.request.event,
            ours=ours,
            asking=self.asking,
            decided=self.decided,
        )
        if leaves:
            self._session.leave()


def abandon(session: Session, transferor: Leg, transferee: Leg) -> None:
    """The transferee hung up between the REFER and its coming home: tell and release the other."""
    reporter = of_last_refer(session.link, transferor.channel_uuid)
    event = reporter.event
    if event is not None and session.part(BlindTransfers).knows(transferor, event):
        return
    if reporter.has_told(session.link):
        return  # another worker had the transfer, and has reported it
    if event is None:
        transferor.advance(LegState.DISCONNECTED)
    request = RawRequest(transferee.channel_uuid, transferor.channel_uuid, None, None, event, "")
    transfer = BlindTransfer(session, transferor, transferee, request)
    session.part(BlindTransfers).add(transfer)
    transfer.hung_up(transferee)
