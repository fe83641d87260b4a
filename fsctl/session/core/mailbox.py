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
        self._items: deque[T] | None = None
        """None: there is nothing. An empty one would be the largest thing that a call keeps."""
        self._waiter: Waiter[None] | None = None

    @property
    def waiting(self) -> bool:
        """Whether there is something that nobody has taken yet."""
        return self._items is not None

    def put(self, item: T) -> None:
        """Add something, from any greenlet or from the hub; never waits."""
        if self._items is None:
            self._items = deque()
        self._items.append(item)
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            get_hub().loop.run_callback(waiter.switch, None)

    def get(self) -> T:
        """Take what has been there for the longest time; wait for it."""
        while self._items is None:
            self._waiter = waiter = Waiter()
            try:
                waiter.get()
            finally:
                self._waiter = None
        item = self._items.popleft()
        if not self._items:
            self._items = None
        return item
