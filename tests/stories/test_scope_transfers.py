"""Scope transfers: calls are the switch's own; a REFER of any of them comes to the controller."""

from __future__ import annotations

import pytest

from fsctl.story import hear_each_other, talking
from tests.stories.world import World

BY = pytest.mark.parametrize("by", ["callee", "caller"])
EXPIRY_S = 5.0
"""After so long FreeSWITCH has forgotten a controller that gives no sign."""


def wait_armed(world: World, armed: bool) -> None:
    """Wait until the switch's legs are armed by global variables, or are not."""
    world.wait(lambda: world.is_armed() is armed, f"armed: {armed}", EXPIRY_S)


@BY
@pytest.mark.parametrize("outcome", ["answers", "refuses", "rings out"])
def test_a_call_that_no_controller_knows_is_transferred(
    world: World, by: str, outcome: str
) -> None:
    """With the target's own result; and again by who was transferred, or has tried."""
    world.serve(scope="transfers", transfer={"ring_timeout_s": 1, "release_transferor_after_s": 1})
    transferor, transferee = talking(world, by)
    carol = world.party("1002", "Carol")
    told = {
        "answers": ("SIP/2.0 200 OK", carol.answers),
        "refuses": ("SIP/2.0 486 Gone fishing", lambda: carol.refuses(486, "Gone fishing")),
        "rings out": ("SIP/2.0 480 Temporarily Unavailable", carol.rings),
    }
    line, behave = told[outcome]
    behave()
    transferor.transfers("1002")
    assert transferor.wait_notify() == line
    partner = carol if outcome == "answers" else transferor
    assert hear_each_other(transferee, partner)
    if outcome == "answers":
        transferor.wait_over()
    dave = world.party("1003", "Dave").answers()
    partner.transfers("1003")
    assert partner.wait_notify(len(partner.notifies) + (not partner.notifies)) != ""
    assert hear_each_other(transferee, dave)


@BY
def test_without_a_controller_the_switch_transfers_by_itself(world: World, by: str) -> None:
    """As soon as its timer has fired; a call of before is as any other. Back: ours again."""
    world.serve(scope="transfers", transfer={"release_transferor_after_s": 1})
    transferor, transferee = talking(world, by)
    carol = world.party("1002", "Carol").answers()
    world.kill()
    wait_armed(world, False)
    transferor.transfers("1002")
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, carol)
    transferor.wait_over()
    world.restart()
    wait_armed(world, True)
    dave = world.party("1003", "Dave").refuses(486, "Gone fishing")
    carol.transfers("1003")
    assert carol.wait_notify() == "SIP/2.0 486 Gone fishing"
    assert hear_each_other(transferee, carol)
    assert not dave.in_call


def test_who_stops_disarms_at_once(world: World) -> None:
    world.serve(scope="transfers")
    bob, alice = talking(world)
    carol = world.party("1002", "Carol").answers()
    world.terminate()
    assert not world.is_armed()
    bob.transfers("1002")
    assert bob.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)


def test_one_of_two_that_stops_disarms_nothing(world: World) -> None:
    world.serve(scope="transfers")
    world.api("global_setvar fsctl_living_127.0.0.1:1=yes")
    world.terminate()
    assert world.is_armed()
    wait_armed(world, False)
    world.api("global_setvar fsctl_living_127.0.0.1:1=")


@BY
def test_who_was_transferred_by_us_is_transferred_without_us(world: World, by: str) -> None:
    """Its call goes on in fsctl's context by FreeSWITCH's reckoning: it goes to its own."""
    world.serve(scope="transfers", transfer={"release_transferor_after_s": 1})
    transferor, transferee = talking(world, by)
    carol, dave = world.party("1002", "Carol").answers(), world.party("1003", "Dave").answers()
    transferor.transfers("1002")
    assert hear_each_other(transferee, carol)
    transferor.wait_over()
    world.kill()
    wait_armed(world, False)
    carol.transfers("1003")
    assert carol.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, dave)
    carol.wait_over()


HEARS = """
from fsctl.scenario import Disconnected, Scenario

scenario = Scenario()

@scenario.on(Disconnected)
def disconnected(event):
    tell(event.call.number, "has left")
"""


@BY
@pytest.mark.parametrize("then", ["target leaves", "transferee leaves", "target", "transferee"])
def test_who_was_transferred_is_the_switchs_own_again(world: World, by: str, then: str) -> None:
    """Nobody runs its call any more; who hangs up, or asks for the next transfer, finds it so."""
    world.serve(scope="transfers", transfer={"release_transferor_after_s": 1})
    transferor, transferee = talking(world, by)
    carol, dave = world.party("1002", "Carol").answers(), world.party("1003", "Dave").answers()
    transferor.transfers("1002")
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, carol)
    transferor.wait_over()
    for leg in (world.leg(transferee), world.leg(carol)):
        world.wait(lambda leg=leg: _session_of(world, leg) == "_undef_", "nobody's")
    first, other = (carol, transferee) if then.startswith("target") else (transferee, carol)
    if then.endswith("leaves"):
        first.hangs_up()
        other.wait_over()
        return
    first.transfers("1003")
    assert first.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(other, dave)
    first.wait_over()


def test_a_scenario_that_listens_keeps_the_call_of_a_transfer(world: World) -> None:
    world.serve(scenario=HEARS, scope="transfers", transfer={"release_transferor_after_s": 1})
    bob, alice = talking(world)
    carol = world.party("1002", "Carol").answers()
    bob.transfers("1002")
    assert hear_each_other(alice, carol)
    bob.wait_over()
    world.wait_told("1001 has left")
    assert _session_of(world, world.leg(carol)) != "_undef_"
    carol.hangs_up()
    world.wait_told("1002 has left")


def _session_of(world: World, leg: str) -> str:
    return world.api(f"uuid_getvar {leg} fsctl_session").strip()


@BY
@pytest.mark.parametrize("answers", [True, False], ids=["answers", "refuses"])
def test_legacy(world: World, by: str, answers: bool) -> None:
    """The target sees the transferor, which is released when it has answered."""
    world.serve(scope="transfers", transfer={"mode": "legacy", "release_transferor_after_s": 1})
    transferor, transferee = talking(world, by)
    carol = world.party("1002", "Carol")
    (carol.answers if answers else lambda: carol.refuses(486, "Gone fishing"))()
    transferor.transfers("1002")
    assert transferor.wait_notify() == ("SIP/2.0 200 OK" if answers else "SIP/2.0 486 486")
    (invite,) = carol.received("INVITE")
    assert f"sip:{transferor.number}@" in invite.header("From")
    if answers:
        assert hear_each_other(transferee, carol)
        transferor.wait_over()
    else:
        assert hear_each_other(transferee, transferor)


RECALLS = {"ring_timeout_s": 1, "recall_prefix": "Again "}
TELLS = """
from fsctl.scenario import BlindTransferRequested, Scenario

scenario = Scenario()

@scenario.on(BlindTransferRequested)
def requested(event):
    call, other = event.call, event.transferee
    tell(call.number, call.display_name or "-", "for", other.number, other.display_name or "-")
    event.session.connect(event.transferee, event.transfer_to)
"""


@pytest.mark.parametrize(
    ("by", "caller", "said"),
    [
        ("callee", "2000", "1001 - for 2000 Alice"),
        ("caller", "2000", "2000 Alice for 1001 -"),
        ("callee", "2900", "1001 - for 2100 Directory 00"),
        ("caller", "2900", "2100 Directory 00 for 1001 -"),
    ],
)
def test_who_is_who(world: World, by: str, caller: str, said: str) -> None:
    """The scenario knows them, and who has left is called again, for whom it was."""
    world.serve(scope="transfers", transfer=RECALLS, scenario=TELLS)
    alice = world.party(caller, "Alice")
    if caller == "2900":
        world.directory(alice, "2100", "Directory 00")
    transferor, transferee = talking(world, by, caller=caller)
    carol = world.party("1002", "Carol").rings()
    transferor.transfers("1002")
    world.wait(lambda: bool(carol.sent(180)), "Carol rings")
    transferor.hangs_up()
    for_whom = said.partition(" for ")[2]
    called = transferor
    if by == "caller":
        called = world.party("2100", "Desk") if caller == "2900" else world.line(alice)
        called.answers()
    again = len(called.received("INVITE"))
    world.wait(lambda: len(called.received("INVITE")) > again, "the recall")
    assert f"Again {for_whom.partition(' ')[0]}" in called.received("INVITE")[-1].header("From")
    assert world.told() == [said]
    assert hear_each_other(called, transferee)


def test_who_is_who_after_a_transfer_that_was_not_ours(world: World) -> None:
    """Not whom the leg has talked with before."""
    world.serve(scope="transfers", scenario=TELLS, transfer={"release_transferor_after_s": 1})
    bob, alice = talking(world)
    carol, dave = world.party("1002", "Carol").answers(), world.party("1003", "Dave").answers()
    bob.transfers("1002")
    assert hear_each_other(alice, carol)
    bob.wait_over()
    world.kill()
    wait_armed(world, False)
    carol.transfers("1003")
    assert hear_each_other(alice, dave)
    carol.wait_over()
    world.restart()
    wait_armed(world, True)
    dave.transfers("1004")
    assert dave.wait_notify() == "SIP/2.0 404 Not Found"
    assert world.told() == ["1001 - for 2000 Alice", "1003 - for 2000 Alice"]
