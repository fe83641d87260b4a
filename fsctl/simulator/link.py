"""One ESL connection, seen from the switch (``listener_t`` of mod_event_socket)."""

from __future__ import annotations

import contextlib
from collections import deque
from typing import TYPE_CHECKING, Any

import gevent
from gevent import socket
from gevent.event import Event

from fsctl.simulator.commands import Reply, obey
from fsctl.simulator.events import SimEvent, event_frame
from fsctl.simulator.faults import Fault, Frame, Sending
from fsctl.simulator.subscription import Subscription

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel
    from fsctl.simulator.switch import SimulatedSwitch

_HANDSHAKE_S = 25.0
_GOODBYE = "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"


class Link:
    """A connection with a controller; commands are obeyed one by one, events come in between.

    ``obeyed`` keeps every command, with its headers and its body (``_body``), in their order: the
    transcripts of the stories are made of it. ``faults`` may be changed at any time.
    """

    def __init__(
        self, switch: SimulatedSwitch, sock: socket.socket, channel: Channel | None
    ) -> None:
        self.switch = switch
        self.channel = channel
        self.obeyed: list[dict[str, str]] = []
        self.faults: list[Fault] = list(switch.faults)
        self.holds_back_s = 0.0
        """A fault has it hold a frame back for so long; 0: it holds none."""
        self.subscription = Subscription()
        self.full = True
        self.async_ = True
        self.authenticated = channel is not None
        self.connected = False
        self.running = True
        self.finished = False
        self.lingering = False
        self.linger_s: float | None = None
        self.stalled = False
        self.busy_jobs = 0
        self._idle = Event()
        self._sock = sock
        self._inbox: deque[dict[str, str]] = deque()
        self._events: deque[SimEvent] = deque()
        self._wake = Event()
        self._hung_up = False
        self._cut = False
        self._greenlets: list[Any] = []

    @classmethod
    def outbound(cls, channel: Channel, sock: socket.socket, *, full: bool, async_: bool) -> Link:
        """The link of the application ``socket``; the controller speaks first."""
        link = cls(channel.switch, sock, channel)
        link.full, link.async_ = full, async_
        channel.links[link] = None
        link.start()
        return link

    def start(self) -> None:
        """Serve the connection until one side ends it."""
        self.switch.links.append(self)
        self.switch.links_made.append(self)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock.settimeout(None)
        if not self.authenticated:
            self._write(Frame(b"Content-Type: auth/request\n\n", "notice", "auth/request"))
        self.switch.clock.call_later(_HANDSHAKE_S, self._expire_handshake)
        self._greenlets = [self.switch.spawn(self._read), self.switch.spawn(self._pump)]

    def join(self) -> None:
        """Block until the connection has ended."""
        gevent.joinall(self._greenlets)

    def wake(self) -> None:
        """Look again: something happened to the channel."""
        self._wake.set()

    def offer(self, event: SimEvent) -> None:
        """Queue an event when the link has subscribed to it."""
        if self.running and self.subscription.wants(event):
            self._events.append(event)
            self._wake.set()

    def drop_events(self) -> None:
        """Forget the events that wait (``noevents``)."""
        self._events.clear()

    def kill(self) -> None:
        """Cut the connection from the switch's side, without a goodbye."""
        self.running = False
        self._cut = True
        self._shutdown()
        self._wake.set()

    def stop(self) -> None:
        """Leave after the current command (``exit``)."""
        self.running = False
        self._wake.set()

    # -- reading -------------------------------------------------------------------------------

    def _read(self) -> None:
        buffered = b""
        while self.running:
            try:
                received = self._sock.recv(65536)
            except OSError:
                received = b""
            if not received:
                break
            self.switch.note_exchange()
            buffered = self._take_commands(buffered + received)
        self.running = False
        self._wake.set()

    def _take_commands(self, buffered: bytes) -> bytes:
        while True:
            head, found, rest = buffered.lstrip(b"\n").partition(b"\n\n")
            if not found:
                return buffered
            command = _parse(head)
            length = int(command.get("content-length") or 0)
            if len(rest) < length:
                return buffered
            if length:
                command["_body"] = rest[:length].decode("utf-8", "surrogateescape")
            buffered = rest[length:]
            self._inbox.append(command)
            self._wake.set()

    # -- the loop of listener_run --------------------------------------------------------------

    def _pump(self) -> None:
        try:
            while True:
                # Of a leg that has gone, not even what waits to be read is obeyed (read_packet).
                while self._inbox and self.running and self._keep_after_hangup():
                    self._obey(self._inbox.popleft())
                self._send_events()
                if not self.running or not self._keep_after_hangup():
                    break
                if not self._inbox and not self._events:
                    self._wake.wait()
                self._wake.clear()
        finally:
            self._close()

    def _obey(self, command: dict[str, str]) -> None:
        self.obeyed.append(command)
        self.switch.note_exchange()
        if self.channel is not None and not self.connected:
            self.connected = True
            self.channel.wake()
        reply: Reply = obey(self, command)
        if reply.raw:
            self._write(Frame(reply.raw, reply.kind, command["command"].split("\n")[0]))

    def _send_events(self) -> None:
        while self._events:
            event = self._events.popleft()
            raw = event_frame(event)
            self._write(Frame(raw, "event", event.subclass or event.name))

    def _keep_after_hangup(self) -> bool:
        """False when the channel has gone and nobody asked the link to linger."""
        channel = self.channel
        if channel is None or channel.up or self._hung_up:
            return True
        if not self.lingering:
            return False
        self._hung_up = True
        self._write(Frame(self._linger_notice(channel), "notice", "linger"))
        if self.linger_s is not None:
            self.switch.clock.call_later(self.linger_s, self.stop)
        return True

    def _linger_notice(self, channel: Channel) -> bytes:
        seconds = -1 if self.linger_s is None else int(self.linger_s)
        return (
            "Content-Type: text/disconnect-notice\n"
            f"Controlled-Session-UUID: {channel.uuid}\n"
            "Content-Disposition: linger\n"
            f"Channel-Name: {channel.name}\n"
            f"Linger-Time: {seconds}\n"
            "Content-Length: 0\n\n"
        ).encode()

    # -- writing -------------------------------------------------------------------------------

    def _write(self, frame: Frame) -> None:
        self.switch.note_exchange()
        sending = Sending(((0.0, frame.raw),))
        for fault in self.faults:
            changed = fault(frame)
            if changed is not None:
                sending = changed
                break
        for delay_s, piece in sending.pieces:
            self._wait_clock(delay_s)
            self._send(piece)

    def _wait_clock(self, delay_s: float) -> None:
        if delay_s > 0:
            passed = Event()
            self.switch.clock.call_later(delay_s, passed.set)
            self.holds_back_s = delay_s
            passed.wait()
            self.holds_back_s = 0.0

    def _send(self, piece: bytes) -> None:
        while self.stalled and self.running:
            gevent.sleep(0.01)
        try:
            self._sock.sendall(piece)
        except OSError:
            self.running = False

    # -- the end -------------------------------------------------------------------------------

    def _expire_handshake(self) -> None:
        silent = self.channel is not None and not self.connected
        if silent or not self.authenticated:
            self.running = False
            self._wake.set()

    def _close(self) -> None:
        self.running = False
        if not self._cut:
            self._wait_for_jobs()
            self._write(Frame(self._goodbye(), "notice", "disconnect"))
        self._shutdown()
        if self in self.switch.links:
            self.switch.links.remove(self)
        self.finished = True
        if self.channel is not None:
            # Whoever else holds the leg: the end of any of its links ends the leg's parking.
            self.channel.flags.discard("controlled")
            self.channel.links.pop(self, None)
            self.channel.wake()

    def _wait_for_jobs(self) -> None:
        """As long as a ``bgapi`` of its runs, the connection stays open, dumb."""
        while self.busy_jobs:
            self._idle.wait()
            self._idle.clear()

    def job_ended(self) -> None:
        """A ``bgapi`` of this link has returned."""
        self.busy_jobs -= 1
        self._idle.set()

    def _goodbye(self) -> bytes:
        controlled = f"Controlled-Session-UUID: {self.channel.uuid}\n" if self.channel else ""
        disposition = "Content-Disposition: disconnect\n" if self.channel else ""
        head = f"Content-Type: text/disconnect-notice\n{controlled}{disposition}"
        return f"{head}Content-Length: {len(_GOODBYE)}\n\n{_GOODBYE}".encode()

    def _shutdown(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()


def _parse(head: bytes) -> dict[str, str]:
    """A command as ``read_packet`` reads it: first line, then ``name: value`` lines."""
    lines = [line for line in head.decode("utf-8", "surrogateescape").splitlines() if line]
    parsed = {"command": lines[0] if lines else ""}
    for line in lines[1:]:
        name, found, value = line.partition(":")
        if found:
            parsed[name.strip().lower()] = value.lstrip(" ")
    return parsed
