"""Runs the table of one blind transfer (:mod:`fsctl.transfer.blind`): asks, steps, acts.

The table decides. Where the news may be late, or somebody else been quicker, FreeSWITCH is asked
before a step (:mod:`fsctl.transfer.blind_truth`); what follows from it is done in one write.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from fsctl.errors import ChannelGone, LinkError
from fsctl.session.core import branches
from fsctl.session.core.leg import Leg, paired
from fsctl.session.core.session import Session
from fsctl.session.transfers import late_report
from fsctl.session.transfers.blind_acts import BlindActs
from fsctl.session.transfers.deadlines import seconds
from fsctl.session.transfers.engine import Engine
from fsctl.session.transfers.late_report import Lateness
from fsctl.session.transfers.meanwhile import look
from fsctl.session.transfers.record import begun
from fsctl.session.transfers.reporter import Reporter
from fsctl.session.transfers.targets import Targets
from fsctl.session.transfers.timing import Timing
from fsctl.sip.status import SipStatus
from fsctl.switch.refer_variables import SIGNS_OF_BRIDGE, RawRequest, bridged_with
from fsctl.switch.variables import read, read_several
from fsctl.transfer.blind import Snapshot, Teller, step
from fsctl.transfer.blind_table import DEADLINES, Action, State, Stimulus
from fsctl.transfer.blind_truth import Elsewhere, News, Question, asks, in_truth

log = logging.getLogger(__name__)

_WITHOUT_COMMANDS = frozenset({Action.BEGIN_ANEW, Action.BLAME, Action.FORGET_TARGET, Action.PAIR})
_BEHIND = frozenset(
    {Action.WATCH_TRANSFEREE, Action.GIVE_AWAY, Action.CONCLUDE, Action.LEAVE_RECORD}
)
"""Done when what comes before them has been sent."""

_FOUND = {
    Lateness.MADE: Stimulus.REPORT_MADE,
    Lateness.LATE: Stimulus.REPORT_LATE,
    Lateness.OVERDUE: Stimulus.REPORT_OVERDUE,
    Lateness.NEVER: Stimulus.NEVER_REPORTED,
}


class BlindRun:
    """One transfer on its way through the table."""

    def __init__(
        self,
        session: Session,
        transferor: Leg,
        transferee: Leg,
        request: RawRequest,
        targets: Targets,
        timed_s: float | None,
        *,
        watch: Callable[[], None],
        conclude: Callable[[bool], None],
    ) -> None:
        """``timed_s``: the dialplan has armed timers of both legs, which fire so late.

        ``watch`` learns whom a transferee will talk with that somebody else has taken. ``conclude``
        ends the transfer; it is told whether its record is ours to write.
        """
        self._session = session
        self._transferor = transferor
        self._transferee = transferee
        self._request = request
        self._targets = targets
        self._watch = watch
        self._conclude = conclude
        reporter = Reporter(transferor.channel_uuid, request.event)
        self.timing = Timing(session, transferee, transferor, timed_s)
        self._acts = BlindActs(session, transferor, transferee, targets, reporter, self.timing)
        self._engine = Engine(
            session,
            begun(session, "blind", transferor, transferee, request.event, request.refer_to),
            f"blind transfer by {transferor.channel_uuid}",
            Snapshot(
                transferor_present=transferor.alive or reporter.listens,
                teller=Teller.SWITCH if reporter.listens else Teller.NOBODY,
            ),
            step,
            act=self._act,
            seconds=self._seconds,
            expired=lambda: self.feed(Stimulus.DEADLINE),
        )
        if timed_s is None:
            self._send([Action.SET_TIMERS])

    @property
    def snapshot(self) -> Snapshot:
        """How it stands."""
        return self._engine.snapshot

    def wait_for_decision(self) -> None:
        """Whoever decides has been asked: until it does, FreeSWITCH's timers are for that."""
        if self.timing.of_dialplan:
            self._send([Action.SET_TIMERS])

    # -- the table ----------------------------------------------------------------------------

    def feed(self, stimulus: Stimulus, status: SipStatus | None = None) -> None:
        """Step the table with what has really happened, and perform its actions.

        Raises LinkError, ChannelGone.
        """
        news, state = News(), self.snapshot.state
        while (question := asks(self.snapshot, stimulus, news)) is not None:
            news = self._ask(question, news)
            if news.elsewhere == Elsewhere() and self.timing.about_to_fire:
                news = self._look_again(news)
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
                seen = look(self._session.link, self._transferor, self._request)
                return replace(news, elsewhere=seen)

    def _look_again(self, news: News) -> News:
        """We are late, and FreeSWITCH's timers about to fire: they are moved first, so that none
        comes between what is seen now and what follows from it."""
        if not self.snapshot.awaits_target:
            return news
        self._send([Action.SET_TIMERS])
        return self._ask(Question.ELSEWHERE, news)

    def _is_joined(self) -> bool:
        """Source: channel variable ``last_bridge_to``, set just before a bridge is told of
        (switch_ivr_bridge.c); with the target it must have begun, else nobody has reported it."""
        link, transferee = self._session.link, self._transferee.channel_uuid
        if self.snapshot.state is State.RECONNECTING:
            partner, joined = self._transferor, read(link, transferee, "last_bridge_to")
        elif self._targets.latest is not None:
            partner = self._targets.latest
            joined = bridged_with(read_several(link, transferee, *SIGNS_OF_BRIDGE))
        else:
            return False
        return branches.is_channel_of(self._session, partner, joined)

    def _seconds(self, snapshot: Snapshot) -> float | None:
        """How long the transfer may stay as it is."""
        section = self._session.settings.transfer
        return seconds(DEADLINES.get(snapshot.state), section, self._targets.ring_timeout_s)

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
                self._conclude(False)
            raise
        if Action.NOTE_TOLD in actions and self.snapshot.state is State.RELEASING:
            self._look_for_report()
        if Action.REJOIN in actions and not rejoined:
            self.feed(Stimulus.REJOIN_FAILED)

    def _send(self, actions: list[Action]) -> bool:
        return self._acts.send(actions, self.snapshot, self._seconds(self.snapshot) or 0.0)

    def _look_for_report(self) -> None:
        """Whoever is still there has not been told, perhaps: then it must not be hung up yet."""
        channel, before = self._transferee.channel_uuid, self._transferor.channel_uuid
        late_report.look_for(
            self._session,
            lambda: (
                self.snapshot.state is State.RELEASING
                and self._targets.latest is not None
                and self._transferee.alive
            ),
            lambda: late_report.has_talked(self._session, channel, before),
            self._found,
        )

    def _found(self, lateness: Lateness) -> None:
        """What has become of the report. A transferee that somebody else has taken is left alone,
        and its transferor told."""
        target = self._targets.latest
        if lateness is not Lateness.MADE and target is not None:
            sources = (self._request.source, f":uuid_br:{target.channel_uuid}")
            if late_report.moved_elsewhere(self._session, self._transferee.channel_uuid, sources):
                self.feed(Stimulus.LEFT_AS_JOINED)
                return
        if lateness is not Lateness.MADE or self.snapshot.report_late:
            self.feed(_FOUND[lateness])

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
                    self._transferor,
                )
            case Action.FORGET_TARGET:
                self._targets.forget()
            case Action.PAIR:
                paired(self._transferor, self._transferee)
            case Action.WATCH_TRANSFEREE:
                self._watch()
            case Action.GIVE_AWAY:
                for call in (self._transferor, self._transferee):
                    session.give_away(call)
            case Action.CONCLUDE | Action.LEAVE_RECORD:
                self._conclude(action is Action.CONCLUDE)
            case _:
                raise AssertionError(action)

    def is_none(self, talked_with: str | None) -> bool:
        """Whether the transferee, by its own word, has talked with nobody since the REFER."""
        return talked_with in ("", self._transferor.channel_uuid)
