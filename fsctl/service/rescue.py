"""After a worker's death: the few legs that FreeSWITCH would leave standing.

Measured on FreeSWITCH 1.10.12, the worker killed by SIGKILL in each state (tests/live/
test_supervisor.py repeats it). By itself FreeSWITCH goes on with nearly everything: two that talk
talk on, a callee or target that rings goes on ringing and is joined or refused, an undecided
transfer goes to the next worker by the dialplan. Two kinds of legs are left:

* **A transferor in CS_PARK.** When the target that rang at the death answers, FreeSWITCH reports
  200 and never hangs the transferor up; when the transferee leaves instead, it is not even told.
  Both end after 600 s only (``park_timeout``, sofia.c). Here the first is given its time to hang up
  by itself and then hung up, the second is told 487 besides, unless its worker had told it and
  died before it was released.
* **A leg whose link was accepted but not yet served**: ``socket`` parks it for ever
  (mod_event_socket.c, socket_function: the listener has ended before switch_ivr_park). It looks
  like any leg that a worker holds, so all workers are asked first. It is sent through its own
  dialplan context once more, with the number it had, and so to another worker. (Not into
  fsctl_rescue: a link from there looks like a new call to "rescue", and a transferee would be hung
  up.)
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import Any

import gevent

from fsctl.errors import ChannelGone, CommandError, LinkError
from fsctl.esl.client import SwitchClient
from fsctl.esl.commands import (
    SchedHangup,
    ShowChannels,
    UuidExists,
    UuidGetvar,
    UuidTransfer,
)
from fsctl.session.report import TOLD, report
from fsctl.settings import Settings
from fsctl.sip.status import SipStatus

log = logging.getLogger(__name__)

POLL_S = 1.0
"""FreeSWITCH's table of channels follows the events, half a second behind at times."""
_AT_LEAST = 3
"""So many looks, however little the first ones show."""
_GIVE_UP_S = 660.0
"""FreeSWITCH itself ends a parked transferor after 600 s."""
_CONNECT_S = 5.0
_NO_NUMBER = "rescue"
_LEFT = SipStatus(487)


class Rescue:
    """Looks after the legs of dead workers until each has ended or is somebody else's.

    ``public`` is the address that FreeSWITCH dials for all workers. ``held`` asks the living
    workers which channels they hold; None when not every one has answered.
    """

    def __init__(
        self, settings: Settings, public: str, held: Callable[[], set[str] | None]
    ) -> None:
        self.settings = settings
        """Replaced by a reload; without ``[switch]`` nobody can be rescued."""
        self._public = public
        self._held = held
        self._looks: dict[str, int] = {}
        """By the private address of a dead worker: how often we have looked."""
        self._since: dict[str, float] = {}
        self._suspects: set[str] = set()
        self._settled: set[str] = set()
        self._runner: gevent.Greenlet[[], None] | None = None

    def look_after(self, home: str) -> None:
        """The worker whose private address was ``home`` is dead."""
        if not self.settings.switch.enabled:
            return
        self._looks[home] = 0
        self._since[home] = time.monotonic()
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
        switch = self.settings.switch
        client = SwitchClient(switch.host, switch.port, switch.password)
        client.start()
        try:
            while self._looks:
                try:
                    client.wait_connected(_CONNECT_S)
                    self._look(client)
                except (LinkError, ChannelGone, ValueError) as error:
                    log.warning("rescue: %s", error)
                self._give_up()
                gevent.sleep(POLL_S)
        finally:
            self._runner = None
            self._settled.clear()
            self._suspects.clear()
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
        before, self._suspects = self._suspects, set()
        if held is None:
            return
        waiting: set[str] = set()
        for row in rows:
            uuid = str(row.get("uuid"))
            if uuid in held:
                continue
            if row.get("application") == "socket" and row.get("state") == "CS_EXECUTE":
                if self._is_ours(client, row):
                    self._suspects.add(uuid)
            elif row.get("state") == "CS_PARK" and uuid not in self._settled:
                home = _variable(client, uuid, "fsctl_home")
                if home in self._looks and not self._settle(client, uuid, held):
                    waiting.add(str(home))
        for row in rows:
            if row["uuid"] in self._suspects & before:
                self._start_again(client, str(row["uuid"]), str(row.get("context")))
        for home in list(self._looks):
            self._looks[home] += 1
            if self._looks[home] >= _AT_LEAST and home not in waiting and not self._suspects:
                self._forget(home)

    def _is_ours(self, client: SwitchClient, row: dict[str, Any]) -> bool:
        """Whether ``socket`` has dialled us: several controllers may stand in its argument."""
        addresses = str(row.get("application_data")).partition(" ")[0].split("|")
        if len(addresses) > 1:
            host = _variable(client, str(row["uuid"]), "socket_host")
            addresses = [each for each in addresses if each.rpartition(":")[0] == host]
        return any(each == self._public or each in self._looks for each in addresses)

    @staticmethod
    def _start_again(client: SwitchClient, uuid: str, context: str) -> None:
        """Send a leg that nobody holds through its own context again, and so to a worker."""
        log.warning("rescue: nobody holds channel %s: once more through %s", uuid, context)
        number = _variable(client, uuid, "destination_number") or _NO_NUMBER
        try:
            client.api(UuidTransfer(uuid, number, context))
        except CommandError:  # what a phone has dialled cannot be written into a command
            client.api(UuidTransfer(uuid, _NO_NUMBER, context))

    def _settle(self, client: SwitchClient, transferor: str, held: set[str]) -> bool:
        """A transferor that is parked; False when what becomes of it is not decided yet."""
        transferee = _variable(client, transferor, "blind_transfer_uuid")
        if transferee is None or transferee in held:
            return True
        if client.api(UuidExists(transferee)).strip() != "true":
            log.warning("rescue: the transferee of %s has left", transferor)
            event = _variable(client, transferor, "sip_blind_transfer_event")
            if event is not None and event != _variable(client, transferor, TOLD):
                for command in report(transferor, event, _LEFT):
                    client.send(command)
        elif _variable(client, transferee, "bridge_to") in (None, transferor):
            return False
        else:
            log.info("rescue: the transfer of %s has succeeded", transferor)
        seconds = self.settings.transfer.release_transferor_after_s
        client.api(SchedHangup(seconds, transferor, "BLIND_TRANSFER"))
        self._settled.add(transferor)
        return True


def _variable(client: SwitchClient, uuid: str, name: str) -> str | None:
    asked = UuidGetvar(uuid, name)
    try:
        output = client.api(asked)
    except LinkError:
        return None  # it has ended
    return UuidGetvar.value(output)
