"""Asks the web service: signed, within one deadline, and whatever it does, with an `Exchange`.

Python's own HTTP client on gevent's sockets: nothing blocks the hub, names are looked up by
gevent's resolver. What is read is bounded *in all*, header lines and interim answers too: a socket
that always has something to read never lets the hub run, so no timeout would ever end an endless
answer.
"""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, Final
from urllib.parse import urlsplit

import gevent
from gevent import socket, ssl

from fsctl.decide import answer
from fsctl.decide.answer import AnswerError, Decision
from fsctl.decide.signature import sign
from fsctl.errors import SettingsError
from fsctl.setting_decide import Decide

log = logging.getLogger(__name__)

_HEADERS_BYTES: Final = 16 * 1024
_TRIES: Final = 2
_RETRY_AFTER_S: Final = 0.05
_TRIED_AGAIN: Final = (502, 503, 504)
OPENS_AFTER: Final = 5
"""So many failures in a row, and the service is not asked for a while."""
OPEN_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question and what came of it."""

    id: str
    host: str
    ms: int
    """How long it took, all tries together."""
    status: int = 0
    """Of HTTP; 0: there was none."""
    failure: str = ""
    """Why there is no decision, in a few words; empty: there is one."""
    decision: Decision | None = None

    def fields(self) -> dict[str, Any]:
        """Return it for a record: small, without anything secret."""
        said = {"id": self.id, "host": self.host, "ms": self.ms, "status": self.status}
        said |= {"failure": self.failure} if self.failure else {}
        return said | ({"decision": str(self.decision)} if self.decision else {})

    def __str__(self) -> str:
        outcome = str(self.decision) if self.decision else f"no decision: {self.failure}"
        return f"{outcome} (question {self.id} to {self.host}, {self.ms} ms, HTTP {self.status})"


class _Failed(Exception):
    """No decision; ``again``: another try may bring one, and does no harm."""

    def __init__(self, why: str, status: int = 0, *, again: bool = False) -> None:
        super().__init__(why)
        self.status, self.again = status, again


class Client:
    """The one of a worker: it knows how the service has done lately."""

    def __init__(self, settings: Decide, now: Callable[[], float] = time.monotonic) -> None:
        """Raises SettingsError (the file of CAs cannot be read)."""
        parts = urlsplit(settings.url)
        self._settings = settings
        self.host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._tls = _tls(settings) if parts.scheme == "https" else None
        self._now = now
        self._failures = 0
        self._closed_until: float | None = None
        """Until then it is not asked, then once. Set by so many failures; None: it is asked."""
        self.asking = 0
        """Questions that wait for their answers."""

    def ask(self, question_id: str, body: bytes) -> Exchange:
        """Return what the service says within ``timeout_s``. Never raises."""
        began = time.monotonic()
        if not self._may_ask():
            return Exchange(question_id, self.host, 0, failure="it has failed too often lately")
        self.asking += 1
        status, failure, decision = 0, "", None
        try:
            with gevent.Timeout(self._settings.timeout_s):
                decision = self._ask(question_id, body)
            status = 200
        except gevent.Timeout:
            failure = f"no answer within {self._settings.timeout_s:g} s"
        except _Failed as error:
            status, failure = error.status, str(error)
        except Exception as error:
            log.exception("the web service could not be asked")
            failure = f"an error of our own: {type(error).__name__}"
        finally:
            self.asking -= 1
        self._learn(bool(failure))
        ms = round(1000 * (time.monotonic() - began))
        return Exchange(question_id, self.host, ms, status, failure, decision)

    # -- how it has done

    def _may_ask(self) -> bool:
        if self._closed_until is None:
            return True
        if self._now() < self._closed_until:
            return False
        self._closed_until = self._now() + OPEN_S  # for all but this one
        return True

    def _learn(self, failed: bool) -> None:
        self._failures = self._failures + 1 if failed else 0
        if not failed:
            self._closed_until = None
        elif self._failures >= OPENS_AFTER:
            if self._failures == OPENS_AFTER:
                log.warning(
                    "the web service at %s has failed %d times in a row: asked again in %g s",
                    self.host,
                    self._failures,
                    OPEN_S,
                )
            self._closed_until = self._now() + OPEN_S

    # -- one question

    def _ask(self, question_id: str, body: bytes) -> Decision:
        tries = _TRIES
        while True:
            tries -= 1
            try:
                return self._try(question_id, body)
            except _Failed as error:
                if not tries or not error.again:
                    raise
            gevent.sleep(_RETRY_AFTER_S)

    def _try(self, question_id: str, body: bytes) -> Decision:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        headers |= {"User-Agent": "fsctl", "Connection": "close"}
        headers |= sign(self._settings.secret, question_id, int(time.time()), body)
        connection = _Connection(self.host, self._port, self._tls)
        try:
            connection.connect()
            connection.request("POST", self._path, body, headers)
            return _decision(connection.getresponse())
        except (OSError, HTTPException, AnswerError) as error:
            raise _Failed(f"{type(error).__name__}: {_said(error)}") from None
        finally:
            connection.close()


def _tls(settings: Decide) -> Any:
    """`gevent.ssl.create_default_context` would return Python's own, whose sockets block."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies chain and name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if settings.ca_file is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(settings.ca_file)
    except (OSError, ValueError) as error:
        raise SettingsError(f"[decide] ca_file: {settings.ca_file}: {error}") from error
    return context


def _decision(response: HTTPResponse) -> Decision:
    """Raises _Failed, AnswerError, OSError, HTTPException."""
    if response.status != 200:
        again = response.status in _TRIED_AGAIN
        raise _Failed(f"HTTP {response.status}", response.status, again=again)
    body = response.read(answer.MAX_BYTES + 1)
    if len(body) > answer.MAX_BYTES:
        raise _Failed(f"more than {answer.MAX_BYTES} bytes", 200)
    if response.length:
        raise _Failed(f"{response.length} bytes of the answer are missing", 200)
    try:
        return answer.read(body)
    except AnswerError as error:
        raise _Failed(f"answer: {error}", 200) from None


class _Connection(HTTPConnection):
    """On a socket that does not block the hub, and reads so much and no more."""

    def __init__(self, host: str, port: int, tls: Any) -> None:
        super().__init__(host, port)
        self._tls = tls

    def connect(self) -> None:
        """Raises _Failed: nobody has been asked yet, so another try does no harm."""
        try:
            self.sock = _Bounded(self._open(), answer.MAX_BYTES + _HEADERS_BYTES)
        except ssl.SSLError as error:
            raise _Failed(f"TLS: {_said(error)}") from None
        except OSError as error:
            raise _Failed(f"no connection: {_said(error)}", again=True) from None

    def _open(self) -> Any:
        sock = socket.create_connection((self.host, self.port))
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                name = self.host
                sock = self._tls.wrap_socket(
                    sock, server_hostname=name, do_handshake_on_connect=False
                )
                sock.do_handshake()
            return sock
        except BaseException:  # the deadline, too
            sock.close()
            raise


class _Bounded:
    """A socket, as far as `http.client` uses it."""

    def __init__(self, sock: Any, most: int) -> None:
        self._sock, self._most = sock, most
        self.sendall = sock.sendall
        self.close = sock.close

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return what is read of it; that outlives its `close`, as with any socket."""
        return io.BufferedReader(_Reader(self._sock.makefile(mode, buffering=0), self._most))


class _Reader(io.RawIOBase):
    def __init__(self, file: io.RawIOBase, most: int) -> None:
        self._file, self._left = file, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._left <= 0:
            raise _Failed("it says more than it may")
        read = self._file.readinto(memoryview(buffer)[: self._left])
        self._left -= read or 0
        return read

    def close(self) -> None:
        self._file.close()
        super().close()


def _said(error: Exception) -> str:
    """What it says, for a log line: an error may quote what the service has sent."""
    return ascii(getattr(error, "strerror", None) or str(error))[1:-1][:120]
