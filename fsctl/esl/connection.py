"""One ESL link: greenswitch's session, hardened. The only file that imports greenswitch.

greenswitch gives the shape and the call verbs; reading, writing, waiting and closing are ours,
because there it may hang, mix replies up or stop the whole process. The hub reads a link whenever
there is something, without a greenlet that waits for it, and whoever sends waits for its own reply
with a deadline.
"""

from __future__ import annotations

import logging
import os
import re
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import gevent
from gevent.event import Event as Flag
from gevent.lock import BoundedSemaphore
from gevent.socket import socket as Socket
from greenswitch.esl import OutboundSession

from fsctl.errors import (
    AuthError,
    ChannelGone,
    CommandError,
    CommandFailed,
    CommandTimeout,
    LinkError,
    LinkLost,
    ProtocolError,
)
from fsctl.esl.commands import (
    ApiCommand,
    Auth,
    Command,
    Connect,
    Execute,
    Linger,
    NoEvents,
    NoLinger,
)
from fsctl.esl.events import Event, Reply, event_of
from fsctl.esl.frames import DEFAULT_LIMITS, Frame, FrameReader, Limits
from fsctl.esl.loss import ToldOfLoss, ignore_event
from fsctl.esl.sockets import address_of
from fsctl.esl.waiting import Deadline, Replies, Unanswered, Waiters
from fsctl.log import Field

DEFAULT_TIMEOUT_S = 5.0
MAX_UNANSWERED = 4096
_READ_BYTES = 65536
"""So much is read at a time; then it is the turn of others."""
_READABLE = 1
_CHANNEL_UUID = re.compile("[!-~]{1,256}")
"""An operator may choose it (``origination_uuid``); in a command it is one word."""
_SESSION_DATA = ("variable_uuid", "variable_call_uuid", "Caller-Caller-ID-Number")
_CONNECT, _NO_EVENTS, _NO_LINGER = Connect(), NoEvents(), NoLinger()
_log = logging.getLogger(__name__)


class Connection(ToldOfLoss, OutboundSession):  # type: ignore[misc]  # greenswitch is untyped
    """A link to FreeSWITCH, inbound or outbound.

    `on_event` is called by the hub with every event and must not block: it should put the event
    into a mailbox. Of greenswitch's verbs, those that run an application and do not
    wait work (``answer``, ``park``, ``hangup``, ``bridge``); to wait for an end use `execute`.
    """

    # Of the class, for a link sets them late or never: with more than 30 attributes of its own an
    # object takes a kilobyte more.
    on_closed: Callable[[Connection], None] | None = None
    """Called once with the link when it is gone, after `on_lost`. Set by whoever has opened it,
    for good."""
    on_hung_up: Callable[[], None] | None = None
    """Called when its channel has hung up and the link lingers, so that it is not lost. Set by
    whoever waits for that; taken back by them."""
    _loss: LinkError = LinkLost("closed")
    _hung_up = False
    _retired = False

    def __init__(
        self, sock: Socket, peer: object, *, log_id: str, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        super().__init__(peer, sock)
        self.sock_file.close()  # ours reads the socket itself
        self.event_handlers.clear()
        self._esl_event_queue = None  # nor is there a greenlet that would empty it
        self.log_id = log_id
        """The name of the link in log lines: its peer, from `connect` on its channel."""
        self.channel_uuid: str | None = None
        """The channel that has opened the link. Set by `connect`; None: an inbound link, or a
        stranger who has not answered the handshake."""
        self.on_event: Callable[[Event], None] = ignore_event
        """Called with every event. Set by whoever wants them; taken back by `retire`."""
        self.session_data: dict[str, str | None] = {}
        """Of the channel's snapshot at the handshake what greenswitch has names for (``uuid``,
        ``call_uuid``, ``caller_id_number``). Set by `connect`."""
        self.since = time.monotonic()
        """When the peer has opened the link (`time.monotonic`). Set here, and to an earlier time by
        a server that knows of one."""
        self._frames = FrameReader(limits)
        self._waiters = Waiters()
        self._write_lock = BoundedSemaphore(1)
        self._reading: Any = None  # gevent's watcher of the socket
        self._gone = Flag()

    # -- life ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to read; that ends with the link."""
        if self._reading is None and not self.closed:
            self._reading = gevent.get_hub().loop.io(self.sock.fileno(), _READABLE)
            self._reading.start(self.receive_events)

    def start_event_handlers(self) -> None:
        """greenswitch starts its greenlets in the constructor; ours begin with `start`."""

    @property
    def local_port(self) -> int:
        """The port at which the peer has dialled us; 0 when that is no longer known."""
        try:
            return address_of(self.sock)[1]
        except (OSError, IndexError, ValueError):
            return 0

    @property
    def age_s(self) -> float:
        """How long ago the peer has opened it, in seconds."""
        return time.monotonic() - self.since

    @property
    def closed(self) -> bool:
        """Whether the link is gone, by our doing or by the peer's."""
        return self._gone.is_set()  # type: ignore[no-any-return]

    @property
    def lingering(self) -> bool:
        """Whether the channel has hung up and FreeSWITCH keeps the link for a while."""
        return bool(self._lingering)

    @property
    def hung_up(self) -> bool:
        """Whether the link's own channel has hung up: no verb works on it any more."""
        return self._hung_up

    def wait_closed(self, timeout_s: float | None = None) -> bool:
        """Wait until the link is gone; False when it is not by then."""
        return bool(self._gone.wait(timeout_s))

    def retire(self) -> None:
        """Hear no more, and end as soon as the link's channel has hung up; never raises.

        A channel that lives must keep its links (see `fsctl.switch.links`); one that has hung up
        is kept by a link that lingers, as a zombie that ``show channels`` lists.
        """
        self.on_event = ignore_event
        self._retired = True
        if self._lingering:
            self.close()
        elif not self.closed:
            with suppress(LinkError):  # it has ended by itself, or does so now
                self.post(_NO_EVENTS, _NO_LINGER)

    def close(self) -> None:
        """End the link at once; everybody who waits gets LinkLost. May be repeated."""
        self._lose(LinkLost("closed by us"))

    def stop(self) -> None:
        """greenswitch's name for `close`."""
        self.close()

    def _lose(self, loss: LinkError) -> None:
        if self.closed:
            return
        self._loss = loss
        self._gone.set()
        self.connected = self._run = False
        _log.debug("[%s] link gone: %s", self.log_id, loss)
        if self._reading is not None:
            self._reading.stop()
            self._reading.close()
        self.sock.close()
        self._auth_request_event.set()
        self._waiters.fail_all(self._new_loss)
        self._tell_loss()
        if self.on_closed is not None:
            self._guarded(self.on_closed, self)

    def _new_loss(self) -> LinkError:
        return type(self._loss)(*self._loss.args)

    # -- reading ------------------------------------------------------------------------------

    def receive_events(self) -> None:
        """There is something to read, or the end; called by the hub. An end wakes everybody."""
        loss: LinkError | None = None
        try:
            loss = self._read()
        except ProtocolError as error:
            # Of a stranger it is told by whoever waits for the handshake.
            level = logging.DEBUG if self.channel_uuid is None else logging.WARNING
            _log.log(level, "[%s] the link ends: %s", self.log_id, error)
            loss = LinkLost(f"the peer broke the protocol: {error}")
        except OSError as error:
            loss = LinkLost(f"read failed: {error}")
        except Exception as error:
            _log.exception("[%s] the reader failed", self.log_id)
            loss = LinkLost(f"the reader failed: {error}")
        except BaseException:
            self._lose(LinkLost("the reader was stopped"))
            raise
        if loss is not None:
            self._lose(loss)

    def _read(self) -> LinkLost | None:
        try:
            chunk = os.read(self.sock.fileno(), _READ_BYTES)
        except BlockingIOError:
            return None
        if not chunk:
            self._frames.feed_eof()
            return LinkLost("closed by the peer")
        for frame in self._frames.feed(chunk):
            self.handle_event(frame)
            if self.closed:  # replies behind a notice of the end are nobody's any more
                return None
        if self._frames.error is not None:
            raise self._frames.error
        return None

    def handle_event(self, frame: Frame) -> None:
        """One frame from the peer, of any kind. Raises ProtocolError."""
        kind = frame.content_type
        if kind in ("command/reply", "api/response"):
            self._take_reply(frame)
        elif kind == "text/disconnect-notice":
            self._take_notice(frame)
        elif kind == "auth/request":
            self._auth_request_event.set()
        elif kind == "text/rude-rejection":
            self._lose(AuthError("refused: " + frame.body.decode("utf-8", "replace").strip()))
        elif (event := event_of(frame)) is not None:
            self._waiters.take_event(event)
            self._guarded(self.on_event, event)

    def _take_reply(self, frame: Frame) -> None:
        reply = self._waiters.take_reply(frame)
        if reply is not None and not reply.ok:
            # A channel may have hung up meanwhile: nothing is lost with it.
            level = logging.DEBUG if reply.no_channel else logging.WARNING
            _log.log(level, "[%s] %s refused: %s", self.log_id, reply.command, reply.text.strip())

    def _take_notice(self, frame: Frame) -> None:
        self._hung_up = self.channel_uuid is not None
        if frame.headers.get("Content-Disposition") != "linger" or self._retired:
            self._lose(LinkLost("FreeSWITCH ended the link"))
            return
        self._lingering = True
        self._waiters.end_executions(self.channel_uuid)
        if self.on_hung_up is not None:
            self._guarded(self.on_hung_up)

    # -- writing ------------------------------------------------------------------------------

    def send(self, command: Command, timeout_s: float = DEFAULT_TIMEOUT_S) -> Reply:
        """Send one command and wait for its reply, which may be an error.

        Raises LinkLost, CommandTimeout (the late reply is still taken for this command), and
        ChannelGone for a verb on a channel that has hung up.
        """
        return self.send_all((command,), timeout_s)[0]

    def send_all(
        self, commands: Sequence[Command], timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> list[Reply]:
        """Send commands in one write, and wait for all replies; see `send`."""
        if gevent.getcurrent() is gevent.get_hub():
            raise RuntimeError("on_event may not wait for a reply: nobody would read it")
        deadline = Deadline(timeout_s)
        labels = [_label(command) for command in commands]
        replies = Replies(labels)
        self._transmit(commands, [Unanswered(label, replies) for label in labels], deadline)
        return replies.wait(deadline) if labels else []

    def post(self, *commands: Command) -> None:
        """Send commands and do not wait; an error in a reply is logged."""
        sent = [Unanswered(_label(command), None) for command in commands]
        self._transmit(commands, sent, Deadline(DEFAULT_TIMEOUT_S))

    def _transmit(
        self, commands: Sequence[Command], sent: list[Unanswered], deadline: Deadline
    ) -> None:
        if self._hung_up:
            self._refuse_gone(commands)
        encoded = b"".join([command.encode() for command in commands])
        if not self._write_lock.acquire(blocking=False) and not self._write_lock.acquire(
            timeout=deadline.left_s()
        ):
            raise deadline.missed("the link's turn to write")
        try:
            if self.closed:
                raise self._new_loss()
            if self._waiters.unanswered + len(sent) > MAX_UNANSWERED:
                raise CommandTimeout(f"{MAX_UNANSWERED} commands are not answered yet")
            self._waiters.add_commands(sent)
            self._write(encoded, deadline)
        finally:
            self._write_lock.release()

    def _refuse_gone(self, commands: Sequence[Command]) -> None:
        # FreeSWITCH answers +OK and never runs what is queued to a channel that has hung up.
        for command in commands:
            ours = (None, self.channel_uuid)
            if isinstance(command, Execute) and command.channel_uuid in ours:
                raise ChannelGone(f"{self.channel_uuid} has hung up")

    def _write(self, encoded: bytes, deadline: Deadline) -> None:
        try:
            written = os.write(self.sock.fileno(), encoded)
        except BlockingIOError:
            written = 0
        except OSError as error:
            raise self._write_failed(error) from error
        if written < len(encoded):
            self._write_slowly(encoded[written:], deadline)

    def _write_slowly(self, rest: bytes, deadline: Deadline) -> None:
        """The peer has not read what it was sent before."""
        missed = deadline.missed("writing")
        timer = gevent.Timeout.start_new(deadline.left_s(), missed)
        try:
            self.sock.sendall(rest)
        except OSError as error:
            raise self._write_failed(error) from error
        except BaseException:  # the deadline, or whoever waits has been killed
            # Half a command may be on the wire: nothing after it would be understood.
            self._lose(LinkLost("the peer does not read"))
            raise
        finally:
            timer.close()

    def _write_failed(self, error: OSError) -> LinkError:
        self._lose(LinkLost(f"write failed: {error}"))
        return self._new_loss()

    # -- conversations ------------------------------------------------------------------------

    def connect(self, timeout_s: float = DEFAULT_TIMEOUT_S) -> Event:
        """An outbound link's handshake, once; returns the channel's snapshot, which is not kept.

        Raises LinkLost, CommandTimeout, CommandFailed, ProtocolError (it names no channel).
        """
        if self.channel_uuid is not None:
            raise RuntimeError("the handshake is over")
        snapshot = self.send(_CONNECT, timeout_s).raise_for_error().headers
        uuid_ = snapshot.channel_uuid
        if uuid_ is None or not _CHANNEL_UUID.fullmatch(uuid_):
            raise ProtocolError("the reply to connect names no channel")
        self.channel_uuid = uuid_
        self.log_id = Field("channel", uuid_)
        self.session_data = {name: snapshot.get(name) for name in _SESSION_DATA}
        self._outbound_connected = True
        return snapshot

    def authenticate(self, password: str, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        """An inbound link's handshake. Raises AuthError, LinkLost, CommandTimeout."""
        deadline = Deadline(timeout_s)
        if not self._auth_request_event.wait(deadline.left_s()):
            raise deadline.missed("the switch's request for a password")
        if self.closed:
            raise self._new_loss()
        reply = self.send(Auth(password), deadline.left_s())
        if not reply.ok:
            raise AuthError("FreeSWITCH refused the password")

    def api(self, command: ApiCommand, timeout_s: float = DEFAULT_TIMEOUT_S) -> str:
        """The output of an API command; raises CommandFailed when that is an error."""
        reply = self.send(command, timeout_s)
        by_command = reply.frame.content_type == "api/response"
        if command.failed(reply.text) if by_command else not reply.ok:
            raise CommandFailed(f"{command.label}: {reply.text.strip()}")
        return reply.text

    def execute(self, command: Execute, timeout_s: float = DEFAULT_TIMEOUT_S) -> Event:
        """Run an application and wait for its CHANNEL_EXECUTE_COMPLETE (which must be subscribed).

        It is known by the Event-UUID that we give it. Raises CommandFailed at once on ``-ERR``,
        ChannelGone when the channel hangs up, CommandTimeout, LinkLost.
        """
        deadline = Deadline(timeout_s)
        event_uuid = command.event_uuid or str(uuid.uuid4())
        on_channel = command.channel_uuid or self.channel_uuid
        end = self._waiters.add_execution(event_uuid, on_channel, command.application)
        try:
            self.send(replace(command, event_uuid=event_uuid), timeout_s).raise_for_error()
            return end.wait(deadline)
        finally:
            self._waiters.forget(event_uuid)

    # -- greenswitch's verbs, made safe -------------------------------------------------------

    def call_command(
        self,
        app_name: str,
        app_args: str | None = None,
        block: bool = False,
        response_timeout: float | None = None,
    ) -> Reply | Event:
        """Run an application; with `block` wait for its own end, see `execute`."""
        command = Execute(app_name, app_args or "")
        if not block:
            return self.send(command).raise_for_error()
        return self.execute(command, response_timeout or DEFAULT_TIMEOUT_S)

    def linger(self, timeout: int | None = None) -> None:
        """Keep the link after the hang-up; without a time for `DEFAULT_TIMEOUT_S`."""
        self.send(Linger(timeout or int(DEFAULT_TIMEOUT_S))).raise_for_error()

    def register_expected_event(self, *_: object) -> None:
        """greenswitch waits by an application's name, so one end wakes every waiter: refused."""
        raise CommandError("wait with execute(): an application is known by its Event-UUID")


def _label(command: Command) -> str:
    if not isinstance(command, Command):
        raise CommandError(f"not a command of fsctl.esl.commands: {type(command).__name__}")
    return command.label
