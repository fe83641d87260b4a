"""A scenario's file changes while calls run: they keep theirs, new calls get the new one."""

from __future__ import annotations

from fsctl.story import Party, hear_each_other, talking
from tests.stories.world import World

SCENARIO = """
from fsctl.scenario import BlindTransferRequested, CallAlerting, Scenario
scenario = Scenario()

@scenario.on(CallAlerting)
def alerting(event):
    event.session.connect(event.call, event.destination, display_name="{word}")

@scenario.on(BlindTransferRequested)
def requested(event):
    event.call.notify_blind_transfer_failed(603, "{word}")
"""
OLD, NEW = SCENARIO.format(word="1st"), SCENARIO.format(word="2nd")
assert len(OLD) == len(NEW), "a bytecode cache could not tell them apart"


def carol_calls_dave(world: World) -> tuple[Party, Party]:
    dave, carol = world.party("1003").answers(), world.party("2002")
    carol.calls("1003")
    carol.wait_talking()
    assert hear_each_other(carol, dave)
    return carol, dave


def shown(party: Party) -> str:
    return party.received("INVITE")[0].header("From").split('"')[1]


def test_a_running_call_keeps_its_scenario_and_a_new_one_gets_the_new_one(world: World) -> None:
    world.serve(scenario=OLD)
    bob, alice = talking(world)
    world.reload(NEW)
    carol, dave = carol_calls_dave(world)
    assert (shown(bob), shown(dave)) == ("1st", "2nd")
    for transferor, phrase in ((bob, "1st"), (dave, "2nd")):
        transferor.refers(world.refer_to("1002"))
        assert transferor.wait_notify() == f"SIP/2.0 603 {phrase}"
    assert hear_each_other(alice, bob)
    assert hear_each_other(carol, dave)


def test_a_broken_file_changes_nothing(world: World) -> None:
    world.serve(scenario=OLD)
    lines = NEW.splitlines()
    lines[-1] += "\n    oops("
    world.reload("\n".join(lines))
    _, dave = carol_calls_dave(world)
    assert shown(dave) == "1st"
    assert "SyntaxError" in world.log() and "scenario.py:" in world.log()
    world.forgive()


def test_a_file_that_is_mended(world: World) -> None:
    world.serve(scenario=OLD)
    world.reload("x = ")
    world.reload(NEW)
    _, dave = carol_calls_dave(world)
    assert shown(dave) == "2nd"
    world.forgive()
