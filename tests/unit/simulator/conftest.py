"""A controller that shares no code with fsctl: bare sockets, its own parsing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

import gevent
import pytest
from gevent import socket
from gevent.server import StreamServer

from fsctl.simulator import SimulatedSwitch, parse_dialplan

RECORDED = Path(__file__).parents[2] / "data" / "esl"
SUBSCRIBED = (
    "CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_ANSWER CHANNEL_BRIDGE CHANNEL_UNBRIDGE "
    "CHANNEL_HANGUP CHANNEL_EXECUTE_COMPLETE CUSTOM sofia::transferor sofia::transferee "
    "sofia::error sofia::replaced"
)
LEG = (
    "confirm_blind_transfer=true,force_transfer_context=fsctl_refer,force_transfer_dialplan=XML,"
    "fsctl_home={home},fsctl_session=s1"
)


class RawLink:
    """One ESL connection read by hand: frames as (headers, body) in their order."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.raw = b""
        self.frames: list[tuple[dict[str, str], bytes]] = []
        self.eof = False
        self.reader = gevent.spawn(self._read)
        self.switch: SimulatedSwitch | None = None

    def _read(self) -> None:
        buffered = b""
        while True:
            try:
                got = self.sock.recv(65536)
            except OSError:
                got = b""
            if not got:
                self.eof = True
                return
            self.raw += got
            buffered = self._split(buffered + got)

    def _split(self, buffered: bytes) -> bytes:
        while b"\n\n" in buffered:
            head, rest = buffered.split(b"\n\n", 1)
            headers = _headers(head.decode())
            length = int(headers.get("Content-Length", "0"))
            if len(rest) < length:
                return buffered
            self.frames.append((headers, rest[:length]))
            buffered = rest[length:]
        return buffered

    def send(self, command: str, body: str = "") -> None:
        """Send without waiting for the reply."""
        tail = f"\ncontent-length: {len(body)}" if body else ""
        self.sock.sendall(f"{command}{tail}\n\n{body}".encode())

    def ask(self, command: str, body: str = "") -> str:
        """Send, and return the reply's text (the body for ``api``)."""
        before = len(self.replies)
        self.send(command, body)
        assert self.switch is not None
        self.switch.run_until(lambda: len(self.replies) > before, limit_s=0)
        headers, text = self.replies[before]
        if headers.get("Content-Type") == "api/response":
            return text.decode()
        return headers.get("Reply-Text", "")

    @property
    def replies(self) -> list[tuple[dict[str, str], bytes]]:
        return [f for f in self.frames if f[0]["Content-Type"] in ("command/reply", "api/response")]

    @property
    def events(self) -> list[dict[str, str]]:
        return [
            _headers(body.decode(), decode=True)
            for headers, body in self.frames
            if headers["Content-Type"] == "text/event-plain"
        ]

    def execute(self, application: str, argument: str = "", identity: str = "") -> str:
        """``sendmsg`` execute on the own channel; the reply's text."""
        arg = f"\nexecute-app-arg: {argument}" if argument else ""
        tag = f"\nEvent-UUID: {identity}" if identity else ""
        return self.ask(
            f"sendmsg\ncall-command: execute\nexecute-app-name: {application}{arg}{tag}"
        )

    def completed(self, identity: str) -> dict[str, str] | None:
        """The CHANNEL_EXECUTE_COMPLETE with this Application-UUID, once it has come."""
        for event in self.events:
            if (
                event["Event-Name"] == "CHANNEL_EXECUTE_COMPLETE"
                and event.get("Application-UUID") == identity
            ):
                return event
        return None


def _headers(text: str, decode: bool = False) -> dict[str, str]:
    pairs = (line.split(": ", 1) for line in text.split("\n") if ": " in line)
    return {name: unquote(value) if decode else value for name, value in pairs}


class RawController:
    """Listens for the switch's outbound connections."""

    def __init__(self) -> None:
        self.links: list[RawLink] = []
        self.switch: SimulatedSwitch | None = None
        self.server = StreamServer(("127.0.0.1", 0), self._accept)
        self.server.start()
        self.address = f"127.0.0.1:{self.server.server_port}"

    def _accept(self, sock: socket.socket, address: object) -> None:
        link = RawLink(sock)
        link.switch = self.switch
        self.links.append(link)
        link.reader.join()

    def next_link(self, number: int) -> RawLink:
        """The ``number``-th connection (from 1), after its ``connect``."""
        assert self.switch is not None
        self.switch.run_until(lambda: len(self.links) >= number)
        link = self.links[number - 1]
        link.ask("connect")
        return link

    def stop(self) -> None:
        self.server.stop(timeout=1)
        for link in self.links:
            link.sock.close()


class Lab:
    """The switch, its controller, and the steps that the recordings were made with."""

    def __init__(self) -> None:
        self.controller = RawController()
        home = self.controller.address
        text = (RECORDED / "lab_dialplan.xml").read_text(encoding="utf-8")
        dialplan = parse_dialplan(text.replace("127.0.0.1:28084", home))
        self.switch = SimulatedSwitch(dialplan, context="public", quiet_s=0.003, keep_events=True)
        self.switch.default_profile = "lab"
        self.controller.switch = self.switch
        self.leg = LEG.format(home=home)
        self.alice = self.switch.phone("1000", "Alice")
        self.alice.authenticates = False  # as where the real ones were recorded
        self.bob = self.switch.phone("1001")
        self.carol = self.switch.phone("1002")

    def handle(self, number: str = "1001", timeout_s: int = 10) -> tuple[RawLink, str, str]:
        """Take the next call and bridge it to ``number``: link, caller's and callee's uuid."""
        link = self.controller.next_link(len(self.controller.links) + 1)
        caller = link.frames[0][0]["Unique-ID"]
        callee = f"{number}-leg-{len(self.controller.links)}"
        link.ask("linger")
        self._watch(link, caller, callee)
        for pair in self.leg.split(","):
            name, value = pair.split("=", 1)
            link.ask(f"api uuid_setvar {caller} {name} {value}")
        link.ask(f"api uuid_setvar {caller} fsctl_stage dialling")
        link.ask(f"api uuid_setvar {caller} continue_on_fail true")
        variables = f"origination_uuid={callee},originate_timeout={timeout_s}"
        variables += f",outbound_redirect_fatal=true,{self.leg}"
        link.execute("bridge", f"{{{variables}}}sofia/lab/sip:{number}@127.0.0.1:25501", "e1")
        return link, caller, callee

    def attended_transfers_ask(self) -> None:
        """Configure as fsctl's templates do: every REFER with Replaces comes to us."""
        self.switch.every_transfer_a_nightmare = True
        self.switch.nightmare_dial_string = "loopback/attended/fsctl_attended"

    def call(self) -> tuple[RawLink, str, str]:
        """Alice and Bob talk."""
        self.alice.calls("1001")
        handled = self.handle()
        self.switch.run_until(lambda: self.alice.hears == "1001" and self.bob.hears == "1000")
        return handled

    def refer(self, transferee: str, transferor: str, phone: object) -> tuple[RawLink, str, str]:
        """A REFER to Carol; the new link dials her on the transferee. Link, her uuid, app uuid."""
        count = len(self.controller.links)
        phone.refers("<sip:1002@127.0.0.1:25502>", f"<sip:{phone.number}@127.0.0.1>")  # type: ignore[attr-defined]
        link = self.controller.next_link(count + 1)
        assert link.frames[0][0]["Unique-ID"] == transferee
        target, identity = f"target-{count}", f"e{count + 1}"
        link.ask("linger")
        self._watch(link, transferee, transferor, target)
        self.controller.links[count - 1].ask("noevents")
        link.ask(f"api uuid_setvar {transferee} continue_on_fail true")
        link.ask(f"api uuid_setvar {transferee} transfer_ringback %(2000,4000,440,480)")
        variables = f"origination_uuid={target},originate_timeout=10,ignore_early_media=true"
        variables += f",outbound_redirect_fatal=true,{self.leg}"
        argument = f"{{{variables}}}sofia/lab/sip:1002@127.0.0.1:25502"
        link.execute("bridge", argument, identity)
        return link, target, identity

    def report_failure(self, link: RawLink, transferee: str, transferor: str, stage: str) -> None:
        """Unset, NOTIFY 486, join the first two again."""
        event = link.ask(f"api uuid_getvar {transferor} sip_blind_transfer_event")
        link.ask(f"api uuid_setvar {transferee} blind_transfer_uuid")
        link.ask(
            f"sendevent NOTIFY\nuuid: {transferor}\nevent-string: {event}\n"
            "content-type: message/sipfrag;version=2.0",
            "SIP/2.0 486 Busy Here\r\n",
        )
        if stage:
            link.ask(f"api uuid_setvar {transferee} fsctl_stage {stage}")
        link.ask(f"api uuid_bridge {transferee} {transferor}")

    def close_links(self) -> None:
        for link in self.controller.links:
            if not link.eof:
                link.send("exit")
        self.switch.settle()

    def _watch(self, link: RawLink, *uuids: str) -> None:
        for uuid in uuids:
            link.ask(f"filter Unique-ID {uuid}")
        link.ask(f"event plain {SUBSCRIBED}")

    def stop(self) -> None:
        self.switch.stop()
        self.controller.stop()
        assert self.switch.running == 0


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A switch with the recordings' dialplan, and a controller on bare sockets."""
    made = Lab()
    yield made
    made.stop()


@pytest.fixture
def inbound(lab: Lab) -> Callable[[], RawLink]:
    """Opens inbound ESL connections to the lab's switch."""
    address = lab.switch.listen()

    def open_link() -> RawLink:
        link = RawLink(socket.create_connection(address))
        link.switch = lab.switch
        lab.controller.links.append(link)
        lab.switch.run_until(lambda: link.frames, limit_s=0)
        return link

    return open_link
