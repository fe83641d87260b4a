"""Following a native transfer: FreeSWITCH moves the legs by itself, the old session only learns.

The REFER shows as a ``sofia::transferor`` event of the transferor (``fire-transfer-events``).
From then on the transferee's next bridge tells the result: with anybody else it is
complete; with the transferor again it has failed.
"""

from __future__ import annotations

from fsctl.errors import LinkError
from fsctl.esl.commands import SchedHangup
from fsctl.session.core.leg import Leg, paired
from fsctl.session.core.session import Part, Session
from fsctl.session.transfers.record import Outcome, conclude
from fsctl.sip.status import SipStatus, status_of_cause
from fsctl.switch.marks import Mark, Stage
from fsctl.switch.notify import note, report, told
from fsctl.switch.refer_variables import refer_event
from fsctl.switch.variables import read, read_several

_LEFT = SipStatus(487)
_NOT_REACHED = SipStatus(480)
_SETTLED_S = 0.3
"""FreeSWITCH tells of a join before it begins, and gives it up if the target leaves in between."""


def forsaken(session: Session, transferor_uuid: str) -> None:
    """The transferee of a native transfer has left: tell and release the transferor.

    FreeSWITCH does neither: it keeps the transferor parked for ten minutes. A transferor that was
    told at once, or has gone, has no ``sip_blind_transfer_event``, and nothing is done.
    """
    event = refer_event(session.link, transferor_uuid)
    if event is not None and event != told(session.link, transferor_uuid):
        seconds = session.settings.transfer.release_transferor_after_s
        session.link.send_all(
            [
                *report(transferor_uuid, event, _LEFT),
                SchedHangup(seconds, transferor_uuid, "BLIND_TRANSFER"),
            ]
        )


def succeeded(session: Session, transferor_uuid: str) -> None:
    """FreeSWITCH has joined the transferee with its target and reported that: note and release.

    Confirm mode parks the transferor for ten minutes; nobody else lets it go.
    """
    event = refer_event(session.link, transferor_uuid)
    noted = [] if event is None else [note(transferor_uuid, event)]
    seconds = session.settings.transfer.release_transferor_after_s
    session.link.send_all([*noted, SchedHangup(seconds, transferor_uuid, "BLIND_TRANSFER")])


class Native(Part):
    """The native transfer of two of a session's legs that is under way."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.running: NativeTransfer | None = None
        """Set when FreeSWITCH tells of the REFER; it stays when the transfer is over."""

    def hand_over(self) -> None:
        """The session ends before it."""
        if self.running is not None:
            self.running.drop()


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
        self._bridged = False
        self.finished = False

    def bridged(self, first: str, second: str) -> None:
        """Two legs have been bridged; told for every CHANNEL_BRIDGE of our legs."""
        pair = {first, second}
        if self.finished or self.transferee.channel_uuid not in pair:
            return
        if self.transferor.channel_uuid in pair:
            status = self._failure()
            self._finish(failed=status)
            paired(self.transferor, self.transferee)
        elif not self._bridged:
            self._bridged = True
            self._session.after(_SETTLED_S, self._complete)

    def transferee_left(self) -> None:
        """The transferee hung up, before it was bridged with anybody or right after."""
        if self._bridged:
            self._complete()
        elif not self.finished:
            self._finish(failed=_LEFT)
            forsaken(self._session, self.transferor.channel_uuid)

    def drop(self) -> None:
        """The session ends before it: the transferee is FreeSWITCH's, or its new session's."""
        if not self.finished:
            self._finish(SipStatus(503), "abandoned")
            self._session.handed_over(self.transferee)

    def _complete(self) -> None:
        """FreeSWITCH has not joined the first two again."""
        if not self.finished:
            self._finish(failed=_NOT_REACHED if self._is_recalled() else None)
            self._session.handed_over(self.transferee)

    def _is_recalled(self) -> bool:
        """The target was not reached, and its transferor, who had left, has been called again."""
        try:
            stage = read(self._session.link, self.transferee.channel_uuid, Mark.STAGE)
            return stage == Stage.RECALL
        except LinkError:
            return False

    def _finish(self, failed: SipStatus | None, outcome: Outcome = "failed") -> None:
        self.finished = True
        outcome = outcome if failed else "succeeded"
        status = failed or SipStatus(200)
        conclude(
            "legacy",
            self.transferor,
            self.transferee,
            None,
            outcome,
            status,
            refer=self.refer,
            ours=outcome != "abandoned",
        )

    def _failure(self) -> SipStatus:
        """The target's own code and phrase, which FreeSWITCH leaves on the transferee."""
        uuid = self.transferee.channel_uuid
        names = ("sip_invite_failure_status", "sip_invite_failure_phrase", "originate_disposition")
        try:
            code, phrase, cause = read_several(self._session.link, uuid, *names)
        except LinkError:
            return SipStatus(503)
        if code and code.isdecimal() and 300 <= int(code) <= 699:
            return SipStatus(int(code), phrase or "")
        return status_of_cause(cause or "NORMAL_TEMPORARY_FAILURE")
