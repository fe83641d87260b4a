"""Tells others of each transfer that has ended: a web service, which is asked again until it has
taken it, and a file of JSON lines.

What is to be sent stands in the database with the record itself, so that it is sent at least once,
whoever dies when; whoever is told knows by ``webhook-id`` what it has heard already. In a thread of
its own: a service may be slow.
"""

from __future__ import annotations

import json
import logging
import random
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from fsctl import moments
from fsctl.decide.signature import sign
from fsctl.journal import Entry
from fsctl.records import store
from fsctl.settings import News

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""How often it is looked whether something is due."""
TIMEOUT_S = 10.0
"""For each step of a request."""
FIRST_DELAY_S = 5.0
LAST_DELAY_S = 3600.0
"""After a failure: the next try; in between it doubles."""
_AT_ONCE = 50
_MOST_BYTES = 64 << 10


class Sender:
    """Sends what is due, one after the other, until it is told to end."""

    def __init__(self, settings: News, engine: Callable[[], Engine]) -> None:
        """``engine`` returns that of the database, in whatever thread."""
        self._settings = settings
        self._engine = engine
        self._parts = urlsplit(settings.url)
        self._ends = threading.Event()
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="news", daemon=True)

    def start(self) -> None:
        """Begin, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing more; what is due waits for the next start."""
        self._ends.set()

    def _run(self) -> None:
        while not self._ends.wait(LOOK_S):
            # The database is down, or its driver is missing: others say so.
            with suppress(SQLAlchemyError, OSError, ImportError):
                self.send_due(datetime.now(UTC))

    def send_due(self, now: datetime) -> int:
        """Send what is due; returns how much that was. Raises SQLAlchemyError."""
        began, due = time.monotonic(), store.due_news(self._engine(), now, _AT_ONCE)
        for row in due:
            if self._ends.is_set():
                break
            # Others may have taken their time, and what is signed too long ago is not believed.
            now += timedelta(seconds=time.monotonic() - began)
            began = time.monotonic()
            taken, answer = self._send(row, now)
            again = None if taken else self._again(row, now, answer)
            store.news_sent(self._engine(), row["transfer"], answer, again)
            self._tell(row["transfer"], taken, answer, again)
        return len(due)

    def _send(self, row: dict[str, Any], now: datetime) -> tuple[bool, str]:
        """Return whether it was taken, or is not wanted, and the answer in words."""
        headers = sign(
            self._settings.secret, row["transfer"], int(now.timestamp()), row["body"]
        ) | {"Content-Type": "application/json", "User-Agent": "fsctl"}
        path = (self._parts.path or "/") + (f"?{self._parts.query}" if self._parts.query else "")
        connection: HTTPConnection | None = None
        try:
            connection = self._connection()
            connection.request("POST", path, row["body"], headers)
            answer = connection.getresponse()
            answer.read(_MOST_BYTES)
            # 410: it is not to be told of this any more (Standard Webhooks).
            return 200 <= answer.status < 300 or answer.status == 410, f"HTTP {answer.status}"
        except (OSError, HTTPException, ValueError) as error:
            return False, f"{type(error).__name__}: {error}"
        finally:
            if connection is not None:
                connection.close()

    def _connection(self) -> HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme != "https":
            return HTTPConnection(host, port, timeout=TIMEOUT_S)
        authorities = str(self._settings.ca_file) if self._settings.ca_file else None
        context = ssl.create_default_context(cafile=authorities)
        return HTTPSConnection(host, port, timeout=TIMEOUT_S, context=context)

    def _again(self, row: dict[str, Any], now: datetime, answer: str) -> datetime | None:
        delay_s = min(LAST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(row["tries"], 20))
        at = now + timedelta(seconds=delay_s * random.uniform(0.75, 1.25))
        if at - row["began"] < timedelta(hours=self._settings.give_up_after_h):
            return at
        log.error("nobody is told of transfer %s any more: %s", row["transfer"], answer)
        return None

    def _tell(self, transfer: str, taken: bool, answer: str, again: datetime | None) -> None:
        if taken and self._failing:
            log.info("the web service of [news] takes what it is told again")
        if not taken and not self._failing and again is not None:
            log.error(
                "the web service of [news] has not taken transfer %s (%s): told again at %s",
                transfer,
                answer,
                moments.for_programs(again),
            )
        self._failing = not taken


class Lines:
    """A file to which the record of each transfer is appended, a JSON object a line.

    It may be moved away at any time (logrotate). One whose desk was killed just then may have a
    record twice: it is known by its ``id``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._failing = False

    def take(self, entry: Entry) -> None:
        """Append it, if it is a record."""
        if entry.what != "record":
            return
        ended = moments.for_programs(moments.at(entry.at))
        line = json.dumps({"ended": ended, **entry.fields}) + "\n"
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            if not self._failing:
                log.error("[news] lines = %s: %s: records are missing", self._path, error.strerror)
            self._failing = True
        else:
            self._failing = False
