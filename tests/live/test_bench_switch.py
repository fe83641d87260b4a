"""The bench on a real switch runs: a contestant serves a call with a transfer, and is measured."""

from __future__ import annotations

import pytest

from bench.switch.contestants import make
from bench.switch.measure import play
from bench.switch.phones import Script


@pytest.mark.parametrize("name", ["transfers", "greenswitch"])
def test_a_contestant_is_measured(name: str) -> None:
    [contestant] = make([name], [])
    try:
        contestant.start()
        slot = play(contestant, 2, 5, Script())
    finally:
        contestant.stop()
    assert not slot.played.failed
    assert set(slot.played.latencies_ms) == {
        "invite to callee",
        "refer to target",
        "answer to NOTIFY",
    }
    assert slot.spent_ms["FreeSWITCH"] > 0
