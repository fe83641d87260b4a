"""The messages that were heard last, for a stated time and within a stated number of bytes.

A call's INVITE is heard before fsctl knows of the call. So what belongs to a call that nobody knows
waits a while, within a share of its own: then it is dropped, and calls that are known never lose
their place to strangers'.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from fsctl.hep.message import Message, Reading, read

OVERHEAD_BYTES: Final = 900
"""What Python needs for a message besides its text: measured, where each is the only one of its
Call-ID."""
_STRANGERS: Final = 4
"""One part of so many is for those that nobody knows."""
_CALLS: Final = 1000
"""So many known calls are remembered at least, whether something of them was heard or not."""
_NO_CALLS: Final = frozenset({"REGISTER", "OPTIONS", "PUBLISH", "SUBSCRIBE", "MESSAGE"})
"""What begins no call; in one that is heard already it is kept, as all else is."""


@dataclass(frozen=True, slots=True)
class Limits:
    """``total_bytes`` of everything, ``dialog_bytes`` of one Call-ID; ``keep_s``: so long a message
    is kept; ``wait_s``: so long one of a call that is not known."""

    total_bytes: int = 64 << 20
    dialog_bytes: int = 1 << 20
    keep_s: float = 3600.0
    wait_s: float = 60.0


@dataclass(slots=True)
class _Held:
    message: Message
    call_id: str
    heard_s: float
    size: int


class _Share:
    """Messages by number, within a number of bytes; the oldest first, nearly: those of a call come
    to the end when it becomes known."""

    def __init__(self, most: int) -> None:
        self.most, self.size = most, 0
        self.held: OrderedDict[int, _Held] = OrderedDict()

    def put(self, number: int, held: _Held) -> None:
        self.held[number] = held
        self.size += held.size

    def take(self, number: int) -> _Held:
        held = self.held.pop(number)
        self.size -= held.size
        return held


@dataclass(slots=True)
class _Dialog:
    """All messages of one Call-ID; ``dropped``: so many older ones are not here any more."""

    share: _Share
    numbers: list[int] = field(default_factory=list)
    size: int = 0
    dropped: int = 0


class Messages:
    """What is kept in memory; times by one clock of the caller's, in seconds."""

    def __init__(self, limits: Limits) -> None:
        """Nothing has been heard yet, and no call is known."""
        self._limits = limits
        strangers = limits.total_bytes // _STRANGERS
        self._known = _Share(limits.total_bytes - strangers)
        self._waiting = _Share(strangers)
        self._dialogs: dict[str, _Dialog] = {}
        self._calls: OrderedDict[str, None] = OrderedDict()
        """Those that became known last: nothing may have been heard of them yet."""
        self._next = 0
        self.heard = 0
        """Messages so far."""
        self.dropped = 0
        """Those of known calls that had to go before their time, for want of room."""

    @property
    def size(self) -> int:
        """Bytes that are used."""
        return self._known.size + self._waiting.size

    @property
    def count(self) -> int:
        """Messages that are kept."""
        return len(self._known.held) + len(self._waiting.held)

    def hear(self, message: Message, now_s: float, reading: Reading | None = None) -> None:
        """Take one message; without a Call-ID it is of no use."""
        reading = reading or read(message.text)
        call_id = reading.call_id
        self.heard += 1
        if not call_id or (
            reading.method in _NO_CALLS
            and call_id not in self._dialogs
            and call_id not in self._calls
        ):
            return
        size = len(message.text) + OVERHEAD_BYTES
        share = self._known if call_id in self._calls else self._waiting
        dialog = self._dialogs.setdefault(call_id, _Dialog(share))
        dialog.share.put(self._next, _Held(message, call_id, now_s, size))
        dialog.numbers.append(self._next)
        dialog.size += size
        self._next += 1
        while dialog.size > self._limits.dialog_bytes and len(dialog.numbers) > 1:
            self._drop(dialog.share, dialog.numbers[0])
        self._fit(dialog.share)

    def know(self, call_id: str) -> None:
        """That is a call of ours: what was heard of it, and will be, is kept."""
        self._calls[call_id] = None
        self._calls.move_to_end(call_id)
        if len(self._calls) > max(_CALLS, self._limits.total_bytes >> 12):
            self._calls.popitem(last=False)
        dialog = self._dialogs.get(call_id)
        if dialog is None or dialog.share is self._known:
            return
        for number in dialog.numbers:
            self._known.put(number, self._waiting.take(number))
        dialog.share = self._known
        self._fit(self._known)

    def of(self, call_ids: Iterable[str]) -> list[Message]:
        """Return what is kept of these calls, in the order of time; where older messages of a
        dialog are missing its first one has ``gap``."""
        found: list[tuple[int, Message]] = []
        for call_id in dict.fromkeys(call_ids):
            dialog = self._dialogs.get(call_id)
            if dialog is None:
                continue
            for index, number in enumerate(dialog.numbers):
                message = dialog.share.held[number].message
                if index == 0 and dialog.dropped:
                    message = replace(message, gap=True)
                found.append((number, message))
        return [message for _, message in sorted(found, key=lambda each: each[0])]

    def expire(self, now_s: float) -> None:
        """Drop what has been kept for its time; to be called now and then."""
        for share, time_s in (
            (self._known, self._limits.keep_s),
            (self._waiting, min(self._limits.wait_s, self._limits.keep_s)),
        ):
            while share.held:
                number, held = next(iter(share.held.items()))
                if held.heard_s > now_s - time_s:
                    break
                self._drop(share, number, counted=False)

    def _fit(self, share: _Share) -> None:
        while share.size > share.most and share.held:
            self._drop(share, next(iter(share.held)), counted=share is self._known)

    def _drop(self, share: _Share, number: int, counted: bool = True) -> None:
        held = share.take(number)
        dialog = self._dialogs[held.call_id]
        dialog.numbers.remove(number)  # the first one, nearly always
        dialog.size -= held.size
        dialog.dropped += 1
        self.dropped += counted
        if not dialog.numbers:
            del self._dialogs[held.call_id]
