"""Following a native transfer: runs the table of :mod:`fsctl.transfer.native`.

FreeSWITCH moves the legs by itself; the REFER shows as a ``sofia::transferor`` event of the
transferor (``fire-transfer-events``).
"""

from __future__ import annotations

from contextlib import suppress

from fsctl.errors import LinkError
from fsctl.esl.commands import SchedHangup, UuidBreak
from fsctl.session.calling.native_call import NativeCall, leave_to_switch, note
from fsctl.session.calling.verdicts import judged
from fsctl.session.core.leg import Leg, paired
from fsctl.session.core.session import Part, Session
from fsctl.session.transfers.engine import Engine
from fsctl.session.transfers.late_report import Lateness, has_talked, look_for
from fsctl.session.transfers.record import OUTCOMES, begun, conclude
from fsctl.session.transfers.reporter import of_last_refer
from fsctl.sip.status import SipStatus, failure_in, status_of_cause
from fsctl.switch import timers
from fsctl.switch.marks import Mark, Stage
from fsctl.switch.variables import read, read_several
from fsctl.transfer.native import DEADLINES, Action, Snapshot, State, Stimulus, doubts, step

_LEFT = SipStatus(487)
_SETTLED_AFTER_S = 0.3


def forsaken(session: Session, transferor_uuid: str) -> None:
    """The transferee of a native transfer has left: tell and release the transferor.

    FreeSWITCH does neither: it keeps the transferor parked for ten minutes. A transferor that was
    told at once, or has gone, has no ``sip_blind_transfer_event``, and nothing is done.
    """
    reporter = of_last_refer(session.link, transferor_uuid)
    if reporter.listens and not reporter.has_told(session.link):
        seconds = session.settings.transfer.release_transferor_after_s
        release = SchedHangup(seconds, transferor_uuid, "BLIND_TRANSFER")
        session.link.send_all([*reporter.tell(_LEFT), release])


def succeeded(session: Session, transferor_uuid: str) -> None:
    """FreeSWITCH has joined the transferee with its target and reported that: note and release.

    Confirm mode parks the transferor for ten minutes; nobody else lets it go.
    """
    reporter = of_last_refer(session.link, transferor_uuid)
    session.link.send_all([*reporter.note(), _release(session, transferor_uuid)])
    transferee, late = session.link_leg, False

    def found(lateness: Lateness) -> None:
        nonlocal late
        if lateness is Lateness.MADE and late:
            session.link.post(_release(session, transferor_uuid))
        elif lateness is not Lateness.MADE:
            late = True
            _put_release_off(session, transferor_uuid)
        if lateness is Lateness.OVERDUE:
            session.link.post(UuidBreak(transferee, everything=True))

    look_for(
        session,
        lambda: not session.over,
        lambda: has_talked(session, transferee, transferor_uuid),
        found,
    )


def _release(session: Session, transferor_uuid: str) -> SchedHangup:
    seconds = session.settings.transfer.release_transferor_after_s
    return SchedHangup(seconds, transferor_uuid, "BLIND_TRANSFER")


def _put_release_off(session: Session, transferor_uuid: str) -> None:
    """FreeSWITCH executes what waits on the transferee before it reports the join; whoever is hung
    up by then is never told. Should no report come at all, that timer of the dialplan's tells."""
    rescue_s = session.settings.transfer.rescue_after_s
    session.link.post(*timers.release(transferor_uuid, rescue_s))


def left_as_joined(session: Session, transferor_uuid: str) -> None:
    """The transferee has left before FreeSWITCH reported the join that it has told us of."""
    reporter = of_last_refer(session.link, transferor_uuid)
    session.link.post(*reporter.tell(_LEFT))


def came_back(session: Session, transferee: Leg) -> bool:
    """Whether the transferee is back from a join that FreeSWITCH has given up before it had begun:
    it is FreeSWITCH's again, which reports and joins the first two."""
    native = session.part(NativeCall)
    by = native.bridged or native.transferor
    if not by or transferee.channel_uuid != session.link_leg:
        return False
    if has_talked(session, transferee.channel_uuid, by):
        return False
    if native.bridged:
        _put_release_off(session, by)
    leave_to_switch(transferee, _LEFT)
    return True


def joined(session: Session) -> None:
    """FreeSWITCH has joined the transferee of its own transfer with the target."""
    native = session.part(NativeCall)
    if native.transferor:
        session.link.send_all(timers.disarm(session.link_leg))
        succeeded(session, native.transferor)
        note(session, session.link_leg)
        if native.is_ours:
            native.ended("succeeded", SipStatus(200))
        native.bridged, native.transferor = native.transferor, ""


class Native(Part):
    """The native transfer of two of a session's legs that is under way."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.running: NativeTransfer | None = None
        """Set when FreeSWITCH tells of the REFER; it stays when the transfer is over."""

    def hand_over(self) -> None:
        """The session ends before it."""
        if self.running is not None:
            self.running.hand_over()


class NativeTransfer:
    """One native transfer, watched from the session that the call had before it."""

    def __init__(
        self, session: Session, transferor: Leg, transferee: Leg, refer: str | None
    ) -> None:
        self.refer = refer
        """The ``Event`` of the REFER's reports."""
        self.transferor = transferor
        self.transferee = transferee
        self._session = session
        self._partner = ""
        """The channel with which FreeSWITCH has bridged the transferee last."""
        self._engine = Engine(
            session,
            begun(session, "legacy", transferor, transferee, refer),
            f"native transfer by {transferor.channel_uuid}",
            Snapshot(),
            step,
            act=self._act,
            seconds=lambda now: _SETTLED_AFTER_S if now.state in DEADLINES else None,
            expired=lambda: self._feed(Stimulus.DEADLINE),
        )

    def bridged(self, first: str, second: str) -> None:
        """Two legs have been bridged; told for every CHANNEL_BRIDGE of our legs."""
        pair = {first, second}
        if not self._engine.snapshot.is_open or self.transferee.channel_uuid not in pair:
            return
        if self.transferor.channel_uuid in pair:
            self._feed(Stimulus.REJOINED, self._failure())
        else:
            (self._partner,) = pair - {self.transferee.channel_uuid}
            self._feed(Stimulus.BRIDGED)

    def hung_up(self, call: Leg) -> None:
        """A leg of the session has: the transferee before it was bridged, or right after."""
        if call is self.transferee:
            self._feed(Stimulus.TRANSFEREE_HANGUP)

    def hand_over(self) -> None:
        """The session ends before it."""
        self._feed(Stimulus.HANDED_OVER)

    def _feed(self, stimulus: Stimulus, status: SipStatus | None = None) -> None:
        if doubts(self._engine.snapshot, stimulus) and self._is_recalled():
            stimulus = Stimulus.RECALLED
        self._engine.feed(stimulus, status)

    def _act(self, actions: tuple[Action, ...]) -> None:
        for action in actions:
            match action:
                case Action.CONCLUDE | Action.LEAVE_RECORD:
                    self._conclude(ours=action is Action.CONCLUDE)
                case Action.PAIR:
                    paired(self.transferor, self.transferee)
                case Action.TELL_AND_RELEASE:
                    forsaken(self._session, self.transferor.channel_uuid)
                case Action.GIVE_AWAY:
                    self._session.handed_over(self.transferee)

    def _conclude(self, *, ours: bool) -> None:
        snapshot = self._engine.snapshot
        found: tuple[str | None, ...] = (None, None)
        with suppress(LinkError):
            link, transferee = self._session.link, self.transferee.channel_uuid
            found = tuple(read_several(link, transferee, Mark.JUDGED, Mark.SHADOW))
        conclude(
            "legacy",
            self.transferor,
            self.transferee,
            None,
            OUTCOMES[snapshot.state.value],
            snapshot.result,
            refer=self.refer,
            ours=ours,
            found=judged(*found),
            reached=self._partner if snapshot.state is State.SUCCEEDED else "",
        )

    def _is_recalled(self) -> bool:
        """The target was not reached, and its transferor, who had left, has been called again."""
        try:
            stage = read(self._session.link, self.transferee.channel_uuid, Mark.STAGE)
            return stage == Stage.RECALL
        except LinkError:
            return False

    def _failure(self) -> SipStatus:
        """The target's own code and phrase, which FreeSWITCH leaves on the transferee."""
        uuid = self.transferee.channel_uuid
        names = ("sip_invite_failure_status", "sip_invite_failure_phrase", "originate_disposition")
        try:
            code, phrase, cause = read_several(self._session.link, uuid, *names)
        except LinkError:
            return SipStatus(503)
        return failure_in(code, phrase) or status_of_cause(cause or "NORMAL_TEMPORARY_FAILURE")
