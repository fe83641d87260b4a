"""``fsctl transfer``: an operator has a party transferred, which talks until the target answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsctl.simulator.faults import Frame, Sending, late
from fsctl.story import Party, hear_each_other, talking
from tests.stories.simulated import SimulatedWorld
from tests.stories.world import Asked, World

FALLBACK = {"fallback": "number", "fallback_number": "1009"}


def asked(world: World, by: str, scope: str) -> tuple[Party, Party, Party, Asked]:
    """Whom the party talks with, the party, Carol, who rings for it, and the command."""
    world.serve(scope=scope, route={"ring_timeout_s": 5}, transfer=FALLBACK)
    partner, party = talking(world, by)
    carol = world.party("1002", "Carol").rings()
    command = world.asks(party, "1002")
    carol.wait_sent(180)
    assert hear_each_other(partner, party)
    return partner, party, carol, command


@pytest.mark.parametrize(("by", "scope"), [("caller", "transfers"), ("callee", "calls")])
def test_the_party_talks_with_the_target(world: World, by: str, scope: str) -> None:
    partner, party, carol, command = asked(world, by, scope)
    (invite,) = carol.received("INVITE")
    assert f"sip:{party.number}@" in invite.header("From")
    carol.answers_now()
    status, said = command.wait_ended()
    assert (status, said["outcome"], said["code"]) == (0, "succeeded", 200)
    assert hear_each_other(party, carol)
    partner.wait_over()
    world.wait(lambda: world.legs() == 2, "the leg that has asked is gone")
    dave = world.party("1003", "Dave").answers()
    carol.transfers("1003")
    assert carol.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(party, dave)


def test_the_target_is_busy_and_nobody_is_moved(world: World) -> None:
    bob, alice, carol, command = asked(world, "callee", "calls")
    carol.refuses_now(486, "Gone fishing")
    status, said = command.wait_ended()
    assert (status, said["outcome"]) == (1, "failed")
    assert (said["code"], said["reason"]) == (486, "Gone fishing")
    assert hear_each_other(alice, bob)
    dave = world.party("1003", "Dave").answers()
    bob.transfers("1003")
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, dave)


def test_it_is_taken_back(world: World) -> None:
    bob, alice, carol, command = asked(world, "callee", "transfers")
    command.takes_back()
    carol.wait_received("CANCEL")
    status, said = command.wait_ended()
    assert (status, said["outcome"], said["code"]) == (1, "cancelled", 487)
    assert hear_each_other(alice, bob)
    bob.hangs_up()
    alice.wait_received("BYE")


@pytest.mark.parametrize(
    ("by", "scope", "leaves"),
    [
        ("callee", "transfers", "partner"),
        ("callee", "calls", "partner"),
        ("caller", "calls", "party"),
    ],
)
def test_somebody_leaves_meanwhile(world: World, by: str, scope: str, leaves: str) -> None:
    """Who is left by its partner waits for the target all the same."""
    partner, party, carol, command = asked(world, by, scope)
    if leaves == "partner":
        partner.hangs_up()
        assert party.hears_ringback()
        carol.answers_now()
        assert command.wait_ended()[0] == 0
        assert hear_each_other(party, carol)
        return
    party.hangs_up()
    carol.wait_received("CANCEL")
    status, said = command.wait_ended()
    assert (status, said["code"]) == (1, 487)
    partner.wait_over()


def test_the_call_ends_as_the_command_is_told(tmp_path: Path) -> None:
    """The news of the end come behind those of the party's, while we wait for an answer."""
    world = SimulatedWorld(tmp_path)
    partner, party, _, command = asked(world, "caller", "calls")

    def end_is_late(frame: Frame) -> Sending | None:
        ends = frame.about == "CHANNEL_EXECUTE_COMPLETE" and b"\nApplication: bridge\n" in frame.raw
        return late(0.1)(frame) if ends else None

    for link in world.switch.links:
        link.faults.append(end_is_late)
    party.hangs_up()
    assert command.wait_ended()[1]["code"] == 487
    partner.wait_over()
    world.finish(passed=True)


def test_a_refer_takes_its_place(world: World) -> None:
    bob, alice, carol, command = asked(world, "callee", "transfers")
    dave = world.party("1003", "Dave").answers()
    bob.transfers("1003")
    status, said = command.wait_ended()
    assert (status, said["code"]) == (1, 487)
    carol.wait_received("CANCEL")
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, dave)


def test_the_controller_dies(world: World) -> None:
    """The command sees it; the two talk on as before, and the target does not ring for nobody."""
    bob, alice, carol, command = asked(world, "callee", "transfers")
    operator = world.party("1009", "Operator").answers()
    world.kill()
    status, said = command.wait_ended()
    assert (status, said["outcome"]) == (2, "unknown")
    assert hear_each_other(alice, bob)
    carol.wait_received("CANCEL")
    assert hear_each_other(alice, bob)
    bob.hangs_up()
    alice.wait_received("BYE")
    assert not operator.received("INVITE")


REFUSES = {"name": "to-nobody", "start": ["command"], "to": ["number:1003"], "then": "refuse"}


def test_the_command_loses_its_link(world: World) -> None:
    """It does not wait for news that have come meanwhile."""
    bob, alice, carol, command = asked(world, "callee", "calls")
    command.loses_link()
    carol.refuses_now(486, "Gone fishing")
    world.wait(lambda: world.legs() == 2, "nothing of it is left")
    world.wait_really(lambda: command.ended is not None, "the command ends")
    status, said = command.wait_ended()
    assert (status, said["outcome"]) in ((2, "unknown"), (1, "failed"))
    assert hear_each_other(alice, bob)


def test_what_is_refused_says_why(world: World) -> None:
    """Nobody is moved, nor is anything that was typed more than a target."""
    world.serve(scope="transfers", policy={"mode": "enforce"}, rules=[REFUSES])
    bob, alice = talking(world)
    dave = world.party("1003", "Dave").answers()
    for target, code in (
        ("1999", 404),
        ("${system(id)}", 404),
        ("x',[y=z]{a}^b", 404),
        ("<sip:@>", 400),
        ("mailto:a@b", 416),
        ("1003", 403),
    ):
        status, said = world.asks(alice, target).wait_ended()
        assert (status, said["code"], said["target"]) == (1, code, target)
    assert "rule to-nobody: who asks is inside (it is the operator, by a command)" in said["why"]
    status, said = world.asks_for("00000000-0000-4000-8000-000000000000", "1003").wait_ended()
    assert (status, said["outcome"]) == (2, "unknown")
    assert "no switch has a channel" in said["why"]
    assert not dave.received("INVITE")
    assert hear_each_other(alice, bob)


def test_a_party_alone_with_an_application(world: World) -> None:
    """It has no partner, and is fetched when the target answers."""
    world.serve(
        dialplan=["transfer 7000 XML house"],
        house={"7000": ["answer", "playback silence_stream://-1"]},
    )
    alice = world.party("2000", "Alice")
    alice.calls("7000")
    alice.wait_talking()
    carol = world.party("1002", "Carol").answers()
    status, said = world.asks(alice, "1002", "--timeout", "5").wait_ended()
    assert (status, said["code"]) == (0, 200)
    assert hear_each_other(alice, carol)
    alice.hangs_up()
    carol.wait_received("BYE")
