"""The codes of ``[keys]``: a party in a call presses keys to transfer the other one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fsctl.story import Party, hear_each_other, talking
from tests.stories.world import World

KEYS = {"blind": "*1", "attended": "*2", "number_timeout_s": 2, "digit_timeout_s": 1}


def serve(world: World, scope: str = "transfers", **sections: Any) -> None:
    """Keys take their time, and targets ring meanwhile."""
    world.serve(scope=scope, keys=KEYS, route={"ring_timeout_s": 30}, **sections)


def records(world: World) -> list[dict[str, Any]]:
    """All that have been written, by whatever controller."""
    lines = (line for line in world.log().splitlines() if '{"session"' in line)
    return [json.loads(line[line.index('{"session"') :]) for line in lines]


def ended(world: World, times: int = 1) -> tuple[str, int, str]:
    """How the transfer has ended by which so many are recorded."""
    world.wait(lambda: len(records(world)) >= times, f"{times} are recorded")
    assert len(records(world)) == times
    made = records(world)[-1]
    return made["outcome"], made["code"], made["reason"]


def consults(one: Party, number: str, code: str = "*2") -> None:
    """It presses the code, is asked for the number, and presses that."""
    one.presses(code)
    assert one.hears_ringback(), "the prompt"
    one.presses(f"{number}#")


def transfers(one: Party, number: str) -> None:
    consults(one, number, "*1")


@pytest.mark.parametrize(("scope", "by"), [("transfers", "caller"), ("calls", "callee")])
def test_consultations(world: World, by: str, scope: str) -> None:
    """One is taken back, one is left by its target, one fails, one is completed by hanging up."""
    serve(world, scope)
    one, other = talking(world, by)
    carol, dave = world.party("1002", "Carol").answers(), world.party("1003", "Dave").answers()
    world.party("1004", "Busy").refuses(486, "Gone fishing")
    consults(one, "1002")
    assert hear_each_other(one, carol)
    assert f"sip:{one.number}@" in carol.received("INVITE")[0].header("From")
    one.presses("#")
    assert hear_each_other(one, other)
    carol.wait_over()
    assert ended(world) == ("failed", 487, "Request Terminated")
    consults(one, "1003")
    assert hear_each_other(one, dave)
    dave.hangs_up()
    assert hear_each_other(one, other)
    assert ended(world, 2) == ("failed", 487, "Request Terminated")
    consults(one, "1004")
    assert ended(world, 3) == ("failed", 486, "Gone fishing")
    assert hear_each_other(one, other)
    consults(one, "1002")
    assert hear_each_other(one, carol)
    one.hangs_up()
    assert hear_each_other(other, carol)
    assert ended(world, 4) == ("succeeded", 200, "OK")
    assert {each["kind"] for each in records(world)} == {"attended"}
    consults(other, "1003")
    assert hear_each_other(other, dave)
    other.hangs_up()
    assert hear_each_other(carol, dave)
    assert ended(world, 5) == ("succeeded", 200, "OK")


def test_who_is_outside_transfers_nobody(world: World) -> None:
    """It is not even asked for a number; whom it talks with may transfer it."""
    serve(world, policy={"mode": "enforce", "outside": ["user:2000"]})
    inside, outside = talking(world)
    carol = world.party("1002", "Carol").answers()
    outside.presses("*2")
    assert ended(world) == ("failed", 403, "Transfer Not Allowed")
    assert records(world)[0]["rule"] == "outside-asks"
    assert outside.hears_ringback(), "that nothing comes of it"
    assert hear_each_other(inside, outside)
    outside.presses("*1")
    assert ended(world, 2) == ("failed", 403, "Transfer Not Allowed")
    assert outside.hears_ringback(), "that nothing comes of it"
    assert hear_each_other(inside, outside)
    assert not carol.in_call
    consults(inside, "1002")
    assert hear_each_other(inside, carol)
    inside.hangs_up()
    assert hear_each_other(outside, carol)
    assert ended(world, 3) == ("succeeded", 200, "OK")


def test_a_number_that_costs_money_is_not_called(world: World) -> None:
    """Who is inside reaches by keys what it reaches by a REFER, and nothing else."""
    trunk = {"name": "trunk", "match": "0[0-9]+", "kind": "gateway", "gateway": "carrier"}
    serve(world, policy={"mode": "enforce", "country": "DE"}, routes=[trunk])
    other, one = reversed(talking(world))
    for times, code in enumerate(("*1", "*2"), 1):
        consults(one, "09001234567", code)
        assert ended(world, times) == ("failed", 403, "Transfer Not Allowed")
        assert records(world)[-1]["rule"] == "premium"
        assert hear_each_other(one, other)


def test_no_number_no_code_no_controller(world: World) -> None:
    """The two talk on, and what begins no code reaches the other party."""
    serve(world)
    one, other = talking(world, "caller")
    one.presses("*2")
    assert one.hears_ringback()
    one.presses("#")
    assert hear_each_other(one, other)
    one.presses("*92*")
    world.wait(lambda: other.heard_keys == "*92*", "the other party hears these keys")
    world.kill()
    consults(one, "1002")
    assert hear_each_other(one, other)
    assert not records(world)


@pytest.mark.parametrize(("by", "leaves"), [("callee", "one"), ("caller", "other")])
def test_somebody_leaves_while_the_number_is_pressed(world: World, by: str, leaves: str) -> None:
    serve(world)
    one, other = talking(world, by)
    one.presses("*2")
    assert one.hears_ringback()
    one.presses("12")
    left, stays = (one, other) if leaves == "one" else (other, one)
    left.hangs_up()
    stays.wait_over()


@pytest.mark.parametrize("scope", ["transfers", "calls"])
def test_the_controller_dies_during_a_consultation(world: World, scope: str) -> None:
    """FreeSWITCH goes on alone; the next REFER is served by another one."""
    serve(world, scope)
    one, other = talking(world)
    carol, dave = world.party("1002", "Carol").answers(), world.party("1003", "Dave").answers()
    consults(one, "1002")
    assert hear_each_other(one, carol)
    world.kill()
    world.restart()
    one.hangs_up()
    assert hear_each_other(other, carol)
    carol.transfers("1003")
    assert hear_each_other(other, dave)
    assert carol.wait_notify() == "SIP/2.0 200 OK"


@pytest.mark.parametrize(("scope", "by"), [("transfers", "caller"), ("calls", "callee")])
def test_blind_transfers(world: World, by: str, scope: str) -> None:
    """The two talk on until the target answers, or has refused; and then the next one may."""
    serve(world, scope)
    one, other = talking(world, by)
    carol, dave = world.party("1002", "Carol").rings(), world.party("1003", "Dave").answers()
    world.party("1004", "Busy").refuses(486, "Gone fishing")
    transfers(one, "1004")
    assert ended(world) == ("failed", 486, "Gone fishing")
    assert hear_each_other(one, other)
    transfers(one, "1002")
    carol.wait_received("INVITE")
    assert hear_each_other(one, other)
    carol.answers_now()
    one.wait_over()
    assert hear_each_other(other, carol)
    assert ended(world, 2) == ("succeeded", 200, "OK")
    assert {each["start"] for each in records(world)} == {"keys"}
    assert {each["kind"] for each in records(world)} == {"blind"}
    other.transfers("1003")
    assert other.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(carol, dave)


def test_a_group_needs_no_route_and_who_follows_has_its_own(world: World) -> None:
    """A member in the dialplan of whoever has pressed is called there; the mailbox is not."""
    boxes = {"name": "boxes", "match": r"\*99[0-9]+", "kind": "voicemail", "strip": 3}
    desks = {"name": "desks", "match": "77[0-9]+", "kind": "dialplan"}
    group = {"name": "group", "match": "600", "members": ["7701"], "on_failure": "*991002"}
    serve(world, routes=[boxes, desks], groups=[group])
    one, other = talking(world)
    world.party("1002", "Carol").answers()  # a mailbox is a user's
    transfers(one, "600")
    one.wait_over()
    world.wait_application("voicemail")
    assert ended(world) == ("succeeded", 200, "OK")
    other.hangs_up()
    other.wait_over()


@pytest.mark.parametrize("by", ["callee", "caller"])
def test_who_hangs_up_a_consultation_while_the_target_rings(world: World, by: str) -> None:
    """FreeSWITCH has the other one wait for it."""
    serve(world)
    one, other = talking(world, by)
    carol = world.party("1002", "Carol").rings()
    consults(one, "1002")
    carol.wait_received("INVITE")
    assert one.hears_ringback()
    one.hangs_up()
    assert other.hears_ringback()
    carol.answers_now()
    assert hear_each_other(other, carol)
    assert ended(world) == ("succeeded", 200, "OK")


def test_nobody_waits_longer_for_a_target_than_it_may_ring(world: World) -> None:
    """Who has pressed has hung up."""
    world.serve(scope="transfers", keys=KEYS)
    one, other = talking(world, "caller")
    carol = world.party("1002", "Carol").rings()
    consults(one, "1002")
    carol.wait_received("INVITE")
    one.hangs_up()
    assert other.hears_ringback()
    other.wait_over()
    carol.wait_over()
    assert ended(world) == ("failed", 480, "Temporarily Unavailable")


def test_the_controller_dies_while_the_target_of_a_blind_transfer_rings(world: World) -> None:
    """FreeSWITCH joins the two when the target answers."""
    serve(world)
    one, other = talking(world)
    carol = world.party("1002", "Carol").rings()
    transfers(one, "1002")
    carol.wait_received("INVITE")
    world.kill()
    assert hear_each_other(one, other)
    carol.answers_now()
    assert hear_each_other(other, carol)


def test_whoever_has_pressed_leaves_while_the_target_rings(world: World) -> None:
    """The other one waits for the target, as in any blind transfer."""
    serve(world)
    one, other = talking(world)
    carol = world.party("1002", "Carol").rings()
    transfers(one, "1002")
    carol.wait_received("INVITE")
    assert hear_each_other(one, other)
    one.hangs_up()
    assert other.hears_ringback()
    carol.answers_now()
    assert hear_each_other(other, carol)
    assert ended(world) == ("succeeded", 200, "OK")


def test_a_controller_that_hangs_is_not_waited_for(world: World) -> None:
    serve(world)
    one, other = talking(world)
    world.freeze()
    transfers(one, "1002")
    assert hear_each_other(one, other)
    assert one.hears_ringback(), "that nothing comes of it"
    assert hear_each_other(one, other)
    world.thaw()
    assert hear_each_other(one, other)


def test_one_transfer_at_a_time(world: World) -> None:
    """A second code while the target rings, and a REFER then."""
    serve(world)
    one, other = talking(world)
    carol, dave = world.party("1002", "Carol").rings(), world.party("1003", "Dave").answers()
    transfers(one, "1002")
    carol.wait_received("INVITE")
    assert hear_each_other(one, other)
    transfers(other, "1003")
    assert ended(world)[:2] == ("failed", 491)
    assert hear_each_other(one, other)
    one.transfers("1003")
    assert hear_each_other(other, dave)
    assert one.wait_notify() == "SIP/2.0 200 OK"
    carol.wait_over()
    assert ended(world, 3)[0] == "succeeded"
