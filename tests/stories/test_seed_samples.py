"""VoxEngine's two samples of a blind transfer, as ported in ``examples/``."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsctl.story import Party, hear_each_other, talking
from tests.stories.world import World

EXAMPLES = Path(__file__).parents[2] / "examples"
SAMPLES = pytest.mark.parametrize("sample", ["call_user_transfer", "call_sip_transfer"])


def serve(world: World, sample: str) -> None:
    world.serve(scenario=(EXAMPLES / f"{sample}.py").read_text(encoding="utf-8"))


def refer(world: World, transferor: Party, number: str = "1002") -> None:
    transferor.refers(world.refer_to(number), f'"Bob B." <sip:{transferor.number}@example.org>')


@SAMPLES
def test_the_target_answers(world: World, sample: str) -> None:
    serve(world, sample)
    bob, alice = talking(world)
    carol = world.party("1002").rings()
    refer(world, bob)
    assert alice.hears_ringback()
    carol.answers_now()
    assert hear_each_other(alice, carol)
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    bob.wait_over()
    assert bob.notify_events == bob.refer_events()
    seen = carol.received("INVITE")[0].header("From")
    shown = '"Alice" <sip:2000@' if sample == "call_user_transfer" else '"Bob B." <sip:1001@'
    assert seen.startswith(shown)
    carol.hangs_up()
    alice.wait_over()
    assert len(bob.notifies) == 1


@SAMPLES
@pytest.mark.parametrize(("status", "phrase"), [(486, "Busy Here"), (603, "Not today")])
def test_the_target_fails(world: World, sample: str, status: int, phrase: str) -> None:
    serve(world, sample)
    bob, alice = talking(world)
    world.party("1002").refuses(status, phrase)
    refer(world, bob)
    assert bob.wait_notify() == f"SIP/2.0 {status} {phrase}"
    assert hear_each_other(alice, bob)
    assert bob.notify_events == bob.refer_events()
    alice.hangs_up()
    bob.wait_over()


@SAMPLES
def test_nobody_answers_and_the_next_one_does(world: World, sample: str) -> None:
    serve(world, sample)
    bob, alice = talking(world)
    world.party("1002").rings()
    dave = world.party("1003").answers()
    refer(world, bob)
    assert bob.wait_notify() == "SIP/2.0 480 Temporarily Unavailable"
    assert hear_each_other(alice, bob)
    refer(world, bob, "1003")
    assert bob.wait_notify(2) == "SIP/2.0 200 OK"
    assert hear_each_other(alice, dave)
    bob.wait_over()
    alice.hangs_up()
    dave.wait_over()


def test_the_second_sample_without_referred_by(world: World) -> None:
    """The header is optional (RFC 3892): the target sees whom the settings say."""
    serve(world, "call_sip_transfer")
    bob, alice = talking(world)
    carol = world.party("1002").answers()
    bob.refers(world.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    assert carol.received("INVITE")[0].header("From").startswith('"Alice" <sip:2000@')


@SAMPLES
def test_a_target_that_no_route_knows(world: World, sample: str) -> None:
    serve(world, sample)
    bob, alice = talking(world)
    refer(world, bob, "unknown")
    assert bob.wait_notify() == "SIP/2.0 404 Not Found"
    assert hear_each_other(alice, bob)


@SAMPLES
def test_the_caller_gives_up(world: World, sample: str) -> None:
    serve(world, sample)
    bob = world.party("1001").rings()
    alice = world.party("2000")
    alice.calls("1001")
    alice.wait_received(180)
    alice.gives_up()
    bob.wait_received("CANCEL")
    bob.wait_over()


@SAMPLES
def test_the_callee_fails(world: World, sample: str) -> None:
    serve(world, sample)
    world.party("1001").refuses(486, "Busy Here")
    alice = world.party("2000")
    alice.calls("1001")
    assert alice.wait_received(486).reason == "Busy Here"


@pytest.mark.parametrize("by", ["callee", "caller"])
@SAMPLES
def test_the_target_answers_and_leaves_at_once(world: World, sample: str, by: str) -> None:
    """The sample serves the callee's transfers, the settings those of the caller."""
    serve(world, sample)
    bob, alice = talking(world, by)
    carol = world.party("1002").rings()
    refer(world, bob)
    carol.wait_received("INVITE")
    carol.answers_now()
    carol.hangs_up()
    if bob.wait_notify() == "SIP/2.0 200 OK":
        alice.wait_received("BYE")
        bob.wait_over()
    else:
        assert hear_each_other(alice, bob)
    assert len(bob.notifies) == 1


@SAMPLES
def test_the_transferee_leaves(world: World, sample: str) -> None:
    serve(world, sample)
    bob, alice = talking(world)
    carol = world.party("1002").rings()
    refer(world, bob)
    carol.wait_received("INVITE")
    alice.hangs_up()
    carol.wait_received("CANCEL")
    assert bob.wait_notify() == "SIP/2.0 487 Request Terminated"
    bob.wait_over()
    assert len(bob.notifies) == 1
