"""A blind transfer inside the running session: what happens to it, and what it is asked.

Each happening is one stimulus of the table (:mod:`fsctl.transfer.blind`), which `blind_run` steps.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

from fsctl.errors import ChannelGone, LinkError
from fsctl.esl.commands import Command
from fsctl.policy.judge import Asking
from fsctl.session.calling import safe_answers, sounds
from fsctl.session.core.diversion import Diversion
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session
from fsctl.session.transfers import leaving, taken_away
from fsctl.session.transfers.blind_run import BlindRun
from fsctl.session.transfers.deadlines import GRACE_S
from fsctl.session.transfers.meanwhile import look
from fsctl.session.transfers.record import BY_SETTINGS, OUTCOMES, Decided, conclude
from fsctl.session.transfers.targets import Targets
from fsctl.setting_tones import SILENCE
from fsctl.settings import Transfer
from fsctl.sip.status import SipStatus
from fsctl.switch.marks import Stage
from fsctl.switch.refer_variables import RawRequest, bridge_began
from fsctl.transfer.blind import Snapshot, admit, answers
from fsctl.transfer.blind_table import State, Stimulus

log = logging.getLogger(__name__)


class BlindTransfer:
    """One REFER in a running session, from its arrival to its one final report.

    It is the purpose (`session.core.purpose`) for which its targets are called.
    """

    moves = True
    told_by_switch = False
    """The join, yes; a failure is told by us."""
    stage = Stage.CALLING
    carried: Mapping[str, str] = {}

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
        self._targets = Targets(float(session.settings.transfer.ring_timeout_s))
        self.request = request
        self.asking: Asking | None = None
        """What the policy judges. Set when the request is read; None: it is not asked."""
        self.decided: Decided = BY_SETTINGS
        """Who decides. Set by who gives the request to them."""
        self.diversion: Diversion | None = None
        """What the target may be told of it. Set when the request is read, and anew when it is the
        settings that decide."""
        self._session = session
        self._run = BlindRun(
            session,
            transferor,
            transferee,
            request,
            self._targets,
            timed_s,
            watch=lambda: taken_away.watch(session, transferee),
            conclude=self._conclude,
        )

    @property
    def snapshot(self) -> Snapshot:
        """How it stands."""
        return self._run.snapshot

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
        return self._targets.latest

    @property
    def targets(self) -> list[Leg]:
        """Whom the application calls; more than one when it has them ring together."""
        return self._targets.all

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
    def defaults(self) -> Transfer:
        return self._session.settings.transfer

    def timers(self, rings_s: float) -> list[Command]:
        """They go out with the call: no wait begins before its timers fit it.

        Raises ChannelGone: we have stood still, and somebody else has the transferee by now.
        """
        self._look_if_late()
        return self._run.timing.ring(rings_s + GRACE_S)

    def _look_if_late(self) -> None:
        """The dialplan sends a leg on with which nothing has been done for long; it may have asked
        another controller first, and so `claimed_s` is half over when it asks us."""
        link, claim_s = self._session.link, self._session.settings.dialplan.claim_timeout_s
        if not self.is_undecided or link.age_s < claim_s:
            return
        seen = look(link, self.transferor, self.request)
        if seen.sent_on or seen.transferee_gone or seen.told is not None:
            raise ChannelGone(f"{self.transferee} is somebody else's by now")

    def wait(self) -> None:
        """Whoever decides has been asked: until it does, FreeSWITCH's timers are for that."""
        if self.is_undecided:
            self._run.wait_for_decision()

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
        kept = bool(self.targets) and not self._targets.alive
        self._report(Stimulus.TRANSFEREE_KEPT if kept else Stimulus.SUCCESS_REPORTED)

    def report_failure(self, status: SipStatus) -> None:
        """The application reports failure: the first two talk on; as :meth:`report_success`.

        Raises ValueError also when the target is being joined (FreeSWITCH reports success then),
        and when the status is not a failure.
        """
        self._report(Stimulus.FAILURE_REPORTED, status)

    def _report(self, reported: Stimulus, status: SipStatus | None = None) -> None:
        if admit(self.snapshot, reported, status):
            self._run.feed(reported, status)
        else:
            log.info("%s transfer: reported too late", self._session.id)

    def call_target(self, target: Leg, ring_timeout_s: float) -> None:
        """The application calls ``target`` for the transferee."""
        self._targets.call(target, ring_timeout_s)
        if self.is_undecided:
            self._entertain_transferor()
        self._run.feed(Stimulus.TARGET_CALLED)

    def _entertain_transferor(self) -> None:
        """FreeSWITCH parks it in silence; whatever takes it from there ends what it hears."""
        sound = self._session.settings.transfer.transferor_hears
        if sound != SILENCE and self.transferor.alive:
            self._session.link.post(sounds.without_end(self.transferor, sound))

    def ring_anew(self, target: Leg, ring_timeout_s: float) -> None:
        """The same target is called at another address, or somebody in its place."""
        if self.awaits_target and target is self.target:
            self._targets.ring_timeout_s = ring_timeout_s
            self._run.feed(Stimulus.RINGS_ANEW)

    def hold(self, target: Leg) -> None:
        """``target`` has answered the application, which is to join it with the transferee."""
        self._targets.hold(target)
        self._run.feed(Stimulus.TARGET_HELD)

    def join(self, target: Leg) -> None:
        """The application joins ``target`` with the transferee, now.

        Raises ValueError when it cannot: the transfer has failed, or been joined already.
        """
        if not answers(self.snapshot, Stimulus.JOIN_ASKED):
            raise ValueError(f"no target is held in a transfer that is {self.snapshot.state.value}")
        self._targets.choose(target)
        self._run.feed(Stimulus.JOIN_ASKED)

    def join_given_up(self) -> None:
        """FreeSWITCH could not join the target: the transferee has not been moved."""
        self._run.feed(Stimulus.JOIN_GIVEN_UP)

    def entertain(self) -> bool:
        """The transferee is to hear ringback by our own doing; False: it does, or may not."""
        before = self.entertained
        self._run.feed(Stimulus.RINGBACK_BEGINS)
        return self.entertained and not before

    def stop_entertaining(self) -> None:
        """The application lets the transferee hear something else."""
        self._run.feed(Stimulus.RINGBACK_ENDS)

    def handler_failed(self, status: SipStatus) -> None:
        """The handler of the request has: as :meth:`give_up`, unless FreeSWITCH calls the target by
        its wish."""
        if self.snapshot.falls_with_handler:
            self.give_up(status)

    def give_up(self, status: SipStatus) -> None:
        """It cannot be served, or its scenario has failed: the first two talk on."""
        self._run.feed(Stimulus.GIVEN_UP, status)

    def broken(self) -> None:
        """Something has raised that should not have: what nobody has decided on has failed."""
        self._run.feed(Stimulus.BROKEN, SipStatus(500))

    # -- the legs -----------------------------------------------------------------------------

    def answered(self, call: Leg) -> None:
        """A party that was called has answered."""
        if call is self.target:
            self._run.feed(Stimulus.TARGET_ANSWERED)

    def hung_up(self, call: Leg) -> None:
        """A leg of the session has."""
        if call is self.transferee:
            with_none = self._run.is_none(call.talked_with)
            untold = self.has_joined and self.target is not None and with_none
            self._run.feed(Stimulus.LEFT_AS_JOINED if untold else Stimulus.TRANSFEREE_HANGUP)
        elif call is self.transferor:
            self._run.feed(Stimulus.TRANSFEROR_HANGUP)
        else:
            self.target_failed(call, SipStatus(487))

    def target_failed(self, target: Leg, status: SipStatus) -> None:
        """``target`` did not answer the application, or has hung up before it was joined."""
        if self._targets.fail_with(target):
            self._run.feed(Stimulus.TARGET_LEFT, status)

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
        self._run.feed(Stimulus.TARGET_FAILED, status)

    def has_parted(self, pair: set[Leg]) -> bool:
        """FreeSWITCH has taken these two apart, and nobody has joined them again."""
        rejoining = self.snapshot.state is State.RECONNECTING
        return pair == {self.transferee, self.transferor} and not rejoining

    def taken(self) -> None:
        """Somebody else has taken the transferee, before its target was joined with it."""
        self._run.feed(Stimulus.TRANSFEREE_TAKEN)

    def completed_elsewhere(self) -> None:
        """The transferee has been joined with somebody whom we have not called."""
        self.taken()
        self._run.feed(Stimulus.JOINED_ELSEWHERE)

    def keep_talking(self) -> None:
        """The first two talk until the target answers: that is another kind of transfer."""
        self._run.feed(Stimulus.KEPT)

    def withdraw(self) -> None:
        """The very same REFER has come home again: that is its transfer from now on."""
        self._run.feed(Stimulus.WITHDRAWN)

    def bridged(self, pair: set[Leg]) -> None:
        """Two of our calls have been bridged."""
        if pair == {self.transferee, self.transferor}:
            self._run.feed(Stimulus.LEGS_REJOINED)
        elif pair == {self.transferee, self.target}:
            self._run.feed(Stimulus.LEGS_JOINED)
        elif self.transferee in pair:
            self._run.feed(Stimulus.JOINED_ELSEWHERE)

    def transferor_is_back(self) -> None:
        """It had been joined with its transferee again, and that is over before we heard of it."""
        self._run.feed(Stimulus.TRANSFEROR_BACK)

    def target_left(self) -> bool:
        """The target has hung up, and its transferee is back in our hands.

        True when it left before FreeSWITCH had reported the join: then the transfer goes on from
        there.
        """
        if self.target is None or not answers(self.snapshot, Stimulus.JOIN_GIVEN_UP):
            return False
        uuid, target = self.transferee.channel_uuid, self.target.channel_uuid
        if bridge_began(self._session.link, uuid, target):
            self._run.feed(Stimulus.LEGS_JOINED)
            return False
        self._run.feed(Stimulus.JOIN_GIVEN_UP)
        return True

    # -- the session --------------------------------------------------------------------------

    def hand_over(self) -> None:
        """FreeSWITCH goes on alone, if the link still serves; else the transfer is lost."""
        if not self._session.link.closed:
            try:
                self._run.feed(Stimulus.HANDED_OVER)
            except (LinkError, ChannelGone) as error:
                log.info("%s transfer: not handed over: %s", self._session.id, error)
        self._run.feed(Stimulus.SWITCH_LOST)

    def _conclude(self, ours: bool) -> None:
        leaves = ours and leaving.begin(self._session, self.transferee, self.target)
        conclude(
            "blind",
            self.transferor,
            self.transferee,
            self.target,
            OUTCOMES[self.snapshot.state.value],
            self.snapshot.result,
            refer=self.request.event,
            ours=ours,
            asking=self.asking,
            decided=self.decided,
        )
        if leaves:
            self._session.leave()
