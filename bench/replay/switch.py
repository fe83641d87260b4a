"""A FreeSWITCH made of a recording: it dials the controller, answers it, and sends what it would.

One thread and one loop. What happens in a call is `call.Call`'s; here are connections and time.
"""

from __future__ import annotations

import contextlib
import heapq
import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from threading import Event, Thread

from bench.replay.call import Call, Link, Pace, flush
from bench.replay.frames import split
from bench.replay.recording import Recording

GIVE_UP_S = 30.0
LONGEST_HOLD_S = 120.0
FEW = 20
_GREETING = b"Content-Type: auth/request\n\n"


@dataclass(slots=True)
class Outcome:
    """What came of some calls. Times in seconds."""

    calls: list[Call] = field(default_factory=list)
    took_s: float = 0.0

    @property
    def failed(self) -> Counter[str]:
        """Calls by what has gone wrong with them."""
        return Counter(call.problem for call in self.calls if call.problem)

    def connects_ms(self) -> list[float]:
        """From FreeSWITCH's dialling to ``connect``; sorted."""
        found = [1000 * (c.marks.connect - (c.marks.begun or c.marks.reentry)) for c in self.calls]
        return sorted(found)

    def redials_ms(self) -> list[float]:
        """From the transferee's link to the target's dial string; sorted."""
        done = [call.marks for call in self.calls if call.marks.redialled]
        return sorted(1000 * (marks.redialled - marks.reentry) for marks in done)


class ReplaySwitch:
    """The event socket (``port``), and outbound links to the controller at ``controller``."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.controller = ("127.0.0.1", 0)
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port = int(self._listener.getsockname()[1])
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._numbers = count(1)
        self._writing: set[Link] = set()
        self._inbound: dict[socket.socket, bytes] = {}
        self._outcome = Outcome()
        self._running = 0
        self.globals: dict[str, str] = {}
        self.unknown: Counter[str] = Counter()

    def close(self) -> None:
        """Close everything."""
        for key in list(self._selector.get_map().values()):
            with contextlib.suppress(OSError):
                key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()

    # -- calls

    def make(self, number: int, pace: Pace) -> list[Call]:
        """So many calls, each with names of its own; nothing is dialled yet."""
        return [self._make(pace) for _ in range(number)]

    def _make(self, pace: Pace) -> Call:
        number = next(self._numbers)
        own = list(self.recording.names)
        for place, digit in enumerate(b"abc"):
            own[place] = b"%08x-%c000-4000-8000-%012x" % (number, digit, number)
        own[3] = b"%06d" % (100000 + number % 900000)
        own[4] = b"%04d" % (1000 + number % 9000)
        own[5] = b"%04d" % (1000 + (number + 4500) % 9000)
        for place in range(6, 9):
            own[place] = b"%b-%d" % (own[place][:8], number)
        return Call(self.recording, tuple(own), pace, self._dial, self._later, self._over)

    def all_at_once(self, calls: list[Call]) -> Outcome:
        """Begin all of them, and return when all are over."""
        self._start(calls)
        for call in calls:
            self._begin(call)
        return self._finish()

    def at_rate(self, calls: list[Call], rate: float) -> Outcome:
        """Begin so many a second."""
        self._start(calls)
        for number, call in enumerate(calls):
            self._later(number / rate, lambda call=call: self._begin(call))  # type: ignore[misc]
        return self._finish()

    def in_flight(self, calls: list[Call], together: int) -> Outcome:
        """Always so many at the same time: when one is over the next begins."""
        self._start(calls)
        self._next = iter(calls[together:])
        for call in calls[:together]:
            self._begin(call)
        return self._finish()

    def hold(self, calls: list[Call]) -> list[Call]:
        """Bring calls to where their pace holds them; those that got there."""
        self._start(calls)
        self._few_at_a_time(calls, self._begin)
        return [call for call in calls if call.held]

    def go_on(self, calls: list[Call]) -> None:
        """Let calls that are held go on, until all are held again, or over."""
        self._start(calls)
        self._few_at_a_time(calls, Call.go_on)
        for call in calls:
            if not call.held:
                call.give_up()

    def _few_at_a_time(self, calls: list[Call], what: Callable[[Call], None]) -> None:
        """Do that with calls, so that it is no burst; returns when all are held, or over."""
        waiting, going = iter(calls), set[Call]()
        end_s = time.perf_counter() + LONGEST_HOLD_S
        while time.perf_counter() < end_s:
            going = {call for call in going if not call.held and not call.marks.over}
            while len(going) < FEW and (call := next(waiting, None)):
                what(call)
                going.add(call)
            if not going:
                return
            self.turn(0.05)

    def run_for(self, duration_s: float) -> None:
        """Answer what is asked, and nothing else."""
        end_s = time.perf_counter() + duration_s
        while (left_s := end_s - time.perf_counter()) > 0:
            self.turn(left_s)

    def _start(self, calls: list[Call]) -> None:
        self._outcome = Outcome(list(calls))
        self._running = len(calls)
        self._next = iter(())
        self._begun_s = time.perf_counter()

    def _begin(self, call: Call) -> None:
        call.begin()
        if not call.pace.holds:
            self._later(GIVE_UP_S, call.give_up)

    def _finish(self) -> Outcome:
        while self._running:
            self.turn(0.5)
        self._outcome.took_s = time.perf_counter() - self._begun_s
        return self._outcome

    def _over(self, call: Call) -> None:
        for link in call.links:
            self._writing.discard(link)
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(link.connection)
            # a link that is closed may have bytes that the controller has not read yet
            with contextlib.suppress(OSError):
                link.connection.close()
        self._running -= 1
        if following := next(self._next, None):
            self._begin(following)

    def _dial(self, call: Call) -> Link:
        host, _, port = call.home.partition(":")
        address = (host, int(port)) if port else self.controller
        connection = socket.socket()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            connection.connect(address)
        link = Link(call, len(call.links), connection)
        self._selector.register(connection, selectors.EVENT_READ, link)
        return link

    def _later(self, delay_s: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (time.perf_counter() + delay_s, next(self._order), what))

    # -- the loop

    def turn(self, longest_s: float) -> None:
        """Do what there is to do, and wait for it so long at most."""
        wait_s = longest_s
        if self._timers:
            wait_s = min(max(self._timers[0][0] - time.perf_counter(), 0), longest_s)
        for key, mask in self._selector.select(wait_s):
            if key.data is None:
                self._accept()
            elif isinstance(key.data, Link):
                self._serve(key.data, mask)
            else:
                self._answer(key.fileobj)  # type: ignore[arg-type]
        now_s = time.perf_counter()
        while self._timers and self._timers[0][0] <= now_s:
            heapq.heappop(self._timers)[2]()

    def _serve(self, link: Link, mask: int) -> None:
        if mask & selectors.EVENT_READ:
            try:
                data = link.connection.recv(1 << 18)
            except BlockingIOError:
                data = None
            except OSError:
                data = b""
            if data is not None:
                link.call.received(link, data)
        flush(link)
        if link.closed:
            return
        if bool(link.unsent) != (link in self._writing):
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if link.unsent else 0)
            self._selector.modify(link.connection, wanted, link)
            (self._writing.add if link.unsent else self._writing.discard)(link)

    # -- the event socket

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._inbound[connection] = b""
        self._selector.register(connection, selectors.EVENT_READ, "inbound")
        connection.sendall(_GREETING)

    def _answer(self, connection: socket.socket) -> None:
        try:
            data = connection.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(connection)
            del self._inbound[connection]
            connection.close()
            return
        blocks, self._inbound[connection] = split(self._inbound[connection] + data)
        for head, _ in blocks:
            text = head.decode()
            if text.startswith("api "):
                reply = self._asked(text.removeprefix("api "))
                frame = f"Content-Type: api/response\nContent-Length: {len(reply)}\n\n{reply}"
            else:
                frame = "Content-Type: command/reply\nReply-Text: +OK accepted\n\n"
            connection.sendall(frame.encode())

    def _asked(self, command: str) -> str:
        verb, _, rest = command.partition(" ")
        if verb == "global_setvar":
            name, _, text = rest.partition("=")
            self.globals[name] = text
            return "+OK"
        if verb == "global_getvar" and rest in self.globals:
            return self.globals[rest]
        if verb == "sched_api":
            return "+OK Added: 1\n"
        if verb == "sched_del":
            return "+OK Deleted: 1\n"
        if command not in self.recording.asked:
            self.unknown[command] += 1
        return self.recording.asked.get(command, "-ERR not recorded\n")


@contextlib.contextmanager
def background(switch: ReplaySwitch) -> Iterator[None]:
    """Answer what is asked while the caller does something else."""
    ended = Event()

    def serve() -> None:
        while not ended.is_set():
            switch.turn(0.05)

    thread = Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
