"""Legacy transfers: FreeSWITCH moves the legs and reports by itself; the session is told."""

from __future__ import annotations

import pytest

from fsctl.story import hear_each_other, talking
from tests.stories.world import World

BOTH = pytest.mark.parametrize("by", ["callee", "caller"])
LEGACY = {"mode": "legacy"}
AT_ONCE = {"mode": "legacy", "legacy_report": "at-once"}

TELLING = """
from fsctl.scenario import Scenario, TransferComplete, TransferFailed
scenario = Scenario()

@scenario.on(TransferComplete)
def complete(event):
    tell("complete", event.call.number)

@scenario.on(TransferFailed)
def failed(event):
    tell("failed", event.call.number, event.code, event.reason)
"""


@BOTH
def test_target_answers(world: World, by: str) -> None:
    world.serve(transfer=LEGACY, scenario=TELLING)
    transferor, transferee = talking(world, by)
    target = world.party("1002").rings()
    transferor.refers(world.refer_to("1002"))
    invite = target.wait_received("INVITE")
    assert f"<sip:{transferor.number}@" in invite.header("From")
    assert "X-FS-" not in str(invite.headers)
    assert not transferor.notifies
    target.answers_now()
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, target)
    world.wait_told(f"complete {transferor.number}")
    transferor.wait_over()
    assert len(transferor.notifies) == 1
    assert hear_each_other(transferee, target)


@BOTH
def test_target_is_busy(world: World, by: str) -> None:
    world.serve(transfer=LEGACY, scenario=TELLING)
    transferor, transferee = talking(world, by)
    world.party("1002").refuses(486, "Gone fishing")
    transferor.refers(world.refer_to("1002"))
    # FreeSWITCH repeats the code where the phrase belongs (mod_sofia.c).
    assert transferor.wait_notify() == "SIP/2.0 486 486"
    assert hear_each_other(transferor, transferee)
    world.wait_told(f"failed {transferor.number} 486 Gone fishing")
    transferee.hangs_up()
    transferor.wait_over()
    assert len(transferor.notifies) == 1


CALLS_BY_ITSELF = """
from fsctl.scenario import CallAlerting, Connected, Scenario
scenario = Scenario()

@scenario.on(CallAlerting)
def alerting(event):
    callee = event.session.call_user(event.destination)

    @callee.on(Connected)
    def connected(joined):
        event.call.answer()
        event.session.send_media_between(event.call, joined.call)
"""


@BOTH
def test_a_scenario_calls_a_target_that_is_busy_and_does_nothing_then(
    world: World, by: str
) -> None:
    world.serve(transfer=LEGACY, scenario=CALLS_BY_ITSELF)
    transferor, transferee = talking(world, by)
    world.party("1002").refuses(486, "Gone fishing")
    transferor.refers(world.refer_to("1002"))
    assert transferor.wait_notify() == "SIP/2.0 486 486"
    assert hear_each_other(transferor, transferee)
    transferee.hangs_up()
    transferor.wait_over()
    assert len(transferor.notifies) == 1


@BOTH
def test_target_is_busy_and_the_next_one_answers(world: World, by: str) -> None:
    world.serve(transfer=LEGACY, scenario=TELLING)
    transferor, transferee = talking(world, by)
    world.party("1002").refuses(486, "Gone fishing")
    target = world.party("1003").answers()
    transferor.refers(world.refer_to("1002"))
    transferor.wait_notify()
    assert hear_each_other(transferor, transferee)
    transferor.refers(world.refer_to("1003"))
    assert transferor.wait_notify(2) == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, target)
    world.wait_told(f"complete {transferor.number}")
    transferor.wait_over()


@BOTH
def test_no_route(world: World, by: str) -> None:
    world.serve(transfer=LEGACY)
    transferor, transferee = talking(world, by)
    transferor.refers(world.refer_to("7"))
    assert transferor.wait_notify() == "SIP/2.0 404 404"
    assert hear_each_other(transferor, transferee)


@BOTH
def test_reported_at_once(world: World, by: str) -> None:
    world.serve(transfer=AT_ONCE)
    transferor, transferee = talking(world, by)
    target = world.party("1002").rings()
    transferor.refers(world.refer_to("1002"))
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    transferor.wait_over()
    target.answers_now()
    assert hear_each_other(transferee, target)


@BOTH
def test_reported_at_once_and_then_the_target_is_busy(world: World, by: str) -> None:
    world.serve(transfer={**AT_ONCE, "recall": False})
    transferor, transferee = talking(world, by)
    world.party("1002").refuses(486, "Gone fishing")
    transferor.refers(world.refer_to("1002"))
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    transferor.wait_over()
    transferee.wait_received("BYE")
    assert transferor.notifies == ["SIP/2.0 200 OK"]
