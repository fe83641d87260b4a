"""The replayed FreeSWITCH serves what fsctl really sends, and what a recording has."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from bench.replay.contestants import CORES, Contestant, Fsctl, Other
from bench.replay.measure import saturated
from tests.live.lab.fsctl_process import REPOSITORY

MADE: dict[str, Callable[[], Contestant]] = {
    "fsctl in scope calls": lambda: Fsctl("fsctl", "calls"),
    "bare": lambda: Other("bare", "calls", ["bench.replay.bare", "calls", str(REPOSITORY)]),
}


@pytest.mark.parametrize("name", MADE)
def test_calls_go_through(name: str) -> None:
    contestant = MADE[name]()
    try:
        contestant.start()
        figures = saturated(contestant, 3)
    finally:
        contestant.stop()
        os.sched_setaffinity(0, CORES)
    assert figures["failed"] == 0
    assert figures["commands a call"] > 10
    assert figures["CPU ms a call"] > 0
