"""A controller that stands still right behind the claim of a leg: FreeSWITCH sends that on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gevent
import pytest

from fsctl.esl.connection import Connection
from fsctl.scenario import BlindTransferRequested, Scenario
from fsctl.session.arrivals import legs
from fsctl.settings import Call
from fsctl.stage import CALLS

LONG = replace(CALLS, call=Call(ring_timeout_s=120))
"""The dialplan's own timers of a transfer fire after two minutes and more."""
SOON_S = 9.0
"""Three times as long as a leg that nobody claims."""


def test_who_goes_on_late_calls_nobody_for_a_leg_that_was_sent_on(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = legs._transfer_by_settings

    def stand_still(*arguments: Any) -> None:
        while not bob.notifies:
            gevent.sleep(0)
        monkeypatch.setattr(Connection, "age_s", CALLS.dialplan.claim_timeout_s + 0.5)
        goes_on(*arguments)
        went_on.append(True)

    went_on: list[bool] = []
    monkeypatch.setattr(legs, "_transfer_by_settings", stand_still)
    playing = stage(settings=LONG)
    alice, bob, carol = (playing.phone(number) for number in ("1000", "1001", "1002"))
    alice.calls("1001")
    playing.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: went_on)
    playing.advance(1.0)
    playing.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    assert not carol.received("INVITE")
    assert [body for _, body in bob.notifies] == ["SIP/2.0 403 Forbidden"]


@pytest.mark.parametrize("how", ["in scenario", "by settings"])
def test_a_transfer_with_which_nothing_is_done_is_over_soon(
    stage: Any, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    scenario = Scenario()

    def stand_still(*_: Any) -> None:
        monkeypatch.setattr(Connection, "_transmit", lambda *_: None)

    if how == "in scenario":

        @scenario.on(BlindTransferRequested)
        def requested(event: BlindTransferRequested) -> None:
            stand_still()

    else:
        monkeypatch.setattr("fsctl.session.arrivals.legs._transfer_by_settings", stand_still)
    playing = stage(scenario, settings=LONG)
    alice, bob = playing.phone("1000"), playing.phone("1001")
    alice.calls("1001")
    playing.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: bob.notifies, SOON_S)
    playing.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    assert [body for _, body in bob.notifies] == ["SIP/2.0 403 Forbidden"]
