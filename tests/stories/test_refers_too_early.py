"""A REFER before the answer: of who waits for it, of who is called, of a transfer's target."""

from __future__ import annotations

import re

import pytest

from fsctl.story import Party, hear_each_other, talking
from tests.stories.world import World

MODES = pytest.mark.parametrize("mode", ["in-session", "legacy"])
SCOPES = pytest.mark.parametrize("scope", ["calls", "transfers"])
MEDIA = pytest.mark.parametrize("early", [False, True], ids=["rings", "early media"])
PENDING = "SIP/2.0 491 Request Pending"


def calling(world: World, early: bool, busy: bool = False) -> tuple[Party, Party]:
    """Alice has called Bob, whose phone rings; Carol would answer, unless she is ``busy``."""
    bob, alice = world.party("1001", "Bob"), world.party("2000", "Alice")
    bob.sends_early_media() if early else bob.rings()
    carol = world.party("1002", "Carol")
    carol.refuses(486, "Gone fishing") if busy else carol.answers()
    alice.calls("1001")
    alice.wait_received(183 if early else 180)
    return alice, bob


def records(world: World) -> list[str]:
    """The outcome of each transfer that has been recorded."""
    return re.findall(r'"outcome": "(\w+)"', world.log())


@SCOPES
@MODES
@MEDIA
def test_the_caller_refers_while_it_waits(world: World, mode: str, early: bool, scope: str) -> None:
    """Nobody is there to be transferred yet: refused, and Bob's phone rings again.

    A dialplan that connects early media says so as FreeSWITCH's own does: without it FreeSWITCH may
    hang up who has called as that ends, before anybody is asked.
    """
    world.serve(scope=scope, transfer={"mode": mode})
    world.api("global_setvar continue_on_fail=true")
    try:
        alice, bob = calling(world, early)
        answered(world, alice, bob, mode)
    finally:
        world.api("global_setvar continue_on_fail=")


@SCOPES
@pytest.mark.parametrize("when", ["before the call", "while it rings"])
def test_the_caller_refers_and_no_controller_is_there(world: World, when: str, scope: str) -> None:
    """FreeSWITCH alone refuses it, and calls Bob again by the routes, or its own dialplan."""
    world.serve(scope=scope)
    if when == "before the call":
        world.kill()
    alice, bob = calling(world, early=False)
    if when != "before the call":
        world.kill()
    answered(world, alice, bob, "")


def answered(world: World, alice: Party, bob: Party, mode: str) -> None:
    """Alice refers; she is refused, Bob called again, and a REFER after his answer is served."""
    carol = world.party("1002")
    alice.refers_early(world.refer_to("1002"))
    assert alice.wait_notify() == PENDING
    bob.wait_received("INVITE", 2)
    world.wait(lambda: bool(bob.sent(180) or bob.sent(183)), "it rings")
    bob.answers_now()
    alice.wait_talking()
    assert hear_each_other(alice, bob)
    assert alice.notifies == [PENDING]
    assert not carol.received("INVITE")
    assert len(bob.received("INVITE")) == 2
    if mode:
        alice.refers(world.refer_to("1002"))
        assert hear_each_other(bob, carol)
        assert alice.wait_notify(2) == "SIP/2.0 200 OK"
        alice.hangs_up()
        carol.hangs_up()
    else:
        bob.hangs_up()
        alice.wait_over()
    bob.wait_over()


@MODES
@MEDIA
def test_the_called_one_refers_while_it_rings(world: World, mode: str, early: bool) -> None:
    """Alice talks with Carol. Bob's dialog ends with FreeSWITCH's CANCEL: nothing is told in it."""
    world.serve(transfer={"mode": mode, "release_transferor_after_s": 1})
    alice, bob = calling(world, early)
    carol = world.party("1002")
    bob.refers_early(world.refer_to("1002"))
    alice.wait_talking()
    assert hear_each_other(alice, carol)
    bob.wait_over()
    carol.hangs_up()
    alice.wait_over()
    assert not bob.notifies
    world.wait(lambda: bool(records(world)), "it is recorded")
    assert records(world) == ["succeeded"]


@MODES
@MEDIA
def test_whom_the_called_one_refers_to_is_busy(world: World, mode: str, early: bool) -> None:
    """Bob's phone rings again."""
    world.serve(transfer={"mode": mode})
    alice, bob = calling(world, early, busy=True)
    bob.refers_early(world.refer_to("1002"))
    bob.wait_received("INVITE", 2)
    world.wait(lambda: len(bob.sent(183) if early else bob.sent(180)) == 2, "it rings again")
    bob.answers_now()
    alice.wait_talking()
    assert hear_each_other(alice, bob)
    assert not bob.notifies
    bob.hangs_up()
    alice.wait_over()
    world.wait(lambda: bool(records(world)), "it is recorded")
    assert records(world) == ["failed"]


@pytest.mark.parametrize("by", ["callee", "caller"])
def test_a_target_refers_while_it_rings(world: World, by: str) -> None:
    """FreeSWITCH stops calling it: the transfer has failed, and the first two talk on."""
    world.serve()
    transferor, transferee = talking(world, by)
    carol = world.party("1002", "Carol").rings()
    world.party("1003", "Dave").answers()
    transferor.refers(world.refer_to("1002"))
    world.wait(lambda: bool(carol.sent(180)), "Carol rings")
    carol.refers_early(world.refer_to("1003"))
    assert transferor.wait_notify() == "SIP/2.0 480 Temporarily Unavailable"
    assert hear_each_other(transferor, transferee)
    carol.wait_over()
    assert transferor.notifies == ["SIP/2.0 480 Temporarily Unavailable"]
    assert not world.party("1003").received("INVITE")


CALLS = """
from fsctl.scenario import CallAlerting, Scenario

scenario = Scenario()

@scenario.on(CallAlerting)
def alerting(event):
    bob = event.session.call_user(event.destination)
    bob.wait_connected()
    event.session.send_media_between(event.call, bob)
"""


@pytest.mark.parametrize("who", ["caller", "called"])
def test_a_refer_before_a_scenario_has_an_answer(world: World, who: str) -> None:
    """Neither leg has a partner yet: FreeSWITCH refuses it, and all goes on."""
    world.serve(scenario=CALLS)
    bob, alice = world.party("1001", "Bob").rings(), world.party("2000", "Alice")
    alice.calls("1001")
    world.wait(lambda: bool(bob.sent(180)), "Bob rings")
    sender = bob if who == "called" else alice
    sender.refers_early(world.refer_to("1002"))
    assert sender.wait_notify() == "SIP/2.0 403 Forbidden"
    bob.answers_now()
    alice.wait_talking()
    assert hear_each_other(alice, bob)
    assert len(sender.notifies) == 1


SENDS_ELSEWHERE = """
from fsctl.scenario import CallAlerting, Scenario

scenario = Scenario()

@scenario.on(CallAlerting)
def alerting(event):
    try:
        event.call.transfer_to("1002")
    except ValueError as error:
        tell(error)
    event.session.connect(event.call, event.destination)
"""


def test_a_scenario_asks_who_is_not_answered_to_go_elsewhere(world: World) -> None:
    """FreeSWITCH would send no REFER, and the caller hear nothing: the scenario is told."""
    world.serve(scenario=SENDS_ELSEWHERE)
    bob, alice = talking(world)
    (told,) = world.told()
    assert "is not answered" in told
    assert not alice.received("REFER")
    bob.hangs_up()
    alice.wait_over()
