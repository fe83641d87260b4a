"""FreeSWITCH is asked before a failure is told, and the transfer may go on before it answers."""

from __future__ import annotations

from dataclasses import asdict

import gevent
import pytest

from fsctl.errors import CommandTimeout
from fsctl.scenario import BlindTransferRequested, Scenario
from fsctl.session.calling import bridged
from fsctl.session.transfers import record
from fsctl.session.transfers.blind_run import BlindRun
from fsctl.sip.status import SipStatus
from fsctl.transfer.blind_table import State, Stimulus
from tests.unit.records import Records


def talking(playing):
    """Alice (1000) and Bob (1001), who talk; Carol's phone (1002) answers."""
    alice, bob, _carol = (playing.phone(number) for number in ("1000", "1001", "1002"))
    alice.calls("1001")
    playing.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    return alice, bob


@pytest.mark.parametrize("given_up", [Stimulus.FAILURE_REPORTED, Stimulus.DEADLINE])
def test_an_answer_counts_for_the_state_that_it_was_asked_in(stage, monkeypatch, given_up):
    """The target fails as it is asked for: the first two are not joined again yet."""
    scenario, asked, states = Scenario(), list[BlindRun](), list[State]()
    is_joined, feed = BlindRun._is_joined, BlindRun.feed

    def fails_meanwhile(transfer: BlindRun) -> bool:
        asked.append(transfer)
        if len(asked) > 1:
            return is_joined(transfer)
        transfer.feed(Stimulus.TARGET_FAILED, SipStatus(486))
        return True

    def feeding(transfer: BlindRun, stimulus: Stimulus, status: SipStatus | None = None) -> None:
        feed(transfer, stimulus, status)
        if stimulus is given_up:
            states.append(transfer.snapshot.state)

    @scenario.on(BlindTransferRequested)
    def requested(event: BlindTransferRequested) -> None:
        event.session.call_user("1002").wait_connected()
        if given_up is Stimulus.FAILURE_REPORTED:
            event.call.notify_blind_transfer_failed(603)

    monkeypatch.setattr(BlindRun, "_is_joined", fails_meanwhile)
    monkeypatch.setattr(BlindRun, "feed", feeding)
    playing = stage(scenario)
    alice, bob = talking(playing)
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: bob.notifies and alice.hears == "1001")
    if given_up is Stimulus.DEADLINE:
        assert states == [State.RECONNECTING]  # it was that of another state
    else:
        assert len(asked) == 2  # whether the first two are joined again is another question
    assert [body for _, body in bob.notifies] == ["SIP/2.0 486 Busy Here"]


def test_a_call_of_the_target_that_seemed_to_fail_has_succeeded(stage, monkeypatch):
    """The link stood still until its commands were given up: FreeSWITCH had obeyed them."""
    scenario, start = Scenario(), bridged.start
    records = Records()
    monkeypatch.setattr(record, "write", lambda made: records.all.append(asdict(made)))

    def stands_still(session, dial, places):
        start(session, dial, places)
        if places[0].routed.number == "1002":
            while alice.hears != "1002":
                gevent.sleep(0.001)
            raise CommandTimeout("UuidSetvar: nothing within 5 s")

    monkeypatch.setattr(bridged, "start", stands_still)
    playing = stage(scenario)
    alice, bob = talking(playing)
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: not bob.in_call and records.all)
    assert [body for _, body in bob.notifies] == ["SIP/2.0 200 OK"]
    assert alice.hears == "1002"
    assert records.results() == [("blind", "succeeded", 200)]
