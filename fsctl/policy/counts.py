"""How often a party has asked for a transfer in the last minute, over all workers.

The counts lie in memory that the workers of one supervisor share (`fsctl.service.shared`). Each
worker writes entries of its own and reads those of all: no lock, so a worker that stands still
holds nobody up. The entries of a party lie side by side, and are found by one search.
"""

from __future__ import annotations

import mmap
import struct
import sys
import time
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

_ENTRY: Final = struct.Struct("=QIIIQ")
"""The party (a hash, 0: free), the minute, how often it has asked in that and before, and its last
request (a hash)."""
_NAME_BYTES: Final = 48
_ENTRY_SIZE: Final = _ENTRY.size + _NAME_BYTES
"""Behind it stands the party's name, for who lists them."""
_SLOTS: Final = 509
"""With those behind the last one 512."""
_WORKERS: Final = 32
"""More than run at a time, those of a reload included, or two may write into one entry."""
_PROBES: Final = 4
_SLOT_SIZE: Final = _WORKERS * _ENTRY_SIZE
SIZE: Final = (_SLOTS + _PROBES - 1) * _SLOT_SIZE
"""Bytes of the shared memory."""
LAYOUT: Final = f"{_ENTRY.format} {_NAME_BYTES} {_SLOTS} {_WORKERS} {_PROBES}"
"""Another one where these bytes mean something else."""
_MINUTE_S: Final = 60.0


class Counts:
    """The counts of one worker, and its view of the others'."""

    def __init__(
        self,
        descriptor: int = -1,
        at: int = 0,
        region: int = 0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """``descriptor`` of shared memory, which may be closed afterwards, and where in it the
        counts begin; -1: only this process counts. ``region``: of this worker."""
        self._memory = mmap.mmap(descriptor, SIZE, offset=0 if descriptor < 0 else at)
        self._own = region % _WORKERS * _ENTRY_SIZE
        self._now = now  # CLOCK_MONOTONIC is the same for all processes of a machine

    def add(self, party: str, request: str = "") -> int:
        """Count one more, and return how many there are in the last minute, all workers' together.

        The minute slides: of the one before, as much counts as is left of it. With very many
        parties at once the one that has been silent longest is forgotten. A ``request`` that is the
        party's last one is counted already: another worker has taken it over.
        """
        minute, fraction = divmod(self._now() / _MINUTE_S, 1.0)
        key, asked = _hash(party), _hash(request) if request else 0
        known = set(self._places(key))
        if not asked or all(_ENTRY.unpack_from(self._memory, at)[4] != asked for at in known):
            at = self._own_place(key)
            now, before = self._read(at, key, int(minute))
            _ENTRY.pack_into(self._memory, at, key, int(minute), now + 1, before, asked)
            name = party.encode("utf-8", "replace")[:_NAME_BYTES].ljust(_NAME_BYTES, b"\0")
            self._memory[at + _ENTRY.size : at + _ENTRY_SIZE] = name
            known = {*known, at}
        return _sliding([self._read(at, key, int(minute)) for at in known], fraction)

    def listed(self) -> dict[str, int]:
        """Return how often each party has asked in the last minute, those with most first; names
        may be cut short."""
        minute, fraction = divmod(self._now() / _MINUTE_S, 1.0)
        found: dict[int, tuple[str, list[tuple[int, int]]]] = {}
        for at in range(0, SIZE, _ENTRY_SIZE):
            key = _ENTRY.unpack_from(self._memory, at)[0]
            if key:
                name = self._memory[at + _ENTRY.size : at + _ENTRY_SIZE].rstrip(b"\0")
                _, counted = found.setdefault(key, (name.decode("utf-8", "replace"), []))
                counted.append(self._read(at, key, int(minute)))
        counts = [(name, _sliding(counted, fraction)) for name, counted in found.values()]
        return dict(sorted((each for each in counts if each[1]), key=lambda each: -each[1]))

    def forget(self, party: str) -> bool:
        """Have a party counted anew; false: it is not counted. What it asks at that very moment may
        be counted as before."""
        places = self._places(_hash(party))
        for at in places:
            self._memory[at : at + _ENTRY_SIZE] = bytes(_ENTRY_SIZE)
        return bool(places)

    def _places(self, key: int) -> list[int]:
        """Where this party is counted, by whatever worker."""
        memory, sought, places = self._memory, key.to_bytes(8, sys.byteorder), []
        first = key % _SLOTS * _SLOT_SIZE
        end = first + _PROBES * _SLOT_SIZE
        at = memory.find(sought, first, end)
        while at >= 0:
            if (at - first) % _ENTRY_SIZE == 0:  # and not these bytes in something else
                places.append(at)
            at = memory.find(sought, at + 1, end)
        return places

    def _own_place(self, key: int) -> int:
        """Where we count this party: its place, else that of the stillest of those it may have."""
        first = key % _SLOTS * _SLOT_SIZE + self._own
        places = range(first, first + _PROBES * _SLOT_SIZE, _SLOT_SIZE)
        entries = [(_ENTRY.unpack_from(self._memory, at), at) for at in places]
        own = next((at for entry, at in entries if entry[0] == key), None)
        return min(entries, key=lambda each: each[0][1])[1] if own is None else own

    def _read(self, at: int, key: int, minute: int) -> tuple[int, int]:
        """What is counted there for this minute and the one before."""
        found, then, now, before, _ = _ENTRY.unpack_from(self._memory, at)
        if found != key or then + 1 < minute:
            return 0, 0
        return (now, before) if then == minute else (0, now)


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()) or 1


def _sliding(counted: list[tuple[int, int]], fraction: float) -> int:
    present, past = sum(now for now, _ in counted), sum(before for _, before in counted)
    return present + int(past * (1.0 - fraction))
