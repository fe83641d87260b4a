"""What a session's greenlet has to do, one thing after the other."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from gevent.hub import Waiter, get_hub

T = TypeVar("T")


class Mailbox(Generic[T]):
    """A queue without a limit, from which one greenlet takes: smaller and quicker than gevent's,
    of which every call would have one."""

    __slots__ = ("_items", "_waiter")

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._waiter: Waiter[None] | None = None

    @property
    def waiting(self) -> bool:
        """Whether there is something that nobody has taken yet."""
        return bool(self._items)

    def put(self, item: T) -> None:
        """Add something, from any greenlet or from the hub; never waits."""
        self._items.append(item)
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            get_hub().loop.run_callback(waiter.switch, None)

    def get(self) -> T:
        """Take what has been there for the longest time; wait for it."""
        while not self._items:
            self._waiter = waiter = Waiter()
            try:
                waiter.get()
            finally:
                self._waiter = None
        return self._items.popleft()
