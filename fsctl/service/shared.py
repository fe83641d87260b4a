"""What the workers of one supervisor remember together: one piece of memory, by one descriptor.

It outlives each of them, and a reload. Each writes in a region of its own and reads those of all,
without a lock: the policy's counts, and the parties of its calls.

After an upgrade a reload may start a worker that lays the memory out otherwise. It sees that by the
second word, which stands in the same place in every version, as the first one does: that nobody
knows the parties of all workers any more.
"""

from __future__ import annotations

import logging
import mmap
import os
import struct
import time
from collections.abc import Callable
from typing import Final
from zlib import crc32

from fsctl.policy import counts
from fsctl.policy.counts import Counts
from fsctl.session.core import siblings
from fsctl.session.core.siblings import Siblings

log = logging.getLogger(__name__)

_WORDS: Final = struct.Struct("=II")
_COUNTS_AT: Final = siblings.SIZE
"""The parties come first: no worker has their first region, whose first word is the memory's."""


def layout() -> int:
    """Return what the second word is, in this version."""
    return crc32(f"1 {siblings.LAYOUT} {counts.LAYOUT}".encode())


def make_shared() -> int:
    """Return a descriptor of such memory, for processes that are started. Raises OSError."""
    descriptor = os.memfd_create("fsctl-workers")
    os.ftruncate(descriptor, _COUNTS_AT + counts.SIZE)
    os.pwrite(descriptor, _WORDS.pack(0, layout()), 0)
    return descriptor


class Shared:
    """One process's view of it."""

    def __init__(self, descriptor: int) -> None:
        """``descriptor`` of `make_shared`; what is made here outlives it."""
        self._descriptor = descriptor
        self._is_known = _WORDS.unpack(os.pread(descriptor, _WORDS.size, 0))[1] == layout()
        if not self._is_known:
            log.warning("workers of two versions run: each counts transfers alone till a restart")

    def counts(self, region: int = 0, now: Callable[[], float] = time.monotonic) -> Counts:
        """The counts of the worker with this region; any that is free for who only reads. Those of
        another version are not read, nor written."""
        return Counts(self._descriptor if self._is_known else -1, _COUNTS_AT, region, now)

    def siblings(self, region: int) -> Siblings | None:
        """The parties of the worker with this region, and of the others. None: this worker cannot
        say whom it has calls of, and nobody takes a party for one that no worker has any more."""
        if self._is_known:
            return Siblings(self._descriptor, region)
        siblings.note_unknown(mmap.mmap(self._descriptor, mmap.PAGESIZE))
        return None
