"""``SimulatedSwitch``: plays FreeSWITCH over real TCP."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import gevent
from gevent import socket
from gevent.server import StreamServer

from fsctl.simulator import refer
from fsctl.simulator.api import APIS
from fsctl.simulator.applications import SIMPLE_APPLICATIONS, execute
from fsctl.simulator.call_applications import CALL_APPLICATIONS
from fsctl.simulator.channel import Channel
from fsctl.simulator.clock import Clock, VirtualClock
from fsctl.simulator.dialog import Dialog
from fsctl.simulator.dialplan import Dialplan
from fsctl.simulator.dialplan_xml import load_dialplan
from fsctl.simulator.directory import Directory
from fsctl.simulator.events import SimEvent, dates
from fsctl.simulator.faults import Fault
from fsctl.simulator.inbound import make_inbound_channel
from fsctl.simulator.link import Link
from fsctl.simulator.machine import run
from fsctl.simulator.media_applications import MEDIA_APPLICATIONS
from fsctl.simulator.moves import transfer
from fsctl.simulator.profile_params import load_profile_params
from fsctl.simulator.progress import refused
from fsctl.simulator.quiet import Activity, until_quiet
from fsctl.simulator.room_applications import ROOM_APPLICATIONS
from fsctl.simulator.scheduler import Scheduler
from fsctl.simulator.uuid_bridge import uuid_bridge

if TYPE_CHECKING:
    from fsctl.simulator.phone import Phone

_LEAP_S = 1.0
QUIET_S = 0.01
"""``quiet_s`` where none is given; tests whose controllers wait for nobody set less."""
_GLOBALS = {"domain": "localhost", "hold_music": "local_stream://moh"}
_APPLICATIONS = {
    **SIMPLE_APPLICATIONS,
    **MEDIA_APPLICATIONS,
    **ROOM_APPLICATIONS,
    **CALL_APPLICATIONS,
}


class StoryTimeout(AssertionError):
    """What a story waited for did not happen; the text is a ladder of all phones."""


class SimulatedSwitch:
    """A FreeSWITCH without media: channels, dialplan, event socket in both directions, phones.

    ``dialplan`` is a ``Dialplan``, or a directory as ``fsctl dialplan render`` writes it, which
    also sets what its profile parameters say about transfers. Calls enter in ``context``. With
    ``clock`` left out, time is virtual: see ``advance`` and ``run_until``. ``password`` is for
    controllers that connect to ``esl_address``. ``notify_delay_s``: how long after ``sendevent
    NOTIFY`` the phone gets it; a leg that is killed in between never does, as on the real switch.
    ``quiet_s`` (real seconds): ten times as long a controller may think before a leap in time.
    ``keep_events``: whether ``events`` keeps every event, also those that nobody has subscribed to.

    For assertions: ``phones``, ``channels`` (alive), ``links`` (open), ``links_made`` (all, with
    their ``commands``), ``events`` (see above), ``expanded_apis`` (API calls that network text got
    executed), ``scheduler.pending()``, ``rooms`` (conferences).
    """

    def __init__(
        self,
        dialplan: Dialplan | Path,
        *,
        context: str = "default",
        clock: Clock | None = None,
        password: str = "ClueCon",
        global_variables: dict[str, str] | None = None,
        fire_transfer_events: bool = True,
        notify_delay_s: float = 0.005,
        quiet_s: float | None = None,
        keep_events: bool = False,
    ) -> None:
        self.clock: Clock = clock if clock is not None else VirtualClock()
        self.global_variables = {**_GLOBALS, **(global_variables or {})}
        self.context = context
        self.password = password
        self.sofia_profiles = {"internal", "external", "lab"}
        self.default_profile = "internal"
        self.gateways: set[str] = set()
        self.fire_transfer_events = fire_transfer_events
        self.every_transfer_a_nightmare = False
        self.nightmare_dial_string = ""
        self.full_id = False
        self.codecs: tuple[str, ...] = ("PCMU",)
        self.late_negotiation = False
        self.notify_delay_s = notify_delay_s
        self.quiet_s = QUIET_S if quiet_s is None else quiet_s
        self.keep_events = keep_events
        self.directory = Directory(self)
        self.phones = self.directory.phones
        self.channels: dict[str, Channel] = {}
        self.links: list[Link] = []
        self.links_made: list[Link] = []
        self.faults: list[Fault] = []
        self.events: list[SimEvent] = []
        self.expanded_apis: list[tuple[str, str]] = []
        self.scheduler = Scheduler(self)
        self._begin()
        self.dialplan = self._install(dialplan)

    def _begin(self) -> None:
        # Conferences by name with their members; valet lots with a leg's uuid by place.
        self.rooms: dict[str, list[Channel]] = {}
        self.lots: dict[str, dict[str, str]] = {}
        self.sessions_made = 0
        self.switchname: str = "simulator"
        self.global_variables["core_uuid"] = str(uuid.uuid4())
        self._sequence = itertools.count(1)
        self._server: StreamServer | None = None
        self._activity = Activity()
        self._greenlets: set[gevent.Greenlet[..., None]] = set()

    def _install(self, dialplan: Dialplan | Path) -> Dialplan:
        if isinstance(dialplan, Dialplan):
            return dialplan
        rendered = load_profile_params(dialplan)
        if rendered is not None:
            self.fire_transfer_events = rendered.fire_transfer_events
            self.every_transfer_a_nightmare = rendered.every_transfer_a_nightmare
            self.nightmare_dial_string = rendered.nightmare_dial_string
            self.full_id = rendered.full_id
            self.codecs = rendered.codecs
            self.late_negotiation = rendered.late_negotiation
        return load_dialplan(dialplan, self.global_variables)

    # -- what a story uses ---------------------------------------------------------------------

    def phone(self, number: str, display_name: str = "") -> Phone:
        """The phone with this number, made when it is named first."""
        return self.directory.phone(number, display_name)

    def further_phone(self, number: str, display_name: str = "", joined_by: str = ",") -> Phone:
        """Another phone of the user with this number, beside :meth:`phone`.

        ``user/NUMBER`` dials all of them: ``joined_by`` is what stands before it in the user's dial
        string, ``,`` or ``:_:`` (they ring together) or ``|`` (it rings when those before it have
        failed).
        """
        return self.directory.further_phone(number, display_name, joined_by)

    def listen(self, host: str = "127.0.0.1", port: int = 0) -> tuple[str, int]:
        """Accept inbound ESL; returns the real address."""
        self._server = StreamServer((host, port), self._accept, backlog=64)
        self._server.start()
        return self.esl_address

    @property
    def esl_address(self) -> tuple[str, int]:
        """Where inbound ESL is served; ``listen`` must have been called."""
        assert self._server is not None, "listen() was not called"
        return str(self._server.server_host), int(self._server.server_port or 0)

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass, on a virtual clock without waiting for them."""
        if not isinstance(self.clock, VirtualClock):
            gevent.sleep(seconds)
            return
        until_s = self.clock.now_s + seconds
        self.settle()
        due_s = self.clock.next_due_s()
        while due_s is not None and due_s <= until_s:
            self.clock.fire_next()
            self.settle()
            due_s = self.clock.next_due_s()
        self.clock.move_to(until_s)

    def run_until(
        self, condition: Callable[[], object], limit_s: float = 120.0, patience_s: float = 60.0
    ) -> None:
        """Let time pass until ``condition()`` is true.

        On a virtual clock the next timer fires as soon as all is quiet, and ``limit_s`` is the
        most that the switch's time may move; ``patience_s`` is real time in which nothing happens,
        however slow the machine is, and on a real clock all that may pass. Raises StoryTimeout.
        """
        started_s, deadline = self.clock.now_s, monotonic() + patience_s
        while not condition():
            if monotonic() > deadline:
                raise StoryTimeout(f"{condition} never came true\n{self.ladder()}")
            before = self.activity
            self.settle()
            if condition():
                return
            if isinstance(self.clock, VirtualClock):
                due_s = self.clock.next_due_s()
                if due_s is None or due_s - started_s > limit_s:
                    gevent.sleep(self.quiet_s)
                    if self.activity == before:
                        continue
                elif due_s - self.clock.now_s < _LEAP_S or self._activity.is_still(
                    condition, self.quiet_s
                ):
                    self.clock.fire_next()
                deadline = monotonic() + patience_s

    def settle(self) -> None:
        """Return when all that is under way, here and in the controller, has come to rest."""
        until_quiet(lambda: self.activity)

    def stop(self) -> None:
        """Hang everything up, cut all links, close the listener."""
        for link in list(self.links):
            link.kill()
        if self._server is not None:
            self._server.stop(timeout=1)
        gevent.killall(list(self._greenlets), timeout=5)
        self.channels.clear()

    def ladder(self) -> str:
        """Every phone's messages in order of time, and the channels that live."""
        lines = [
            line for phone in self.directory.every_phone for line in phone.ladder().split("\n")
        ]
        alive = [
            f"{channel.uuid} {channel.name} {channel.state} bridged to "
            f"{channel.bridged_to.name if channel.bridged_to else 'nobody'}"
            for channel in self.channels.values()
        ]
        return "\n".join([*sorted(filter(None, lines)), *alive])

    # -- channels ------------------------------------------------------------------------------

    def locate(self, channel_uuid: str) -> Channel | None:
        """A channel that is up; a hung-up one cannot be found, though it may be listed."""
        channel = self.channels.get(channel_uuid)
        return channel if channel is not None and channel.up else None

    def spawn(self, function: Callable[..., None], *args: object) -> gevent.Greenlet[..., None]:
        """Run something beside all else; ``stop`` ends it."""
        greenlet: gevent.Greenlet[..., None] = gevent.spawn(function, *args)
        self._greenlets.add(greenlet)
        greenlet.link(self._greenlets.discard)
        return greenlet

    @property
    def running(self) -> int:
        """How many greenlets of the switch live; none after ``stop``."""
        return sum(not greenlet.dead for greenlet in self._greenlets)

    def start(self, channel: Channel) -> None:
        """Give the channel its greenlet."""
        self.channels[channel.uuid] = channel
        self.sessions_made += 1
        self.spawn(run, channel)

    def forget(self, channel: Channel) -> None:
        """The channel has been destroyed."""
        self.channels.pop(channel.uuid, None)

    def execute(
        self, channel: Channel, name: str, argument: str, app_uuid: str | None = None
    ) -> None:
        """Execute an application in the channel's own greenlet."""
        execute(channel, _APPLICATIONS, name, argument, app_uuid)

    def transfer(self, channel: Channel, number: str, dialplan: str, context: str) -> None:
        """``switch_ivr_session_transfer``."""
        transfer(channel, number, dialplan, context)

    def uuid_bridge(self, originator_uuid: str, originatee_uuid: str) -> bool:
        """``uuid_bridge``; False when it cannot."""
        return uuid_bridge(self, originator_uuid, originatee_uuid)

    def unhold(self, channel: Channel) -> None:
        """Take a phone off hold by re-INVITE, as before every transfer and ``uuid_bridge``."""
        if isinstance(channel.endpoint, Dialog):
            channel.endpoint.unhold()

    # -- SIP -----------------------------------------------------------------------------------

    def invite_arrived(
        self, dialog: Dialog, headers: Sequence[tuple[str, str]], inline: str = ""
    ) -> None:
        """A phone calls; ``inline`` says what its channel executes, past the dialplan."""
        self.start(make_inbound_channel(self, dialog, headers, inline))

    def refer_arrived(
        self, dialog: Dialog, cseq: int, refer_to: str, referred_by: str | None
    ) -> None:
        """A phone transfers."""
        refer.refer_arrived(dialog, cseq, refer_to, referred_by)

    def follow_redirect(self, channel: Channel, contact: str) -> None:
        """Dial the contact of a 302 as mod_sofia does by itself, on the same channel."""
        number = contact.removeprefix("sip:").split("@")[0]
        channel.set_variable("sip_redirected_to", f"<{contact}>")
        if contact.startswith("tel:"):
            refused(channel, 900, "Internal Redirect Error", "NORMAL_UNSPECIFIED")
            return
        channel.endpoint = self.directory.phone_of(number).invited(channel, ())

    def send_notify(self, message: dict[str, str]) -> None:
        """``sendevent NOTIFY`` with a channel's uuid; nothing happens when it has gone."""
        wanted = message.get("uuid", "")
        event, kind = message.get("event-string", ""), message.get("content-type", "")

        def send() -> None:
            channel = self.locate(wanted)
            if channel is not None and channel.endpoint is not None and event and kind:
                channel.endpoint.notify(event, kind, message.get("_body", ""))

        self.clock.call_later(self.notify_delay_s, send)

    # -- events and commands -------------------------------------------------------------------

    @property
    def now_us(self) -> int:
        """The switch's time in microseconds since the epoch."""
        return int(self.clock.now_s * 1_000_000)

    def base_headers(self, event: SimEvent) -> list[tuple[str, str]]:
        """The headers that every event begins with (``switch_event_prep_for_delivery``)."""
        local, gmt = dates(int(self.clock.now_s))
        return [
            *([("Event-Subclass", event.subclass)] if event.subclass else []),
            ("Event-Name", event.name),
            ("Core-UUID", self.global_variables["core_uuid"]),
            ("FreeSWITCH-Hostname", "simulator"),
            ("FreeSWITCH-Switchname", self.switchname),
            ("FreeSWITCH-IPv4", "127.0.0.1"),
            ("FreeSWITCH-IPv6", "::1"),
            ("Event-Date-Local", local),
            ("Event-Date-GMT", gmt),
            ("Event-Date-Timestamp", str(self.now_us)),
            ("Event-Calling-File", "simulator.py"),
            ("Event-Calling-Function", "simulate"),
            ("Event-Calling-Line-Number", "1"),
            ("Event-Sequence", str(next(self._sequence))),
        ]

    def publish(self, event: SimEvent, *, heard: bool | None = None) -> None:
        """Fire an event: every link that wants it gets it; ``heard``: what ``hears`` says of it."""
        self.note_activity()
        if not (self.hears(event) if heard is None else heard):
            next(self._sequence)
            return
        event.headers[:0] = self.base_headers(event)
        if self.keep_events:
            self.events.append(event)
        for link in list(self.links):
            link.offer(event)

    def hears(self, event: SimEvent) -> bool:
        """Whether anybody has subscribed to events of this name, or all are kept."""
        return self.keep_events or any(link.subscription.names_it(event) for link in self.links)

    def run_api(self, name: str, arguments: str) -> str:
        """Run an API command; its answer, or ``-ERR ... Command not found!``."""
        answer = self.call_api(name, arguments)
        return f"-ERR {name} Command not found!\n" if answer is None else answer

    def call_api(self, name: str, arguments: str) -> str | None:
        """Run an API command; its answer, or None when there is no such command."""
        command = APIS.get(name.strip().lower())
        return None if command is None else command(self, arguments.strip())

    def next_session_id(self) -> int:
        """The variable ``session_id`` of the next channel."""
        return self.sessions_made + 1

    @property
    def activity(self) -> int:
        """Grows whenever something happens on a link or a channel."""
        return self._activity.seen

    def note_activity(self) -> None:
        """Something happened: ``settle`` starts to wait anew."""
        self._activity.seen += 1

    def note_exchange(self) -> None:
        """Something was said on a link, by either side."""
        self._activity.said += 1
        self.note_activity()

    def _accept(self, sock: socket.socket, address: tuple[str, int]) -> None:
        # The server closes the socket as soon as this returns.
        link = Link(self, sock, None)
        link.start()
        link.join()
