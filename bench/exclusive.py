"""One benchmark at a time on a machine."""

from __future__ import annotations

import contextlib
import fcntl
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def exclusive() -> Iterator[None]:
    """Wait until no other benchmark runs: two at once would measure each other."""
    path = Path(tempfile.gettempdir()) / "fsctl-bench.lock"
    with path.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("waits for another benchmark to end", file=sys.stderr, flush=True)
            fcntl.flock(held, fcntl.LOCK_EX)
        yield
