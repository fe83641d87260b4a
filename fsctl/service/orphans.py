"""After a worker's death: the few legs that FreeSWITCH would leave standing.

Measured on FreeSWITCH 1.10.12, the worker killed by SIGKILL in each state (tests/live/
test_supervisor.py repeats it). By itself FreeSWITCH goes on with nearly everything: two that talk
talk on, a callee or target that rings goes on ringing and is joined or refused, an undecided
transfer goes to the next worker by the dialplan. Left is a transferor in CS_PARK: when the target
that rang at the death answers, FreeSWITCH reports 200 and does not hang the transferor up; when
the transferee leaves instead, it is not even told. Here the first is given its time to hang up by
itself and then hung up, the second is told 487 besides, unless its worker had told it and died
before it was released.

Without us timers in FreeSWITCH do the same, later (``dialplan/steps.xml.j2``); they also send a leg
on whose link was accepted and never served.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import Any

import gevent

from fsctl import journal
from fsctl.errors import ChannelGone, LinkError
from fsctl.esl.client import SwitchClient, client_of
from fsctl.esl.commands import (
    Events,
    Filter,
    SchedHangup,
    ShowChannels,
    UuidExists,
)
from fsctl.log import Field
from fsctl.service.left_records import LeftRecords
from fsctl.session.transfers.record import Kind, TransferRecord
from fsctl.session.transfers.reporter import report
from fsctl.settings import Settings, Switch
from fsctl.sip.status import SipStatus
from fsctl.switch.marks import Mark
from fsctl.switch.variables import read_if_there

log = logging.getLogger(__name__)

POLL_S = 1.0
"""FreeSWITCH's table of channels follows the events, half a second behind at times."""
_AT_LEAST = 3
"""So many looks, however little the first ones show."""
_GIVE_UP_S = 660.0
"""FreeSWITCH itself ends a parked transferor after 600 s."""
_CONNECT_S = 5.0
_LEFT = SipStatus(487)


class Orphans:
    """Looks after the legs of dead workers, on one switch, until each has ended or is somebody
    else's.

    ``held`` asks the living workers which channels they hold; None when not every one has answered.
    """

    def __init__(
        self, settings: Settings, switch: Switch, held: Callable[[], set[str] | None]
    ) -> None:
        self._settings, self._switch = settings, switch
        self._held = held
        self._looks: dict[str, int] = {}
        """Looks so far, by the private address of a dead worker; gone when nothing is left."""
        self._since: dict[str, float] = {}
        self._records = LeftRecords(switch.name)
        self._settled: set[str] = set()
        self._runner: gevent.Greenlet[[], None] | None = None

    def take(self, settings: Settings, switch: Switch) -> None:
        """Go on with these from the next connection on: a reload."""
        self._settings, self._switch = settings, switch

    def look_after(self, home: str) -> None:
        """The worker whose private address was ``home`` is dead."""
        self._looks[home] = 0
        self._since[home] = time.monotonic()
        self._begin()

    def owe(self, record: TransferRecord) -> None:
        """A transfer goes on without the worker that has it: its record is written when it ends."""
        self._records.owe(record)
        self._begin()

    def look_for_records(self) -> None:
        """Whoever was here before us may have left transfers whose records are owed."""
        self._records.look_for_everybody()
        self._begin()

    def _begin(self) -> None:
        if self._runner is None:
            self._runner = gevent.spawn(self._run)

    @property
    def busy(self) -> bool:
        """Whether somebody is still looked after."""
        return self._runner is not None

    def stop(self) -> None:
        """Look no more."""
        if self._runner is not None:
            self._runner.kill()

    def _run(self) -> None:
        client = client_of(
            self._switch,
            events=Events(("CHANNEL_HANGUP_COMPLETE",)),
            filters=tuple(Filter(f"variable_{Mark.FAILED}", word) for word in ("true", "false")),
            on_event=self._records.hear,
        )
        client.start()
        try:
            while self._looks or self._records.waiting:
                try:
                    client.wait_connected(_CONNECT_S)
                    self._look(client)
                except (LinkError, ChannelGone, ValueError) as error:
                    log.warning(
                        "orphans: not looked after, the timers of %s are: %s",
                        Field("switch", self._switch.name),
                        error,
                    )
                    self._records.give_up()
                self._give_up()
                gevent.sleep(POLL_S)
        finally:
            self._records.give_up()
            self._runner = None
            self._settled.clear()
            client.stop()

    def _give_up(self) -> None:
        for home, since in list(self._since.items()):
            if time.monotonic() - since > _GIVE_UP_S:
                self._forget(home)

    def _forget(self, home: str) -> None:
        self._looks.pop(home, None)
        self._since.pop(home, None)

    def _look(self, client: SwitchClient) -> None:
        output = client.api(ShowChannels())
        rows: list[dict[str, Any]] = json.loads(output).get("rows", [])
        held = self._held()
        if held is None:
            return
        waiting = self._records.look(
            client, [str(row.get("uuid")) for row in rows], held, self._looks
        )
        for row in rows:
            uuid = str(row.get("uuid"))
            if uuid in held:
                continue
            if row.get("state") == "CS_PARK" and uuid not in self._settled:
                home = read_if_there(client, uuid, Mark.HOME)
                if home in self._looks and not self._settle(client, uuid, held):
                    waiting.add(str(home))
        for home in list(self._looks):
            self._looks[home] += 1
            if self._looks[home] >= _AT_LEAST and home not in waiting:
                self._forget(home)

    def _settle(self, client: SwitchClient, transferor: str, held: set[str]) -> bool:
        """A transferor that is parked; False when what becomes of it is not decided yet."""
        transferee = read_if_there(client, transferor, "blind_transfer_uuid")
        if transferee is None or transferee in held:
            return True
        if client.api(UuidExists(transferee)).strip() != "true":
            log.warning("orphans: the transferee of %s has left: it is released", transferor)
            event = read_if_there(client, transferor, "sip_blind_transfer_event")
            if event is not None and event != read_if_there(client, transferor, Mark.TOLD):
                for command in report(transferor, event, _LEFT):
                    client.send(command)
                self._owe_abandoned(client, transferor, transferee, event)
        elif read_if_there(client, transferee, "bridge_to") in (None, transferor):
            return False
        else:
            log.info("orphans: the transfer of %s has succeeded: it is released", transferor)
        seconds = self._settings.transfer.release_transferor_after_s
        client.api(SchedHangup(seconds, transferor, "BLIND_TRANSFER"))
        self._settled.add(transferor)
        journal.note("happened", event="rescue")
        return True

    def _owe_abandoned(
        self, client: SwitchClient, transferor: str, transferee: str, event: str
    ) -> None:
        """Its transferee may have left before we listened, and took what is owed with it."""
        if self._records.has(transferee):
            return
        kind: Kind = "blind" if self._settings.transfer.mode == "in-session" else "legacy"
        session = read_if_there(client, transferor, Mark.SESSION) or ""
        record = TransferRecord(
            session,
            kind,
            transferor,
            transferee,
            target="",
            refer=event,
            outcome="abandoned",
            code=_LEFT.code,
            reason=_LEFT.reason,
            numbers={},
            call_ids={},
            switch=self._switch.name,
        )
        self._records.owe(record)
