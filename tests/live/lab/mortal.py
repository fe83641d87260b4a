"""Processes that do not outlive the tests, however the tests end."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import cache


@cache
def _prefix() -> tuple[str, ...]:
    """util-linux's ``setpriv`` asks the kernel to kill a process when its parent has died."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "KILL") if setpriv else ()


def mortal(command: Sequence[str]) -> list[str]:
    """``command``, to be killed when the thread that starts it ends without having stopped it."""
    return [*_prefix(), *command]
