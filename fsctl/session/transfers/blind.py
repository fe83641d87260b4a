"""A blind transfer inside the running session: runs the table of :mod:`fsctl.transfer.transfer`.

The table decides, this file acts. ``blind_transfer_uuid`` stays set on the transferee as long as
possible: while it is set, the death of every controller ends in a NOTIFY and the first two talking
(switch_core_state_machine.c), and FreeSWITCH itself reports success when transferee and target are
bridged.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from fsctl.errors import ChannelGone, LinkError
from fsctl.esl.commands import (
    Command,
    SchedDel,
    SchedHangup,
    UuidBreak,
    UuidKill,
    UuidSetvar,
    UuidSetvarMulti,
)
from fsctl.session.calling import safe_answers
from fsctl.session.calling.bridging import bridge_commands
from fsctl.session.core import branches
from fsctl.session.core.clock import Timer
from fsctl.session.core.leg import Leg, LegState, paired
from fsctl.session.core.session import Session
from fsctl.session.transfers import taken_away
from fsctl.session.transfers.meanwhile import ask_first
from fsctl.session.transfers.record import Outcome, conclude
from fsctl.session.transfers.registry import BlindTransfers
from fsctl.sip.status import SipStatus
from fsctl.switch import timers
from fsctl.switch.marks import Mark, Stage
from fsctl.switch.notify import NOTES_JOIN, note, owe, report, told
from fsctl.switch.refer_variables import RawRequest, bridge_began, refer_event
from fsctl.switch.variables import read
from fsctl.transfer.transfer import DEADLINES, Action, State, Stimulus, Transfer, step

log = logging.getLogger(__name__)

_PENDING = SipStatus(491)
JOIN_TIMEOUT_S = 5.0
VOUCHED_S = 1.0
"""How soon after its report of success an application joins; later the report goes out alone."""
_AWAITING_TARGET = (
    State.REQUESTED,
    State.CALLING_TARGET,
    State.HOLDING_TARGET,
    State.VOUCHED,
)
_JOINED = (State.JOINING, State.RELEASING, State.SUCCEEDED)
_SHORT = (State.VOUCHED, State.JOINING, State.RECONNECTING)
"""Of milliseconds: the timers in FreeSWITCH stay as they are."""
_OUTCOMES: dict[State, Outcome] = {
    State.SUCCEEDED: "succeeded",
    State.FAILED: "failed",
    State.ABANDONED: "abandoned",
}
_DECISIONS = (State.REQUESTED, State.HOLDING_TARGET)
"""States that only a decision of the scenario ends; else a deadline does."""

_GIVE_UP = (Stimulus.DEADLINE, Stimulus.FAILURE_REPORTED)
_FAILING = {Action.REJOIN, Action.NOTIFY_FAILURE, Action.RECALL}
_GRACE_S = 3.0
"""FreeSWITCH's own timers end a wait first; ours follows this much later."""


class BlindTransfer:
    """One REFER in a running session, from its arrival to its one final report."""

    def __init__(
        self, session: Session, transferor: Leg, transferee: Leg, request: RawRequest
    ) -> None:
        self.transferor = transferor
        self.transferee = transferee
        self.targets: list[Leg] = []
        """Whom the application calls; more than one when it has them ring together."""
        self.request = request
        self.entertained = False
        """The transferee hears ringback by our own doing."""
        self.crossing: list[str] = []
        """The ``Event`` of each REFER that the transferee has sent while its target rang."""
        self.ring_timeout_s = float(session.settings.transfer.ring_timeout_s)
        self.snapshot = Transfer(transferor_present=request.event is not None)
        self._session = session
        self._timer: Timer | None = None
        self._reported_by_application = False
        self._switch_reports = True
        """FreeSWITCH will send the NOTIFY 200 itself: ``blind_transfer_uuid`` is still set."""
        self._set_deadline()
        self._set_rescue()

    @property
    def is_open(self) -> bool:
        return self.snapshot.is_open

    @property
    def awaits_target(self) -> bool:
        """The transferee is free for a target: none has been joined with it yet."""
        return self.snapshot.state in _AWAITING_TARGET

    @property
    def awaits_call(self) -> bool:
        """The application has not decided, or its targets still ring: it may call another one."""
        return self.snapshot.state in (State.REQUESTED, State.CALLING_TARGET)

    @property
    def target(self) -> Leg | None:
        """The target that was called last, or the one that has answered."""
        return self.targets[-1] if self.targets else None

    @property
    def has_joined(self) -> bool:
        """Transferee and target have been bridged; the transferor is still to go."""
        return self.snapshot.state is State.RELEASING

    @property
    def undecided(self) -> bool:
        return self.snapshot.state is State.REQUESTED

    def report_success(self) -> None:
        """The application reports success now; without effect once a party has left.

        Raises ValueError when it has reported already.
        """
        if self.snapshot.state in _JOINED and not self._reported_by_application:
            self._reported_by_application = True  # FreeSWITCH says so, with the join
        elif self._may_report(*_AWAITING_TARGET):
            called = self.targets and not any(call.alive for call in self.targets)
            kept = called and self.snapshot.state is State.CALLING_TARGET
            self.feed(Stimulus.TRANSFEREE_KEPT if kept else Stimulus.SUCCESS_REPORTED)

    def report_failure(self, status: SipStatus) -> None:
        """The application reports failure: the first two talk on; as :meth:`report_success`.

        Raises ValueError also when the target is being joined (FreeSWITCH reports success then),
        and when the status is not a failure.
        """
        if status.code < 300:
            raise ValueError(f"{status.code} is not a failure")
        if self._may_report(State.REQUESTED, State.CALLING_TARGET, State.HOLDING_TARGET):
            self.feed(Stimulus.FAILURE_REPORTED, status)

    def call_target(self, target: Leg, ring_timeout_s: float) -> None:
        """The application calls ``target`` for the transferee."""
        self.targets = [call for call in self.targets if call.alive] + [target]
        self.ring_timeout_s = ring_timeout_s
        if self.undecided:
            self.feed(Stimulus.TARGET_CALLED)
        else:
            self.ring_anew()

    def hold(self, target: Leg) -> None:
        """``target`` has answered the application, which is to join it with the transferee."""
        self._choose(target)
        self.feed(Stimulus.TARGET_HELD)

    def join(self, target: Leg) -> None:
        """The application joins ``target`` with the transferee, now.

        Raises ValueError when it cannot: the transfer has failed, or been joined already.
        """
        if self.snapshot.state not in (State.HOLDING_TARGET, State.VOUCHED):
            raise ValueError(f"no target is held in a transfer that is {self.snapshot.state.value}")
        self._choose(target)
        self.feed(Stimulus.JOIN_ASKED)

    def target_failed(self, target: Leg, status: SipStatus) -> None:
        """``target`` did not answer, or has hung up before it was joined."""
        match self.snapshot.state:
            case State.CALLING_TARGET:
                failed = not any(call.alive for call in self.targets)
            case State.HOLDING_TARGET | State.VOUCHED:
                failed = target is self.target
            case _:
                failed = False  # while they are being joined, the transferee's return decides
        if failed:
            self.feed(Stimulus.TARGET_FAILED, status)

    def not_reached(self, target: Leg, status: SipStatus) -> None:
        """FreeSWITCH could not reach ``target`` for the transferee."""
        if self.is_open and self.target is target:
            self.feed(Stimulus.TARGET_FAILED, status)

    def join_given_up(self) -> None:
        """FreeSWITCH could not join the target: the transferee has not been moved."""
        self.feed(Stimulus.JOIN_GIVEN_UP)

    def give_up(self, status: SipStatus) -> None:
        """The scenario has failed: the first two talk on, whatever it has done so far."""
        self.feed(Stimulus.FAILURE_REPORTED, status)

    def _choose(self, target: Leg) -> None:
        self.targets = [call for call in self.targets if call is not target] + [target]

    def has_parted(self, pair: set[Leg]) -> bool:
        """FreeSWITCH has taken these two apart, and nobody has joined them again."""
        rejoining = self.snapshot.state is State.RECONNECTING
        return pair == {self.transferee, self.transferor} and not rejoining

    def taken(self) -> None:
        """Somebody else has taken the transferee, before its target was joined with it."""
        if self.awaits_target or self.snapshot.state in (State.JOINING, State.RECONNECTING):
            self.entertained = False
            self.feed(Stimulus.TRANSFEREE_TAKEN)
            if self.is_taken:
                taken_away.watch(self._session, self.transferee)

    @property
    def is_taken(self) -> bool:
        """Somebody else has the transferee, and it is not known yet whom it will talk with."""
        return self.snapshot.state is State.TAKEN

    def completed_elsewhere(self) -> None:
        """The transferee has been joined with somebody whom we have not called."""
        self.taken()
        if self.is_taken:
            self.targets = []
            self.feed(Stimulus.LEGS_JOINED)

    def withdraw(self) -> None:
        """The very same REFER has come home again: that is its transfer from now on."""
        self.snapshot = replace(self.snapshot, state=State.ABANDONED)
        self._set_deadline()

    def bridged(self, pair: set[Leg]) -> None:
        """Two of our calls have been bridged."""
        if self.is_taken and self.transferee in pair and self.transferor not in pair:
            self.completed_elsewhere()
        elif pair == {self.transferee, self.target}:
            self.feed(Stimulus.LEGS_JOINED)
        elif pair == {self.transferee, self.transferor}:
            self.feed(Stimulus.LEGS_REJOINED)

    def transferor_is_back(self) -> None:
        """It had been joined with its transferee again, and that is over before we heard of it."""
        if self.snapshot.state is State.RECONNECTING:
            self.feed(Stimulus.LEGS_REJOINED)

    def target_left(self) -> bool:
        """The target has hung up, and its transferee is back in our hands.

        True when it left before FreeSWITCH had reported the join: then the transfer goes on from
        there.
        """
        state, told_by_us = self.snapshot.state, not self._switch_reports
        if self.target is None or state not in (State.JOINING, State.RELEASING):
            return False
        if state is State.RELEASING and told_by_us:
            return False
        uuid, target = self.transferee.channel_uuid, self.target.channel_uuid
        if bridge_began(self._session.link, uuid, target):
            self.feed(Stimulus.LEGS_JOINED)
            return False
        self.feed(Stimulus.JOIN_GIVEN_UP)
        return True

    def ring_anew(self) -> None:
        """Another target, or the same at another address: it has its whole time to ring."""
        self._set_deadline()
        self._set_rescue()

    def hand_over(self) -> None:
        """FreeSWITCH goes on alone: do before what it would not, if the link still serves.

        A failure that is to be told when the first two have met is told now. Ringback without end
        is stopped, or it would keep the transferee from its dialplan, and so from its transferor
        (``playback`` does not see the end of its link: mod_event_socket.c, switch_ivr_play_say.c).
        """
        link = self._session.link
        if link.closed:
            return
        try:
            if self.snapshot.state is State.RECONNECTING:
                self.feed(Stimulus.LEGS_REJOINED)
            elif self.entertained and self.awaits_target:
                link.send(UuidBreak(self.transferee.channel_uuid, everything=True))
        except (LinkError, ChannelGone) as error:
            log.info("%s transfer: not handed over: %s", self._session.id, error)

    def feed(self, stimulus: Stimulus, status: SipStatus | None = None) -> None:
        """Step the table and perform its actions. Link errors end the transfer as abandoned."""
        before = self.snapshot
        if stimulus in _GIVE_UP and before.state is not State.RELEASING and self._is_joined():
            log.info("%s transfer: %s, but the legs are joined", self._session.id, stimulus.value)
            rejoining = before.state is State.RECONNECTING
            stimulus = Stimulus.LEGS_REJOINED if rejoining else Stimulus.LEGS_JOINED
        self.snapshot, actions = step(before, stimulus, status)
        if before.reported is None and not _FAILING.isdisjoint(actions):
            before, stimulus, status = ask_first(
                self._session.link, self.transferor, self.request, before, stimulus, status
            )
            self.snapshot, actions = step(before, stimulus, status)
        if self.snapshot == before and not actions:
            log.debug("%s transfer: %s ignored", self._session.id, stimulus.value)
            return
        log.info(
            "%s transfer by %s: %s: %s -> %s%s",
            self._session.id,
            self.transferor.channel_uuid,
            stimulus.value,
            before.state.value,
            self.snapshot.state.value,
            f", reporting {self.snapshot.reported}" if self.snapshot.reported else "",
        )
        if stimulus is Stimulus.DEADLINE and before.state in _DECISIONS:
            log.warning(
                "%s: the scenario has not decided on the transfer by %s",
                self._session.id,
                self.transferor,
            )
        if self.snapshot.state is not before.state:
            self._set_deadline()
            if stimulus is not Stimulus.SWITCH_LOST and before.state is not State.RELEASING:
                self._set_rescue()  # since then the timers may be another transfer's
        following = self._perform(stimulus, actions)
        if stimulus in (Stimulus.TOLD_ELSEWHERE, Stimulus.TAKEN):
            self._let_be(stimulus)
        if before.is_open and not self.is_open:
            succeeded = self.snapshot.state is State.SUCCEEDED
            left = stimulus is Stimulus.TAKEN or (
                stimulus is Stimulus.SWITCH_LOST and not succeeded
            )
            self._tell_scenario(ours=not left)
        if following is not None:
            self.feed(following)

    def _let_be(self, stimulus: Stimulus) -> None:
        """FreeSWITCH has joined the first two again, or another controller has them."""
        session = self._session
        if stimulus is Stimulus.TOLD_ELSEWHERE:
            paired(self.transferor, self.transferee)
            return
        for call in (self.transferor, self.transferee):
            session.give_away(call)

    def _may_report(self, *states: State) -> bool:
        """Whether the application's report still counts; raises ValueError for a second one."""
        if self._reported_by_application or self.snapshot.state in _JOINED:
            raise ValueError("the result of this transfer stands already")
        if self.snapshot.reported is not None or self.snapshot.state not in states:
            log.info("%s transfer: reported too late", self._session.id)  # a party has left
            return False
        self._reported_by_application = True
        return True

    def _is_joined(self) -> bool:
        """Ask FreeSWITCH: the target may have answered a moment ago, and success been reported.

        Source: channel variable ``last_bridge_to``, set just before that (switch_ivr_bridge.c).
        """
        state = self.snapshot.state
        partner = self.transferor if state is State.RECONNECTING else self.target
        if partner is None or state is State.REQUESTED:
            return False
        joined = read(self._session.link, self.transferee.channel_uuid, "last_bridge_to")
        return branches.is_channel_of(self._session, partner, joined)

    def _set_deadline(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        setting = DEADLINES.get(self.snapshot.state)
        if setting is not None:
            seconds = self._seconds(setting)
            self._timer = self._session.after(seconds, lambda: self.feed(Stimulus.DEADLINE))

    def _set_rescue(self) -> None:
        """Move the timers in FreeSWITCH with the deadline, or delete them: see switch.timers."""
        setting, state = DEADLINES.get(self.snapshot.state), self.snapshot.state
        if state in _SHORT:
            return
        over = setting is None or state is State.RELEASING
        after_s = float(self._session.settings.transfer.rescue_after_s)
        after_s += 0.0 if over else self._seconds(setting or "")
        commands: list[Command] = []
        for call, move, at_s in (
            (self.transferee, timers.send_on, after_s - timers.HEAD_START_S),
            (self.transferor, timers.release, after_s),
        ):
            if call.alive:
                uuid, free = call.channel_uuid, self.is_taken and call is self.transferee
                commands += timers.disarm(uuid) if over or free else move(uuid, at_s)
        try:
            self._session.link.post(*commands)
        except (LinkError, ChannelGone) as error:
            log.info("%s transfer: its timers stay: %s", self._session.id, error)

    def _seconds(self, setting: str) -> float:
        section = self._session.settings.transfer
        return {
            "decision_timeout_s": section.decision_timeout_s,
            "ring_timeout_s": self.ring_timeout_s + _GRACE_S,
            "hold_timeout_s": section.hold_timeout_s,
            "vouched_timeout_s": VOUCHED_S,
            "join_timeout_s": JOIN_TIMEOUT_S,
            "release_transferor_after_s": section.release_transferor_after_s + _GRACE_S,
        }[setting]

    def _perform(self, stimulus: Stimulus, actions: tuple[Action, ...]) -> Stimulus | None:
        """Send the commands of one step in one write, so that nothing comes between them.

        Returns what follows from the replies: the first two may not be there to be joined again.
        """
        commands = [c for action in actions for c in self._commands(action, stimulus)]
        if not commands:
            return None
        replies = self._session.link.send_all(commands)
        failed = Action.REJOIN in actions and not replies[-1].ok
        return Stimulus.REJOIN_FAILED if failed else None

    def _commands(self, action: Action, stimulus: Stimulus) -> list[Command]:
        transferor = self.transferor.channel_uuid
        match action:
            case Action.NOTIFY_SUCCESS if stimulus is Stimulus.LEGS_JOINED:
                return self._note_told() if self._switch_reports else self._notify()
            case Action.NOTIFY_FAILURE if stimulus is Stimulus.LEGS_REJOINED and (
                self._switch_reports
            ):
                return self._note_told()  # FreeSWITCH has joined the first two, and said so
            case Action.NOTIFY_SUCCESS | Action.NOTIFY_FAILURE:
                return self._notify()
            case Action.HANG_UP_TARGET:
                ringing = [call for call in self.targets if call.alive]
                return [branches.stopping(self._session, call) for call in ringing]
            case Action.REJOIN:
                # Unset, or FreeSWITCH would report this join as the transfer's success.
                self._switch_reports = False
                forgotten = {"blind_transfer_uuid": "", Mark.REFERRED: ""}
                return [
                    *self._owe(stimulus),
                    UuidSetvarMulti(transferor, tuple(forgotten.items())),
                    *bridge_commands(
                        self.transferee, self.transferor, forgotten | {NOTES_JOIN: ""}
                    ),
                ]
            case Action.RELEASE_TRANSFEROR:
                # A timer in FreeSWITCH: it holds when we die. The phone's own BYE comes first.
                seconds = self._session.settings.transfer.release_transferor_after_s
                return [SchedHangup(seconds, transferor, "BLIND_TRANSFER")]
            case Action.KEEP_TRANSFEROR:
                return [SchedDel(transferor)]
            case Action.HANG_UP_TRANSFEROR:
                return [UuidKill(transferor, "BLIND_TRANSFER")]
            case Action.RECALL:
                return self._leave_transferee()

    def _leave_transferee(self) -> list[Command]:
        """Its dialplan calls the transferor again, or does what is configured (rescue context).

        FreeSWITCH does so alone, as it would without us: unless the scenario has used the leg by
        the time that its handlers have heard of the failure.
        """
        uuid = self.transferee.channel_uuid
        safe_answers.transferee_alone(self._session, self.transferee)
        left = {Mark.STAGE: Stage.FORSAKEN, "originate_disposition": "", "blind_transfer_uuid": ""}
        left |= {"sip_refer_to": "", Mark.REFERRED: ""}
        commands: list[Command] = [UuidSetvarMulti(uuid, tuple(left.items()))]
        if self.entertained:
            commands.append(UuidBreak(uuid, everything=True))
        return commands

    def _notify(self) -> list[Command]:
        """Take the report away from FreeSWITCH and send it ourselves (mod_sofia, NOTIFY event).

        Once it is ours it stays so: the variable may belong to the next REFER by then.
        """
        reported, event = self.snapshot.reported, self.request.event
        assert reported is not None  # set by the very step that asks for the report
        commands: list[Command] = []
        if self._switch_reports:
            commands.append(UuidSetvar(self.transferee.channel_uuid, "blind_transfer_uuid", None))
        self._switch_reports = False
        if event is not None:
            commands += report(self.transferor.channel_uuid, event, reported)
            self._let_hear()
        return commands

    def _owe(self, stimulus: Stimulus) -> list[Command]:
        """The report follows the join: until then FreeSWITCH knows what it is to be."""
        event, status = self.request.event, self.snapshot.owed
        if event is None or status is None or self.snapshot.reported is not None:
            return []
        transferor = self.transferor.channel_uuid
        noted = stimulus is Stimulus.JOIN_GIVEN_UP  # as a success, which it was not
        taken_back: list[Command] = [UuidSetvar(transferor, Mark.TOLD, None)] if noted else []
        return [*taken_back, *owe(transferor, event, status)]

    def _let_hear(self) -> None:
        """The transferor may be alone by now: it is not hung up before it has its report."""
        call, session = self.transferor, self._session
        call.being_told = True
        seconds = session.settings.transfer.release_transferor_after_s

        def heard() -> None:
            call.being_told = False

        session.after(seconds, heard)

    def _note_told(self) -> list[Command]:
        """FreeSWITCH has reported success by itself: who takes over must not report again."""
        event = self.request.event
        return [] if event is None else [note(self.transferor.channel_uuid, event)]

    def _tell_scenario(self, *, ours: bool) -> None:
        conclude(
            "blind",
            self.transferor,
            self.transferee,
            self.target,
            _OUTCOMES[self.snapshot.state],
            self.snapshot.result,
            refer=self.request.event,
            ours=ours,
        )


def abandon(session: Session, transferor: Leg, transferee: Leg) -> None:
    """The transferee hung up between the REFER and its coming home: tell and release the other."""
    event = refer_event(session.link, transferor.channel_uuid)
    if event is not None and session.part(BlindTransfers).knows(transferor, event):
        return
    if event is not None and told(session.link, transferor.channel_uuid) == event:
        return  # another worker had the transfer, and has reported it
    request = RawRequest(transferee.channel_uuid, transferor.channel_uuid, None, None, event, "")
    transfer = BlindTransfer(session, transferor, transferee, request)
    session.part(BlindTransfers).add(transfer)
    transfer.feed(Stimulus.TRANSFEREE_HANGUP)
    if event is None:
        transferor.advance(LegState.DISCONNECTED)


def refuse_crossing(session: Session, running: BlindTransfer) -> None:
    """A transferee sends a REFER of its own while its target rings: neither transfer can go on.

    FreeSWITCH parks the transferee. Both are refused (491 Request Pending), and the first two talk
    on.
    """
    transferee = running.transferee.channel_uuid
    log.info("%s: a transferee sends a REFER of its own: both are refused", session.id)
    last = refer_event(session.link, transferee)
    running.crossing = list(dict.fromkeys([*running.crossing, *([last] if last else [])]))
    for event in running.crossing:
        session.link.send_all(report(transferee, event, _PENDING))
    running.feed(Stimulus.TARGET_FAILED, _PENDING)
