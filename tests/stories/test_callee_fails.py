"""Calls that nobody answers: the caller is told the callee's own words."""

from __future__ import annotations

import pytest

from fsctl.story import Party, hear_each_other
from tests.stories.world import World


def alice_calls(world: World, number: str) -> Party:
    alice = world.party("2000", "Alice")
    alice.calls(number)
    return alice


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        (486, "Busy Here"),
        (603, "Decline"),
        (480, "Gone for lunch"),
        (404, "Not Found"),
        (500, "Broken"),
        (600, "Busy Everywhere"),
    ],
)
def test_callee_refuses(world: World, status: int, phrase: str) -> None:
    world.serve()
    world.party("1001").refuses(status, phrase)
    alice = alice_calls(world, "1001")
    assert alice.wait_received(status).start_line == f"SIP/2.0 {status} {phrase}"


def test_callee_refuses_after_early_media(world: World) -> None:
    world.serve()
    world.party("1001").sends_early_media_and_refuses(486, "Busy after all")
    alice = alice_calls(world, "1001")
    assert alice.wait_received(486).start_line == "SIP/2.0 486 Busy after all"


def test_callee_does_not_answer(world: World) -> None:
    world.serve()
    bob = world.party("1001").rings()
    alice = alice_calls(world, "1001")
    assert alice.wait_received(480).reason == "Temporarily Unavailable"
    bob.wait_received("CANCEL")


def test_callee_sends_early_media_and_never_answers(world: World) -> None:
    world.serve()
    bob = world.party("1001").sends_early_media()
    alice = alice_calls(world, "1001")
    alice.wait_received(480)
    bob.wait_received("CANCEL")


def test_callee_is_nobody(world: World) -> None:
    """Not 480: a user whom the directory does not know will not be there later either."""
    world.serve()
    alice_calls(world, "1999").wait_received(404)


def test_callee_is_unreachable(world: World) -> None:
    world.serve()
    world.party("1001").unreachable()
    alice_calls(world, "1001").wait_received(503)


@pytest.mark.parametrize("number", ["7", "no-such-user", "99999"])
def test_no_route(world: World, number: str) -> None:
    world.serve()
    alice_calls(world, number).wait_received(404)


def test_callee_redirects_to_somebody_our_routes_admit(world: World) -> None:
    world.serve()
    carol = world.party("1002").answers()
    world.party("1001").redirects(world.uri("1002"))
    alice = alice_calls(world, "1001")
    alice.wait_talking()
    assert hear_each_other(alice, carol)


def test_callee_redirects_to_a_stranger(world: World) -> None:
    world.serve()
    stranger = world.party("5").answers()
    world.party("1001").redirects(stranger.contact)
    alice_calls(world, "1001").wait_received(480)
    assert not stranger.received("INVITE")
