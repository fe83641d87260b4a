"""Groups: a number behind which several ring, and where a call goes when none of them answers."""

from __future__ import annotations

from typing import Any

import pytest

from fsctl.story import hear_each_other, talking
from tests.stories.world import World

TWO = {"name": "two", "match": "7[0-9]{3}", "members": ["1002", "1003"]}
BOXES = {"name": "boxes", "match": r"\*99[0-9]+", "kind": "voicemail", "strip": 3}
QUEUE = {"name": "support", "match": "710", "kind": "queue", "queue": "support@default"}


def serve(world: World, *groups: dict[str, Any], scope: str = "calls", **transfer: str) -> None:
    world.serve(
        groups=groups,
        scope=scope,
        routes=[BOXES, QUEUE],
        transfer={"release_transferor_after_s": 1, **transfer},
    )


@pytest.mark.parametrize(("by", "scope"), [("callee", "calls"), ("caller", "transfers")])
def test_all_ring_and_who_answers_first_is_joined(world: World, by: str, scope: str) -> None:
    """Also by the second phone of a member; and who asks next is known by its own number."""
    serve(world, {**TWO, "members": ["1002", "1003", "9999"]}, scope=scope)
    transferor, transferee = talking(world, by)
    carol, dave = world.party("1002", "Carol").rings(), world.party("1003").rings()
    mobile = world.device(carol).rings()
    erin = world.party("1004").answers()
    transferor.transfers("7000")
    for phone in (carol, mobile, dave):
        phone.wait_received("INVITE")
    mobile.answers_now()
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, mobile)
    carol.wait_received("CANCEL")
    dave.wait_received("CANCEL")
    transferor.wait_over()
    who = f"uuid_getvar {world.leg(transferee)} fsctl_transferor_number"
    world.wait(lambda: world.api(who).strip() == "1002", "the transferee's leg says with whom")
    transferee.transfers("1004")
    assert transferee.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(mobile, erin)
    assert "<sip:1002@" in erin.received("INVITE")[0].header("From")


@pytest.mark.parametrize(("ring", "told"), [("all", "486 Gone fishing"), ("in-turn", "480 Asleep")])
def test_none_answers(world: World, ring: str, told: str) -> None:
    """Of those who ring together the best of all, of a hunt what the last one says."""
    serve(world, {**TWO, "ring": ring, "members": ["1002", "9999", "1003"]})
    bob, alice = talking(world)
    carol = world.party("1002").refuses(486, "Gone fishing")
    dave = world.party("1003").refuses(480, "Asleep")
    bob.transfers("7000")
    assert bob.wait_notify() == f"SIP/2.0 {told}"
    assert hear_each_other(alice, bob)
    assert len(carol.received("INVITE")) == len(dave.received("INVITE")) == 1


def test_a_hunt_goes_on_when_the_time_of_a_member_is_over(world: World) -> None:
    """Each has its own; and who hunts is told when somebody answers."""
    serve(world, {**TWO, "ring": "in-turn", "ring_timeout_s": 3})
    bob, alice = talking(world)
    carol, dave = world.party("1002").rings(), world.party("1003").rings()
    bob.transfers("7000")
    carol.wait_received("CANCEL")
    dave.wait_received("INVITE")
    assert alice.hears_ringback()
    dave.answers_now()
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, dave)


ELSEWHERE = {
    "name": "desks",
    "match": "1[0-9]{3}|9999",
    "on_busy": "1005",
    "on_no_answer": "1006",
    "on_failure": "1007",
}


@pytest.mark.parametrize(
    ("how", "follows"),
    [("busy", "1005"), ("rings", "1006"), ("unreachable", "1007"), ("unknown", "1007")],
)
def test_somebody_else_takes_the_call(world: World, how: str, follows: str) -> None:
    """A group without members is the number that is dialled, and no group is taken twice."""
    serve(world, ELSEWHERE)
    bob, alice = talking(world, callee="2001")
    carol, frank = world.party("1002"), world.party(follows).answers()
    {
        "busy": lambda: carol.refuses(603, "Decline"),
        "rings": carol.rings,
        "unreachable": carol.unreachable,
        "unknown": carol.answers,
    }[how]()
    bob.transfers("9999" if how == "unknown" else "1002")
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, frank)


def test_the_last_one_of_a_chain_is_what_is_told(world: World) -> None:
    """Two that send their calls to each other ring once each."""
    serve(
        world,
        {"name": "carol", "match": "1002", "on_busy": "1003"},
        {"name": "dave", "match": "1003", "on_busy": "1002"},
    )
    bob, alice = talking(world)
    carol = world.party("1002").is_busy()
    dave = world.party("1003").refuses(486, "Also busy")
    bob.transfers("1002")
    assert bob.wait_notify() == "SIP/2.0 486 Busy Here"
    assert hear_each_other(alice, bob)
    assert (len(carol.received("INVITE")), len(dave.received("INVITE"))) == (2, 1)


@pytest.mark.parametrize(
    ("then", "runs", "scope"),
    [("*99{number}", "voicemail", "calls"), ("710", "callcenter", "transfers")],
)
def test_a_mailbox_or_a_queue_takes_the_call(
    world: World, then: str, runs: str, scope: str
) -> None:
    serve(world, {"match": "1002", "on_busy": then}, scope=scope)
    bob, alice = talking(world)
    world.party("1002").is_busy()
    bob.transfers("1002")
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    world.wait_application(runs)
    bob.wait_over()
    alice.hangs_up()
    alice.wait_over()


@pytest.mark.parametrize("ring", ["all", "in-turn"])
def test_an_ordinary_call_of_a_group(world: World, ring: str) -> None:
    """The caller hears it ring, and is told what the transferor would be."""
    serve(world, {**TWO, "ring": ring, "on_busy": "1005"})
    alice, carol = world.party("2000"), world.party("1002").is_busy()
    dave, erin = world.party("1003").rings(), world.party("1005").rings()
    alice.calls("7000")
    dave.wait_received("INVITE")
    alice.wait_received(180)
    dave.refuses_now(486, "Busy Here")
    erin.wait_received("INVITE")
    assert len(carol.received("INVITE")) == len(dave.received("INVITE")) == 1
    erin.answers_now()
    alice.wait_talking()
    assert hear_each_other(alice, erin)
    erin.hangs_up()
    alice.wait_over()


@pytest.mark.parametrize("answers", [True, False])
def test_every_controller_dies_while_all_ring(world: World, answers: bool) -> None:
    """FreeSWITCH goes on with what it dials."""
    serve(world, TWO)
    bob, alice = talking(world)
    carol, dave = world.party("1002").rings(), world.party("1003").rings()
    bob.transfers("7000")
    carol.wait_received("INVITE")
    dave.wait_received("INVITE")
    world.kill()
    if answers:
        dave.answers_now()
        assert bob.wait_notify() == "SIP/2.0 200 OK"
        assert hear_each_other(alice, dave)
        carol.wait_received("CANCEL")
        bob.hangs_up()
        dave.hangs_up()
        alice.wait_over()
        assert len(bob.received("INVITE")) == 1  # nobody is called again
        return
    carol.refuses_now(486, "Busy Here")
    dave.refuses_now(486, "Busy Here")
    assert bob.wait_notify() == "SIP/2.0 486 486"
    assert hear_each_other(alice, bob)


def test_the_transferee_leaves_while_all_ring(world: World) -> None:
    serve(world, TWO)
    bob, alice = talking(world)
    carol, dave = world.party("1002").rings(), world.party("1003").rings()
    bob.transfers("7000")
    carol.wait_received("INVITE")
    dave.wait_received("INVITE")
    alice.hangs_up()
    carol.wait_received("CANCEL")
    dave.wait_received("CANCEL")
    assert bob.wait_notify() == "SIP/2.0 487 Request Terminated"
    bob.wait_over()


def test_a_legacy_transfer_to_a_group(world: World) -> None:
    """FreeSWITCH itself tells what we know."""
    serve(world, TWO, mode="legacy")
    bob, alice = talking(world)
    carol, dave = world.party("1002").rings(), world.party("1003").rings()
    bob.transfers("7000")
    for each in (carol, dave):
        each.wait_received("INVITE")
        each.refuses_now(486, "Busy Here")
    assert bob.wait_notify() == "SIP/2.0 486 486"
    assert hear_each_other(alice, bob)
    bob.transfers("7000")
    dave.wait_received("INVITE", 2)
    dave.answers_now()
    assert bob.wait_notify(2) == "SIP/2.0 200 OK"
    assert hear_each_other(alice, dave)


@pytest.mark.parametrize("ring", ["all", "in-turn"])
def test_no_controller_is_there(world: World, ring: str) -> None:
    """FreeSWITCH calls the members by itself; it counts whole seconds."""
    serve(world, {**TWO, "ring": ring, "ring_timeout_s": 3})
    world.kill()
    alice, carol = world.party("2000"), world.party("1002").rings()
    dave = world.party("1003").rings()
    alice.calls("7000")
    carol.wait_received("INVITE")
    alice.wait_received(180)
    if ring == "in-turn":
        carol.wait_received("CANCEL")
    dave.wait_received("INVITE")
    dave.answers_now()
    alice.wait_talking()
    assert hear_each_other(alice, dave)
    dave.hangs_up()
    alice.wait_over()
