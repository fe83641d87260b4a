"""One replayed call: what FreeSWITCH would send, as the controller's commands call for it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

from bench.replay.frames import split, value
from bench.replay.recording import Recording, assigned, dialled_variables, done_by, line
from fsctl.switch.marks import Mark

if TYPE_CHECKING:
    import socket

_EXECUTE = re.compile(r"^execute-app-name: *(.*?)$(?:\n^execute-app-arg: *(.*?)$)?", re.MULTILINE)
_MYEVENTS = frozenset(
    b"CHANNEL_ANSWER CHANNEL_APPLICATION CHANNEL_BRIDGE CHANNEL_CREATE CHANNEL_DATA "
    b"CHANNEL_DESTROY CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP "
    b"CHANNEL_HANGUP_COMPLETE CHANNEL_ORIGINATE CHANNEL_OUTGOING CHANNEL_PARK CHANNEL_PROGRESS "
    b"CHANNEL_PROGRESS_MEDIA "
    b"CHANNEL_STATE CHANNEL_UNBRIDGE CHANNEL_UNPARK".split()
)
_OF_A_CHANNEL = frozenset(
    "uuid_getvar uuid_setvar uuid_setvar_multi uuid_kill uuid_exists uuid_dump".split()
)
_GOODBYE = b"Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the parties take (seconds); ``holds``: where a call stops until it is let go on."""

    ring_s: float = 0.02
    talk_s: float = 0.02
    holds: frozenset[str] = frozenset()
    """``talking``: before the REFER; ``transferred``: before the end."""


@dataclass(slots=True)
class Marks:
    """When things happened in a call, by `time.perf_counter`; 0: not yet."""

    begun: float = 0.0
    connect: float = 0.0
    reentry: float = 0.0
    redialled: float = 0.0
    over: float = 0.0


@dataclass(slots=True, eq=False)
class Link:
    """A connection to the controller, and what it has subscribed to."""

    call: Call
    number: int
    connection: socket.socket
    buffer: bytes = b""
    out: list[bytes] = field(default_factory=list)
    unsent: bytes = b""
    names: frozenset[bytes] = frozenset()
    subclasses: frozenset[bytes] = frozenset()
    filters: list[tuple[str, str]] = field(default_factory=list)
    own_only: bool = False
    lingers: bool = False
    closed: bool = False

    def wants(self, name: bytes, subclass: bytes, leg: int) -> bool:
        """Whether such an event of that leg goes over this link."""
        if subclass:
            if subclass not in self.subclasses:
                return False
        elif name not in self.names:
            return False
        if self.own_only:
            return leg == 0
        if not self.filters:
            return True
        call = self.call
        for header, wanted in self.filters:
            if header == "Unique-ID":
                if wanted == call.uuids[leg]:
                    return True
            elif call.variables[leg].get(header.removeprefix("variable_")) == wanted:
                return True
        return False


class Call:
    """A call with one transfer. ``done`` is called when both links have ended, or it has failed."""

    def __init__(
        self,
        recording: Recording,
        names: tuple[bytes, ...],
        pace: Pace,
        dial: Callable[[Call], Link],
        later: Callable[[float, Callable[[], None]], None],
        done: Callable[[Call], None],
    ) -> None:
        self.recording, self.names, self.pace = recording, names, pace
        self.uuids = [name.decode() for name in names[:3]]
        self.variables: list[dict[str, str]] = [{}, {}, {}]
        self.links: list[Link] = []
        self.marks = Marks()
        self.problem = ""
        self.commands = self.command_bytes = 0
        self.held = ""
        self.home = ""
        """Where a leg of it dials its own worker, once that has said so."""
        self._dial, self._later, self._done = dial, later, done
        self._phase = "new"
        self._told: list[bytes] = [b"", b"", b""]
        """The last event of each leg: what its variables are asked from."""
        self._gone = [False, False, False]
        self._lines: list[bytes | None] = [None, None, None]
        self._timers: dict[str, int] = {}
        self._added = 10
        self._filled = {
            phase: [
                (each.name, each.subclass, each.leg, each.fill(names))
                for each in recording.phases[phase]
            ]
            for phase in ("answer", "refer", "target", "released", "end")
        }
        self._snapshots = [each.fill(names) for each in recording.snapshots]

    def begin(self) -> None:
        """FreeSWITCH dials the controller."""
        self.marks.begun = time.perf_counter()
        if len(self._snapshots) == 1:
            self._refer()
        else:
            self._arrive()

    def go_on(self) -> None:
        """Whoever held it lets it go on."""
        held, self.held = self.held, ""
        if held == "talking":
            self._refer()
        elif held:
            self._end()

    # -- what the controller says

    def received(self, link: Link, data: bytes) -> None:
        """Bytes from the controller; nothing: it has closed."""
        if not data:
            link.closed = True
            self._look()
            return
        blocks, link.buffer = split(link.buffer + data)
        for head, body in blocks:
            self.commands += 1
            self.command_bytes += len(head) + 2 + len(body)
            self._command(link, head.decode(), body.decode())

    def _command(self, link: Link, head: str, body: str) -> None:
        verb, _, rest = head.partition(" ")
        if verb == "api":
            reply = self._api(rest)
            link.out.append(
                b"Content-Type: api/response\nContent-Length: %d\n\n%b" % (len(reply), reply)
            )
        elif verb == "connect":
            self._connect(link)
        elif verb.startswith("sendmsg"):
            self._reply(link, "+OK")
            found = _EXECUTE.search(head)
            if found:
                self._execute(link, found[1], body or found[2] or "")
        elif verb == "event":
            self._subscribe(link, rest.split()[1:])
            self._reply(link, "+OK event listener enabled plain")
        elif verb == "myevents":
            link.names, link.own_only = _MYEVENTS, True
            self._reply(link, "+OK Events Enabled")
        elif verb == "filter":
            self._filter(link, rest)
        elif verb in ("linger", "nolinger"):
            link.lingers = verb == "linger"
            text = f"+OK will linger {rest} seconds" if link.lingers else "+OK will not linger"
            self._reply(link, text)
        elif verb == "noevents":
            link.names = link.subclasses = frozenset()
            self._reply(link, "+OK no longer listening for events")
        elif verb == "exit":
            self._reply(link, "+OK bye")
            self._close(link)
        elif verb == "bgapi":
            self._api(rest.partition("\n")[0])
            self._reply(link, "+OK Job-UUID: 7f4db78a-17d7-11dd-b7a0-db4edd065621")
        else:
            self._reply(link, "+OK")

    def _reply(self, link: Link, text: str) -> None:
        link.out.append(f"Content-Type: command/reply\nReply-Text: {text}\n\n".encode())

    def _connect(self, link: Link) -> None:
        if not self.marks.connect:
            self.marks.connect = time.perf_counter()
        snapshot = self._snapshots[link.number]
        self._told[0] = snapshot
        link.out += [snapshot[:-1], self._own_lines(0), b"\n"]

    def _subscribe(self, link: Link, words: list[str]) -> None:
        names, _, subclasses = " ".join(words).partition("CUSTOM")
        link.names |= frozenset(names.encode().split())
        link.subclasses |= frozenset(subclasses.encode().split())

    def _filter(self, link: Link, rest: str) -> None:
        words = rest.split(" ", 1)
        if words[0] == "delete":
            name, _, wanted = words[1].partition(" ")
            link.filters = [
                each for each in link.filters if each[0] != name or (wanted and each[1] != wanted)
            ]
            self._reply(link, "+OK filter deleted.")
            return
        link.filters.append((words[0], words[1]))
        self._reply(link, f"+OK filter added. [{words[0]}]=[{words[1]}]")

    def _execute(self, link: Link, application: str, argument: str) -> None:
        if application == "bridge":
            self._bridge(argument)
        elif application in ("set", "export", "multiset", "unset"):
            name, _, text = argument.removeprefix("nolocal:").partition("=")
            self._set(0, {name: text})
        elif application == "hangup":
            self._end()

    def _bridge(self, dial_string: str) -> None:
        for command in done_by(dial_string):
            self._api(command)
        called = 1 if self._phase == "new" else 2
        self._set(called, dialled_variables(dial_string))
        if self._phase == "new":
            self._phase = "answer"
            self._later(self.pace.ring_s, self._answered)
        elif self._phase == "refer":
            self.marks.redialled = time.perf_counter()
            self._phase = "target"
            self._later(self.pace.ring_s, self._transferred)

    def _api(self, text: str) -> bytes:
        words = text.split(" ", 3)
        verb = words[0]
        leg = self._leg(words[1]) if len(words) > 1 else -1
        if verb in _OF_A_CHANNEL:
            if leg < 0 or self._gone[leg]:
                return b"false" if verb == "uuid_exists" else b"-ERR No such channel!\n"
            if verb == "uuid_dump":
                return self._dump(leg)
            if verb == "uuid_getvar":
                return self._variable(leg, words[2])
            if verb == "uuid_setvar_multi":
                self._set(leg, assigned(" ".join(words[2:])))
            elif verb == "uuid_setvar":
                self._set(leg, {words[2]: words[3].strip("'") if len(words) > 3 else ""})
            return b"true" if verb == "uuid_exists" else b"+OK\n"
        if verb == "sched_del":
            return b"+OK Deleted: %d\n" % self._timers.pop(words[1], 0)
        if verb == "sched_api":
            self._timers[words[2]] = self._timers.get(words[2], 0) + 1
            self._added += 1
            return b"+OK Added: %d\n" % self._added
        return b"+OK\n"

    def _leg(self, uuid: str) -> int:
        return self.uuids.index(uuid) if uuid in self.uuids else -1

    def _set(self, leg: int, variables: dict[str, str]) -> None:
        self.variables[leg] |= variables
        self._lines[leg] = None

    def _variable(self, leg: int, name: str) -> bytes:
        set_here = self.variables[leg].get(name)
        found = set_here.encode() if set_here is not None else b""
        return found or value(self._told[leg], f"variable_{name}".encode()) or b"_undef_"

    def _dump(self, leg: int) -> bytes:
        """All that is known of a leg (``uuid_dump UUID json``)."""
        told = self._told[leg].decode().rstrip("\n").split("\n")
        headers = {name: unquote(text) for name, _, text in (each.partition(": ") for each in told)}
        headers |= {f"variable_{name}": text for name, text in self.variables[leg].items() if text}
        return json.dumps(headers).encode()

    def _own_lines(self, leg: int) -> bytes:
        """What the controller has set on a leg, as it stands in its events."""
        lines = self._lines[leg]
        if lines is None:
            own = self.variables[leg].items()
            lines = self._lines[leg] = b"".join(line(name, text) for name, text in own if text)
        return lines

    # -- what happens to the legs

    def _answered(self) -> None:
        self._deliver("answer")
        if "talking" in self.pace.holds:
            self.held = "talking"
        else:
            self._later(self.pace.talk_s, self._refer)

    def _refer(self) -> None:
        if self._phase not in ("new", "answer"):
            return
        self._phase = "refer"
        self._deliver("refer")
        self.home = self.variables[0].get(Mark.HOME, "")
        for name in self.recording.taken_over:
            self.variables[0].pop(name, None)
        self._lines[0] = None
        self.marks.reentry = time.perf_counter()
        self._timers[self.uuids[1]] = 2
        self._arrive()

    def _arrive(self) -> None:
        """The dialplan has armed its timer, and dials the controller."""
        self._timers[f"claim-{self.uuids[0]}"] = 1
        self.links.append(self._dial(self))

    def _transferred(self) -> None:
        self._deliver("target")
        self._later(self.pace.ring_s, self._transferor_leaves)

    def _transferor_leaves(self) -> None:
        self._gone[1] = True
        self._deliver("released")
        if "transferred" in self.pace.holds:
            self.held = "transferred"
        else:
            self._later(self.pace.talk_s, self._end)

    def _end(self) -> None:
        if self._phase == "end":
            return
        self._phase = "end"
        self._gone = [True, True, True]
        self._deliver("end", at_once=False)
        for link in self.links:
            if link.closed:
                continue
            if link.lingers:
                link.out.append(self._notice("linger", b""))
                flush(link)
            else:
                self._close(link)

    def _notice(self, disposition: str, text: bytes) -> bytes:
        head = (
            f"Content-Type: text/disconnect-notice\nControlled-Session-UUID: {self.uuids[0]}\n"
            f"Content-Disposition: {disposition}\n"
        )
        head += f"Linger-Time: 600\nContent-Length: {len(text)}\n\n"
        return head.encode() + text

    def _deliver(self, phase: str, *, at_once: bool = True) -> None:
        links = [link for link in self.links if not link.closed and (link.names or link.subclasses)]
        for name, subclass, leg, body in self._filled[phase]:
            self._told[leg] = body
            frame = b""
            for link in links:
                if link.wants(name, subclass, leg):
                    if not frame:
                        own = self._own_lines(leg)
                        size = len(body) + len(own) + 1
                        head = b"Content-Length: %d\nContent-Type: text/event-plain\n\n" % size
                        frame = b"".join((head, body, own, b"\n"))
                    link.out.append(frame)
        if at_once:
            for link in links:
                flush(link)

    def _close(self, link: Link) -> None:
        link.out.append(self._notice("disconnect", _GOODBYE))
        flush(link)
        link.closed = True
        self._look()

    def give_up(self) -> None:
        """It has taken too long."""
        if not self.marks.over:
            self.problem = f"in phase {self._phase}"
            for link in self.links:
                link.closed = True
            self._look()

    def _look(self) -> None:
        if self.marks.over or not all(link.closed for link in self.links):
            return
        # Behind the transfer the call may be the switch's own: nobody has to wait for its end.
        left = self._phase == "target" and self._gone[1]
        if self._phase != "end" and not left and not self.problem:
            self.problem = f"the controller has left in phase {self._phase}"
        self.marks.over = time.perf_counter()
        self._done(self)


def flush(link: Link) -> None:
    """Send what has been collected, as far as the controller takes it."""
    if link.out:
        link.unsent += b"".join(link.out)
        link.out = []
    if not link.unsent:
        return
    try:
        sent = link.connection.send(link.unsent)
    except BlockingIOError:
        return
    except OSError:
        link.unsent, link.closed = b"", True
        return
    link.unsent = link.unsent[sent:]
