"""A 3xx: its contacts are called in the order of their ``q``, each once, until one answers."""

from __future__ import annotations

import pytest

from fsctl.story import Party, hear_each_other, talking
from tests.stories.world import World

CALLS = """
from fsctl.scenario import BlindTransferRequested, CallAlerting, Scenario

scenario = Scenario()


@scenario.on(BlindTransferRequested)
def requested(event):
    called = event.session.call_user(event.transfer_to)
    called.wait_connected()
    event.session.send_media_between(event.transferee, called)


@scenario.on(CallAlerting)
def alerting(event):
    called = event.session.call_user(event.destination)
    called.wait_connected()
    event.session.send_media_between(event.call, called)
"""

WAYS = pytest.mark.parametrize("scenario", ["", CALLS], ids=["connect", "call_user"])


def contacts(world: World, *numbers: str) -> str:
    """The value of Contact: each is ``number`` or ``number;q=0.5``."""
    pairs = (text.partition(";") for text in numbers)
    return ", ".join(f"<{world.uri(number)}>{mark}{q}" for number, mark, q in pairs)


def invited_at(party: Party) -> float:
    (invite,) = party.received("INVITE")
    return invite.time_s


@WAYS
def test_the_best_contact_first_then_the_next(world: World, scenario: str) -> None:
    world.serve(scenario=scenario)
    busy, wanted = world.party("1003").refuses(486, "Busy Here"), world.party("1004").answers()
    unwanted, out_of_reach = world.party("1002").answers(), world.party("1009").unreachable()
    world.party("1001").redirects(
        contacts(world, "1002;q=0.1", "1004;q=0.5", "1001", "1003;q=0.9", "1009;q=0.7")
    )
    alice = world.party("2000", "Alice")
    alice.calls("1001")
    alice.wait_talking()
    assert hear_each_other(alice, wanted)
    assert invited_at(busy) < invited_at(wanted)
    assert not unwanted.received("INVITE")
    assert not out_of_reach.received("INVITE")
    assert len(world.party("1001").received("INVITE")) == 1  # it names itself as well


@WAYS
def test_a_transfer_follows_them_and_tells_the_best_failure(world: World, scenario: str) -> None:
    world.serve(scenario=scenario)
    bob, alice = talking(world)
    for number in ("1003", "1004"):
        world.party(number)
    world.party("1003").refuses(486, "Busy Elsewhere")
    world.party("1004").refuses(404, "Nobody Here")
    world.party("1002").redirects(contacts(world, "1004;q=0.2", "1003;q=0.3", "1002;q=1"))
    bob.refers(world.refer_to("1002"))
    assert bob.wait_notify() == "SIP/2.0 486 Busy Elsewhere"
    assert invited_at(world.party("1003")) < invited_at(world.party("1004"))
    assert len(world.party("1002").received("INVITE")) == 1
    assert hear_each_other(alice, bob)
    assert len(bob.notifies) == 1


@WAYS
def test_two_that_name_each_other_ring_once_each(world: World, scenario: str) -> None:
    world.serve(scenario=scenario)
    world.party("1001").redirects(world.uri("1002"))
    world.party("1002").redirects(contacts(world, "1001", "1002"))
    alice = world.party("2000", "Alice")
    alice.calls("1001")
    alice.wait_received(480)
    assert [len(world.party(n).received("INVITE")) for n in ("1001", "1002")] == [1, 1]


def test_who_declines_for_all_its_phones_ends_the_search(world: World) -> None:
    world.serve()
    world.party("1002").refuses(603, "Decline")
    last = world.party("1003").answers()
    world.party("1001").redirects(contacts(world, "1002;q=0.9", "1003;q=0.8"))
    alice = world.party("2000", "Alice")
    alice.calls("1001")
    assert alice.wait_received(603).reason == "Decline"
    assert not last.received("INVITE")


def test_no_more_contacts_than_allowed(world: World) -> None:
    world.serve(call={"follow_redirects": 1})
    world.party("1002").refuses(486, "Busy Here")
    last = world.party("1003").answers()
    world.party("1001").redirects(contacts(world, "1002", "1003"))
    alice = world.party("2000", "Alice")
    alice.calls("1001")
    alice.wait_received(486)
    assert not last.received("INVITE")


def test_who_gives_up_meanwhile_ends_it(world: World) -> None:
    world.serve()
    ringing, last = world.party("1002").rings(), world.party("1003").answers()
    world.party("1001").redirects(contacts(world, "1002;q=0.9", "1003;q=0.8"))
    alice = world.party("2000", "Alice")
    alice.calls("1001")
    ringing.wait_received("INVITE")
    world.wait(lambda: ringing.sent(180), "it rings")
    alice.gives_up()
    ringing.wait_received("CANCEL")
    alice.wait_over()
    assert not last.received("INVITE")
