"""Legs that somebody else takes away: pickup, INVITE with Replaces, ``uuid_transfer``."""

from __future__ import annotations

import pytest

from fsctl.story import Party, hear_each_other, talking
from tests.stories.world import World

TAKING = pytest.mark.parametrize("how", ["pickup", "replaces"])


def take(how: str, taker: Party, leg: Party, ringing: Party) -> None:
    """``taker`` takes ``leg`` over, for which ``ringing`` rings."""
    if how == "pickup":
        taker.picks_up(leg)
    else:
        taker.replaces_call(ringing)


@TAKING
def test_pickup_of_a_call(world: World, how: str) -> None:
    """The caller talks with whoever has picked up; only the phone that rang is hung up."""
    world.serve()
    bob = world.party("1001", "Bob").rings()
    alice = world.party("2000", "Alice")
    alice.calls("1001")
    alice.wait_received(180)
    paul = world.party("1009", "Paul")
    take(how, paul, alice, bob)
    assert hear_each_other(alice, paul)
    bob.wait_over()
    paul.hangs_up()
    alice.wait_over()
    assert not alice.received(487)


@pytest.mark.parametrize(
    ("how", "by", "killed"),
    [
        ("pickup", "callee", False),
        ("pickup", "caller", False),
        ("replaces", "callee", False),
        ("pickup", "callee", True),
    ],
)
def test_pickup_of_a_transfer(world: World, how: str, by: str, killed: bool) -> None:
    """The transfer has succeeded: NOTIFY 200, and nobody is pulled back."""
    world.serve(transfer={"release_transferor_after_s": 1})
    transferor, transferee = talking(world, by)
    carol = world.party("1002", "Carol").rings()
    transferor.refers(world.refer_to("1002"))
    world.wait(lambda: bool(carol.sent(180)), "Carol rings")
    if killed:
        world.kill()
    paul = world.party("1009", "Paul")
    take(how, paul, transferee, carol)
    assert hear_each_other(transferee, paul)
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    if killed:
        transferor.hangs_up()  # else a timer in FreeSWITCH ends its call
    transferor.wait_over()
    carol.wait_over()
    assert hear_each_other(transferee, paul)
    assert transferor.notifies == ["SIP/2.0 200 OK"]


SCENARIO = """
from fsctl.scenario import BlindTransferRequested, Scenario

scenario = Scenario()

@scenario.on(BlindTransferRequested)
def requested(event):
    event.session.call_user(event.transfer_to)
"""


@pytest.mark.parametrize("how", ["pickup", "moved"])
def test_a_transferee_is_taken_from_a_scenario(world: World, how: str) -> None:
    """The scenario's own call rings for it: that is hung up, and the transfer has succeeded."""
    world.serve(scenario=SCENARIO, transfer={"release_transferor_after_s": 1})
    bob, alice = talking(world)
    carol = world.party("1002", "Carol").rings()
    bob.refers(world.refer_to("1002"))
    world.wait(lambda: bool(carol.sent(180)), "Carol rings")
    if how == "pickup":
        other = world.party("1009", "Paul")
        other.picks_up(alice)
    else:
        other = world.party("1003", "Dave").answers()
        world.moves(alice, "1003")
    assert hear_each_other(alice, other)
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    bob.wait_over()
    carol.wait_over()
    assert hear_each_other(alice, other)


JOINS = """
from fsctl.scenario import CallAlerting, Disconnected, Scenario

scenario = Scenario()

@scenario.on(CallAlerting)
def alerting(event):
    bob = event.session.call_user(event.destination)
    bob.wait_connected()
    event.session.send_media_between(event.call, bob)

@scenario.on(Disconnected)
def gone(event):
    tell("gone", event.call.number)
    left = [call for call in event.session.calls.values() if call.alive]
    if CALLS_AGAIN and left and event.reason == "Taken over":
        dave = event.session.call_user("1004")
        dave.wait_connected()
        event.session.send_media_between(left[0], dave)
"""


@pytest.mark.parametrize("again", [False, True], ids=["ends", "calls again"])
@pytest.mark.parametrize("named", [False, True], ids=["own context", "named"])
@pytest.mark.parametrize("whose", ["caller", "callee"])
def test_who_is_moved_from_a_scenario_is_gone(
    world: World, whose: str, named: bool, again: bool
) -> None:
    """Of the two that it had joined; the other one is hung up, unless the scenario uses it."""
    world.serve(scenario=JOINS.replace("CALLS_AGAIN", str(again)))
    bob, alice = talking(world)
    carol, dave = world.party("1003").answers(), world.party("1004").answers()
    leg, left = (alice, bob) if whose == "caller" else (bob, alice)
    world.moves(leg, "1003", world.context if named else "")
    assert hear_each_other(leg, carol)
    world.wait_told(f"gone {leg.number}")
    if again:
        assert hear_each_other(left, dave)
        dave.hangs_up()
    left.wait_over()
    assert hear_each_other(leg, carol)
    world.wait_told(f"gone {left.number}")


def test_who_is_moved_without_a_controller_arrives(world: World) -> None:
    """A REFER was refused meanwhile, and what it has left makes no difference."""
    world.serve()
    bob, alice = talking(world)
    world.kill()
    bob.refers(world.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 403 Forbidden"
    assert hear_each_other(bob, alice)
    moved(world, alice, bob, "caller", "", named=False)


@pytest.mark.parametrize(
    ("whose", "which", "named"),
    [
        ("caller", "", False),
        ("callee", "", False),
        ("caller", "-bleg", False),
        ("caller", "-both", False),
        ("caller", "", True),
    ],
)
def test_who_is_moved_arrives(world: World, whose: str, which: str, named: bool) -> None:
    """``uuid_transfer`` is no REFER: 1003 is called, and nobody is called again for it."""
    world.serve()
    bob, alice = talking(world)
    moved(world, alice, bob, whose, which, named)


@pytest.mark.parametrize(
    ("by", "whose", "which"),
    [("callee", "caller", ""), ("callee", "callee", ""), ("caller", "caller", "-both")],
)
def test_who_is_moved_after_a_failed_transfer_arrives(
    world: World, by: str, whose: str, which: str
) -> None:
    """What the REFER has left on the legs does not make this one of it."""
    world.serve()
    transferor, transferee = talking(world, by)
    world.party("1002", "Carol").refuses(486, "Gone fishing")
    transferor.refers(world.refer_to("1002"))
    assert transferor.wait_notify() == "SIP/2.0 486 Gone fishing"
    assert hear_each_other(transferor, transferee)
    bob, alice = (transferor, transferee) if by == "callee" else (transferee, transferor)
    moved(world, alice, bob, whose, which, named=False)
    assert transferor.notifies == ["SIP/2.0 486 Gone fishing"]


@pytest.mark.parametrize("by", ["callee", "caller"])
def test_who_is_moved_after_a_transfer_arrives(world: World, by: str) -> None:
    """The one who was transferred is moved on, to whom it is moved."""
    world.serve(transfer={"release_transferor_after_s": 1})
    transferor, transferee = talking(world, by)
    carol = world.party("1002", "Carol").answers()
    transferor.refers(world.refer_to("1002"))
    assert hear_each_other(transferee, carol)
    transferor.wait_over()
    dave = world.party("1003", "Dave").answers()
    world.moves(transferee, "1003")
    assert hear_each_other(transferee, dave)
    carol.wait_over()
    assert transferor.notifies == ["SIP/2.0 200 OK"]


@pytest.mark.parametrize(("by", "named"), [("callee", False), ("caller", False), ("callee", True)])
def test_a_transferee_that_is_moved_while_its_target_rings(
    world: World, by: str, named: bool
) -> None:
    """It is not pulled back: whoever is called for it completes the transfer."""
    world.serve(transfer={"release_transferor_after_s": 1})
    transferor, transferee = talking(world, by)
    carol = world.party("1002", "Carol").rings()
    transferor.refers(world.refer_to("1002"))
    world.wait(lambda: bool(carol.sent(180)), "Carol rings")
    dave = world.party("1003", "Dave").answers()
    world.moves(transferee, "1003", world.context if named else "")
    assert hear_each_other(transferee, dave)
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    transferor.wait_over()
    carol.wait_over()
    assert hear_each_other(transferee, dave)


@pytest.mark.parametrize(("one", "other"), [(0, 2), (1, 2), (2, 1), (1, 3)])
def test_legs_of_two_calls_are_joined(world: World, one: int, other: int) -> None:
    """By ``uuid_bridge``: these two talk, and one transfers the other; those left are hung up.

    Counted are Alice and Bob, who talk, and Eve, who has called Dave.
    """
    world.serve(transfer={"release_transferor_after_s": 1})
    bob, alice = talking(world)
    dave = world.party("1003", "Dave").answers()
    eve = world.party("2001", "Eve")
    eve.calls("1003")
    eve.wait_talking()
    assert hear_each_other(eve, dave)
    people = [alice, bob, eve, dave]
    joined = [people[one], people[other]]
    world.joins(*joined)
    assert hear_each_other(*joined)
    for left in people:
        if left not in joined:
            left.wait_over()
    assert hear_each_other(*joined)
    carol = world.party("1002", "Carol").answers()
    joined[0].refers(world.refer_to("1002"))
    assert joined[0].wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(joined[1], carol)
    joined[0].wait_over()
    assert joined[0].notifies == ["SIP/2.0 200 OK"]
    assert [len(each.received("INVITE")) for each in people] == [0, 1, 0, 1]


def moved(world: World, alice: Party, bob: Party, whose: str, which: str, named: bool) -> None:
    """One of the two (or both) is moved to 1003, and arrives; the other one's call is over."""
    dave = world.party("1003", "Dave").answers()
    leg = alice if whose == "caller" else bob
    gone = {"-bleg": [bob], "-both": [alice, bob]}.get(which, [leg])
    rings = len(alice.received("INVITE")) + len(bob.received("INVITE"))
    world.moves(leg, "1003", world.context if named else "", which)
    for one in gone:
        assert one.hears(dave) if which != "-both" else True
    world.wait(lambda: len(dave.received("INVITE")) == len(gone), f"{len(gone)} calls for Dave")
    for one in (alice, bob):
        if one not in gone:
            one.wait_over()
    assert len(alice.received("INVITE")) + len(bob.received("INVITE")) == rings
