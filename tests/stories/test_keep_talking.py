"""``[transfer] keep_talking``: the first two talk until the target answers."""

from __future__ import annotations

import pytest

from fsctl.story import Party, hear_each_other, talking
from tests.stories.world import World

KEEPS = {"keep_talking": True, "release_transferor_after_s": 1, "rescue_after_s": 5}


def asked(
    world: World, by: str = "callee", scope: str = "calls", ring_timeout_s: int = 5
) -> tuple[Party, Party, Party]:
    """Transferor, transferee, who talk, and Carol, who rings."""
    world.serve(scope=scope, transfer=KEEPS, route={"ring_timeout_s": ring_timeout_s})
    transferor, transferee = talking(world, by)
    carol = world.party("1002", "Carol").rings()
    transferor.transfers("1002")
    carol.wait_sent(180)
    assert hear_each_other(transferor, transferee)
    return transferor, transferee, carol


def told(party: Party, which: int) -> str:
    """Of that one of its REFERs; all of them have been told."""
    return party.notifies[party.notify_events.index(party.refer_events()[which])]


@pytest.mark.parametrize(("by", "scope"), [("callee", "calls"), ("caller", "transfers")])
def test_they_talk_until_the_target_answers(world: World, by: str, scope: str) -> None:
    transferor, transferee, carol = asked(world, by, scope)
    assert transferor.notifies == []
    (invite,) = carol.received("INVITE")
    assert f"sip:{transferee.number}@" in invite.header("From")
    carol.answers_now()
    assert hear_each_other(transferee, carol)
    assert transferor.wait_notify() == "SIP/2.0 200 OK"
    transferor.wait_over()
    assert transferor.notify_events == transferor.refer_events()
    dave = world.party("1003", "Dave").refuses(486, "Gone fishing")
    carol.transfers("1003")
    assert carol.wait_notify() == "SIP/2.0 486 Gone fishing"
    assert hear_each_other(transferee, carol)
    assert not dave.in_call


@pytest.mark.parametrize(
    ("by", "line"), [("callee", "486 Gone fishing"), ("caller", "480 Temporarily Unavailable")]
)
def test_target_fails_and_nobody_notices_but_the_transferor(
    world: World, by: str, line: str
) -> None:
    world.serve(scope="transfers", transfer={**KEEPS, "ring_timeout_s": 1})
    transferor, transferee = talking(world, by)
    carol = world.party("1002", "Carol").rings()
    transferor.transfers("1002")
    carol.wait_sent(180)
    if line.startswith("486"):
        carol.refuses_now(486, "Gone fishing")
    assert transferor.wait_notify() == f"SIP/2.0 {line}"
    assert hear_each_other(transferor, transferee)
    dave = world.party("1003", "Dave").answers()
    transferor.transfers("1003")
    assert transferor.wait_notify(2) == "SIP/2.0 200 OK"
    assert hear_each_other(transferee, dave)
    assert transferor.notify_events == transferor.refer_events()


@pytest.mark.parametrize("ring", ["all", "in-turn"])
def test_the_target_is_a_group(world: World, ring: str) -> None:
    """Its members are called while the first two talk; the last resort takes it when none does."""
    group = {"name": "sales", "match": "600", "members": ["1002", "1003"], "ring": ring}
    world.serve(transfer=KEEPS, groups=[group | {"ring_timeout_s": 5, "on_busy": "1004"}])
    transferor, transferee = talking(world)
    carol = world.party("1002", "Carol").rings()
    dave = world.party("1003", "Dave").rings()
    erin = world.party("1004", "Erin").answers()
    transferor.transfers("600")
    carol.wait_sent(180)
    if ring == "all":
        dave.wait_sent(180)
    else:
        assert not dave.received("INVITE")
    carol.refuses_now(486, "Busy Here")
    dave.wait_sent(180)
    assert hear_each_other(transferor, transferee) and transferor.notifies == []
    dave.refuses_now(486, "Busy Here")
    assert hear_each_other(transferee, erin)
    assert transferor.wait_notify() == "SIP/2.0 200 OK"


def test_the_transferee_hangs_up(world: World) -> None:
    transferor, transferee, carol = asked(world, "caller")
    transferee.hangs_up()
    assert transferor.wait_notify() == "SIP/2.0 487 Request Terminated"
    carol.wait_received("CANCEL")
    transferor.wait_over()


@pytest.mark.parametrize(("by", "answers"), [("caller", True), ("callee", False)])
def test_the_transferor_hangs_up(world: World, by: str, answers: bool) -> None:
    """The transferee waits for the target then; if that fails its transferor is called again."""
    transferor, transferee, carol = asked(world, by, "transfers")
    transferor.hangs_up()
    assert transferee.hears_ringback()
    if answers:
        carol.answers_now()
        assert hear_each_other(transferee, carol)
        return
    carol.refuses_now(486, "Gone fishing")
    assert "Recall " in transferor.wait_received("INVITE", 2).header("From")
    assert hear_each_other(transferee, transferor)


@pytest.mark.parametrize(("by", "sender"), [("callee", "transferor"), ("caller", "transferee")])
def test_a_second_refer_takes_the_place_of_the_first(world: World, by: str, sender: str) -> None:
    transferor, transferee, carol = asked(world, by)
    dave = world.party("1003", "Dave").rings()
    second, moved = transferor, transferee
    if sender == "transferee":
        second, moved = transferee, transferor
    second.transfers("1003")
    carol.wait_received("CANCEL")
    assert transferor.wait_notify() == "SIP/2.0 487 Request Terminated"
    dave.wait_sent(180)
    assert hear_each_other(transferor, transferee)
    dave.answers_now()
    assert second.wait_notify(1 + (sender == "transferor")) == "SIP/2.0 200 OK"
    assert hear_each_other(moved, dave)
    assert transferor.notify_events == transferor.refer_events()


@pytest.mark.parametrize(("by", "answers"), [("callee", True), ("caller", False)])
def test_the_controller_dies_while_the_target_rings(world: World, by: str, answers: bool) -> None:
    """FreeSWITCH alone joins transferee and target, or tells the transferor; nobody is dropped."""
    world.serve(transfer=KEEPS, route={"ring_timeout_s": 1})
    transferor, transferee = talking(world, by)
    carol = world.party("1002", "Carol").rings()
    transferor.transfers("1002")
    carol.wait_sent(180)
    world.kill()
    if answers:
        carol.answers_now()
        assert hear_each_other(transferee, carol)
        assert transferor.wait_notify() == "SIP/2.0 200 OK"
        transferor.wait_over()
        carol.hangs_up()
        transferee.wait_over()
        return
    carol.refuses_now(486, "Gone fishing")
    assert hear_each_other(transferor, transferee)
    assert transferor.wait_notify(limit_s=15) == "SIP/2.0 480 Temporarily Unavailable"
    assert hear_each_other(transferor, transferee)
    assert transferor.notify_events == transferor.refer_events()
    transferor.hangs_up()
    transferee.wait_over()


@pytest.mark.parametrize("sender", ["transferor", "transferee"])
def test_the_controller_dies_and_a_second_refer_comes_to_another(world: World, sender: str) -> None:
    bob, alice, carol = asked(world)
    world.kill()
    world.restart()
    dave = world.party("1003", "Dave").answers()
    second, moved = (bob, alice) if sender == "transferor" else (alice, bob)
    second.transfers("1003")
    assert bob.wait_notify() == "SIP/2.0 487 Request Terminated"
    assert second.wait_notify(1 + (sender == "transferor")) == "SIP/2.0 200 OK"
    assert hear_each_other(moved, dave)
    carol.wait_received("CANCEL")
    assert bob.notify_events == bob.refer_events()


@pytest.mark.parametrize("sender", ["transferor", "transferee"])
def test_the_controller_dies_and_a_second_refer_comes_to_nobody(world: World, sender: str) -> None:
    """FreeSWITCH tells both: the new REFER took away the timer that was to tell the first one."""
    bob, alice, carol = asked(world, ring_timeout_s=30)
    world.kill()
    second = bob if sender == "transferor" else alice
    second.transfers("1003")
    second.wait_notify(1 + (sender == "transferor"))
    bob.wait_notify()
    assert told(bob, 0) == "SIP/2.0 487 Request Terminated"
    assert told(second, -1) == "SIP/2.0 403 Forbidden"
    carol.wait_received("CANCEL")
    assert hear_each_other(alice, bob)
    assert sorted(bob.notify_events) == bob.refer_events()
    # Nobody is `kept` any more: who is left at the end of the call is not called again.
    bob.hangs_up()
    alice.wait_over()
    assert len(bob.received("INVITE")) == 1


@pytest.mark.parametrize("sender", ["transferor", "transferee"])
def test_freeswitch_itself_carries_the_second_refer_out(world: World, sender: str) -> None:
    """It knows by then that no controller is there. Nobody is called again, nor taken from whom it
    talks with, when the target of the first one answers; that one has not succeeded."""
    bob, alice, carol = asked(world, scope="transfers", ring_timeout_s=8)
    world.kill()
    world.wait(lambda: not world.is_armed(), "FreeSWITCH forgets the controller", 8)
    dave = world.party("1003", "Dave").answers()
    second, moved = (bob, alice) if sender == "transferor" else (alice, bob)
    second.transfers("1003")
    assert second.wait_notify() == "SIP/2.0 200 OK"
    assert hear_each_other(moved, dave)
    if sender == "transferor":
        assert bob.wait_notify(2) == "SIP/2.0 487 Request Terminated"
        carol.wait_received("CANCEL")
    else:
        carol.answers_now()
        assert bob.wait_notify(limit_s=20) == "SIP/2.0 480 Temporarily Unavailable"
        carol.wait_over()
    second.wait_over()
    assert hear_each_other(moved, dave)


@pytest.mark.parametrize("leaves", ["transferor", "transferee"])
def test_the_controller_dies_and_then_somebody_leaves(world: World, leaves: str) -> None:
    """Who has left is called again for its transferee; or is told that this has gone."""
    bob, alice, carol = asked(world)
    world.kill()
    if leaves == "transferee":
        alice.hangs_up()
        assert bob.wait_notify() == "SIP/2.0 487 Request Terminated"
        bob.wait_over()
    else:
        bob.hangs_up()
        bob.wait_received("INVITE", 2)
        assert hear_each_other(alice, bob)
    carol.wait_received("CANCEL")


@pytest.mark.parametrize("answers", [True, False], ids=["answers", "refuses"])
def test_the_controller_freezes_while_the_target_rings(world: World, answers: bool) -> None:
    """FreeSWITCH goes on by its timers, and the transferor is told once.

    It compares whole seconds (switch_ivr_originate.c): the first may be over in a moment.
    """
    bob, alice, carol = asked(world, "callee", "transfers", ring_timeout_s=2)
    world.freeze()
    if answers:
        carol.answers_now()
        assert alice.hears(carol, 20) and carol.hears(alice)
        assert bob.wait_notify(limit_s=20) == "SIP/2.0 200 OK"
        bob.wait_over()
    else:
        assert bob.wait_notify(limit_s=25) == "SIP/2.0 480 Temporarily Unavailable"
        assert hear_each_other(alice, bob)
    world.thaw()
    world.wait_logged(f'"outcome": "{"succeeded" if answers else "failed"}"')
    partner = carol if answers else bob
    dave = world.party("1003", "Dave").answers()
    partner.transfers("1003")
    assert partner.wait_notify(1 if answers else 2) == "SIP/2.0 200 OK"
    assert hear_each_other(alice, dave)
    assert len(bob.notifies) == (1 if answers else 2)


def test_somebody_else_moves_the_transferee(world: World) -> None:
    bob, alice, carol = asked(world)
    dave = world.party("1003", "Dave").answers()
    world.moves(alice, "1003", world.context)
    assert bob.wait_notify() == "SIP/2.0 487 Request Terminated"
    carol.wait_received("CANCEL")
    assert hear_each_other(alice, dave)
    bob.wait_over()
    dave.hangs_up()
    alice.wait_over()


def test_a_refer_with_replaces_is_refused_meanwhile(world: World) -> None:
    bob, alice, carol = asked(world)
    dave = world.party("1003", "Dave").answers()
    line = bob.consults("1003")
    assert hear_each_other(line, dave)
    bob.refers(world.replacing(line, "1003"))
    assert bob.wait_notify() == "SIP/2.0 403 Forbidden"
    carol.answers_now()
    assert bob.wait_notify(2) == "SIP/2.0 200 OK"
    assert hear_each_other(alice, carol)
    assert hear_each_other(line, dave)
