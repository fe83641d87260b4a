"""Legs that other phones take: pickup, INVITE with Replaces, REFER before the answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fsctl.simulator import Dialplan, SimulatedSwitch, actions, context

DIAL = actions("bridge sofia/internal/sip:1001@127.0.0.1")


@pytest.fixture
def switch() -> Iterator[SimulatedSwitch]:
    made = SimulatedSwitch(
        Dialplan({"default": context(("^1001$", DIAL), ("^1003$", actions("answer", "park")))})
    )
    yield made
    made.stop()


def ringing(switch: SimulatedSwitch, answered: bool = False) -> None:
    bob = switch.phone("1001").rings()
    alice = switch.phone("2000")
    alice.calls("1001")
    switch.run_until(lambda: alice.received("INVITE", 180))
    if answered:
        bob.answers_now()
        switch.run_until(lambda: alice.hears == "1001")


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("how", ["intercept", "replaces"])
def test_who_takes_a_leg_talks_with_it(switch: SimulatedSwitch, how: str, answered: bool) -> None:
    ringing(switch, answered)
    alice, bob, paul = (switch.phone(number) for number in ("2000", "1001", "1009"))
    if how == "intercept":
        assert alice.dialog is not None
        paul.picks_up(alice.dialog)
    else:
        assert bob.dialog is not None
        paul.replaces(bob.dialog)
    switch.run_until(lambda: alice.hears == "1009" and paul.hears == "2000")
    ended = bob.received("BYE" if answered else "CANCEL")
    assert "PICKED_OFF" in ended[0].header("Reason")
    paul.hangs_up()
    switch.run_until(lambda: not alice.in_call and not switch.channels)


def test_early_only_does_not_take_an_answered_call(switch: SimulatedSwitch) -> None:
    ringing(switch, answered=True)
    bob, paul = switch.phone("1001"), switch.phone("1009")
    assert bob.dialog is not None
    taken = paul.replaces(bob.dialog, early_only=True)
    switch.run_until(lambda: taken.final_status == 603)
    assert switch.phone("2000").hears == "1001"


@pytest.mark.parametrize("by", ["2000", "1001"])
def test_a_refer_before_the_answer_moves_the_other_leg(switch: SimulatedSwitch, by: str) -> None:
    """``switch_channel_get_partner_uuid``: also the leg that only rings for this one."""
    ringing(switch)
    other = {"2000": "1001", "1001": "2000"}[by]
    leg = switch.phone(other).dialog
    assert leg is not None and leg.channel is not None
    channel = leg.channel
    switch.phone(by).refers("<sip:1003@127.0.0.1>")
    switch.run_until(lambda: channel.profile.destination_number == "1003")
    assert channel.get_variable("sip_refer_to") == "<sip:1003@127.0.0.1>"
