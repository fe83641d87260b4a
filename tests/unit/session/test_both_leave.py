"""Two who were joined by the scenario hang up at the same moment."""

from __future__ import annotations

import re

import pytest

from fsctl.scenario import CallAlerting, Disconnected, Scenario
from fsctl.simulator.api import APIS
from fsctl.simulator.faults import Sending


@pytest.mark.parametrize("lost", [False, True], ids=["told", "not told"])
@pytest.mark.parametrize("first", ["caller", "callee"])
def test_both_are_seen_to_leave(stage, first, lost):
    """The link of the first one ends; the news of the other may come before the next one hears."""
    scenario, left, unheard = Scenario(), [], []

    @scenario.on(CallAlerting)
    def alerting(event):
        callee = event.session.call_user(event.destination)
        callee.wait_connected()
        event.session.send_media_between(event.call, callee)

    scenario.on(Disconnected)(lambda event: left.append(event.call.outgoing))

    def losing(frame):
        own = rb'(?<!-)Unique-ID"?: ?"?' + (unheard[0] if unheard else b"nobody")
        hidden = frame.about == "CHANNEL_HANGUP" and re.search(own, frame.raw)
        return Sending(()) if hidden else None

    playing = stage(scenario)
    playing.switch.faults.append(losing)
    alice, bob = playing.phone("1000"), playing.phone("1001")
    alice.calls("1001")
    playing.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    if lost:
        unheard.append(bob.dialog.channel.uuid.encode())
    for phone in (alice, bob) if first == "caller" else (bob, alice):
        phone.hangs_up()
    playing.until(lambda: not playing.worker.switchboard.sessions, 10)
    assert sorted(left) == [False, True]


@pytest.mark.parametrize("used", [False, True], ids=["forgotten", "used"])
def test_a_party_that_was_being_joined_with_one_that_leaves(stage, monkeypatch, used):
    """FreeSWITCH keeps the second leg in CS_RESET when the first has gone before they meet."""
    scenario, bridge = Scenario(), APIS["uuid_bridge"]

    @scenario.on(CallAlerting)
    def alerting(event):
        callee = event.session.call_user(event.destination)
        callee.wait_connected()
        event.session.send_media_between(event.call, callee)

    @scenario.on(Disconnected)
    def disconnected(event):
        if used and not event.call.outgoing:
            (callee,) = (each for each in event.session.calls.values() if each.outgoing)
            event.session.wait(lambda: callee.held, 5)
            callee.play("tone_stream://%(1000,0,400)", loop=True)

    def leaves(switch, arguments):
        answer = bridge(switch, arguments)
        alice.hangs_up()
        return answer

    monkeypatch.setitem(APIS, "uuid_bridge", leaves)
    playing = stage(scenario)
    alice, bob = playing.phone("1000"), playing.phone("1001")
    alice.calls("1001")
    playing.until(lambda: bob.in_call and not alice.in_call and alice.sent("BYE"))
    if used:
        playing.until(lambda: bob.hears not in ("", "1000"), 10)
        bob.hangs_up()
    playing.until(lambda: not playing.worker.switchboard.sessions, 10)
    assert not bob.in_call
