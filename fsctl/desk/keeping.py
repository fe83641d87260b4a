"""From the journal into the database, as far as either goes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    SQLAlchemyError,
    StatementError,
)

from fsctl import journal
from fsctl.hep.message import Message
from fsctl.journal import Entry
from fsctl.records import store
from fsctl.settings import Records

log = logging.getLogger(__name__)

AT_ONCE_BYTES = 1 << 20
"""So much is kept in one transaction."""
FIRST_DELAY_S = 0.5
LAST_DELAY_S = 30.0
"""After a failure of the database: the next attempt."""
_SWEEP_S = 3600.0


class Keeping:
    """Reads what has been noted, and keeps it."""

    def __init__(
        self, settings: Records, *, news: bool = False, former: Sequence[Path] = ()
    ) -> None:
        """``news``: who ends a transfer is told of (`fsctl.desk.news`); ``former``: folders in
        which more may be noted, of settings before these."""
        self.folders = (settings.journal, *former)
        """Where it is noted."""
        self._settings = settings
        self._news = news
        self._engine: Engine | None = None
        """None: the database has not been reached yet."""
        self._reader: Engine | None = None
        self._places: dict[str, int] = {}
        """Up to where each file is kept; as the database says."""
        self._unreadable: set[str] = set()
        """Files that could not be read, or removed; said once."""
        self._failures = 0
        """In a row."""
        self._next_attempt = 0.0
        self.no_room = ""
        """Why nothing can be noted, in words. Set by `look_for_room`; empty: it can."""
        self._next_sweep = 0.0
        self.on_kept: Callable[[Entry], None] = lambda entry: None
        """Called with each entry that is in the database now, in the thread of `keep`. Set by who
        tells others of it."""
        self.may_remove: Callable[[str, int], bool] = lambda file, end: True
        """Whether nobody else needs a file, up to that place. Set by who reads it as well."""

    @property
    def failing(self) -> bool:
        """Whether the database could not be used when it was tried last."""
        return self._failures > 0

    def keep(self) -> bool:
        """Keep what is there, some of it; True when more is there. Never raises."""
        if time.monotonic() < self._next_attempt:
            return False
        try:
            more = self._keep(self._reach())
            self._sweep()
        except Exception as error:  # a newer fsctl's tables, a driver that is missing: records wait
            self._failed(error)
            return False
        if self._failures:
            log.info("records are kept again")
        self._failures = 0
        return more

    def places(self) -> dict[str, int]:
        """Return up to where each file is kept. Raises SQLAlchemyError, OSError."""
        return store.places(self.reader())

    def reader(self) -> Engine:
        """Return what reads the database, in whatever thread."""
        if self._reader is None:
            self._reader = store.open_engine(self._settings.url)
        return self._reader

    def waiting_bytes(self) -> int:
        """So much is in the journal that is not in the database yet."""
        sizes = [each for folder in self.folders for each in journal.sizes(folder).items()]
        return sum(max(0, size - self._places.get(file, 0)) for file, size in sizes)

    def look_for_room(self) -> None:
        """Look whether more can be noted (`no_room`); may take as long as the disk does."""
        settings, before = self._settings, self.no_room
        self.no_room = journal.why_not_written(settings.journal, settings.backlog_bytes)
        if self.no_room and not before:
            log.error("nothing can be noted in %s: %s", settings.journal, self.no_room)
        elif before and not self.no_room:
            log.info("there is room in %s again", settings.journal)

    def _reach(self) -> Engine:
        if self._engine is None:
            engine = store.open_engine(self._settings.url)
            store.upgrade(engine)
            self._places = store.places(engine)
            self._engine = engine
        return self._engine

    def _keep(self, engine: Engine) -> bool:
        more = False
        for folder, file in journal.files_of(self.folders):
            start = self._places.get(file, 0)
            try:
                entries = journal.read(folder, file, start, AT_ONCE_BYTES)
                is_read = not entries and self.may_remove(file, start)
                is_gone = is_read and journal.remove_read(folder, file, start)
            except OSError as error:  # another user's, or the disk is damaged: it holds up no other
                self._cannot_read(file, error)
                continue
            if entries:
                self._keep_entries(engine, entries)
                self._places[file] = entries[-1].end
                more = True
            elif is_gone:
                store.forget_file(engine, file)
                self._places.pop(file, None)
        return more

    def _cannot_read(self, file: str, error: OSError) -> None:
        level = logging.DEBUG if file in self._unreadable else logging.ERROR
        log.log(level, "records in %s are not kept: %s", file, error.strerror or error)
        self._unreadable.add(file)

    def keep_messages(self, transfer: str, messages: list[Message]) -> bool:
        """Keep the SIP messages of a transfer; False: the database cannot be used now. In the
        thread of `keep`."""
        if self._engine is None:
            return False
        try:
            store.keep_messages(self._engine, transfer, messages)
        except (SQLAlchemyError, OSError) as error:
            if isinstance(error, StatementError) and _is_of_data(error):
                log.error("messages of %s are not kept: %s", transfer, error.orig)
                return True
            self._failed(error)
            return False
        return True

    def _keep_entries(self, engine: Engine, entries: list[Entry]) -> None:
        for entry in entries:
            if entry.what == "lost":
                log.error("%s records were lost: there was no room", entry.fields.get("lines"))
            elif entry.what == "damaged":
                log.error("a damaged line before byte %d of %s is no record", entry.end, entry.file)
        try:
            store.keep(engine, entries, news=self._news)
            for entry in entries:
                self.on_kept(entry)
        except StatementError as error:
            if not _is_of_data(error):
                raise
            if len(entries) == 1:
                log.error("the database takes this not, for good: %s: %s", entries[0], error.orig)
                store.keep(engine, [Entry(entries[0].file, entries[0].end, "damaged", 0.0, {})])
                return
            middle = len(entries) // 2
            for half in (entries[:middle], entries[middle:]):
                self._keep_entries(engine, half)

    def _sweep(self) -> None:
        now = time.monotonic()
        if self._engine is None or not self._settings.keep_days or now < self._next_sweep:
            return
        self._next_sweep = now + _SWEEP_S
        if deleted := store.forget_old(self._engine, self._settings.keep_days, datetime.now(UTC)):
            log.info("%d rows older than %d days deleted", deleted, self._settings.keep_days)

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        delay = min(LAST_DELAY_S, FIRST_DELAY_S * 2.0 ** (self._failures - 1))
        self._next_attempt = time.monotonic() + delay
        log.log(
            logging.ERROR if self._failures == 1 else logging.DEBUG,
            "records wait in %s, the database cannot be used: %s",
            self._settings.journal,
            store.why(error),
        )
        if self._engine is not None:
            self._engine.dispose()
            # What it says counts: a transaction may have been kept whose answer was lost.
            self._engine = None


def _is_of_data(error: StatementError) -> bool:
    """Whether it is what was to be kept that the database does not take."""
    return not isinstance(error, DBAPIError) or isinstance(error, DataError | IntegrityError)
