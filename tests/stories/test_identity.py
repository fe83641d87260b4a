"""Who is shown: the directory says who an authenticated phone is, and privacy stays."""

from __future__ import annotations

import pytest

from fsctl.story import Party, hear_each_other
from tests.stories.world import World

BY_USER = """
from fsctl.scenario import BlindTransferRequested, CallAlerting, Scenario
scenario = Scenario()

@scenario.on(CallAlerting)
def alerting(event):
    callee = event.session.call_user(event.destination)
    callee.wait_connected()
    event.session.send_media_between(event.call, callee)

@scenario.on(BlindTransferRequested)
def requested(event):
    target = event.session.call_user(event.transfer_to)
    target.wait_connected()
    event.session.send_media_between(event.transferee, target)
"""
PRIVATE = [("Privacy", "id")]


def shown(party: Party, times: int = 1) -> str:
    """Number and name in the From of an INVITE, and the privacy that goes with it."""
    invite = party.wait_received("INVITE", times)
    return f"{invite.header('From')} {invite.header('Remote-Party-ID')}"


def caller(world: World, private: bool = False, asks: str = "id") -> Party:
    """A phone whose From says <2907> "CEO John", and its directory <2107> "Directory 07"."""
    alice = world.party("2907", "CEO John")
    world.directory(alice, "2107", "Directory 07")
    alice.calls("1001", [("Privacy", asks)] if private else [])
    alice.wait_talking()
    return alice


def check(seen: str, private: bool) -> None:
    assert "2907" not in seen and "CEO" not in seen
    assert ("2107" in seen and "Directory 07" in seen) is not private
    assert ("anonymous@" in seen and "privacy=full" in seen) is private


@pytest.mark.parametrize("asks", ["", "id", "user;critical"], ids=["shown", "id", "user"])
@pytest.mark.parametrize("scenario", ["", BY_USER], ids=["settings", "call_user"])
def test_the_directory_says_who_calls_and_who_is_transferred(
    world: World, scenario: str, asks: str
) -> None:
    private = bool(asks)
    world.serve(scenario=scenario)
    bob, carol, dave = (world.party(number).answers() for number in ("1001", "1002", "1003"))
    alice = caller(world, private, asks)
    assert hear_each_other(alice, bob)
    check(shown(bob), private)
    bob.refers(world.refer_to("1002"))
    check(shown(carol), private)
    assert hear_each_other(alice, carol)
    alice.refers(world.refer_to("1003"))
    assert "<sip:1002@" in shown(dave) and "privacy=full" not in shown(dave)
    assert hear_each_other(carol, dave)


@pytest.mark.parametrize("private", [False, True], ids=["shown", "private"])
@pytest.mark.parametrize("way", ["in-session", "legacy", "no controller"])
def test_the_directory_says_who_transfers(world: World, way: str, private: bool) -> None:
    if way == "in-session":
        world.serve(transfer={"caller_id": "transferor"})
    else:
        world.serve(transfer={"mode": "legacy"})
    if way == "no controller":
        world.kill()
    bob, carol = (world.party(number).answers() for number in ("1001", "1002"))
    alice = caller(world, private)
    assert hear_each_other(alice, bob)
    alice.refers(world.refer_to("1002"))
    seen = shown(carol)
    assert "2907" not in seen and "CEO" not in seen
    assert ("<sip:2107@" in seen) is not private
    assert hear_each_other(bob, carol)
    alice.hangs_up()


@pytest.mark.parametrize("private", [False, True], ids=["shown", "private"])
def test_the_target_is_told_of_a_caller_that_transfers_by_the_directory(
    world: World, private: bool
) -> None:
    world.serve(transfer={"referred_by": "rewrite", "diversion": True})
    bob, carol = (world.party(number).answers() for number in ("1001", "1002"))
    alice = caller(world, private)
    assert hear_each_other(alice, bob)
    alice.refers(world.refer_to("1002"), "<sip:2907@127.0.0.1>")
    invite = carol.wait_received("INVITE")
    assert ("2107" in invite.header("Referred-By")) is not private
    assert ("<sip:2107@" in invite.header("Diversion")) is not private
    assert ("anonymous@" in invite.header("Diversion")) is private
    assert "2907" not in invite.header("Referred-By") + invite.header("Diversion")
    assert hear_each_other(bob, carol)
    alice.hangs_up()


@pytest.mark.parametrize("private", [False, True], ids=["shown", "private"])
@pytest.mark.parametrize("alone", [False, True], ids=["controller", "killed"])
def test_a_recall_shows_whom_the_directory_names(world: World, alone: bool, private: bool) -> None:
    world.serve()
    bob = world.party("1001").answers()
    carol = world.party("1002").rings()
    alice = caller(world, private)
    assert hear_each_other(alice, bob)
    bob.refers(world.refer_to("1002"))
    carol.wait_received("INVITE")
    bob.hangs_up()
    if alone:
        world.kill()
    carol.refuses_now(486, "Busy Here")
    seen = shown(bob, 2)
    assert "2907" not in seen and "CEO" not in seen and "Recall" in seen
    assert ("Recall 2107" in seen and "<sip:2107@" in seen) is not private
    assert ("privacy=full" in seen and "2107" not in seen) is private
    alice.hangs_up()


def test_who_asks_to_be_hidden_is_so_without_a_controller(world: World) -> None:
    """Of the words of Privacy FreeSWITCH itself knows ``id`` only (sofia.c)."""
    world.serve()
    world.kill()
    bob = world.party("1001").answers()
    caller(world, private=True, asks="user;header")
    seen = shown(bob)
    assert "anonymous@" in seen and not any(of in seen for of in ("2907", "2107", "CEO", "Dire"))


def test_the_recall_of_a_caller_dials_whom_the_directory_names(world: World) -> None:
    world.serve()
    bob = world.party("1001").answers()
    carol = world.party("1002").rings()
    desk, stranger = world.party("2107").answers(), world.party("2907", "CEO John")
    alice = caller(world)
    assert hear_each_other(alice, bob)
    alice.refers(world.refer_to("1002"))
    carol.wait_received("INVITE")
    alice.hangs_up()
    carol.refuses_now(486, "Busy Here")
    assert "Recall 1001" in shown(desk)
    assert hear_each_other(bob, desk)
    assert not stranger.received("INVITE")


def test_a_target_that_is_called_anew_sees_what_any_target_sees(world: World) -> None:
    """The transferor takes its second call back when it has sent its REFER with Replaces."""
    world.serve()
    bob = world.party("1001").answers()
    carol = world.party("1002").rings()
    alice = world.party("2907", "CEO John")
    world.directory(alice, "2107", "Directory 07")
    alice.calls("1001", [*PRIVATE, ("X-Secret", "s")])
    alice.wait_talking()
    line = bob.consults("1002")
    line.wait_received(180)
    bob.refers(world.replacing(line, "1002")[:-1] + "&X-Account=42>", "<sip:1001@example.org>")
    world.wait_logged("requested -> waiting")
    line.gives_up()
    invite = carol.wait_received("INVITE", 2)
    check(shown(carol, 2), private=True)
    assert invite.header("X-Account") == "42"
    assert invite.header("Referred-By") == "<sip:1001@example.org>"
    assert not invite.header("X-Secret") and "Replaces" not in str(invite.headers)
    carol.answers_now()
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
