"""The scenarios of ``examples/``, as stories."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsctl.story import Party, hear_each_other, talking
from tests.stories.world import World

EXAMPLES = Path(__file__).parents[2] / "examples"


def serve(world: World, example: str, **changes: str) -> None:
    """Run an example; each of ``changes`` is a line ``NAME = …`` of it, with another value."""
    text = (EXAMPLES / f"{example}.py").read_text(encoding="utf-8")
    for name, value in changes.items():
        lines = [line for line in text.splitlines() if line.startswith(f"{name} = ")]
        assert len(lines) == 1, f"{example}.py sets {name} {len(lines)} times"
        text = text.replace(lines[0], f"{name} = {value}")
    world.serve(scenario=text)


def alice_calls(world: World, number: str) -> Party:
    alice = world.party("2000", "Alice")
    alice.calls(number)
    return alice


# -- business hours

ALWAYS = "range(7)\nOPENS, CLOSES = time.min, time.max"


def test_open_and_connected(world: World) -> None:
    serve(world, "business_hours", WORKDAYS=ALWAYS)
    bob, alice = talking(world)
    bob.hangs_up()
    alice.wait_received("BYE")


def test_closed(world: World) -> None:
    serve(world, "business_hours", WORKDAYS="()")
    bob = world.party("1001").answers()
    alice = alice_calls(world, "1001")
    alice.wait_talking()
    world.wait_application("voicemail")
    assert not bob.received("INVITE")
    alice.hangs_up()


@pytest.mark.parametrize("how", ["busy", "nobody answers"])
def test_open_but_not_connected(world: World, how: str) -> None:
    serve(world, "business_hours", WORKDAYS=ALWAYS, RING_TIMEOUT_S="2")
    bob = world.party("1001")
    bob.refuses(486, "Busy Here") if how == "busy" else bob.rings()
    alice = alice_calls(world, "1001")
    alice.wait_talking()
    world.wait_application("voicemail")
    alice.hangs_up()


def test_nobody_with_a_mailbox(world: World) -> None:
    serve(world, "business_hours", WORKDAYS=ALWAYS)
    alice_calls(world, "no-such-user").wait_received(404)


# -- groups

GROUP = '{"8000": ("1001", "1002", "1003")}'


@pytest.mark.parametrize("answering", ["1001", "1003"])
def test_the_first_to_answer_gets_the_caller(world: World, answering: str) -> None:
    serve(world, "ring_group")
    members = {number: world.party(number).rings() for number in ("1001", "1002", "1003")}
    alice = alice_calls(world, "8000")
    alice.wait_received(180)
    for member in members.values():
        member.wait_received("INVITE")
    members[answering].answers_now()
    assert hear_each_other(alice, members[answering])
    for number, member in members.items():
        if number != answering:
            member.wait_received("CANCEL")
    members[answering].hangs_up()
    alice.wait_received("BYE")


def test_two_answer_at_once(world: World) -> None:
    serve(world, "ring_group", GROUPS='{"8000": ("1001", "1002")}')
    bob, carol = world.party("1001").answers(), world.party("1002").answers()
    alice = alice_calls(world, "8000")
    for member in (bob, carol):
        member.wait_received("INVITE")
    alice.wait_talking()
    world.wait(lambda: bob.in_call != carol.in_call, "one of them has gone")
    assert hear_each_other(alice, bob if bob.in_call else carol)


@pytest.mark.parametrize("example", ["ring_group", "hunt_group"])
def test_nobody_of_the_group_is_free(world: World, example: str) -> None:
    serve(world, example, GROUPS=GROUP)
    for number in ("1001", "1002", "1003"):
        world.party(number).refuses(486, "Busy Here")
    status = 486 if example == "ring_group" else 480
    alice_calls(world, "8000").wait_received(status)


@pytest.mark.parametrize("example", ["ring_group", "hunt_group"])
def test_the_caller_leaves_a_ringing_group(world: World, example: str) -> None:
    serve(world, example, GROUPS=GROUP)
    members = [world.party(number).rings() for number in ("1001", "1002", "1003")]
    alice = alice_calls(world, "8000")
    ringing = members if example == "ring_group" else members[:1]
    for member in ringing:
        member.wait_received("INVITE")
    alice.gives_up()
    for member in ringing:
        member.wait_received("CANCEL")
        member.wait_over()
    assert not any(member.received("INVITE") for member in members if member not in ringing)


def test_the_second_of_the_hunt_answers(world: World) -> None:
    serve(world, "hunt_group", RING_TIMEOUT_S="2")
    bob, carol = world.party("1001").rings(), world.party("1002").answers()
    alice = alice_calls(world, "8100")
    bob.wait_received("CANCEL")
    assert hear_each_other(alice, carol)
    alice.hangs_up()
    carol.wait_received("BYE")


@pytest.mark.parametrize("example", ["ring_group", "hunt_group"])
def test_a_transfer_to_a_group(world: World, example: str) -> None:
    serve(world, example, GROUPS='{"8000": ("1002", "1003")}')
    bob, alice = talking(world)
    world.party("1002").refuses(486, "Busy Here")
    dave = world.party("1003").rings()
    bob.refers(world.refer_to("8000"))
    dave.wait_received("INVITE")
    assert alice.hears_ringback()
    dave.answers_now()
    assert hear_each_other(alice, dave)
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    bob.wait_over()
    assert len(bob.notifies) == 1


@pytest.mark.parametrize("example", ["ring_group", "hunt_group"])
def test_a_transfer_to_a_group_that_is_busy(world: World, example: str) -> None:
    serve(world, example, GROUPS='{"8000": ("1002", "1003")}')
    bob, alice = talking(world)
    for number in ("1002", "1003"):
        world.party(number).refuses(486, "Busy Here")
    bob.refers(world.refer_to("8000"))
    told = "486 Busy Here" if example == "ring_group" else "480 Nobody is free"
    assert bob.wait_notify() == f"SIP/2.0 {told}"
    assert hear_each_other(alice, bob)
    assert len(bob.notifies) == 1


# -- screening


@pytest.mark.parametrize(
    ("by", "number", "told"),
    [
        ("callee", "0044123", "603 No calls abroad"),
        ("caller", "0044123", "603 No calls abroad"),
        ("caller", "1002", "603 You may not transfer there"),
        ("callee", "1002", "200 OK"),
    ],
)
def test_transfers_are_screened(world: World, by: str, number: str, told: str) -> None:
    serve(world, "screening")
    carol = world.party("1002").answers()
    transferor, transferee = talking(world, by)
    transferor.refers(world.refer_to(number))
    assert transferor.wait_notify() == f"SIP/2.0 {told}"
    assert hear_each_other(transferee, carol if told == "200 OK" else transferor)
    assert len(transferor.notifies) == 1


# -- whisper


def test_the_target_hears_an_announcement_first(world: World) -> None:
    serve(world, "whisper")
    bob, alice = talking(world)
    carol = world.party("1002").rings()
    bob.refers(world.refer_to("1002"))
    assert alice.hears_ringback()
    carol.answers_now()
    assert carol.hears_ringback()  # a tone, too
    assert not bob.notifies
    assert hear_each_other(alice, carol)
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    bob.wait_over()
    assert len(bob.notifies) == 1


def test_the_target_of_a_whisper_is_busy(world: World) -> None:
    serve(world, "whisper")
    bob, alice = talking(world)
    world.party("1002").refuses(486, "Busy Here")
    bob.refers(world.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 486 Busy Here"
    assert hear_each_other(alice, bob)


@pytest.mark.parametrize("who", ["target", "transferee"])
def test_somebody_leaves_during_the_announcement(world: World, who: str) -> None:
    tone = '"tone_stream://%(400,200,620,780);loops=-1"'
    serve(world, "whisper", ANNOUNCEMENT=tone)
    bob, alice = talking(world)
    carol = world.party("1002").answers()
    bob.refers(world.refer_to("1002"))
    assert carol.hears_ringback()
    (carol if who == "target" else alice).hangs_up()
    assert bob.wait_notify() == "SIP/2.0 487 Request Terminated"
    if who == "target":
        assert hear_each_other(alice, bob)
    else:
        carol.wait_received("BYE")
        bob.wait_over()
    assert len(bob.notifies) == 1


# -- places


@pytest.mark.parametrize(
    ("number", "application"), [("3000", "conference"), ("5000", "fifo"), ("6000", "valet_park")]
)
@pytest.mark.parametrize("by", ["callee", "caller"])
def test_a_transfer_to_a_place(world: World, by: str, number: str, application: str) -> None:
    serve(world, "places")
    transferor, transferee = talking(world, by)
    transferor.refers(world.refer_to(number))
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    world.wait_application(application)
    transferor.wait_over()
    assert transferee.in_call
    transferee.hangs_up()
    assert len(transferor.notifies) == 1


def test_two_meet_in_a_conference(world: World) -> None:
    serve(world, "places")
    bob, alice = talking(world)
    bob.refers(world.refer_to("3000"))
    bob.wait_over()
    carol = world.party("1002")
    carol.calls("3000")
    carol.wait_talking()
    world.wait_application("conference", 2)
    carol.hangs_up()
    world.wait_application("conference", 1)
    alice.hangs_up()


@pytest.mark.parametrize("leaves", ["parked", "other"])
def test_who_is_parked_is_picked_up(world: World, leaves: str) -> None:
    # a place stays reserved for a while: a lot for each test
    serve(world, "places", LOT=f'"{leaves}"')
    bob, alice = talking(world)
    bob.refers(world.refer_to("6000"))
    world.wait_application("valet_park")
    bob.wait_over()
    carol = world.party("1002")
    carol.calls("6001")
    assert hear_each_other(alice, carol)
    one, other = (alice, carol) if leaves == "parked" else (carol, alice)
    one.hangs_up()
    other.wait_received("BYE")
