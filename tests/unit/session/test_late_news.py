"""A called party is quicker than the news of its answer, as on a switch that has just started."""

from __future__ import annotations

import pytest

from fsctl.scenario import BlindTransferRequested, Scenario
from fsctl.simulator.faults import late

LATE_S = 0.3


@pytest.mark.parametrize("decides", [False, True], ids=["settings", "scenario"])
def test_who_transfers_before_its_answer_is_told_is_the_called_party(stage, decides):
    scenario, seen = Scenario(), []
    if decides:

        @scenario.on(BlindTransferRequested)
        def requested(event):
            seen.append((event.call.outgoing, len(event.session.calls)))
            event.session.connect(event.transferee, event.transfer_to)

    playing = stage(scenario)
    alice, bob, carol = (playing.phone(number) for number in ("1000", "1001", "1002"))
    delay = late(LATE_S)
    playing.switch.faults.append(lambda frame: delay(frame) if frame.kind == "event" else None)
    alice.calls("1001")
    playing.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: alice.hears == "1002" and carol.hears == "1000")
    playing.until(lambda: bob.notifies)
    assert bob.notifies[-1][1] == "SIP/2.0 200 OK"
    if decides:
        assert seen == [(True, 2)]
    alice.hangs_up()
    playing.until(lambda: not playing.worker.switchboard.sessions, 10)
