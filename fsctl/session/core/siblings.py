"""Which parties other workers have calls of: so nobody waits for a request that cannot come.

That lies in memory which the workers of one supervisor share (`fsctl.service.shared`). Each writes
a region of its own and reads those of all, without a lock. A region holds counters, by a hash of
what a party is known by: where two share a counter a party is taken for there that is not, never
the other way round. What a worker has left that has died stays for a while: so do its calls, in
FreeSWITCH.
"""

from __future__ import annotations

import mmap
from collections import deque
from typing import Final
from zlib import crc32

_REGIONS: Final = 64
_CELLS: Final = 16_384
_REGION_BYTES: Final = _CELLS * 4
SIZE: Final = _REGIONS * _REGION_BYTES
"""Bytes of the shared memory."""
LAYOUT: Final = f"{_REGIONS} {_CELLS} crc32"
"""Another one where these bytes mean something else."""

_ALL: Final = 0
"""The counter of a region that counts whatever is noted there."""

NOWHERE: Final = 0
"""The region of a worker for which none was left. Once there is one, nobody knows anything."""


def note_unknown(memory: mmap.mmap) -> None:
    """A worker cannot say whom it has calls of: it has no region, or knows none."""
    memory[0] = 1


class Regions:
    """Who writes where: the supervisor's."""

    def __init__(self, descriptor: int) -> None:
        """``descriptor`` of memory that begins with them."""
        self._memory = mmap.mmap(descriptor, SIZE)
        self._free = deque(range(1, _REGIONS))

    def take(self) -> int:
        """Return an empty region, the one that has been free for longest; or `NOWHERE`."""
        if not self._free:
            note_unknown(self._memory)
            return NOWHERE
        region = self._free.popleft()
        self._clear(region)
        return region

    def free(self, region: int) -> None:
        """Its worker has ended; what it has left stays."""
        if region != NOWHERE:
            self._free.append(region)

    def forget(self, region: int) -> None:
        """What the former worker has left is over, unless another one writes there by now."""
        if region in self._free:
            self._clear(region)

    def _clear(self, region: int) -> None:
        at = region * _REGION_BYTES
        self._memory[at : at + _REGION_BYTES] = bytes(_REGION_BYTES)


class Siblings:
    """What one worker notes of its own parties, and its view of the others'."""

    def __init__(self, descriptor: int, region: int) -> None:
        """``descriptor``: as that of `Regions`; it may be closed afterwards."""
        self._cells = memoryview(mmap.mmap(descriptor, SIZE)).cast("I")
        self._own = region * _CELLS

    def add(self, name: str, value: object) -> None:
        """We have a leg of which this is known; said once for any number of them."""
        self._count(name, value, 1)

    def remove(self, name: str, value: object) -> None:
        """We have none any more."""
        self._count(name, value, -1)

    def may_have(self, name: str, value: object) -> bool:
        """Whether any other worker may have a leg of which this is known."""
        return self._elsewhere(_cell(name, value))

    def have_any(self) -> bool:
        """Whether any other worker has a leg at all."""
        return self._elsewhere(_ALL)

    def _count(self, name: str, value: object, by: int) -> None:
        if self._own:
            self._cells[self._own + _cell(name, value)] += by
            self._cells[self._own + _ALL] += by

    def _elsewhere(self, cell: int) -> bool:
        cells = self._cells
        own = cells[self._own + cell] if self._own else 0
        return bool(cells[0]) or sum(cells[_CELLS + cell :: _CELLS].tolist()) > own


def _cell(name: str, value: object) -> int:
    return 1 + crc32(f"{name} {value}".encode("utf-8", "replace")) % (_CELLS - 1)
