"""What a blind transfer does to its legs: the commands for each action of its table.

``blind_transfer_uuid`` stays set on the transferee as long as possible: while it is set, the death
of every controller ends in a NOTIFY and the first two talking (switch_core_state_machine.c), and
FreeSWITCH itself reports success when transferee and target are bridged.
"""

from __future__ import annotations

from collections.abc import Sequence

from fsctl import journal
from fsctl.esl.commands import Command, SchedHangup, UuidBreak, UuidKill, UuidSetvar
from fsctl.session.calling import recording, safe_answers
from fsctl.session.calling.bridging import rejoining
from fsctl.session.core import branches
from fsctl.session.core.leg import Leg
from fsctl.session.core.session import Session
from fsctl.session.transfers import devices
from fsctl.session.transfers.deadlines import JOIN_TIMEOUT_S
from fsctl.session.transfers.reporter import Reporter
from fsctl.session.transfers.targets import Targets
from fsctl.session.transfers.timing import Timing
from fsctl.switch.posting import post_if_there
from fsctl.transfer.blind import Snapshot
from fsctl.transfer.blind_table import Action

_OF_TIMERS = frozenset({Action.SET_TIMERS, Action.SET_ONE_TIMER, Action.DELETE_TIMERS})


class BlindActs:
    """The hands of one blind transfer: each action of the table that is commands."""

    def __init__(
        self,
        session: Session,
        transferor: Leg,
        transferee: Leg,
        targets: Targets,
        reporter: Reporter,
        timing: Timing,
    ) -> None:
        self._transferor = transferor
        self._transferee = transferee
        self._timing = timing
        self._session = session
        self._targets = targets
        self._reporter = reporter

    def send(self, actions: Sequence[Action], snapshot: Snapshot, waits_s: float) -> bool:
        """Whether the last command of these was obeyed: all are sent in one write.

        ``waits_s``: how long the transfer may stay as it is. Raises LinkError, ChannelGone.
        """
        lists = (self._commands(action, snapshot, waits_s) for action in actions)
        commands = [command for each in lists for command in each]
        if not commands:
            return True
        if _OF_TIMERS.issuperset(actions):
            session = self._session
            post_if_there(session.link, commands, f"{session.id} transfer: its timers stay")
            return True
        return self._session.link.send_all(commands)[-1].ok

    def _commands(self, action: Action, snapshot: Snapshot, waits_s: float) -> list[Command]:
        """Return what performs ``action``."""
        transferor, transferee = self._transferor.channel_uuid, self._transferee.channel_uuid
        match action:
            case Action.SET_TIMERS:
                return self._timing.wait(waits_s)
            case Action.SET_ONE_TIMER:
                return self._timing.park(waits_s)
            case Action.DELETE_TIMERS:
                return self._timing.end()
            case Action.TAKE_REPORT:
                return [UuidSetvar(transferee, "blind_transfer_uuid", None)]
            case Action.NOTIFY_SUCCESS | Action.NOTIFY_FAILURE:
                assert snapshot.reported is not None  # set by the step that asks for this
                safe_answers.let_hear(self._transferor)
                told = devices.told(self._session, self._transferor, snapshot.reported)
                return self._reporter.tell(told)
            case Action.NOTE_TOLD:
                return self._reporter.note()
            case Action.FORGET_TOLD:
                return self._reporter.forget()
            case Action.OWE_REPORT:
                assert snapshot.owed is not None  # set by the step that reconnects
                told = devices.told(self._session, self._transferor, snapshot.owed)
                return self._reporter.owe(told)
            case Action.HANG_UP_TARGET:
                return [branches.stopping(self._session, each) for each in self._targets.alive]
            case Action.REJOIN:
                forgotten = recording.forgotten(self._session.settings)
                return rejoining(self._transferee, self._transferor, forgotten)
            case Action.RELEASE_TRANSFEROR:
                # A timer in FreeSWITCH: it holds when we die. The phone's own BYE comes first.
                after_s = self._session.settings.transfer.release_transferor_after_s
                return [SchedHangup(after_s, transferor, "BLIND_TRANSFER")]
            case Action.KEEP_TRANSFEROR | Action.PUT_RELEASE_OFF:
                return self._timing.hold(JOIN_TIMEOUT_S)
            case Action.HANG_UP_TRANSFEROR:
                return [UuidKill(transferor, "BLIND_TRANSFER")]
            case Action.RECALL:
                journal.note("happened", event="recall", session=self._session.id)
                return safe_answers.forsake(self._session, self._transferee)
            case Action.BREAK_OFF:
                parties = (self._transferee, *self._targets.alive)
                return [UuidBreak(each.channel_uuid, everything=True) for each in parties]
            case Action.STOP_RINGBACK:
                return [UuidBreak(transferee, everything=True)]
            case _:
                raise AssertionError(action)
