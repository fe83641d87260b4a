"""Two who were joined by the scenario hang up at the same moment."""

from __future__ import annotations

import pytest

from fsctl.scenario import CallAlerting, Disconnected, Scenario


@pytest.mark.parametrize("first", ["caller", "callee"])
def test_both_are_seen_to_leave(stage, first):
    scenario, left = Scenario(), []

    @scenario.on(CallAlerting)
    def alerting(event):
        callee = event.session.call_user(event.destination)
        callee.wait_connected()
        event.session.send_media_between(event.call, callee)

    scenario.on(Disconnected)(lambda event: left.append(event.call.outgoing))
    playing = stage(scenario)
    alice, bob = playing.phone("1000"), playing.phone("1001")
    alice.calls("1001")
    playing.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    for phone in (alice, bob) if first == "caller" else (bob, alice):
        phone.hangs_up()
    playing.until(lambda: not playing.worker.switchboard.sessions, 10)
    assert sorted(left) == [False, True]
