"""The process itself: it lives as long as its supervisor, to whom a socket leads."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import gevent
from gevent import socket
from sqlalchemy.exc import SQLAlchemyError

from fsctl import journal
from fsctl import log as logs
from fsctl.control import DRAIN, LOG_LEVEL, Channel, DeskJob, OtherVersion
from fsctl.desk.figures import Figures
from fsctl.desk.hearing import Hearing
from fsctl.desk.keeping import Keeping
from fsctl.desk.live import MOST_CALLS, RECENT, Live
from fsctl.desk.news import Lines, Sender
from fsctl.errors import ChannelGone, FsctlError
from fsctl.esl.client import client_of
from fsctl.esl.commands import UuidKill
from fsctl.hep.message import Message
from fsctl.journal import Entry
from fsctl.policy.counts import Counts
from fsctl.policy.judge import refusing
from fsctl.records import find, ladders
from fsctl.service.asking import AskedTransfer, switch_of
from fsctl.service.shared import Shared
from fsctl.settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")

ASKED_S = 1000.0
"""No transfer takes longer that was asked for by HTTP."""

LOOK_S = 0.25
"""How often it is looked whether something has been noted."""
KEEP_S = 1.0
"""From one transaction to the next: each costs more than what is kept in it of a call."""
_AT_ONCE_BYTES = 1 << 20
_AGAIN_S = 3.0
"""A port that cannot be had is tried again then."""
_ROOM_S = 3.0
"""How often it is looked whether more can be noted: less than a worker may be silent."""
_LATELY_S = 900.0
"""So long it is a problem that records were lost."""
_LAST_S = 5.0
"""So long records are kept at the end; what is left waits for the next start."""
_A_DAY = timedelta(days=1)


class Desk:
    """Keeps records in a thread, and shows by HTTP what goes on."""

    def __init__(
        self,
        settings: Settings,
        channel: Channel,
        counts: Counts,
        former: Sequence[Path] = (),
    ) -> None:
        """``former``: see `fsctl.control.DeskJob`."""
        self.counts = counts
        """Who has asked for how many transfers lately."""
        self.live = Live()
        self.keeping = Keeping(settings.records, news=bool(settings.news.url), former=former)
        self._sender = Sender(settings.news, self.keeping.reader) if settings.news.url else None
        if settings.news.lines is not None:
            self.keeping.on_kept = Lines(settings.news.lines).take
        self.hearing = Hearing(settings)
        self.figures = Figures(
            self.live,
            self.keeping.waiting_bytes,
            lambda: not self._failing,
            lambda: self.hearing.figures,
            lambda: not self.keeping.no_room,
            refusing(settings.policy, settings.rules),
        )
        self._settings = settings
        self._channel = channel
        self._read: dict[str, int] = {}
        """Up to where each file of the journal has been looked at, for `live`."""
        self._end_serving: Callable[[], None] = lambda: None
        """Ends what is shown by HTTP. Set by `_serve`, once it is."""
        self._ends = threading.Event()
        self.keeping.may_remove = lambda file, end: self._read.get(file, 0) >= end
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)

    def run(self) -> None:
        """Until the supervisor has gone, or says that it has nothing more."""
        self._keeper.start()
        self.hearing.start()
        if self._sender is not None:
            self._sender.start()
        watcher, serving = gevent.spawn(self._watch), gevent.spawn(self._serve)
        while self._channel.receive() is not None:
            pass
        serving.kill()
        self._end_serving()
        watcher.kill()
        with suppress(OSError):
            self._look()
        self.hearing.stop()
        if self._sender is not None:
            self._sender.stop()
        self._ends.set()
        gevent.get_hub().threadpool.apply(self._keeper.join, (_LAST_S,))

    # -- what the journal tells ----------------------------------------------------------------

    def _keep(self) -> None:
        """In a thread of its own, for no database's driver yields to others."""
        kept = -KEEP_S
        while not self._ends.wait(LOOK_S):
            if time.monotonic() - kept >= KEEP_S:
                while self.keeping.keep() and not self._ends.is_set():
                    kept = time.monotonic()
            self._keep_messages()
        while self.keeping.keep():
            pass
        self._keep_messages(at_last=True)

    def _keep_messages(self, *, at_last: bool = False) -> None:
        try:
            for transfer, messages in self.hearing.due(all_of_them=at_last):
                if not messages or self.keeping.keep_messages(transfer, messages):
                    self.hearing.kept(transfer)
        except Exception:  # of what a network has sent; records are kept all the same
            log.exception("messages are not kept", extra=logs.seldom("messages not kept"))

    def _watch(self) -> None:
        """What has been kept already is looked at no more."""
        gevent.get_hub().threadpool.apply(self._remember)
        looked = 0.0
        while True:
            if time.monotonic() - looked > _ROOM_S:
                gevent.get_hub().threadpool.apply(self.keeping.look_for_room)
                looked = time.monotonic()
            if self.keeping.no_room:
                self.live.excuse_silence()
            with suppress(OSError):  # the folder is gone: who keeps it says so
                self._look()
            self.live.forget_silent(time.time())
            gevent.sleep(LOOK_S)

    def _remember(self) -> None:
        """A database that is down tells nothing of before."""
        with suppress(SQLAlchemyError, OSError, ImportError):
            engine, now = self.keeping.reader(), datetime.now(UTC)
            read = self.keeping.places()
            calls, legs = find.that_go_on(engine, now - _A_DAY, MOST_CALLS)
            newest = find.transfers(engine, find.Wanted(since=now - _A_DAY, most=RECENT))
            self.hearing.remember(legs)
            self.live.remember(calls, legs, reversed(newest), now.timestamp())
            self._read.update(read)

    def _look(self) -> None:
        there = journal.files_of(self.keeping.folders)
        for folder, file in there:
            with suppress(OSError):  # who keeps it says so
                while entries := journal.read(
                    folder, file, self._read.get(file, 0), _AT_ONCE_BYTES
                ):
                    for entry in entries:
                        self._take(entry)
                    self._read[file] = entries[-1].end
                    gevent.sleep(0)
        for file in self._read.keys() - {file for _, file in there}:
            del self._read[file]

    def _take(self, entry: Entry) -> None:
        """What is wrong in one entry is its own matter."""
        for take in (self.live.take, self.figures.take, self.hearing.take):
            try:
                take(entry)
            except Exception:
                log.exception("not shown: %s", entry, extra=logs.seldom("not shown"))

    # -- what is shown, and done (fsctl.web) ----------------------------------------------------

    def _serve(self) -> None:
        """Begin, as soon as the port is free and its address is there."""
        listen, is_told = self._settings.http.listen, False
        if not listen:
            return
        from fsctl.web.server import serve

        while True:
            try:
                self._end_serving = serve(self, self._settings.http)
                return
            except OSError as error:
                level = logging.DEBUG if is_told else logging.ERROR
                log.log(level, "[http] listen = %s: %s; nothing is shown", listen, error.strerror)
            is_told = True
            gevent.sleep(_AGAIN_S)

    @property
    def _failing(self) -> bool:
        return self._settings.records.keep and self.keeping.failing

    def unready(self) -> list[str]:
        """Return why calls and transfers are not served, in words."""
        found = []
        if not self.live.workers:
            found.append("no worker has said lately that it lives")
        names = {switch.name for switch in self._settings.switches}
        connected = {
            name
            for worker in self.live.workers.values()
            for name, there in (worker.get("switches") or {}).items()
            if there
        }
        if self.live.workers:
            found += [f"no worker is connected to {name}" for name in sorted(names - connected)]
        return found

    def problems(self) -> list[str]:
        """Return what is not well, in words: calls go on without records, too."""
        found = self.unready()
        if self._failing:
            found.append("the database cannot be used: records wait")
        if self.keeping.no_room:
            why = f"no room for records: {self.keeping.no_room}"
            found.append(f"{why}; they wait in memory, and what goes on is not shown")
        if self.live.lost and time.monotonic() - self.live.lost_at < _LATELY_S:
            found.append(f"{self.live.lost} records were lost: there was no room")
        return found

    def transfers(self, wanted: find.Wanted) -> list[find.Row]:
        """See `fsctl.records.find`."""
        return self._ask(lambda: find.transfers(self.keeping.reader(), wanted))

    def one_transfer(self, name: str) -> list[find.Row]:
        """See `fsctl.records.find`; with its legs and steps."""
        return self._ask(lambda: find.in_full(self.keeping.reader(), name))

    def material(self, name: str) -> ladders.Material | None:
        """See `fsctl.records.ladders`."""
        heard = self.hearing.messages_of
        return self._ask(lambda: ladders.of_transfer(self.keeping.reader(), name, heard))

    def heard(self, call_ids: list[str]) -> list[Message]:
        """SIP messages of these Call-IDs that were heard lately."""
        return self.hearing.messages_of(call_ids)

    def have_transferred(
        self, call: str, target: str, ring_timeout_s: int | None
    ) -> dict[str, object]:
        """Have a party transferred, and wait for what comes of it (`fsctl.service.asking`).

        Raises FsctlError, ValueError.
        """
        if not self._settings.switches:
            raise FsctlError("[switch] has no password: FreeSWITCH cannot be asked")
        with AskedTransfer(switch_of(call, self._settings.switches)) as asked:
            asked.ask(call, target, ring_timeout_s)
            answer = asked.wait(lambda: None, ASKED_S)
        status = answer.status
        outcome = "succeeded" if status.is_success else "failed"
        told = {"call": call, "target": target, "outcome": outcome}
        return told | {"code": status.code, "reason": status.reason, "why": answer.why}

    @staticmethod
    def _ask(question: Callable[[], T]) -> T:
        """In a thread: whoever else asks meanwhile is answered."""
        answer: T = gevent.get_hub().threadpool.apply(question)
        return answer

    def hang_up(self, switch: str, channel: str) -> None:
        """Have FreeSWITCH hang up a leg. Raises FsctlError."""
        known = [each for each in self._settings.switches if each.name == switch]
        if not known:
            raise FsctlError(f"[switch] has no password for {switch}")
        client = client_of(known[0])
        client.start()
        try:
            client.wait_connected(5.0)
            if not client.send(UuidKill(channel, "NORMAL_CLEARING")).ok:
                raise ChannelGone(f"{switch} has no channel {channel}")
        finally:
            client.stop()

    def set_log_level(self, level: str) -> None:
        """Of all processes."""
        logs.set_level(level)
        self._say(LOG_LEVEL, level)

    def drain(self) -> None:
        """Have the controller end as by SIGTERM."""
        self._say(DRAIN)

    def _say(self, *words: str) -> None:
        try:
            self._channel.send(*words)
        except OSError as error:
            raise FsctlError("the supervisor has gone") from error


def run(control: int) -> int:
    """Be the desk, until the descriptor ``control`` says that it is over; 0 then."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # it ends after the workers, not with them
    os.set_inheritable(control, False)
    channel = Channel(socket.socket(fileno=control))
    try:
        job = channel.receive_job(DeskJob)
    except (EOFError, OSError):
        return 2  # the supervisor died at once
    except OtherVersion as error:
        logs.say(f"the desk: {error}")
        return 2
    os.umask(0o027)  # numbers and names are nobody's business
    server = job.settings.server
    logs.set_up(server.log_level, server.log_format, "desk")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    counts = Shared(job.shared).counts()
    os.close(job.shared)
    Desk(job.settings, channel, counts, job.former).run()
    return 0
