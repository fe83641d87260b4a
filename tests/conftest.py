"""For all tests: on a machine that is busy with something else nothing fails for being slow."""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

LIVE = Path(__file__).parent / "live"
MEMORY, ROOM = "/dev/shm", 1 << 30
"""A file system in memory, and what a run may need of it at the most."""

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell has started us in the background. What we start would ignore it as well.
    signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ.setdefault("FSCTL_RECORDS_KEEP", "false")
"""What tests start keeps no records, where they are not what is tried: that is a process more."""

if sys.dont_write_bytecode:
    # Else each run would compile the tests anew, and each of a hundred processes that they start
    # fsctl: half a minute. What is wanted is a tidy tree, and this is pytest's own corner of it.
    sys.pycache_prefix = str(Path(__file__).parents[1] / ".pytest_cache" / "compiled")
    sys.dont_write_bytecode = False
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
    del os.environ["PYTHONDONTWRITEBYTECODE"]


def _prepare() -> None:
    """What is imported here is compiled once, too."""
    from hypothesis import HealthCheck, settings

    import fsctl.settings
    import fsctl.simulator.switch

    settings.register_profile(
        "fsctl", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("fsctl")
    # What this machine's own fsctl has there is none of a test's business.
    fsctl.settings.DEFAULT_FILE = Path("/nonexistent/fsctl.toml")  # type: ignore[misc]
    # Controllers in tests ask nobody who needs longer.
    fsctl.simulator.switch.QUIET_S = 0.001


_prepare()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Live tests that are not wanted need not be made: a third of all, which takes seconds."""
    return (collection_path == LIVE and config.option.markexpr == "not live") or None


def pytest_configure(config: pytest.Config) -> None:
    """Thousands of small files are written into memory where there is room, and on no disk: half of
    the time of some tests is the disk's, and all of it where others use that, too."""
    if config.option.markexpr == "not live" and "TMPDIR" not in os.environ:
        with suppress(OSError):
            memory = os.statvfs(MEMORY)
            if memory.f_bavail * memory.f_frsize >= ROOM and not memory.f_flag & os.ST_NOEXEC:
                os.environ["TMPDIR"] = MEMORY


def pytest_collection_finish() -> None:
    """What has been collected lives until the end: the garbage collector need not look there."""
    gc.freeze()
