"""Asking a controller for a transfer, from outside: by a leg that the switch sends to it.

The switch itself brings the question to the worker that runs the party's session, or to any
controller (dialplan/command.xml.j2): nobody has to know where they are. The leg's end is the
answer; so the death of a controller is seen, and hanging up takes the question back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import uuid4

from gevent.queue import Empty, Queue

from fsctl.errors import FsctlError, LinkError
from fsctl.esl.client import SwitchClient, client_of
from fsctl.esl.commands import (
    BgApi,
    Events,
    Filter,
    Originate,
    UuidBroadcast,
    UuidExists,
    UuidKill,
)
from fsctl.esl.events import Event
from fsctl.session.transfers.by_command import CANCELS
from fsctl.settings import Switch
from fsctl.sip.status import SipStatus
from fsctl.switch.dialstring import DialString, LoopbackEndpoint
from fsctl.switch.marks import Context, Extension, Mark
from fsctl.switch.variables import read_if_there

CONNECT_S = 5.0
CANCELLED_S = 5.0
"""So long a controller may take to say that nothing has come of it, or that it was too late."""
_LONGEST_S = 900
"""The question outlives any ringing; whoever serves it ends it long before."""
_RESULT = re.compile(r"([1-6][0-9]{2}) ?(.*)")
_EVENTS = Events(("CHANNEL_PROGRESS", "CHANNEL_HANGUP", "BACKGROUND_JOB"))


class Unasked(FsctlError):
    """Nobody could be asked, or nobody has answered: what becomes of the call is not known."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What has come of it."""

    status: SipStatus
    why: str
    """In one sentence, where somebody has said so; else empty."""


class AskedTransfer:
    """One question, on one switch. Every method may raise LinkError.

    ``with`` it the switch is connected.
    """

    def __init__(self, switch: Switch) -> None:
        self.switch = switch
        self._leg, self._job = str(uuid4()), str(uuid4())
        self._news: Queue[Event | None] = Queue()
        """Of the question; None: the leg has ended while the switch was not connected."""
        self._asked = False
        filters = Filter("Unique-ID", self._leg), Filter("Job-UUID", self._job)
        self._client: SwitchClient = client_of(
            switch,
            events=_EVENTS,
            filters=filters,
            on_event=self._news.put,
            on_connected=self._look,
        )

    def __enter__(self) -> AskedTransfer:
        self._client.start()
        try:
            self._client.wait_connected(CONNECT_S)
        except BaseException:
            self._client.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._client.stop()

    def _look(self) -> None:
        if self._asked and not self.has(self._leg):
            self._news.put(None)

    def has(self, channel: str) -> bool:
        """Whether the switch has such a channel."""
        return self._client.api(UuidExists(channel)).strip() == "true"

    def ask(self, channel: str, target: str, ring_timeout_s: int | None) -> None:
        """Have the party on ``channel`` transferred to ``target``. Raises ValueError."""
        wanted = f"{ring_timeout_s or '-'} {target}"
        variables = {
            "origination_uuid": self._leg,
            "originate_timeout": str(_LONGEST_S),
            "loopback_bowout": "false",
            Mark.FOR: channel,
            Mark.WANTED: wanted,
        }
        dialled = DialString(LoopbackEndpoint(Extension.COMMAND, Context.COMMAND), variables)
        originate = Originate(dialled.format_for_originate(), "&hangup(NORMAL_CLEARING)")
        self._client.send(BgApi(originate, self._job)).raise_for_error()
        self._asked = True

    def wait(self, rings: Callable[[], None], limit_s: float | None = None) -> Answer:
        """Wait for the answer; ``rings`` is called when the target rings. Raises Unasked."""
        while True:
            try:
                event = self._news.get(timeout=limit_s or CONNECT_S)
            except Empty:
                if limit_s is not None:
                    raise Unasked("no controller has answered") from None
                self._client.wait_connected(CONNECT_S)
                continue
            if event is None:
                raise Unasked("it has ended while the link to the switch was lost")
            if event.name == "CHANNEL_PROGRESS":
                rings()
            elif event.name == "CHANNEL_HANGUP":
                return _answer(event)
            elif event.name == "BACKGROUND_JOB" and event.body.startswith(b"-ERR"):
                self._job_failed(event)

    def cancel(self) -> Answer:
        """Take it back, and wait for what has become of it by then. Raises Unasked."""
        asking_leg = read_if_there(self._client, self._leg, "other_loopback_leg_uuid")
        if asking_leg is not None:
            self._client.send(UuidBroadcast(asking_leg, CANCELS))
        try:
            return self.wait(lambda: None, CANCELLED_S)
        finally:
            self._client.send(UuidKill(self._leg, "ORIGINATOR_CANCEL"))

    def _job_failed(self, event: Event) -> None:
        """Where a leg was made its hang-up says more, and comes first or in a moment."""
        try:
            ended = self._news.get(timeout=1.0)
        except Empty:
            why = event.body.decode("utf-8", "replace").removeprefix("-ERR").strip()
            raise Unasked(f"{self.switch.name} could not ask: {why}") from None
        self._news.put(ended)


def _answer(event: Event) -> Answer:
    found = _RESULT.fullmatch(event.variable(Mark.RESULT) or "")
    if found is None:
        raise Unasked("no controller has answered: none is there, or it has ended meanwhile")
    return Answer(SipStatus(int(found[1]), found[2]), event.variable(Mark.WHY) or "")


def switch_of(channel: str, switches: Sequence[Switch]) -> Switch:
    """Return the switch that has this channel.

    Raises Unasked where none has, or one of them cannot be asked.
    """
    for switch in switches:
        try:
            with AskedTransfer(switch) as asked:
                if asked.has(channel):
                    return switch
        except LinkError as error:
            raise Unasked(f"{switch.name} cannot be asked: {error}") from error
    raise Unasked(f"no switch has a channel {channel}")
