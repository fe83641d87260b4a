"""Waiting on a condition, the only way anything in the laboratory ever waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


class NotInTime(AssertionError):
    """A condition did not come true before its deadline."""


def wait_for(
    condition: Callable[[], Result],
    timeout_s: float,
    what: str | Callable[[], str] = "condition",
    poll_s: float = 0.01,
) -> Result:
    """Return the first truthy result of ``condition``; raise NotInTime, saying ``what``, else."""
    deadline = time.monotonic() + timeout_s
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            text = what if isinstance(what, str) else what()
            raise NotInTime(f"not within {timeout_s:g} s: {text}")
        time.sleep(poll_s)
