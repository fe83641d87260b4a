"""Who waits for what on one link: replies in order, applications by their uuids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, Generic, NamedTuple, TypeVar

from gevent.hub import Waiter, get_hub

from fsctl.errors import ChannelGone, CommandTimeout, LinkError, ProtocolError
from fsctl.esl.events import Event, Reply
from fsctl.esl.frames import Frame

_HANGUPS = ("CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE")
T = TypeVar("T")


class Deadline:
    """A moment by which something must have happened."""

    __slots__ = ("_at", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._at = monotonic() + seconds

    def left_s(self) -> float:
        """The seconds that are left, never negative."""
        return max(0.0, self._at - monotonic())

    def missed(self, what: str) -> CommandTimeout:
        """The error to raise when `what` did not happen in time."""
        return CommandTimeout(f"{what}: nothing within {self._seconds:g} s")


class Awaited(Generic[T]):
    """One thing that one greenlet waits for: it comes once, or fails once."""

    __slots__ = ("_error", "_is_here", "_value", "_waiter", "what")

    def __init__(self, what: str) -> None:
        self.what = what
        """The thing's name, for the error of a deadline that is missed."""
        self._is_here = False
        self._value: Any = None
        self._error: Exception | None = None
        self._waiter: Waiter[None] | None = None

    def come(self, value: T) -> None:
        """It is here."""
        self._value = value
        self._end()

    def fail(self, error: Exception) -> None:
        """It will never come."""
        self._error = error
        self._end()

    def wait(self, deadline: Deadline) -> T:
        """Wait for it; raises what it failed with, or CommandTimeout."""
        if not self._is_here:
            self._block(deadline.left_s())
            if not self._is_here:
                raise deadline.missed(self.what)
        if self._error is not None:
            raise self._error
        value: T = self._value
        return value

    def _end(self) -> None:
        self._is_here = True
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            # What has come with it is taken before whoever waits goes on.
            get_hub().loop.run_callback(waiter.switch, None)

    def _block(self, seconds: float) -> None:
        self._waiter = waiter = Waiter()
        timer = get_hub().loop.timer(seconds)
        timer.start(waiter.switch, None)
        try:
            waiter.get()
        finally:
            self._waiter = None
            timer.stop()
            timer.close()


class Replies:
    """The replies to commands that were sent in one write; they come in the commands' order."""

    __slots__ = ("_all", "_come", "_labels")

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = labels
        self._come: list[Reply] = []
        self._all: Awaited[list[Reply]] = Awaited("")

    def come(self, reply: Reply) -> None:
        """Another one is here."""
        self._come.append(reply)
        if len(self._come) == len(self._labels):
            self._all.come(self._come)

    def fail(self, error: Exception) -> None:
        """Those that are missing will never come."""
        self._all.fail(error)

    def wait(self, deadline: Deadline) -> list[Reply]:
        """Wait for all; raises what they failed with, or CommandTimeout, which names the first
        that is missing."""
        try:
            return self._all.wait(deadline)
        except CommandTimeout:
            if len(self._come) == len(self._labels):
                raise
            raise deadline.missed(self._labels[len(self._come)]) from None


class Unanswered(NamedTuple):
    """A command that was sent; `replies` is None when nobody waits for its reply."""

    label: str
    replies: Replies | None


class Waiters:
    """All who wait on one link."""

    __slots__ = ("_executions", "_unanswered")

    def __init__(self) -> None:
        self._unanswered: list[Unanswered] = []  # a few: a deque takes ten times the memory
        self._executions: dict[str, tuple[str | None, Awaited[Event]]] = {}

    @property
    def unanswered(self) -> int:
        """How many commands have no reply yet."""
        return len(self._unanswered)

    def add_commands(self, sent: list[Unanswered]) -> None:
        """These were just sent, in this order; their replies will come in this order."""
        self._unanswered.extend(sent)

    def add_execution(self, event_uuid: str, channel_uuid: str | None, what: str) -> Awaited[Event]:
        """Wait for the end of the application with this Event-UUID on this channel."""
        awaited: Awaited[Event] = Awaited(what)
        self._executions[event_uuid] = (channel_uuid, awaited)
        return awaited

    def forget(self, uuid: str) -> None:
        """Nobody waits for the end of this application any more."""
        self._executions.pop(uuid, None)

    def take_reply(self, frame: Frame) -> Reply | None:
        """Give a reply to the oldest command; returns it if nobody waits. Raises ProtocolError.

        A command whose sender gave up is still there, so a late reply never goes to the next one.
        """
        if not self._unanswered:
            raise ProtocolError("a reply to no command")
        sent = self._unanswered.pop(0)
        reply = Reply.from_frame(sent.label, frame)
        if sent.replies is None:
            return reply
        sent.replies.come(reply)
        return None

    def take_event(self, event: Event) -> None:
        """Give an event to the one who waits for it, if any does."""
        if not self._executions:
            return
        name = event.name
        if name == "CHANNEL_EXECUTE_COMPLETE":
            _, execution = self._executions.pop(event.get("Application-UUID", ""), (None, None))
            if execution is not None:
                execution.come(event)
        elif name in _HANGUPS:
            self.end_executions(event.channel_uuid)

    def end_executions(self, channel_uuid: str | None) -> None:
        """This channel has hung up: no application on it will end any more."""
        for event_uuid, (on_channel, execution) in list(self._executions.items()):
            if on_channel == channel_uuid:
                del self._executions[event_uuid]
                execution.fail(ChannelGone(f"{channel_uuid} has hung up"))

    def fail_all(self, new_error: Callable[[], LinkError]) -> None:
        """The link is gone: nothing will come any more. Each waiter gets an error of its own."""
        # Those of one write have one waiter.
        replies = dict.fromkeys(sent.replies for sent in self._unanswered if sent.replies)
        events = [execution for _, execution in self._executions.values()]
        self._unanswered.clear()
        self._executions.clear()
        for reply in replies:
            reply.fail(new_error())
        for event in events:
            event.fail(new_error())
