"""What is served once, counted, or refused: each call, each redirection, each report."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from fsctl.scenario import BlindTransferRequested, CallAlerting, Failed, Scenario
from fsctl.settings import Call, Server, Transfer
from fsctl.simulator.faults import Nth, late
from fsctl.stage import CALLS, Stage
from fsctl.testing import MakeStage

CHAIN = [str(number) for number in range(1010, 1016)]


def talking(playing: Stage, *others: str):
    """Alice (1000) and Bob (1001) talk; the two, and more phones."""
    alice, bob = playing.phone("1000", "Alice"), playing.phone("1001")
    alice.calls("1001")
    playing.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    return alice, bob, *(playing.phone(number) for number in others)


@pytest.mark.parametrize(
    ("what", "told"),
    [("new call", []), ("in-session", ["403 Forbidden"]), ("legacy", ["200 OK"])],
)
def test_a_leg_that_was_sent_on_before_it_was_claimed_is_the_switchs(
    stage: MakeStage, what: str, told: list[str]
) -> None:
    """The reply to ``connect`` comes when FreeSWITCH's timer has sent the leg on already."""
    transfer = Transfer(mode="legacy" if what == "legacy" else "in-session")
    settings = replace(CALLS, transfer=transfer)
    playing, late_s = stage(settings=settings), settings.dialplan.claim_timeout_s + 1.5
    fault = Nth(late(late_s), "reply", "connect")
    if what == "new call":
        playing.switch.faults.append(fault)
        alice, bob, carol = (playing.phone(number) for number in ("1000", "1001", "1002"))
        alice.calls("1001")
    else:
        alice, bob, carol = talking(playing, "1002")
        playing.switch.faults.append(fault)
        bob.refers("<sip:1002@example.org>")
        playing.until(lambda: bob.notifies)
    peer = carol if what == "legacy" else bob
    playing.until(lambda: alice.hears == peer.number)
    playing.advance(late_s + 3)
    assert alice.hears == peer.number and peer.hears == "1000"
    assert len(peer.received("INVITE")) == 1 and bool(carol.dialogs) is (what == "legacy")
    assert [line for _, line in bob.notifies] == [f"SIP/2.0 {line}" for line in told]
    alice.hangs_up()
    playing.until(lambda: not peer.in_call and not playing.worker.switchboard.sessions)


@pytest.mark.parametrize("part_of_second", [0.0, 0.5, 0.95])
def test_who_claims_in_time_has_the_leg(stage: MakeStage, part_of_second: float) -> None:
    """Whenever in a second FreeSWITCH begins to count: it counts whole ones."""
    playing, late_s = stage(settings=CALLS), CALLS.dialplan.claim_timeout_s - 0.02
    alice, bob, carol = talking(playing, "1002")
    now_s = playing.switch.clock.now_s
    playing.advance(part_of_second + 1.0 - now_s % 1.0)
    playing.switch.faults.append(Nth(late(late_s), "reply", "connect"))
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: bob.notifies)
    assert [line for _, line in bob.notifies] == ["SIP/2.0 200 OK"]
    playing.until(lambda: alice.hears == "1002" and carol.hears == "1000")


@pytest.mark.parametrize("part_of_second", [0.0, 0.5, 0.95])
@pytest.mark.parametrize("mode", ["in-session", "legacy"])
def test_a_phone_has_its_time_to_hang_up(
    stage: MakeStage, mode: str, part_of_second: float
) -> None:
    own = Transfer(mode=mode, release_transferor_after_s=1)
    playing = stage(settings=replace(CALLS, transfer=own))
    _, bob, carol = talking(playing, "1002")
    carol.rings()
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: carol.received("INVITE"))
    playing.advance(part_of_second + 1.0 - playing.switch.clock.now_s % 1.0)
    carol.answers_now()
    playing.until(lambda: bob.notifies)
    playing.advance(own.release_transferor_after_s)
    assert bob.in_call
    playing.advance(1.5)
    assert not bob.in_call


@pytest.mark.parametrize("how", ["connect", "transfer", "call_user"])
def test_redirections_are_followed_so_often_and_no_more(stage: MakeStage, how: str) -> None:
    scenario = Scenario()
    if how == "call_user":

        @scenario.on(CallAlerting)
        def alerting(event):
            event.session.call_user(event.destination)

    playing = stage(scenario, replace(CALLS, call=Call(follow_redirects=2)))
    if how == "transfer":
        alice, bob = talking(playing)
    phones = [playing.phone(number) for number in CHAIN]
    for phone, following in pairwise(phones):
        phone.redirects(f"sip:{following.number}@example.org")
    if how == "transfer":
        bob.refers(f"<sip:{CHAIN[0]}@example.org>")
        playing.until(lambda: bob.notifies and alice.hears == "1001")
        assert [line for _, line in bob.notifies] == ["SIP/2.0 302 Moved Temporarily"]
    else:
        alice = playing.phone("1000")
        alice.calls(CHAIN[0])
        playing.until(lambda: alice.dialog.state == "ended")
    assert [len(phone.received("INVITE")) for phone in phones] == [1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize("most", [1, 2])
def test_so_many_calls_run_and_no_more(stage: MakeStage, most: int) -> None:
    server = Server(max_calls=most, overload="refuse")
    playing = stage(settings=replace(CALLS, server=server))
    callees = [playing.phone(f"101{number}") for number in range(most + 1)]
    callers = [playing.phone(f"100{number}") for number in range(most + 1)]
    for caller, callee in zip(callers[:most], callees, strict=False):
        caller.calls(callee.number)
    playing.until(lambda: all(callee.in_call for callee in callees[:most]))
    callers[most].calls(callees[most].number)
    playing.until(lambda: callers[most].received("INVITE", 503))
    assert len(playing.worker.switchboard.sessions) == most and not callees[most].dialogs


def test_a_party_that_was_never_called_has_failed_at_once(stage: MakeStage) -> None:
    """No channel is made for a user who is not registered: only the job's end tells."""
    scenario, failed = Scenario(), []
    scenario.on(Failed)(lambda event: failed.append(event.code))

    @scenario.on(BlindTransferRequested)
    def requested(event):
        event.session.call_user("1002")

    playing = stage(scenario)
    alice, bob, carol = talking(playing, "1002")
    carol.unregistered()
    begun = playing.switch.clock.now_s
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: failed and bob.notifies and alice.hears == "1001")
    assert failed == [480] and playing.switch.clock.now_s - begun < 2
    assert [line for _, line in bob.notifies] == ["SIP/2.0 480 Temporarily Unavailable"]


@pytest.mark.parametrize("busy", [True, False])
def test_a_report_is_noted_where_the_next_controller_looks(stage: MakeStage, busy: bool) -> None:
    """``fsctl_told`` on the transferor: also of the success that FreeSWITCH reports by itself."""
    playing = stage()
    _, bob, carol = talking(playing, "1002")
    if busy:
        carol.busy()
    leg = bob.dialog.channel
    bob.refers("<sip:1002@example.org>")
    playing.until(lambda: bob.notifies)
    playing.switch.settle()
    assert leg.get_variable("fsctl_told") == bob.notifies[0][0]
